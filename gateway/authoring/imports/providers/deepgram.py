"""Deepgram, from its Python SDK. Operations are the SDK's paths
(`listen.v1.media.transcribe_url`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.sdk.fern import calls_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "deepgram"
SOURCES = (
    Source(
        "pypi",
        "deepgram-sdk",
        "7.17.0",
        "MIT",
        "04266a9ec5c946fdaf30e3bf424ac3e2ea29ec4086e2a8af6bb351663805f2c1",
    ),
)
HOSTS = ("api.deepgram.com",)
JUDGEMENT = Judgement(
    kinds={"models.list": Kind.READ},
    admin=re.compile(
        r"\.(?:members|keys|invites|scopes|distribution_credentials)\.\w*(?:create|delete|update)$"
    ),
    executes=re.compile(r"^(?:listen|speak|read|agent)\."),
    credentials=re.compile(
        r"^auth\.v1\.tokens\.grant$|\.(?:keys|distribution_credentials)\.create$"
    ),
    actions={
        "listen.v1.media.transcribe_url": "create_transcription",
        "listen.v1.media.transcribe_file": "create_transcription",
        "speak.v1.audio.generate": "create_speech",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every client of the SDK."""
    found: dict[tuple[str, str], Call] = {}
    calls = sorted(
        calls_of(folders["deepgram-sdk"] / "deepgram"), key=lambda call: "stream" in call.operation
    )
    for call in calls:
        found.setdefault((call.method, shape_of(call.template)), call)
    return [NewSection("deepgram", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]
