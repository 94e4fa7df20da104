"""Reads what every document begins with, and the words that all kinds of them share."""

from __future__ import annotations

from typing import Final

from gateway.decide.documents.document import Item
from gateway.decide.documents.reader import Reader
from gateway.model.effect import Effect, Mode

API_VERSION: Final = "checkrein/v1"

EFFECTS: Final = {
    "ALLOW": Effect.ALLOW,
    "BLOCK": Effect.BLOCK,
    "DENY": Effect.BLOCK,
    "REQUIRE_APPROVAL": Effect.REQUIRE_APPROVAL,
}
MODES: Final = {mode.value: mode for mode in Mode}

_TOP_KEYS: Final = ("apiVersion", "kind", "metadata", "spec")


def read_heading(
    reader: Reader, document: Item, what: str, kind: str
) -> tuple[Item | None, Item | None]:
    """Check version and kind of a document. Gives the nodes of its name and of its `spec`, as far
    as they are there."""
    found = reader.fields(document, what, _TOP_KEYS, _TOP_KEYS)
    if "apiVersion" in found:
        reader.choice(found["apiVersion"], "`apiVersion`", {API_VERSION: API_VERSION})
    if "kind" in found:
        reader.choice(found["kind"], "`kind`", {kind: kind})
    metadata = reader.fields(found.get("metadata"), "`metadata`", ("name",), ("name",))
    return metadata.get("name"), found.get("spec")
