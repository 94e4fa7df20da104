"""Writes the few values of a refusal as CBOR (RFC 8949): clients of AWS that speak it read nothing
else. Reading CBOR is no business of this stage."""

from __future__ import annotations

from collections.abc import Mapping

CborValue = str | int | bool | None | Mapping[str, "CborValue"]

_NEGATIVE, _TEXT, _MAP = 1, 3, 5


def cbor_of(value: CborValue) -> bytes:
    """The shortest encoding of definite length."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(_NEGATIVE, -1 - value) if value < 0 else _head(0, value)
        case str():
            text = value.encode("utf-8", "replace")
            return _head(_TEXT, len(text)) + text
        case _:
            pairs = b"".join(cbor_of(key) + cbor_of(item) for key, item in value.items())
            return _head(_MAP, len(value)) + pairs


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError("a number beyond 64 bits")
