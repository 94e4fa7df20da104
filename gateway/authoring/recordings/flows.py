"""Reads the flows that mitmproxy saves, one at a time, without mitmproxy.

A file is a row of tagged netstrings: `LENGTH:PAYLOAD` and a tag that says what the payload is
(`}` a dictionary, `]` a list, `,` bytes, `;` text, `#` integer, `^` float, `!` boolean, `~` none).
Only what is needed of a flow is parsed; lengths that don't fit are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from gateway.authoring.recordings.traffic import (
    Entry,
    Recorded,
    RecordingError,
    Unread,
    first_value,
    is_page_load,
)
from gateway.authoring.requests import MalformedRequestError, build_request

FLOW_BYTES_MAX: Final = 64_000_000
LENGTH_DIGITS_MAX: Final = 12
HEADERS_MAX: Final = 1_000
_PIECE_BYTES: Final = 1_000_000

Value = tuple[str, memoryview]
"""A tag and its payload, not parsed any further."""


class _BadFlowError(ValueError):
    """A flow whose inside is no flow; the next one may be good."""


def read_flows(stream: BinaryIO) -> Iterator[Entry]:
    """Give the requests of a file of flows; flows of other protocols are left out.

    Raises:
        RecordingError: the file is cut off, or is no file of flows.
    """
    number = 0
    while (length := _length(stream)) is not None:
        number += 1
        place = f"flow {number}"
        if length > FLOW_BYTES_MAX:
            _skip(stream, length + 1)
            yield Unread(place, f"it is larger than {FLOW_BYTES_MAX} bytes")
            continue
        payload = stream.read(length + 1)
        if len(payload) != length + 1:
            raise RecordingError(f"the file ends in the middle of flow {number}")
        if payload[-1:] != b"}":
            raise RecordingError(f"flow {number} is no dictionary, so this is no file of flows")
        try:
            entry = _flow(place, _mapping(memoryview(payload)[:-1]))
        except (_BadFlowError, MalformedRequestError) as error:
            yield Unread(place, getattr(error, "message", str(error)))
            continue
        if entry is not None:
            yield entry


def _length(stream: BinaryIO) -> int | None:
    """The length before the next flow, None at the end of the file."""
    digits = b""
    while (sign := stream.read(1)) != b":":
        if not sign and not digits:
            return None
        if not sign.isdigit() or len(digits) >= LENGTH_DIGITS_MAX:
            raise RecordingError("a flow has no length, so the file is damaged")
        digits += sign
    if not digits:
        raise RecordingError("a flow has no length, so the file is damaged")
    return int(digits)


def _skip(stream: BinaryIO, count: int) -> None:
    while count > 0:
        piece = stream.read(min(count, _PIECE_BYTES))
        if not piece:
            raise RecordingError("the file ends in the middle of a flow")
        count -= len(piece)


# --- values ---------------------------------------------------------------------------------------


def _values(payload: memoryview) -> Iterator[Value]:
    """The values that stand behind each other in a payload."""
    at, end = 0, len(payload)
    while at < end:
        head = bytes(payload[at : at + LENGTH_DIGITS_MAX + 1])
        digits, colon, _ = head.partition(b":")
        if not colon or not digits.isdigit():
            raise _BadFlowError("a value of it has no length")
        begin = at + len(digits) + 1
        stop = begin + int(digits)
        if stop >= end:
            raise _BadFlowError("a value of it is longer than the flow")
        yield chr(payload[stop]), payload[begin:stop]
        at = stop + 1


def _mapping(payload: memoryview) -> Mapping[str, Value]:
    found: dict[str, Value] = {}
    values = _values(payload)
    for key in values:
        value = next(values, None)
        if value is None:
            raise _BadFlowError("a key of it has no value")
        found[_text(key)] = value
    return found


def _text(value: Value | None) -> str:
    """Text or bytes as text, empty for anything else."""
    if value is None or value[0] not in ",;":
        return ""
    return bytes(value[1]).decode("utf-8" if value[0] == ";" else "latin-1", "replace")


def _member(flow: Mapping[str, Value], name: str) -> Mapping[str, Value]:
    value = flow.get(name)
    return _mapping(value[1]) if value is not None and value[0] == "}" else {}


def _integer(value: Value | None) -> int:
    text = bytes(value[1]) if value is not None and value[0] == "#" else b""
    return int(text) if text.isdigit() and len(text) <= LENGTH_DIGITS_MAX else 0


def _headers(value: Value | None) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for tag, item in _values(value[1]) if value is not None and value[0] == "]" else ():
        pair = list(_values(item)) if tag == "]" else []
        if len(pair) != 2 or len(pairs) >= HEADERS_MAX:
            raise _BadFlowError("its headers are no pairs, or too many")
        name, text = _text(pair[0]), _text(pair[1])
        if not name.startswith(":"):
            pairs.append((name, text))
    return pairs


def _flow(place: str, flow: Mapping[str, Value]) -> Entry | None:
    """The request of a flow; None for what is no HTTP."""
    if _text(flow.get("type")) != "http" or "request" not in flow:
        return None
    asked = _member(flow, "request")
    headers = _headers(asked.get("headers"))
    content = asked.get("content")
    body = bytes(content[1]) if content is not None and content[0] == "," else b""
    request = build_request(_text(asked.get("method")), _url(asked, headers), headers, body)
    answer = _member(flow, "response")
    answer_type = first_value(_headers(answer.get("headers")), "content-type")
    status = _integer(answer.get("status_code"))
    return Recorded(place, request, status, is_page_load(request, answer_type))


def _url(asked: Mapping[str, Value], headers: list[tuple[str, str]]) -> str:
    """The URL as the client meant it: the name that it gave before the address that was dialled."""
    scheme = _text(asked.get("scheme")) or "https"
    authority = _text(asked.get("authority")) or first_value(headers, "host")
    if not authority:
        host, port = _text(asked.get("host")), _integer(asked.get("port"))
        shown = f"[{host}]" if ":" in host else host
        authority = f"{shown}:{port}" if port else shown
    return f"{scheme}://{authority}{_text(asked.get('path'))}"
