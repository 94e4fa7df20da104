"""An answer's bytes, written as nearly all upstreams do -> its head and body in one step. Pure.

Plain is an answer that has come whole in one read, head and body, framed by one `Content-Length`,
each line of it in the one spelling that every parser reads alike. Whatever is written in another
way, right or wrong, is left to `http1_response`, which hears of it as if nobody had looked.

INVARIANT(plain): for a plain answer llhttp tells the same head, body and end. It must never take
one that llhttp would refuse or read otherwise; `test_plain_answers` holds the two to each other.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.enforce.header_kinds import ANSWERED, HeaderKind
from gateway.model.exchange import Header, ResponseHead
from gateway.model.line_memory import remember

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ([!-~]+(?: [!-~]+)*)")
"""With a reason, and one space before it: what is rarer than that is not plain."""
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++): ?([!-~](?:[\t -~]*[!-~])?)")
"""No folding, no empty value, no space that a parser might strip or keep, nothing beyond ASCII."""
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,14}")
_BODILESS: Final = frozenset({204, 304})
_DROPPED: Final = frozenset({b"alt-svc", b"keep-alive"})
"""What is dropped and says nothing about framing. Other names that are dropped are not plain."""

Plain = tuple[ResponseHead, bytes, bool]
"""Head, body, and whether the connection can carry another request."""

_KEEP, _CONTENT_LENGTH = HeaderKind.KEEP, HeaderKind.CONTENT_LENGTH
_CONNECTION, _DROP = HeaderKind.CONNECTION, HeaderKind.DROP

_Line = tuple[HeaderKind, Header, int]
"""What to do with a header line, what it says, and the number that a `Content-Length` gives, or 1
for a `Connection` that stays open. Its kind is never TRANSFER_ENCODING."""


def read_plain(data: bytes, headers_max: int) -> Plain | None:
    """Read the first bytes of an answer to a request that was no HEAD; None when it isn't plain."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = data[:end].split(b"\r\n")
    if len(lines) > headers_max:
        return None
    started = _starts.get(first) or _start(first)
    if started is None:
        return None
    headers: list[Header] = []
    length = -1
    is_reusable: bool | None = None
    known = _lines
    for text in lines:
        line = known.get(text) or _read_line(text)
        if line is None:
            return None
        kind, header, number = line
        if kind is _KEEP:
            headers.append(header)
        elif kind is _CONTENT_LENGTH:
            if length >= 0:
                return None
            length = number
        elif kind is _CONNECTION:
            if is_reusable is not None:
                return None
            is_reusable = number == 1
    begin = end + 4
    if len(data) - begin != length:
        return None
    status, reason = started
    head = ResponseHead(status, reason, tuple(headers), length, True)
    return head, data[begin:], is_reusable is not False


_starts: dict[bytes, tuple[int, bytes]] = {}
_lines: dict[bytes, _Line] = {}
"""Status lines and header lines that are plain."""


def _start(line: bytes) -> tuple[int, bytes] | None:
    """Status and reason of a plain status line."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None or int(match[1]) in _BODILESS:
        return None
    return remember(_starts, line, len(line), (int(match[1]), match[2]))


def _read_line(text: bytes) -> _Line | None:
    """Read a header line; every byte of it is looked at, once."""
    match = _LINE.fullmatch(text)
    if match is None:
        return None
    name, value = match.groups()
    kind, number = ANSWERED[name], 0
    if kind is _CONTENT_LENGTH:
        if _LENGTH.fullmatch(value) is None:
            return None
        number = int(value)
    elif kind is _CONNECTION:
        lower = value.lower()
        if lower not in (b"keep-alive", b"close"):
            return None
        number = int(lower == b"keep-alive")
    elif kind is _DROP:
        lower = name.lower()
        if lower not in _DROPPED:
            return None
    elif kind is not _KEEP:
        return None
    return remember(_lines, text, len(text), (kind, (name, value), number))
