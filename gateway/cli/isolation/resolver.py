"""A DNS question -> the answer that an isolated program gets. Pure.

Every name has one and the same address. The program's connection to it arrives at the forwarder
like one to any other address, and whom it is for is said in it; so nothing has to be remembered,
and no question leaves the machine, in which data could be hidden.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

ADDRESS: Final = "198.18.0.1"
"""Of the range for benchmarks (RFC 2544), which is nobody's."""

MESSAGE_BYTES_MAX: Final = 4_096
TTL_SECONDS: Final = 60

_HEADER: Final = struct.Struct("!6H")
_TYPE_A, _CLASS_IN = 1, 1
_IS_ANSWER: Final = 0x8180  # a response, recursion was wanted and is there
_FORMAT_ERROR: Final = 1
_NOT_IMPLEMENTED: Final = 4
_LABEL_BYTES_MAX: Final = 63
_NAME_BYTES_MAX: Final = 255


def answer(question: bytes) -> bytes | None:
    """The whole answer; None where there is nothing to answer.

    A name has an IPv4 address and nothing else: no IPv6 one, no keys for an encrypted hello.
    """
    if len(question) < _HEADER.size or len(question) > MESSAGE_BYTES_MAX:
        return None
    number, flags, questions, *_ = _HEADER.unpack_from(question)
    if flags & 0x8000:
        return None
    if flags & 0x7800:
        return _HEADER.pack(number, _IS_ANSWER | _NOT_IMPLEMENTED, 0, 0, 0, 0)
    end = _end_of_name(question, _HEADER.size) if questions == 1 else None
    if end is None or len(question) < end + 4:
        return _HEADER.pack(number, _IS_ANSWER | _FORMAT_ERROR, 0, 0, 0, 0)
    kind, class_ = struct.unpack_from("!2H", question, end)
    asked = question[_HEADER.size : end + 4]
    if (kind, class_) != (_TYPE_A, _CLASS_IN):
        return _HEADER.pack(number, _IS_ANSWER, 1, 0, 0, 0) + asked
    found = struct.pack("!3HIH4s", 0xC00C, kind, class_, TTL_SECONDS, 4, socket.inet_aton(ADDRESS))
    return _HEADER.pack(number, _IS_ANSWER, 1, 1, 0, 0) + asked + found


def _end_of_name(message: bytes, at: int) -> int | None:
    """Where the name that begins there ends; None when it is none. A question holds no pointers."""
    start = at
    while at < len(message) and at - start < _NAME_BYTES_MAX:
        length = message[at]
        at += 1 + length
        if length == 0:
            return at
        if length > _LABEL_BYTES_MAX:
            return None
    return None
