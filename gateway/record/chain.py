"""Turns the fields of a record into one sealed line, and lines back into a verdict. Pure.

A line is canonical JSON and carries the SHA-256 of the line before it, so that no line can be
changed, taken out, put in or moved without breaking what comes after. A chain can't see its own
tail being cut: the control plane's copy shows that (and later its signed checkpoints).

A line never carries a signature of itself; signatures are over a head (gateway, seq, hash) and
stand beside the chain, which is why nothing here needs a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from gateway.model.codec import JsonValue
from gateway.model.dataclass import dataclass
from gateway.model.errors import ChainError
from gateway.model.quick import quick

LINE_VERSION: Final = 1
FIRST_SEQ: Final = 1
ZERO_HASH: Final = "0" * 64
"""What the first line of a chain names as its predecessor."""

_CANONICAL: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)


@quick
@dataclass(frozen=True, slots=True)
class Sealed:
    """A line without its newline, and its hash, which the next line carries as `prev`."""

    line: bytes
    hash: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """A chain that verifies. `gateway` is empty and `first_seq` 0 when it has no line."""

    gateway: str
    first_seq: int
    last_seq: int
    head: str
    count: int


def seal(fields: dict[str, JsonValue], gateway: str, seq: int, prev: str) -> Sealed:
    """Make the line of these fields at this place in the chain, which is written into them.

    The fields come from `line.fields_of`: no floats, no text that is not valid Unicode. The bytes
    are those of `model.codec.canonical_json`; a property test holds both together.
    """
    fields["gateway"] = gateway
    fields["prev"] = prev
    fields["seq"] = seq
    fields["v"] = LINE_VERSION
    line = orjson.dumps(fields, option=_CANONICAL)
    return Sealed(line, line_hash(line))


def line_hash(line: bytes) -> str:
    """SHA-256 of a line's bytes without its newline, as 64 hexadecimal digits."""
    return hashlib.sha256(line).hexdigest()


def verify_chain(
    lines: Iterable[bytes],
    *,
    gateway: str | None = None,
    first_seq: int | None = None,
    prev: str | None = None,
) -> ChainReport:
    """Verify lines of one gateway, in order. What isn't given is taken from the first line, so a
    chain may be verified from its middle.

    Raises:
        ChainError: with the first bad seq and what is wrong there.
    """
    verifier = ChainVerifier(gateway=gateway, first_seq=first_seq, prev=prev)
    for line in lines:
        verifier.accept(line)
    return verifier.finish()


class ChainVerifier:
    """Verifies one gateway's lines as they come; `accept` each, then `finish`.

    A hash that doesn't fit tells only that one of two neighbours changed. The line after them
    tells which: if it vouches for the second, the first was edited.
    """

    def __init__(
        self, *, gateway: str | None = None, first_seq: int | None = None, prev: str | None = None
    ) -> None:
        self._gateway = gateway
        self._next_seq = first_seq
        self._prev = prev
        self._first_seq = 0
        self._count = 0
        self._has_suspect = False

    def accept(
        self, line: bytes, parsed: Mapping[str, JsonValue] | None = None
    ) -> Mapping[str, JsonValue]:
        """Take the next line and return its fields; `parsed` if `parse_line` read it already.

        Raises:
            ChainError: it, or the one before it, does not fit.
        """
        expected = self._next_seq if self._next_seq is not None else FIRST_SEQ
        if self._has_suspect:
            self._blame(line, expected)
        fields = parse_line(line, expected) if parsed is None else parsed
        seq = _integer(fields, "seq", expected)
        prev = _text(fields, "prev", expected)
        gateway = _text(fields, "gateway", expected)
        if self._gateway is None:
            self._gateway = gateway
        elif gateway != self._gateway:
            raise ChainError(f"record {expected} belongs to another gateway", expected)
        if self._next_seq is not None and seq != self._next_seq:
            raise _misplaced(seq, self._next_seq)
        if seq == FIRST_SEQ and prev != ZERO_HASH:
            raise ChainError("record 1 names a record before it", FIRST_SEQ)
        if self._prev is not None and prev != self._prev:
            if self._count == 0:
                raise ChainError(f"record {seq} does not follow the known head", seq)
            self._has_suspect = True
        self._first_seq = self._first_seq or seq
        self._count += 1
        self._next_seq = seq + 1
        self._prev = line_hash(line)
        return fields

    def finish(self) -> ChainReport:
        """Report the chain so far.

        Raises:
            ChainError: the last line showed the one before it to be changed.
        """
        last_seq = (self._next_seq or FIRST_SEQ) - 1
        if self._has_suspect:
            raise _edited(last_seq - 1)
        head = self._prev or ZERO_HASH
        return ChainReport(self._gateway or "", self._first_seq, last_seq, head, self._count)

    def _blame(self, line: bytes, seq: int) -> None:
        """Say which of the two lines before `line` was changed."""
        try:
            vouches = parse_line(line, seq).get("prev") == self._prev
        except ChainError:
            vouches = True
        raise _edited(seq - 2 if vouches else seq - 1)


def parse_line(line: bytes, seq: int) -> Mapping[str, JsonValue]:
    """Parse one line, which must be exactly the canonical form of what it says.

    Raises:
        ChainError: it is not, named as record `seq`.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ChainError(f"record {seq} is not valid JSON", seq) from None
    if not isinstance(value, dict):
        raise ChainError(f"record {seq} is not a JSON object", seq)
    if value.get("v") != LINE_VERSION:
        raise ChainError(f"record {seq} is of an unknown version", seq)
    try:
        canonical = orjson.dumps(value, option=_CANONICAL)
    except TypeError:
        canonical = b""
    if canonical != line or _has_float(value):
        raise ChainError(f"record {seq} is not in canonical form", seq)
    return value


def _has_float(value: object) -> bool:
    """Canonical JSON has none; orjson would take them. Depth is bounded by orjson's own limit."""
    if isinstance(value, dict):
        items: Iterable[object] = value.values()
    elif isinstance(value, list):
        items = value
    else:
        return isinstance(value, float)
    for item in items:
        kind = type(item)
        if kind is float or ((kind is dict or kind is list) and _has_float(item)):
            return True
    return False


def _integer(fields: Mapping[str, JsonValue], name: str, seq: int) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < FIRST_SEQ:
        raise ChainError(f"record {seq} has no valid `{name}`", seq)
    return value


def _text(fields: Mapping[str, JsonValue], name: str, seq: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ChainError(f"record {seq} has no valid `{name}`", seq)
    return value


def _misplaced(seq: int, expected: int) -> ChainError:
    if seq > expected:
        missing = f"record {expected} is" if seq == expected + 1 else f"records from {expected} are"
        return ChainError(f"{missing} missing: record {seq} stands in its place", expected)
    return ChainError(f"record {seq} stands where record {expected} belongs", expected)


def _edited(seq: int) -> ChainError:
    return ChainError(f"record {seq} was changed after it was written", seq)
