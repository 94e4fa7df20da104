"""Bytes in, heads and bodies out: a playbook for each rule of the grammar."""

from __future__ import annotations

import pytest

from gateway.intercept.http1 import Head, Limits, RequestReader, State
from gateway.model.errors import AgentProtocolError

LIMITS = Limits(head_bytes_max=2_000, headers_max=20, target_bytes_max=200)
HOST = b"Host: a.test\r\n"


def read(data: bytes) -> tuple[Head, bytes, bytes]:
    """One request read from `data`: its head, its body, and what follows it."""
    reader = RequestReader(LIMITS)
    reader.feed(data)
    head = reader.read_head()
    assert head is not None, "the head is complete"
    body = b"" if reader.is_complete else reader.read_body()
    assert reader.is_complete
    rest = reader.buffered_bytes
    return head, body, data[len(data) - rest :]


ACCEPTED = {
    "a plain GET": (b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"\r\n", b"", 0),
    "a length": (b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 3\r\n\r\nabc", b"abc", 3),
    "a length of zero": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", b"", 0),
    "chunks": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding:chunked\r\n\r\n"
        b"3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n",
        b"abc0123456789",
        None,
    ),
    "a GET with a body": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi", b"hi", 2),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", b"", 0),
    "an empty value and tabs around one": (
        b"GET / HTTP/1.1\r\n" + HOST + b"A:\r\nB:\t x\ty \t\r\n\r\n", b"", 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_accepted(case: str) -> None:
    """The body is exact, and what follows is left for the next request."""
    data, body, declared = ACCEPTED[case]
    head, read_body, rest = read(data + b"NEXT")
    assert (read_body, head.body_bytes, rest) == (body, declared, b"NEXT")


def post(headers: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + headers + b"\r\n"


REFUSED = {
    "a length with an underscore in its name": (post(b"Content_Length: 5\r\n"), 400),
    "a coding with an underscore in its name": (post(b"Transfer_Encoding: chunked\r\n"), 400),
    "a content type with an underscore in its name": (post(b"Content_Type: a/b\r\n"), 400),
    "both framings": (post(b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400),
    "a length twice": (post(b"Content-Length: 5\r\nContent-Length: 6\r\n"), 400),
    "a list of lengths": (post(b"Content-Length: 5, 5\r\n"), 400),
    "a length beyond what a record can say": (post(b"Content-Length: 9999999999999999\r\n"), 400),
    "a hexadecimal length": (post(b"Content-Length: 0x5\r\n"), 400),
    "an underscore in a length": (post(b"Content-Length: 5_0\r\n"), 400),
    "a length with a leading zero": (post(b"Content-Length: 05\r\n"), 400),
    "a negative length": (post(b"Content-Length: -1\r\n"), 400),
    "a length beyond 2^64": (post(b"Content-Length: 18446744073709551621\r\n"), 400),
    "an empty length": (post(b"Content-Length:\r\n"), 400),
    "space before a colon": (post(b"Transfer-Encoding : chunked\r\n"), 400),
    "vertical tab in a coding": (post(b"Transfer-Encoding: \x0bchunked\r\n"), 400),
    "no-break space in a coding": (post(b"Transfer-Encoding: \xa0chunked\r\n"), 400),
    "xchunked": (post(b"Transfer-Encoding: xchunked\r\n"), 501),
    "chunked, identity": (post(b"Transfer-Encoding: chunked, identity\r\n"), 501),
    "quoted chunked": (post(b'Transfer-Encoding: "chunked"\r\n'), 501),
    "chunked in capitals": (post(b"Transfer-Encoding: Chunked\r\n"), 501),
    "chunked twice": (post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
    "a coding on HTTP/1.0": (
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", 400,
    ),
    "obs-fold": (post(b"A: b\r\n c\r\n"), 400),
    "leading space on the first header": (b"GET / HTTP/1.1\r\n " + HOST + b"\r\n", 400),
    "bare LF between headers": (b"GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", 400),
    "bare CR in a value": (post(b"A: b\rc\r\n"), 400),
    "NUL in a value": (post(b"A: b\x00c\r\n"), 400),
    "an 8-bit byte in a value": (post(b"A: \xe9\r\n"), 400),
    "an 8-bit byte in a name": (post(b"\xe9: a\r\n"), 400),
    "a header without a colon": (post(b"nothing\r\n"), 400),
    "a header without a name": (post(b": a\r\n"), 400),
    "an empty line first": (b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "tabs for spaces": (b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a lower-case version": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    "a lower-case method": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no version": (b"GET /\r\n" + HOST + b"\r\n", 400),
    "a fragment": (b"GET /#a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an 8-bit byte in the target": (b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "version 2.0": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "version 1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 505),
    "a method of 64 KiB": (b"A" * 65_536 + b" / HTTP/1.1\r\n", 414),
    "a target too long": (b"GET /" + b"x" * 220 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a head too large": (post(b"A: " + b"x" * 2_000 + b"\r\n"), 431),
    "a head that never ends": (b"GET / HTTP/1.1\r\nA: " + b"x" * 2_000, 431),
    "too many headers": (post(b"A: b\r\n" * 20), 431),
    "another expectation": (post(b"Expect: more\r\nContent-Length: 1\r\n"), 417),
    "credentials twice": (post(b"Proxy-Authorization: a\r\nProxy-Authorization: b\r\n"), 400),
    "Connection names Host": (post(b"Connection: host\r\n"), 400),
    "Connection names Content-Length": (post(b"Connection: Content-Length\r\n"), 400),
    "Connection is no list": (post(b"Connection: a b\r\n"), 400),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    """Refused with this status, and the reader gives nothing more."""
    data, status = REFUSED[case]
    reader = RequestReader(LIMITS)
    reader.feed(data)
    with pytest.raises(AgentProtocolError) as caught:
        reader.read_head()
    assert caught.value.status == status
    assert reader.state is State.FAILED


def feed_all(reader: RequestReader, pieces: list[bytes]) -> None:
    for piece in pieces:
        reader.feed(piece)
        reader.read_body()


CHUNKS = {
    "an extension": b"3;a=b\r\nabc\r\n0\r\n\r\n",
    "an extension that never ends": b"3;" + b"a" * 100,
    "space after the size": b"3 \r\nabc\r\n0\r\n\r\n",
    "space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "a sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n",
    "nine digits": b"000000003\r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n",
    "LF alone after the size": b"3\nabc\r\n0\r\n\r\n",
    "LF alone after the data": b"3\r\nabc\n0\r\n\r\n",
    "more data than the size": b"3\r\nabcd\r\n0\r\n\r\n",
    "less data than the size": b"4\r\nabc\r\n0\r\n\r\n",
    "trailers": b"3\r\nabc\r\n0\r\nAuthorization: x\r\n\r\n",
    "CR alone": b"3\rabc",
    "one-byte chunks without end": b"1\r\na\r\n" * 2_000,
}


@pytest.mark.parametrize("case", CHUNKS)
def test_bad_chunks(case: str) -> None:
    """Refused, also when the bytes come one by one."""
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    for step in (1, 100_000):
        reader = RequestReader(LIMITS)
        reader.feed(head)
        assert reader.read_head() is not None
        data = CHUNKS[case]
        pieces = [data[at : at + step] for at in range(0, len(data), step)]
        with pytest.raises(AgentProtocolError, match=r"request\.bad_chunk"):
            feed_all(reader, pieces)
        assert reader.state is State.FAILED


def test_hop_by_hop_headers_are_dropped() -> None:
    """Ours, those that Connection names, the proxy's and the gateway's own; in any case."""
    head, _, _ = read(
        b"GET / HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\nConnection: keep-alive, X-Hop\r\n"
        b"x-hop: a\r\nProxy-Authorization: Basic x\r\npRoXy-Connection: x\r\nKeep-Alive: 5\r\n"
        b"TE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
        b"Checkrein-Agent: me\r\n"
        b"X-Forwarded-For: 1.2.3.4\r\nX-Original-URL: /admin\r\nX_Forwarded_Host: b\r\nX-one: 2\r\n"
        b"X-HTTP-Method-Override: DELETE\r\n\r\n"
    )
    assert head.headers == (
        (b"Host", b"a.test"),
        (b"X-One", b"1"),
        (b"X-one", b"2"),
        (b"X-HTTP-Method-Override", b"DELETE"),
    )
    assert head.fields[b"x-one"] == b"1, 2"
    assert head.repeated == {b"x-one"}
    assert b"x-hop" not in head.fields


KEEPS_ALIVE = {
    "HTTP/1.1": (b"GET / HTTP/1.1\r\n\r\n", True),
    "HTTP/1.1 with close": (b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", False),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", False),
    "HTTP/1.0 with keep-alive": (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
}


@pytest.mark.parametrize("case", KEEPS_ALIVE)
def test_keep_alive(case: str) -> None:
    """HTTP/1.1 unless closed; never HTTP/1.0."""
    data, keeps_alive = KEEPS_ALIVE[case]
    assert read(data)[0].keeps_alive is keeps_alive


EXPECTS = {
    "with a body": (post(b"Expect: 100-Continue\r\nContent-Length: 1\r\n") + b"a", True),
    "without a body": (post(b"Expect: 100-continue\r\n"), False),
    "with an empty body": (post(b"Expect: 100-continue\r\nContent-Length: 0\r\n"), False),
    "on HTTP/1.0": (
        b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
        False,
    ),
}


@pytest.mark.parametrize("case", EXPECTS)
def test_expect_continue(case: str) -> None:
    """Only where a body is to come, from a client that knows of it."""
    data, expects = EXPECTS[case]
    assert read(data)[0].expects_continue is expects


def test_the_next_request_is_read_after_the_first() -> None:
    """Moves are legal in one order only."""
    reader = RequestReader(LIMITS)
    reader.feed((b"GET /%d HTTP/1.1\r\n" % 1 + HOST + b"\r\n") * 2)
    first = reader.read_head()
    assert first is not None
    with pytest.raises(AssertionError):
        reader.read_head()
    reader.start_next()
    assert reader.read_head() is not None
    reader.start_next()
    assert reader.read_head() is None
    with pytest.raises(AssertionError):
        reader.start_next()
