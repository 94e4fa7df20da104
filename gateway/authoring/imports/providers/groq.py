"""Groq, from its Python SDK. Operations are the SDK's paths (`chat.completions.create`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.stainless import calls_of
from gateway.canonicalize.catalog.file import NewSection, Source

PROVIDER = "groq"
SOURCES = (
    Source(
        "pypi",
        "groq",
        "1.7.0",
        "Apache-2.0",
        "cb1518f823423d4e52445859eb7d2918a927794cec12f8d5e50d9161e3690fc8",
    ),
)
HOSTS = ("api.groq.com",)
JUDGEMENT = Judgement(
    executes=re.compile(r"(?:completions|embeddings|transcriptions|translations|speech)\.create$"),
    actions={
        "chat.completions.create": "create_completion",
        "embeddings.create": "create_embedding",
        "audio.transcriptions.create": "create_transcription",
        "audio.speech.create": "create_speech",
        "files.create": "upload_file",
        "models.list": "list_model",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every resource of the client."""
    calls = calls_of(folders["groq"], "groq", "Groq")
    return [NewSection("groq", [row_of(call, JUDGEMENT) for call in calls], HOSTS)]
