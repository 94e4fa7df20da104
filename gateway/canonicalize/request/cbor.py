"""Reads CBOR (RFC 8949) as the values that JSON has, strictly, and in bounded time and memory.

Refuses what two readers could take differently: a key that is there twice, keys that are no text,
lone break codes, text that is not UTF-8, anything behind the value. Lengths are believed only as
far as there are bytes. Times and floats become text, and bytes become None: no rule compares them.
"""

from __future__ import annotations

import struct

from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import DecimalText
from gateway.model.codec import INTEGER_MAX

CBOR_DEPTH_MAX = 64
"""As deep as JSON may be."""
CBOR_ITEMS_MAX = 200_000
"""Values in one body. A byte can make one, so this bounds what a body of megabytes can cost."""
TAGS_MAX = 4
"""Tags around one value; honest ones have one, for a time."""

_INDEFINITE = 31
_BREAK = object()
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


def parse_cbor(body: bytes) -> object:
    """Read one value that takes up the whole body.

    Raises:
        AmbiguityError: `ambiguous_body`.
    """
    reader = _Reader(body)
    value = reader.value(0)
    if value is _BREAK or reader.position != len(body):
        raise _refusal("has something behind its value")
    return value


def _refusal(why: str) -> AmbiguityError:
    return AmbiguityError(ambiguity.BODY, f"the CBOR {why}")


class _Reader:
    """Reads from a position on; every value costs at least one byte and one count."""

    __slots__ = ("_body", "_items", "position")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._items = 0
        self.position = 0

    def value(self, depth: int) -> object:
        """The next value, or the break code."""
        self._items += 1
        if depth > CBOR_DEPTH_MAX or self._items > CBOR_ITEMS_MAX:
            raise _refusal("is too deep, or has too many values")
        head = self._take(1)[0]
        major, info = head >> 5, head & 31
        match major:
            case 0:
                return _bounded(self._number(info))
            case 1:
                return _bounded(-1 - self._number(info))
            case 2:
                self._string(info, major)
                return None
            case 3:
                return self._text(info)
            case 4:
                return self._array(info, depth)
            case 5:
                return self._map(info, depth)
            case 6:
                return self._tagged(info, depth)
            case _:
                return self._simple(info)

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._body):
            raise _refusal("ends too early")
        taken = self._body[self.position : end]
        self.position = end
        return taken

    def _number(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise _refusal("has a length that means nothing")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _string(self, info: int, major: int) -> bytes:
        if info != _INDEFINITE:
            return self._take(self._number(info))
        parts: list[bytes] = []
        while True:
            self._items += 1
            head = self._take(1)[0]
            if head == 0xFF:
                return b"".join(parts)
            if head >> 5 != major or head & 31 == _INDEFINITE or self._items > CBOR_ITEMS_MAX:
                raise _refusal("has a string of other things")
            parts.append(self._take(self._number(head & 31)))

    def _text(self, info: int) -> str:
        try:
            return self._string(info, 3).decode("utf-8")
        except UnicodeDecodeError:
            raise _refusal("has text that is not UTF-8") from None

    def _count(self, info: int, size: int) -> int:
        """How many values follow: no more than there are bytes for; -1 for until the break."""
        if info == _INDEFINITE:
            return -1
        count = self._number(info)
        if count * size > len(self._body) - self.position:
            raise _refusal("promises more values than it has bytes")
        return count

    def _array(self, info: int, depth: int) -> list[object]:
        count = self._count(info, 1)
        values: list[object] = []
        while len(values) != count:
            value = self.value(depth + 1)
            if value is _BREAK:
                if count >= 0:
                    raise _refusal("breaks off a list")
                break
            values.append(value)
        return values

    def _map(self, info: int, depth: int) -> dict[str, object]:
        count = self._count(info, 2)
        values: dict[str, object] = {}
        while len(values) != count:
            key = self.value(depth + 1)
            if key is _BREAK and count < 0:
                break
            if not isinstance(key, str) or isinstance(key, DecimalText):
                raise _refusal("has a key that is no text")
            if key in values:
                raise _refusal("has a key twice")
            value = self.value(depth + 1)
            if value is _BREAK:
                raise _refusal("has a key without a value")
            values[key] = value
        return values

    def _tagged(self, info: int, depth: int) -> object:
        self._number(info)
        for _ in range(TAGS_MAX):
            if self.position >= len(self._body) or self._body[self.position] >> 5 != 6:
                break
            self._number(self._take(1)[0] & 31)
        else:
            raise _refusal("has tags around tags")
        value = self.value(depth + 1)
        if value is _BREAK:
            raise _refusal("breaks off a tagged value")
        if isinstance(value, bool):
            raise _refusal("has a tag around a truth, which no tag is for")
        # A tag changes the meaning (a time, a big number), so the value is no plain number or text.
        return DecimalText(value) if isinstance(value, str) else _as_decimal(value)

    def _simple(self, info: int) -> object:
        match info:
            case 20:
                return False
            case 21:
                return True
            case 22 | 23:
                return None
            case 25 | 26 | 27:
                (number,) = struct.unpack(_FLOATS[info], self._take(1 << (info - 24)))
                return DecimalText(repr(number))
            case 31:
                return _BREAK
            case _:
                raise _refusal("has a simple value that means nothing here")


def _bounded(number: int) -> int:
    if not -INTEGER_MAX <= number <= INTEGER_MAX:
        raise _refusal("has an integer beyond 2^53-1")
    return number


def _as_decimal(value: object) -> object:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return DecimalText(str(value)) if is_number else value
