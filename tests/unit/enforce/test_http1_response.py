"""Upstream bytes become one response or a named fault, and never a response that wasn't sent."""

from __future__ import annotations

import pytest

from gateway.enforce.http1_response import ResponseLimits, ResponseReader
from gateway.model.errors import UpstreamError
from tests.support.response_log import ResponseLog

OK = b"HTTP/1.1 200 OK\r\n"
LIMITS = ResponseLimits(head_bytes_max=2_000, headers_max=20, informational_max=3)


def read(data: bytes, method: str = "GET", *, eof: bool = False) -> ResponseLog:
    log = ResponseLog()
    reader = ResponseReader(log, LIMITS)
    reader.begin(method)
    try:
        reader.feed(data)
        if eof:
            reader.eof()
    except UpstreamError as error:
        log.fault = error.code if error.sent else "said not sent, though the request was"
    return log


COMPLETE = {
    "a switch of protocols behind the answer": (
        b"HTTP/1.1 204 A\r\n\r\nHTTP/1.1 101 B\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"", False,
    ),
    "a length": (OK + b"Content-Length: 2\r\n\r\nhi", b"hi", True),
    "an empty body": (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi", True),
    "chunks, in capitals": (
        OK + b"Transfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi", True,
    ),
    "chunks with trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-A: 1\r\n\r\n", b"hi", True,
    ),
    "connection: close": (OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi", b"hi", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    "HTTP/1.0 kept alive": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi", b"hi", True,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", b"hi", True),
    "an odd status": (b"HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nhi", b"hi", True),
    "100 and then the answer": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi", b"hi", True,
    ),
    "103, 100 and then the answer": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        + OK + b"Content-Length: 2\r\n\r\nhi", b"hi", True,
    ),
    "a second answer nobody asked for": (
        (OK + b"Content-Length: 2\r\n\r\nhi") * 2, b"hi", False,
    ),
    "rubbish behind the answer": (OK + b"Content-Length: 2\r\n\r\nhi!", b"hi", False),
    "a body behind 204": (b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc", b"", False),
    "rubbish behind connection: close": (
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi!", b"hi", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "body", "reusable"), COMPLETE.values(), ids=COMPLETE.keys())
def test_complete_response(data: bytes, body: bytes, reusable: bool) -> None:
    """Complete, with its body, and reusable only when both sides are certainly in step."""
    log = read(data)
    assert (log.fault, log.body, log.is_reusable) == (None, body, reusable)
    assert log.ends == 1


HEAD_ANSWERS = {
    "a length without a body": (OK + b"Content-Length: 99\r\n\r\n", True, 99),
    "chunked without a body": (OK + b"Transfer-Encoding: chunked\r\n\r\n", True, None),
    "no framing": (OK + b"\r\n", True, None),
    "connection: close": (OK + b"Content-Length: 9\r\nConnection: close\r\n\r\n", False, 9),
    "a body all the same": (OK + b"Content-Length: 2\r\n\r\nhi", False, 2),
    "an empty length": (OK + b"Content-Length: 0\r\n\r\n", True, 0),
    "rubbish": (OK + b"Content-Length: 0\r\n\r\n!", False, 0),
}


@pytest.mark.parametrize(
    ("data", "reusable", "length"), HEAD_ANSWERS.values(), ids=HEAD_ANSWERS.keys()
)
def test_answer_to_head(data: bytes, reusable: bool, length: int | None) -> None:
    """It ends with its head; the announced length is told and no body is."""
    log = read(data, "HEAD")
    assert (log.fault, log.body, log.is_reusable, log.ends) == (None, b"", reusable, 1)
    assert log.head is not None
    assert (log.head.has_body, log.head.body_bytes) == (False, length)


def test_body_that_ends_with_the_connection() -> None:
    """Complete at a proper end only, and not before."""
    assert read(OK + b"\r\nhi").ends == 0
    log = read(OK + b"\r\nhi", eof=True)
    assert (log.body, log.ends, log.is_reusable) == (b"hi", 1, False)


FAULTS = {
    "nothing at all": (b"", "upstream.closed"),
    "half a head": (OK + b"Content-", "upstream.truncated"),
    "half a body": (OK + b"Content-Length: 3\r\n\r\nhi", "upstream.truncated"),
    "half a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhi", "upstream.truncated"),
    "no last chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "upstream.truncated"),
    "only an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n", "upstream.truncated"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n", "upstream.malformed"),
    "HTTP/0.9": (b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n", "upstream.malformed"),
    "HTTP/2.0 in text": (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "upstream.malformed"),
    "HTTP/1.2": (b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", "upstream.malformed"),
    "status 099": (b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", "upstream.malformed"),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "upstream.malformed"),
    "a folded header": (OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n", "upstream.malformed"),
    "NUL in a value": (OK + b"A: b\0\r\nContent-Length: 0\r\n\r\n", "upstream.malformed"),
    "CR in a value": (OK + b"A: b\rc\r\nContent-Length: 0\r\n\r\n", "upstream.malformed"),
    "a space before the colon": (OK + b"A : b\r\n\r\n", "upstream.malformed"),
    "two lengths": (OK + b"Content-Length: 1\r\n" * 2 + b"\r\nh", "upstream.malformed"),
    "a list of lengths": (OK + b"Content-Length: 1, 1\r\n\r\nh", "upstream.malformed"),
    "a signed length": (OK + b"Content-Length: +1\r\n\r\nh", "upstream.malformed"),
    "length and chunks": (
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "upstream.malformed",
    ),
    "chunks and length": (
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "upstream.malformed",
    ),
    "gzip coding": (OK + b"Transfer-Encoding: gzip\r\n\r\n", "upstream.framing"),
    "gzip and chunked": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "upstream.framing"),
    "identity coding": (OK + b"Transfer-Encoding: identity\r\n\r\n", "upstream.framing"),
    "chunks in HTTP/1.0": (
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "upstream.framing",
    ),
    "chunks in 204": (
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", "upstream.framing",
    ),
    "a body in 100": (b"HTTP/1.1 100 C\r\nContent-Length: 3\r\n\r\n", "upstream.framing"),
    "a bad chunk size": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n", "upstream.malformed",
    ),
    "101 unasked": (
        b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "upstream.switched",
    ),
    "a flood of interim answers": (b"HTTP/1.1 100 C\r\n\r\n" * 5, "upstream.informational"),
    "too many headers": (OK + b"A: b\r\n" * 30 + b"\r\n", "upstream.head_too_large"),
    "too long a head": (OK + b"A: " + b"b" * 2_000 + b"\r\n\r\n", "upstream.head_too_large"),
    "too long a head, unended": (OK + b"A: " + b"b" * 2_500, "upstream.head_too_large"),
    "too long a reason": (
        b"HTTP/1.1 200 " + b"b" * 2_001 + b"\r\nContent-Length: 0\r\n\r\n",
        "upstream.head_too_large",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_faulty_response_is_refused(data: bytes, code: str) -> None:
    """Each fault by its code, and no end is ever told."""
    log = read(data, eof=True) if data else _read_end_only()
    assert (log.fault, log.ends) == (code, 0)


def _read_end_only() -> ResponseLog:
    log = ResponseLog()
    reader = ResponseReader(log, LIMITS)
    reader.begin("GET")
    with pytest.raises(UpstreamError) as caught:
        reader.eof()
    log.fault = caught.value.code
    return log


def test_endless_trailers_are_refused() -> None:
    """What isn't a body is bounded, wherever it stands."""
    log = ResponseLog()
    reader = ResponseReader(log, LIMITS)
    reader.begin("GET")
    reader.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n")
    with pytest.raises(UpstreamError) as caught:
        reader.feed(b"A: bcdefgh\r\n" * 300)
    assert caught.value.code == "upstream.head_too_large"


def test_headers_are_end_to_end_only() -> None:
    """Hop-by-hop, Connection-named, framing, invitations elsewhere and our own names are dropped;
    order and spelling of the rest stay."""
    head = read(
        OK + b"sERVER: x\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
        b"Proxy-Authenticate: Basic\r\nTrailer: T\r\nUpgrade: h2c\r\nContent-Length: 0\r\n"
        b'Alt-Svc: h3=":443"\r\nCheckrein-Decision: dec_forged\r\nSet-Cookie: a\r\n'
        b"Set-Cookie: b\r\nX-Latin: \xe4\r\nX-Empty:\r\n\r\n"
    ).head
    assert head is not None
    assert head.headers == (
        (b"sERVER", b"x"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
        (b"X-Latin", b"\xe4"),
        (b"X-Empty", b""),
    )


def test_trailers_never_become_headers() -> None:
    """A trailer that is named like a header changes nothing."""
    log = read(
        OK + b"Transfer-Encoding: chunked\r\nX-A: head\r\n\r\n2\r\nhi\r\n0\r\nX-A: trailer\r\n\r\n"
    )
    assert log.head is not None
    assert log.head.headers == ((b"X-A", b"head"),)
    assert log.trailers == ((b"X-A", b"trailer"),)


def test_trailers_that_control_are_dropped() -> None:
    """What frames, routes, authenticates or is ours has no place behind a body."""
    bad = (
        b"Keep-Alive: 9\r\nHost: a\r\nAuthorization: b\r\n"
        b"Set-Cookie: c\r\nConnection: d\r\nCheckrein-Decision: dec_forged\r\nLocation: /e\r\n"
    )
    log = read(
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n" + bad + b"X-Sum: 1\r\n\r\n"
    )
    assert log.trailers == ((b"X-Sum", b"1"),)


def test_reason_with_control_characters_is_dropped() -> None:
    """Nothing unprintable reaches the agent's status line."""
    log = read(b"HTTP/1.1 200 a\x01b\r\nContent-Length: 0\r\n\r\n")
    assert log.head is not None
    assert log.head.reason == b""


def test_reader_reads_one_response_after_another() -> None:
    """The same reader serves the whole life of a connection, HEAD in the middle."""
    log = ResponseLog()
    reader = ResponseReader(log, LIMITS)
    for method, data in (
        ("GET", OK + b"Content-Length: 2\r\n\r\nhi"),
        ("HEAD", OK + b"Content-Length: 7\r\n\r\n"),
        ("POST", OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No\r\n\r\n"),
    ):
        reader.begin(method)
        reader.feed(data)
        assert log.is_reusable
    assert (log.ends, log.body) == (4, b"hiho")
