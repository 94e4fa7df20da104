"""A record line -> what the proofs need of it, and whether it is exactly canonical. Pure.

Lines are judged by their bytes, which their hash covers. What an agent may name sorts before
`decision_id`, `kind`, `prev` and `seq`, and a quote inside a JSON text is escaped; so the last
place at which such a name stands in quotes is the line's own, and no JSON need be parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from gateway.model.dataclass import dataclass

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""A longer line is no record of ours; reading stops there instead of filling the memory."""

ZERO_HASH: Final = b"0" * 64
"""What the first line of a chain names as its predecessor."""

LINE_VERSION: Final = 1
GATEWAY_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SEQ_MAX: Final = 2**53 - 1
BESIDE_RECORDS: Final = (b'{"export":', b'{"erased":', b'{"missing":')
"""How the lines of an export begin that are no record lines: whoever reads records skips them."""
_ERASED: Final = b'{"erased":{'
_ERASED_LINE: Final = re.compile(
    rb'\{"erased":\{"gateway":"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})","hash":"([0-9a-f]{64})",'
    rb'"prev":"([0-9a-f]{64})","seq":([1-9][0-9]{0,14})\}\}'
)
"""There is one way to write it, so a pattern reads it faster than a parser."""
_MISSING: Final = b'{"missing":{'


class BadLineError(ValueError):
    """A line that is no record line. The sentence goes into a report."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """Where a line stands in its gateway's chain. `hash` is that of its bytes, in hexadecimal;
    for an erased line, the one that was kept. Of one that is missing, `gateway` may be empty and
    `seq` 0: its exporter lost it, and may know no more."""

    gateway: bytes
    seq: int
    prev: bytes
    hash: bytes
    is_erased: bool = False
    is_missing: bool = False


def read_facts(line: bytes) -> LineFacts:
    """The facts of a line, parsed with a JSON parser: for lines where something is unusual.

    Raises:
        BadLineError: it is neither a record nor what stands for an erased one.
    """
    if line.startswith(_ERASED):
        return _erased(line)
    value = parse_object(line)
    if line.startswith(_MISSING):
        return _missing(value)
    if value.get("v") != LINE_VERSION:
        raise BadLineError("is of an unknown version")
    return _facts(value, sha256(line).hexdigest())


def _erased(line: bytes) -> LineFacts:
    found = _ERASED_LINE.fullmatch(line)
    if found is None:
        raise BadLineError("stands for an erased record, but lacks its place")
    gateway, line_hash, prev, seq = found.groups()
    return LineFacts(gateway, int(seq), prev, line_hash, is_erased=True)


def _missing(value: Mapping[str, Any]) -> LineFacts:
    inner = value["missing"] if isinstance(value["missing"], dict) else {}
    gateway, seq = inner.get("gateway"), inner.get("seq")
    named = gateway.encode("utf-8", "replace") if isinstance(gateway, str) else b""
    if GATEWAY_ID.fullmatch(named) is None or type(seq) is not int or seq < 1:
        return LineFacts(b"", 0, b"", b"", is_missing=True)
    return LineFacts(named, seq, b"", b"", is_missing=True)


def _facts(value: Mapping[str, Any], digest: str) -> LineFacts:
    gateway, seq, prev = value.get("gateway"), value.get("seq"), value.get("prev")
    if not isinstance(gateway, str) or not GATEWAY_ID.fullmatch(gateway.encode("utf-8", "replace")):
        raise BadLineError("has no valid `gateway`")
    if type(seq) is not int or not 1 <= seq <= _SEQ_MAX:
        raise BadLineError("has no valid `seq`")
    if not isinstance(prev, str) or not _HASH.fullmatch(prev):
        raise BadLineError("has no valid `prev`")
    return LineFacts(gateway.encode(), seq, prev.encode(), digest.encode())


def check_canonical(line: bytes) -> None:
    """The slow look: the line is exactly the canonical form of what it says.

    Raises:
        BadLineError: it is not.
    """
    value = parse_object(line)
    if _canonical(value) != line:
        raise BadLineError("is not in canonical form")
    if not line.startswith(_ERASED) and value.get("v") != LINE_VERSION:
        raise BadLineError("is of an unknown version")


def parse_object(line: bytes) -> dict[str, Any]:
    """A JSON object without floats.

    Raises:
        BadLineError: it is none.
    """
    try:
        value = json.loads(line.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadLineError("is not valid JSON") from None
    if not isinstance(value, dict):
        raise BadLineError("is not a JSON object")
    return value


def _canonical(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _refuse(text: str) -> object:
    raise ValueError(text)
