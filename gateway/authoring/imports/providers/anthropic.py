"""Anthropic's API, from the source of its Python SDK.

What is in beta has the paths of what is stable. Only the features that a client asks for by a
header, or the `beta=true` that older SDKs add, tell the two apart; both are the same act.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.python_calls import read_sdk_calls
from gateway.authoring.imports.sdk.rows import sdk_rows, without_aliases
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
BETA_REQUESTS: tuple[Mapping[str, str | bool], ...] = (
    {"query.beta": "true"},
    {"header.anthropic-beta": True},
    {"query.beta": "true", "header.anthropic-beta": True},
)
"""How a client of the beta resources shows; a request can show it in both ways."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = read_sdk_calls(folders["anthropic"], "anthropic", "Anthropic")
    named = without_aliases(PROVIDER, calls)
    rows = sdk_rows(named, JUDGEMENT)
    betas = {
        call.operation: beta
        for call in named
        for beta in call.aliases
        if beta == call.operation.replace(f"{PROVIDER}.", f"{PROVIDER}.beta.", 1)
    }
    return [
        NewSection(
            PROVIDER,
            [
                *rows,
                *(
                    replace(row, operation=betas[row.operation], when=when)
                    for row in rows
                    if row.operation in betas
                    for when in BETA_REQUESTS
                ),
            ],
        )
    ]
