"""Reads the resources of Twilio's Python SDK: what its lists and contexts send, for the operations
that the published documents don't have yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.authoring.imports.described import Described
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.pieces import pieces_of
from gateway.canonicalize.naming.words import words_of

_CLASS = re.compile(
    r"^class (\w+?)(List|Context)\((?:ListResource|InstanceContext)\):", re.MULTILINE
)
_URI = re.compile(r'self\._uri = (?:\(\s*)?"([^"]+)"')
_CALL = re.compile(r"\n    def _(create|fetch|update|delete)\(.*?method=\"([A-Z]+)\"", re.DOTALL)
_LISTS = re.compile(r"\n    def list\(")
_KEY = re.compile(r'\n {16}"([A-Z]\w+)": ')
_VERSION = re.compile(r'super\(\).__init__\(domain, "([^"]+)"\)')


def resources_of(package: Path) -> Iterator[tuple[str, Described]]:
    """Every operation with the domain (`conversations`) that it belongs to."""
    for folder in sorted(path for path in (package / "rest").iterdir() if path.is_dir()):
        for version in sorted(path for path in folder.iterdir() if path.is_dir()):
            found = _VERSION.search((version / "__init__.py").read_text())
            if found is None:
                continue
            for path in sorted(version.rglob("*.py")):
                for described in _file(path, version, folder.name, found.group(1)):
                    yield folder.name.removesuffix("_api"), described


def _file(path: Path, version: Path, domain: str, prefix: str) -> Iterator[Described]:
    source = path.read_text()
    parents = path.relative_to(version).parent.parts
    above = "".join(word.capitalize() for part in parents for word in part.split("_"))
    for found, text in pieces_of(_CLASS, source):
        uri = _URI.search(text)
        stem = found.group(1)
        if uri is None:
            continue
        calls = [(call.group(1), call.group(2), call) for call in _CALL.finditer(text)]
        for verb, method, call in calls:
            body = text[call.start() : call.end()]
            fields = [Field(key, f"form.{key}") for key in _KEY.findall(body)]
            if "application/json" in body:
                fields = []
            yield _described(verb, method, uri.group(1), (domain, prefix, above, stem), fields)
        if found.group(2) == "List" and _LISTS.search(text):
            yield _described("list", "GET", uri.group(1), (domain, prefix, above, stem), [])


def _described(
    verb: str, method: str, uri: str, place: tuple[str, str, str, str], fields: list[Field]
) -> Described:
    domain, prefix, above, stem = place
    noun = stem if stem.startswith(above) else above + stem
    name = f"{verb.capitalize()}{noun}"
    return Described(
        f"twilio.{domain.removesuffix('_api')}.{name}",
        method,
        f"/{prefix}{uri}",
        words_of(name),
        fields=fields,
    )
