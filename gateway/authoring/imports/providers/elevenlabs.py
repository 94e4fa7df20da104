"""ElevenLabs, from its Python SDK. Operations are the SDK's paths (`text_to_speech.convert`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.sdk.fern import calls_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "elevenlabs"
SOURCES = (
    Source(
        "pypi",
        "elevenlabs",
        "2.78.0",
        "MIT",
        "a09f59beb73a9805f90ff719182e2f91e4d418ef9327fd984d8aa97a51004351",
    ),
)
HOSTS = (
    "api.elevenlabs.io",
    "api.us.elevenlabs.io",
    "api.eu.residency.elevenlabs.io",
)
JUDGEMENT = Judgement(
    kinds={
        "conversational_ai.twilio.register_call": Kind.EXECUTE,
        "conversational_ai.knowledge_base.get_or_create_rag_indexes": Kind.CREATE,
        "workspace.invites.create": Kind.ADMIN,
        "workspace.invites.create_batch": Kind.ADMIN,
        "workspace.invites.delete": Kind.ADMIN,
    },
    # Making a voice speak or hear acts on nothing, and costs money.
    reads=re.compile(r"\.(?:search|list\w*|get(?!_or_)\w*|calculate\w*)$"),
    admin=re.compile(
        r"^(?:workspace|service_accounts|webhooks)\b.*\.(?!list|get|search)|\.secrets\.(?!list|get)"
    ),
    sends=re.compile(r"outbound_call$|outbound_message$|batch_calls\.create$|\.invites\.create"),
    executes=re.compile(
        r"^(?:text_to_\w+|speech_to_\w+|audio_isolation|forced_alignment|music)\b"
        r"(?!.*(?:delete|update|finetunes\.create)$)"
        r"|\.(?:convert\w*|stream\w*|compose\w*|simulate\w*|run\w*)$"
    ),
    credentials=re.compile(
        r"get_signed_url$|webrtc_token|\.tokens\.|api_keys\.create|single_use_token"
        r"|\.secrets\.create$|create_client_secret$|^tokens\.single_use\.create$"
    ),
    actions={
        "text_to_speech.convert": "create_speech",
        "speech_to_text.convert": "create_transcription",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every client of the SDK."""
    found: dict[tuple[str, str], Call] = {}
    calls = sorted(
        calls_of(folders["elevenlabs"] / "elevenlabs"), key=lambda call: "stream" in call.operation
    )
    for call in calls:
        found.setdefault((call.method, shape_of(call.template)), call)
    return [NewSection("elevenlabs", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]
