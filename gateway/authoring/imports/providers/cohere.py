"""Cohere, from its Python SDK. Operations are the SDK's paths (`v2.chat`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.sdk.fern import calls_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "cohere"
SOURCES = (
    Source(
        "pypi",
        "cohere",
        "7.3.1",
        "MIT",
        "89fff06d20c0e70c96678948599c0fb9e7d5e4241c2592a16fdd111a84e11d5a",
    ),
)
HOSTS = (
    "api.cohere.com",
    "api.cohere.ai",
)
JUDGEMENT = Judgement(
    kinds={"models.list": Kind.READ},
    reads=re.compile(r"tokenize$|check_api_key$"),
    executes=re.compile(
        r"(?:chat|chat_stream|generate|generate_stream|embed|rerank|classify|summarize|parse"
        r"|transcriptions\.create|detokenize)$"
    ),
    actions={
        "v2.chat": "create_completion",
        "v2.embed": "create_embedding",
        "models.list": "list_model",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every client of the SDK."""
    found: dict[tuple[str, str], Call] = {}
    calls = sorted(
        calls_of(folders["cohere"] / "cohere"), key=lambda call: "stream" in call.operation
    )
    for call in calls:
        found.setdefault((call.method, shape_of(call.template)), call)
    return [NewSection("cohere", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]
