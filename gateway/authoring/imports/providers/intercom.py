"""Intercom, from the clients of its TypeScript SDK: one class a resource, one method an operation.

Operations are the SDK's paths (`conversations.reply`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.names import singular, words_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.catalog.row import RowParam
from gateway.model.action import Kind

PROVIDER = "intercom"
SOURCES = (
    Source(
        "npm",
        "intercom-client",
        "7.0.3",
        "Apache-2.0",
        "d581c191f657993dc231259ad9231186a9e3318ee266b7c09c3f2b5e509211bd",
    ),
)
HOSTS = ("api.intercom.io", "api.eu.intercom.io", "api.au.intercom.io")
JUDGEMENT = Judgement(
    kinds={"contacts.block": Kind.UPDATE},
    sends=re.compile(
        r"^(?:conversations|tickets)\.reply\w*$|^messages\.create$|^conversations\.create$"
    ),
    admin=re.compile(r"^(?:admins|teams|awayStatusReasons|ipAllowlist)\.(?!list|find|identify)"),
    reads=re.compile(r"\.(?:search|list\w*|find\w*|scroll)$"),
    irreversible=re.compile(r"^contacts\.(?:merge\w*|delete\w*)$|\.redact\w*$"),
    reversible=re.compile(r"\.(?:detach\w*|unarchive|untag\w*)$"),
    actions={
        "messages.create": "send_message",
        "conversations.reply": "send_message",
        "tickets.create": "create_ticket",
        "tickets.update": "update_ticket",
        "tickets.delete": "delete_ticket",
        "contacts.create": "create_contact",
        "contacts.update": "update_contact",
        "contacts.delete": "delete_contact",
        "contacts.search": "search_contact",
    },
    params={
        "messages.create": {
            "to": RowParam("body.to.id"),
            "type": RowParam("body.message_type"),
            "subject": RowParam("body.subject"),
        },
        "contacts.create": {"email": RowParam("body.email"), "role": RowParam("body.role")},
        "conversations.reply": {"type": RowParam("body.message_type")},
    },
    posts_act=True,
)
_METHOD = re.compile(
    r"^    (\w+)\([^)]*\) \{$|UsProduction, (\"[^\"]*\"|`[^`]*`)\),\s*method: \"([A-Z]+)\"",
    re.MULTILINE,
)
_ENCODED = re.compile(r"\$\{core\.url\.encodePathParam\((\w+)\)\}")


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: what the SDK's stable clients call."""
    root = folders["intercom-client"] / "package" / "dist" / "esm" / "api" / "resources"
    found: dict[tuple[str, str], Call] = {}
    for path in sorted(root.rglob("client/Client.mjs"), key=lambda p: ("unstable" in p.parts, p)):
        for call in _calls(path, root):
            shape = re.sub(r"\{[^}]+\}", "{}", call.template)
            found.setdefault((call.method, shape), call)
    return [NewSection("intercom", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]


def _calls(path: Path, root: Path) -> Iterator[Call]:
    parts = [p for p in path.relative_to(root).parts[:-2] if p not in ("resources", "api")]
    nouns = [singular(word) for word in words_of(parts[-1])]
    name = ""
    for method, template, verb in _METHOD.findall(path.read_text()):
        if method:
            name = method.removeprefix("__")
            continue
        words = words_of(name)
        verb_word = "get" if words[0] == "find" else words[0]
        yield Call(
            ".".join((*parts, name)),
            verb,
            "/" + _ENCODED.sub(r"{\1}", template[1:-1]),
            (verb_word, *(words[1:] or nouns)),
        )
