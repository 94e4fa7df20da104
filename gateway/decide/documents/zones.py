"""Reads time zones by name."""

from __future__ import annotations

from datetime import tzinfo

from gateway.decide.conditions.values.zones import load_zone, unknown_zone
from gateway.decide.documents.document import Item
from gateway.decide.documents.reader import Reader


def read_zone(reader: Reader, item: Item) -> tuple[str, tzinfo] | None:
    """The name of a zone, and the zone; None where there is none, which is noted."""
    name = reader.text_of(item, "`timezone`")
    if name is None:
        return None
    zone = load_zone(name)
    if zone is not None:
        return name, zone
    reader.complain(item.mark, *unknown_zone(name))
    return None
