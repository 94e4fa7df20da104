"""Anthropic's API, from the source of its Python SDK. What is in beta has the same paths, and a
`beta=true` in its query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.sdk_calls import read_sdk_calls
from gateway.authoring.imports.sdk_judgement import Judgement
from gateway.authoring.imports.sdk_rows import sdk_rows, without_aliases
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "anthropic"
SOURCES = (
    Source(
        "pypi",
        "anthropic",
        "2.12.0",
        "MIT",
        "8631e3880ee18b0f87ce61d5d08e67804200463cf27c4182024715e232c99ba6",
    ),
)
READS = {
    "anthropic.messages.count_tokens": "counts the tokens of an input; no model runs",
    "anthropic.beta.messages.count_tokens": "counts the tokens of an input; no model runs",
}
JUDGEMENT = Judgement(
    reads=READS,
    acts={
        # The answer is a piece of work that the caller now has.
        "anthropic.beta.environments.work.poll": Kind.EXECUTE,
        # An event that is sent to a session goes to a model, and to no person.
        "anthropic.beta.sessions.events.send": Kind.EXECUTE,
    },
    admin=re.compile(r"\.organization\.|\.vaults\.credentials\.|\.tunnels\."),
    # A model runs: it acts on nothing, and costs money.
    executes=re.compile(r"messages\.create$|completions\.create$|dreams\.create$"),
    credentials=re.compile(
        r"reveal_token|rotate_token|signing_secret|organization\.webhooks\.create|enrollment_url"
        r"|action_urls\.create|tunnels\.create$"
    ),
    irreversible=re.compile(r"\.redact$|\.archive$|sign_out"),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = read_sdk_calls(folders["anthropic"], "anthropic", "Anthropic")
    return [NewSection(PROVIDER, sdk_rows(without_aliases(PROVIDER, calls), JUDGEMENT))]
