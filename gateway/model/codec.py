"""The one canonical JSON form: sorted keys, no spaces, UTF-8, no floats.

What is hashed or signed is made of exactly these bytes. Decimals travel as text and money as
integer minor units, so that no reader's float can change a value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

JsonValue = None | bool | int | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

INTEGER_MAX = 2**53 - 1
"""Largest integer that every JSON reader keeps exact (RFC 8259 section 6)."""


def canonical_json(value: JsonValue) -> bytes:
    """Encode canonically.

    Raises:
        ValueError: for a float, an integer beyond 2^53-1, or text that is not valid Unicode.
    """
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def _check(value: object) -> None:
    match value:
        case None | bool() | str():
            return
        case int():
            if not -INTEGER_MAX <= value <= INTEGER_MAX:
                raise ValueError("an integer beyond 2^53-1 has no canonical form")
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ValueError("a key that is not text has no canonical form")
                if type(item) is not str:
                    _check(item)
        case list() | tuple():
            for item in value:
                _check(item)
        case _:
            raise ValueError(f"a {type(value).__name__} has no canonical form")
