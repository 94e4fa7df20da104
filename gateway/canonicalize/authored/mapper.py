"""Turns a mapper file into its operations, strictly: unknown keys, duplicates and bad references
are problems with line and column, and all of them are reported at once.

This file reads the outer parts; `entries` reads one operation. Never opens a file but in `load_`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from gateway.canonicalize.authored.choices import ERROR_STYLES, Select
from gateway.canonicalize.authored.document import (
    Document,
    Node,
    elements,
    load_bytes,
    nearest,
    plain,
)
from gateway.canonicalize.authored.entries import EntryReader
from gateway.canonicalize.authored.operation import Operation, Place
from gateway.canonicalize.authored.overrides import Override, read_override
from gateway.model.action import UNKNOWN_OPERATION, Kind
from gateway.model.dataclass import dataclass
from gateway.model.errors import Problem

API_VERSION = "checkrein/v1"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HOST = re.compile(r"(?:\*[.-])?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9-]{1,63}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{2,63}")
_SPEC_KEYS = (
    "provider", "hosts", "extends", "errors", "select", "prefix", "defaults", "operations",
    "unmatched", "tests", "ignoreCase", "volatile",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What a request means that fits no operation of its host. Never a read."""

    action: str = UNKNOWN_OPERATION
    kind: Kind = Kind.UNKNOWN


@dataclass(frozen=True, slots=True)
class MapperTest:
    """An inline test: a request as it is written, and what must come out."""

    file: str
    line: int
    request: str
    headers: tuple[tuple[str, str], ...]
    expect: tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mapper:
    """One file, read. `prefix` is the path before the operation's name under PATH_TAIL; `extends`
    the name of the catalog below, empty without one; `overrides` are the entries that change its
    operations, `place` is where their addresses are read that name none."""

    file: str
    name: str
    provider: str
    hosts: tuple[str, ...]
    errors: str
    select: Select
    prefix: tuple[str, ...]
    extends: str
    operations: tuple[Operation, ...]
    overrides: tuple[Override, ...]
    place: Place | None
    ignores_case: bool
    volatile: frozenset[str]
    unmatched: Unmatched
    tests: tuple[MapperTest, ...]


def load_mapper(path: Path, catalogs: Collection[str] = ()) -> tuple[Mapper | None, list[Problem]]:
    """Read one file."""
    try:
        data = load_bytes(path)
    except OSError as error:
        return None, [Problem(str(path), 0, 0, f"can't be read: {error.strerror}")]
    return parse_mapper(data, str(path), catalogs)


def parse_mapper(
    data: bytes, file: str, catalogs: Collection[str] = ()
) -> tuple[Mapper | None, list[Problem]]:
    """Read the text of one file; None when it has problems. `catalogs` are those that are there."""
    document = Document(file)
    root = document.compose(data)
    if root is None:
        return None, document.problems
    required = ("apiVersion", "kind", "metadata", "spec")
    top = document.fields(root, "a mapper", required, required)
    if "apiVersion" in top:
        document.choice(top["apiVersion"], "apiVersion", (API_VERSION,), API_VERSION)
    if "kind" in top:
        document.choice(top["kind"], "kind", ("Mapper",), "Mapper")
    name = ""
    if "metadata" in top:
        metadata = document.fields(top["metadata"], "metadata", ("name",), ("name",))
        name = _name(document, metadata.get("name"), "the name")
    if "spec" not in top:
        return None, document.problems
    mapper = _parse_spec(document, top["spec"], name, catalogs)
    return (None if document.problems else mapper), document.problems


def _name(document: Document, node: Node | None, what: str) -> str:
    text = document.text(node, what)
    if text and not _NAME.fullmatch(text):
        document.fault(node, f"{what} must be lower-case letters, digits and dashes")
    return text


def _parse_spec(document: Document, node: Node, name: str, catalogs: Collection[str]) -> Mapper:
    spec = document.fields(node, "spec", _SPEC_KEYS, ("provider", "operations"))
    if "hosts" not in spec and "extends" not in spec:
        document.fault(node, "spec has no `hosts`", "add `hosts:`")
    provider = _name(document, spec.get("provider"), "the provider")
    errors = document.choice(spec.get("errors"), "error style", ERROR_STYLES, "problem")
    select = Select(document.choice(spec.get("select"), "selector", list(Select), Select.PATH))
    prefix = _prefix(document, spec.get("prefix"), select)
    extends = _extends(document, spec.get("extends"), catalogs)
    place = _default_place(document, spec.get("defaults"))
    pairs = document.pairs(spec["operations"], "operations") if "operations" in spec else []
    # By its own name: no method before it, no path in it.
    named = [pair for pair in pairs if extends and " " not in pair[0]]
    entries = EntryReader(document, provider, errors, select, prefix, place)
    return Mapper(
        document.file,
        name,
        provider,
        _hosts(document, spec.get("hosts")),
        errors,
        select,
        prefix,
        extends,
        entries.read([pair for pair in pairs if pair not in named]),
        tuple(override for pair in named for override in read_override(document, *pair)),
        place,
        document.boolean(spec.get("ignoreCase"), "ignoreCase", False),
        _volatile(document, spec.get("volatile")),
        _unmatched(document, spec.get("unmatched")),
        _tests(document, spec.get("tests")),
    )


def _prefix(document: Document, node: Node | None, select: Select) -> tuple[str, ...]:
    text = document.text(node, "the prefix", "/")
    if node is not None and select is not Select.PATH_TAIL:
        document.fault(node, "`prefix` goes with `select: path-tail` only")
    if not text.startswith("/") or "//" in text or "{" in text:
        document.fault(node, "the prefix must be a path like `/api`")
    return tuple(part for part in text.split("/") if part)


def _extends(document: Document, node: Node | None, catalogs: Collection[str]) -> str:
    if node is None:
        return ""
    text = document.text(node, "extends")
    name = text.removeprefix("catalog:")
    if text and (name == text or name not in catalogs):
        document.fault(
            node,
            f"there is no catalog `{text}`",
            nearest(text, [f"catalog:{one}" for one in catalogs]),
        )
    return name


def _default_place(document: Document, node: Node | None) -> Place | None:
    if node is None:
        return None
    defaults = document.fields(node, "defaults", ("params",))
    if "params" not in defaults:
        return None
    places = [place.value for place in Place if place is not Place.PATH]
    return Place(document.choice(defaults["params"], "place of params", places, Place.ANY))


def _volatile(document: Document, node: Node | None) -> frozenset[str]:
    names = document.texts(node, "volatile")
    for name, item in names:
        if not _KEY.fullmatch(name):
            document.fault(
                item, f"`{name}` is no key of a body", "write a key such as `ClientToken`"
            )
    return frozenset(name for name, _ in names)


def _hosts(document: Document, node: Node | None) -> tuple[str, ...]:
    hosts: list[str] = []
    for text, item in document.texts(node, "hosts"):
        if not text:
            continue
        if not _HOST.fullmatch(text) or (text.startswith("*.") and "." not in text[2:]):
            document.fault(
                item,
                f"`{text}` is no host",
                "write a lower-case name such as `api.example.com`, or `*.example.com`",
            )
        elif text in hosts:
            document.fault(item, f"the host `{text}` is there twice")
        hosts.append(text)
    if node is not None and not hosts:
        document.fault(node, "hosts is empty", "name at least one host")
    return tuple(hosts)


def _unmatched(document: Document, node: Node | None) -> Unmatched:
    if node is None:
        return Unmatched()
    fields = document.fields(node, "unmatched", ("action", "kind"))
    kinds = [kind.value for kind in Kind if kind is not Kind.READ]
    if "kind" in fields and plain(fields["kind"]) == Kind.READ:
        document.fault(fields["kind"], "what matches nothing can't be a read", "write `unknown`")
        return Unmatched()
    kind = document.choice(fields.get("kind"), "kind", kinds, Kind.UNKNOWN)
    action = document.text(fields.get("action"), "the action", UNKNOWN_OPERATION)
    return Unmatched(action, Kind(kind))


EXPECTATIONS = (
    "operation", "action", "kind", "target.type", "target.id", "refused", "missing", "provider",
    "reversible", "sensitive", "count",
)  # fmt: skip


def _tests(document: Document, node: Node | None) -> tuple[MapperTest, ...]:
    if node is None:
        return ()
    tests: list[MapperTest] = []
    items = elements(node)
    if items is None:
        document.fault(node, "tests must be a list")
    for item in items or ():
        fields = document.fields(
            item, "a test", ("request", "headers", "expect"), ("request", "expect")
        )
        if "request" not in fields or "expect" not in fields:
            continue
        expect = []
        for key, key_node, value in document.pairs(fields["expect"], "expect"):
            if key not in EXPECTATIONS and not key.startswith("params."):
                document.fault(key_node, f"`{key}` can't be expected", nearest(key, EXPECTATIONS))
            expect.append((key, plain(value)))
        headers = []
        if "headers" in fields:
            for key, _, value in document.pairs(fields["headers"], "headers"):
                headers.append((key, document.text(value, f"the header `{key}`")))
        request = document.text(fields["request"], "the request")
        line = item.start_mark.line + 1
        tests.append(MapperTest(document.file, line, request, tuple(headers), tuple(expect)))
    return tuple(tests)
