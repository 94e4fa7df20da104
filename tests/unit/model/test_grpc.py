"""The words of gRPC: which requests are calls, where messages end, what a message header holds."""

from __future__ import annotations

import urllib.parse

import pytest

from gateway.model.grpc import MESSAGE_CHARS_MAX, MessageBorders, grpc_message, is_grpc_call

CALLS = {
    "the bare type": (b"application/grpc", True),
    "with a message format": (b"application/grpc+proto", True),
    "with a parameter": (b"application/grpc; charset=utf-8", True),
    "in upper case": (b"Application/GRPC", True),
    "gRPC-Web, which is another protocol": (b"application/grpc-web", False),
    "gRPC-Web with a format": (b"application/grpc-web+proto", False),
    "a type that begins alike": (b"application/grpcx", False),
    "JSON": (b"application/json", False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("media_type", "expected"), CALLS.values(), ids=CALLS.keys())
def test_which_requests_are_calls(media_type: bytes, expected: bool) -> None:
    """By their content type alone."""
    assert is_grpc_call({b"content-type": media_type}) is expected


BORDERS = {
    "nothing yet": (b"", True, False),
    "an empty message": (b"\0\0\0\0\0", True, False),
    "a message": (b"\0\0\0\0\2ab", True, False),
    "a compressed message": (b"\1\0\0\0\1x", True, False),
    "two messages": (b"\0\0\0\0\1a\0\0\0\0\2bc", True, False),
    "half a prefix": (b"\0\0\0", False, False),
    "a prefix alone": (b"\0\0\0\0\2", False, False),
    "half a message": (b"\0\0\0\0\2a", False, False),
    "a message and half a prefix": (b"\0\0\0\0\1a\0", False, False),
    "a prefix that is none": (b'{"a":1}', False, True),
}


@pytest.mark.parametrize(("data", "is_between", "is_malformed"), BORDERS.values(), ids=BORDERS)
@pytest.mark.parametrize("piece_bytes", [1, 3, 100])
def test_where_messages_end(
    data: bytes, is_between: bool, is_malformed: bool, piece_bytes: int
) -> None:
    """The same in whatever pieces they come."""
    borders = MessageBorders()
    for at in range(0, len(data), piece_bytes):
        borders.feed(data[at : at + piece_bytes])
    assert borders.is_malformed is is_malformed
    assert is_malformed or borders.is_between is is_between


@pytest.mark.parametrize("text", ["plain, with spaces", "100% käse", "a\r\nb: c\0", "x" * 5_000])
def test_message_is_one_line_of_printable_ascii(text: str) -> None:
    """Whatever a person wrote, and reads back as it was, up to a length."""
    header = grpc_message(text)
    assert all(0x20 <= byte < 0x7F for byte in header)
    assert urllib.parse.unquote(header.decode()) == text[:MESSAGE_CHARS_MAX]
