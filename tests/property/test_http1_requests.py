"""Requests under any split and any mutation, with llhttp and h11 as witnesses.

Whatever our reader accepts, both of the others read in the same way; it may refuse more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import h11
import httptools
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intercept.http1 import Limits, RequestReader
from gateway.model.errors import AgentProtocolError

LIMITS = Limits(head_bytes_max=600, headers_max=12, target_bytes_max=100)
TOKENS = st.sampled_from(
    [
        b"GET", b"POST", b" ", b"/", b"/a?b", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r",
        b"Host: a", b"Content-Length: ", b"Transfer-Encoding: chunked", b"0", b"3", b"abc", b";x",
        b":", b"\t", b",", b"\x00", b"\xff", b"\r\n\r\n", b"Connection: close", b"chunked", b"-",
        b"Expect: 100-continue", b"Upgrade: h2c",
        b"5\r\nhello\r\n", b"0\r\n\r\n", b"X: y", b"\x0b", b"+",
    ]
)  # fmt: skip
BASES = st.sampled_from(
    [
        b"GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"PUT /x HTTP/1.0\r\nHost: a\r\nX: y\r\nX: z\r\nContent-Length: 2\r\n\r\nhi",
    ]
)


@dataclass
class Reading:
    """What a parser understood of the first request."""

    method: bytes = b""
    target: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    is_complete: bool = False


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """One to three requests, with parts cut out, put in or replaced."""
    data = bytearray(b"".join(draw(st.lists(BASES, min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 4))
        data[at : at + length] = draw(TOKENS)
    return bytes(data)


def read_all(pieces: list[bytes]) -> list[object]:
    """Every event of our reader, bodies joined, ending in the code of a refusal if any."""
    events: list[object] = []
    reader = RequestReader(LIMITS)
    body = b""
    is_in_body = False
    try:
        for piece in pieces:
            reader.feed(piece)
            while True:
                if not is_in_body:
                    head = reader.read_head()
                    if head is None:
                        break
                    events.append((head.method, head.target, head.headers, head.body_bytes))
                    is_in_body, body = True, b""
                if not reader.is_complete:
                    body += reader.read_body()
                if not reader.is_complete:
                    break
                events.append(body)
                is_in_body = False
                reader.start_next()
    except AgentProtocolError as error:
        events.append(error.code)
    return events


@settings(max_examples=300)
@given(streams(), st.lists(st.integers(1, 40), max_size=30))
def test_any_split_gives_the_same_events(data: bytes, steps: list[int]) -> None:
    """How the bytes are cut into reads changes nothing, refusals included."""
    pieces = []
    rest = data
    for step in steps:
        pieces.append(rest[:step])
        rest = rest[step:]
    pieces.append(rest)
    assert read_all(pieces) == read_all([data])
    assert read_all([bytes([byte]) for byte in data]) == read_all([data])


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but a refusal is ever raised."""
    read_all([data])


class Llhttp:
    """The first request as llhttp reads it."""

    def __init__(self) -> None:
        self.readings = [Reading()]

    def on_message_begin(self) -> None:
        if self.readings[-1].is_complete:
            self.readings.append(Reading())

    def on_url(self, target: bytes) -> None:
        self.readings[-1].target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.readings[-1].headers.append((name.lower(), value.strip(b" \t")))

    def on_body(self, body: bytes) -> None:
        self.readings[-1].body += body

    def on_message_complete(self) -> None:
        self.readings[-1].is_complete = True


def read_with_llhttp(data: bytes) -> Reading | None:
    """None for a method that llhttp has no name for: it then reads nothing at all."""
    witness = Llhttp()
    parser = httptools.HttpRequestParser(witness)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserInvalidMethodError:
        return None
    except httptools.HttpParserError:
        assert witness.readings[0].is_complete, "llhttp refuses what we accept"
    witness.readings[0].method = parser.get_method()
    return witness.readings[0]


def read_with_h11(data: bytes) -> Reading:
    reading = Reading()
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    while not reading.is_complete:
        event = connection.next_event()
        match event:
            case h11.Request():
                reading.method, reading.target = event.method, event.target
                reading.headers = list(event.headers)
            case h11.Data():
                reading.body += bytes(event.data)
            case h11.EndOfMessage():
                reading.is_complete = True
            case _:
                raise AssertionError(f"h11 says {event}")
    return reading


@settings(max_examples=400)
@given(streams())
def test_other_parsers_agree_with_what_is_accepted(data: bytes) -> None:
    """Method, target, end-to-end headers and body are the same to llhttp and to h11."""
    reader = RequestReader(LIMITS)
    reader.feed(data)
    try:
        head = reader.read_head()
        if head is None:
            return
        body = b"" if reader.is_complete else reader.read_body()
    except AgentProtocolError:
        return
    has_one_host = b"host" in head.fields and b"host" not in head.repeated
    if not reader.is_complete or not has_one_host or head.target[:1] != b"/":
        return  # others refuse these when parsing; `request.py` does so with codes of its own
    message = data[: len(data) - reader.buffered_bytes]
    dropped = set(head.control) | {
        name.strip().lower() for name in head.control.get(b"connection", b"").split(b",")
    }
    ours = [(name.lower(), value) for name, value in head.headers]
    for theirs in (read_with_llhttp(message), read_with_h11(message)):
        if theirs is None:
            continue
        assert theirs.is_complete
        assert (theirs.method.decode(), theirs.target) == (head.method, head.target)
        assert [header for header in theirs.headers if header[0] not in dropped] == ours
        if not (theirs.body == b"" and b"upgrade" in head.control):  # llhttp then sees no body
            assert theirs.body == body
