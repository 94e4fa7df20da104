"""Groq's API of model inference, from the source of its Python SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.sdk_calls import read_sdk_calls
from gateway.authoring.imports.sdk_judgement import Judgement
from gateway.authoring.imports.sdk_rows import sdk_rows, without_aliases
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
READS: Mapping[str, str] = {}
"""Groq reads by GET alone."""
JUDGEMENT = Judgement(
    reads=READS,
    # A model runs: it acts on nothing, and costs money.
    executes=re.compile(r"(?:completions|embeddings|speech|transcriptions|translations)\.create$"),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = without_aliases(PROVIDER, read_sdk_calls(folders["groq"], "groq", "Groq"))
    return [NewSection(PROVIDER, sdk_rows(calls, JUDGEMENT))]
