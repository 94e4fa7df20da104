"""Reads a `witness` block: by which request a target's state is read, and what of the answer
counts.

A variable of the entry's path becomes the places that it has in the request's own path, so that
the read is about the very thing that the request names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.canonicalize.authored.document import Document, Node, elements
from gateway.canonicalize.authored.template import VARIABLE, Form, form_of
from gateway.model.action import WitnessRead

KEYS = ("read", "fields", "success", "absent")
METHODS = ("GET", "HEAD")
"""Of a read. Whatever else reads at some provider writes at another."""
OWN_PATH = "{path}"
HEADER = "header."

_VARIABLE = re.compile(r"\{([^{}]*)\}")


def read_witness(
    document: Document, node: Node | None, segments: Sequence[str] = ()
) -> WitnessRead | None:
    """Read a `witness` block of an entry whose path template has these segments."""
    if node is None:
        return None
    given = document.fields(node, "witness", KEYS, ("read", "fields"))
    where = given.get("read", node)
    read = document.text(given.get("read"), "read")
    method, _, target = read.partition(" ")
    if read and (method not in METHODS or not target.startswith(("/", OWN_PATH))):
        document.fault(where, "a witness is read with GET or HEAD", "`GET /path`")
    fields, names = _fields(document, given.get("fields"))
    if method == "HEAD" and not all(field.startswith(HEADER) for field in fields):
        document.fault(where, "HEAD is answered with headers alone", "`header.etag`")

    def compiled(found: re.Match[str]) -> str:
        return _variable(document, where, found, segments)

    return WitnessRead(
        _VARIABLE.sub(compiled, read),
        fields,
        names,
        document.text(given.get("success"), "success"),
        document.boolean(given.get("absent"), "absent", False),
    )


def _fields(document: Document, node: Node | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where the fields stand in the answer, and what people call them."""
    if node is None:
        return (), ()
    if elements(node) is not None:
        places = tuple(text for text, _ in document.texts(node, "the fields"))
        return places, ()
    pairs = document.pairs(node, "the fields")
    places = tuple(document.text(value, f"the field `{name}`") for name, _, value in pairs)
    return places, tuple(name for name, _, _ in pairs)


def _variable(
    document: Document, where: Node, found: re.Match[str], segments: Sequence[str]
) -> str:
    name = found[1]
    if name in ("target.id", "path") or name.startswith("params."):
        if name == "path" and found.start() != found.string.find(" ") + 1:
            document.fault(where, "`{path}` begins the read", "`GET {path}?policy`")
        return found[0]
    for position, segment in enumerate(segments):
        variable = VARIABLE.fullmatch(segment)
        if variable is None or f"path.{variable[1]}" != name:
            continue
        if form_of(segment) is Form.GREEDY:
            return f"{{path.{position}+{len(segments) - position - 1}}}"
        return f"{{path.{position}}}"
    document.fault(
        where, f"`{{{name}}}` is nothing that a witness can be read by",
        "`{target.id}`, a param such as `{params.owner}`, a whole segment of the entry's path such "
        "as `{path.owner}`, or `{path}`, the path that the request has",
    )  # fmt: skip
    return found[0]
