"""An answer that is read in one step is what llhttp makes of the same bytes, to the last fact."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.enforce.http1_response import ResponseLimits, ResponseReader
from gateway.enforce.plain_answer import read_plain
from gateway.model.errors import UpstreamError
from gateway.model.line_memory import LINES_MAX
from tests.support.response_log import ResponseLog

LIMITS = ResponseLimits(head_bytes_max=2_000, headers_max=12, informational_max=3)
OK = b"HTTP/1.1 200 OK"

PLAIN = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", True),
    "no body": (b"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", True),
    "kept alive": (OK + b"\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi", True),
    "closed": (OK + b"\r\nContent-Length: 2\r\nconnection: close\r\n\r\nhi", False),
    "dropped headers": (
        OK + b'\r\nAlt-Svc: h3=":443"\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi',
        True,
    ),
    "headers that repeat": (
        OK + b"\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nhi", True,
    ),
}  # fmt: skip

NOT_PLAIN = {
    "an end that has not come": OK + b"\r\nContent-Length: 3\r\n\r\nhi",
    "bytes behind the end": OK + b"\r\nContent-Length: 1\r\n\r\nhi",
    "no length": OK + b"\r\nA: b\r\n\r\n",
    "half a head": OK + b"\r\nContent-Length: 0\r\n",
    "two lengths": OK + b"\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    "chunks": OK + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": OK
    + b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two options": OK + b"\r\nConnection: keep-alive, close\r\nContent-Length: 0\r\n\r\n",
    "an option that names a header": OK + b"\r\nConnection: A\r\nContent-Length: 0\r\n\r\n",
    "two Connections": OK
    + b"\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    "a proxy's Connection": OK + b"\r\nProxy-Connection: close\r\nContent-Length: 0\r\n\r\n",
    "an upgrade": OK + b"\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
    "an interim answer": b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
    "an answer without a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    "an empty value": OK + b"\r\nA:\r\nContent-Length: 0\r\n\r\n",
    "a length with zeros before it": OK + b"\r\nContent-Length: 00\r\n\r\n",
    "a folded header": OK + b"\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a line feed alone": OK + b"\r\nA: b\nContent-Length: 0\r\n\r\n",
    "a byte beyond ASCII": OK + b"\r\nA: \xe9\r\nContent-Length: 0\r\n\r\n",
    "a space behind a value": OK + b"\r\nA: b \r\nContent-Length: 0\r\n\r\n",
    "more headers than are taken": OK + b"\r\nA: b" * 12 + b"\r\nContent-Length: 0\r\n\r\n",
}

Seen = tuple[object, ...]


def seen(log: ResponseLog, fault: str | None) -> Seen:
    head = log.head
    told = head and (head.status, head.reason, head.headers, head.body_bytes, head.has_body)
    return log.ends, fault, told, log.body, log.trailers, log.is_reusable


def read(reader: ResponseReader, log: ResponseLog, pieces: list[bytes], method: str) -> Seen:
    """What a connection hears of one answer."""
    reader.begin(method)
    try:
        for piece in pieces:
            if piece and not log.ends:
                reader.feed(piece)
        if not log.ends:
            reader.eof()
    except UpstreamError as error:
        return seen(log, error.code)
    return seen(log, None)


def read_whole(data: bytes, method: str) -> Seen:
    log = ResponseLog()
    return read(ResponseReader(log, LIMITS), log, [data], method)


def read_by_llhttp(data: bytes, method: str) -> Seen:
    """An answer whose first byte comes alone is never plain; the rest comes in one piece."""
    log = ResponseLog()
    return read(ResponseReader(log, LIMITS), log, [data[:1], data[1:]], method)


@pytest.mark.parametrize(("data", "is_reusable"), PLAIN.values(), ids=PLAIN.keys())
def test_plain_answer_is_read_in_one_step(data: bytes, is_reusable: bool) -> None:
    """As upstreams write them; the second time from memory."""
    for _ in range(2):
        plain = read_plain(data, LIMITS.headers_max)
        assert plain is not None
        assert plain[2] is is_reusable
        assert read_whole(data, "GET") == read_by_llhttp(data, "GET")


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_unusual_answer_is_left_to_llhttp(data: bytes) -> None:
    """Whatever frames, routes or spells in another way; also when its lines are remembered."""
    for _ in range(2):
        assert read_plain(data, LIMITS.headers_max) is None
        assert read_whole(data, "GET") == read_by_llhttp(data, "GET")


@pytest.mark.parametrize("data", [data for data, _ in PLAIN.values()], ids=PLAIN.keys())
def test_answer_to_head_is_left_to_llhttp(data: bytes) -> None:
    """Its length announces a body that must not come."""
    assert read_whole(data, "HEAD") == read_by_llhttp(data, "HEAD")
    assert read_whole(data, "HEAD")[3] == b""


def test_lines_that_never_come_again_are_forgotten() -> None:
    """An upstream can't fill the memory; what it says is read all the same."""
    for number in range(LINES_MAX + 10):
        data = b"HTTP/1.1 200 N%d\r\nX-Id: %d\r\nContent-Length: 0\r\n\r\n" % (number, number)
        plain = read_plain(data, LIMITS.headers_max)
        assert plain is not None
        assert plain[0].headers == ((b"X-Id", b"%d" % number),)


# --- one thing odd, all of them -------------------------------------------------------------------

STARTS = [
    OK, b"HTTP/1.1 404 Not Found", b"HTTP/1.1 500 Oh  no", b"HTTP/1.1 200 ", b"HTTP/1.1 200",
    b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not", b"HTTP/1.1 205 Reset",
    b"HTTP/1.1 100 Continue", b"HTTP/1.1 101 Switch", b"HTTP/1.1 999 No", b"HTTP/1.2 200 OK",
    b"http/1.1 200 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK",
    b"HTTP/1.1 200 O\tK", b"HTTP/1.1 200 OK ", b"HTTP/1.1 200 \xe9", b"HTTP/1.1 200\tOK",
    b"HTTP/1.1 200 O\rK", b"HTTP/1.1 200 O\nK", b"HTTP/1.1 099 No", b"\r\nHTTP/1.1 200 OK",
]  # fmt: skip
NAMES = [
    b"Date", b"Set-Cookie", b"Connection", b"connection", b"Keep-Alive", b"Alt-Svc", b"TE",
    b"Transfer-Encoding", b"transfer-Encoding", b"Content-Length", b"content-length", b"Upgrade",
    b"Trailer", b"Proxy-Connection", b"Proxy-Authenticate", b"Checkrein-Code", b"HTTP2-Settings",
    b"Content_Length", b"Content-Length ", b" A", b"", b"A\xe9", b"A(b)", b"A\0", b"A B",
]  # fmt: skip
COLONS = [b": ", b":", b":  ", b":\t", b" : ", b"", b" "]
VALUES = [
    b"a", b"a b", b"a\tb", b"", b" a", b"a ", b"\ta", b"a\t", b"close", b"keep-alive", b"Close",
    b"keep-alive, close", b"keep-alive, X-Id", b"close,", b"upgrade", b"chunked", b"identity",
    b"gzip, chunked", b"0", b"1", b"2", b"02", b"+2", b"2 ", b"2,2", b"-1", b"0x2", b"2_0",
    b"99999999999999999999", b"\xe9", b"a\0", b"a\x7f", b"a\x01", b"a\rb", b"a\nb", b"a\r\n b",
    b"h2c", b"a: b", b"\xb2",
]  # fmt: skip
ODD_LINES = [name + colon + value for name in NAMES for colon in COLONS for value in VALUES]
LENGTH = b"Content-Length: 2"


def answer(start: bytes, *lines: bytes, body: bytes = b"hi", ending: bytes = b"\r\n") -> bytes:
    return ending.join([start, *lines, b"", b""]) + body


def differences(answers: Iterable[bytes], method: str = "GET") -> list[bytes]:
    """Those that are read in two ways; each is read twice, since lines are remembered."""
    return [
        data
        for data in answers
        if not read_whole(data, method) == read_by_llhttp(data, method) == read_whole(data, method)
    ]


def test_odd_line_is_read_alike() -> None:
    """Any one line, right or wrong, before the length, behind it, or in its place."""
    assert not differences(answer(OK, line, LENGTH) for line in ODD_LINES)
    assert not differences(answer(OK, LENGTH, line) for line in ODD_LINES)
    assert not differences(answer(OK, line) for line in ODD_LINES)


def test_odd_start_is_read_alike() -> None:
    """Any one status line, to any method, with a body and without."""
    for method in ("GET", "HEAD"):
        assert not differences((answer(start, LENGTH) for start in STARTS), method)
        assert not differences(
            (answer(start, b"Content-Length: 0", body=b"") for start in STARTS), method
        )


def test_two_lines_that_frame_are_read_alike() -> None:
    """Any two of those that say where an answer ends, or whether another can follow."""
    values = (b"chunked", b"close", b"keep-alive", b"keep-alive, X-Id", b"2", b"a")
    framing = [name + b": " + value for name in NAMES[2:14] for value in values]
    assert not differences(
        answer(OK, one, LENGTH, other) for one in framing for other in framing if one <= other
    )


# --- properties -----------------------------------------------------------------------------------

USUAL_LINES = st.sampled_from(
    [
        b"Date: Sun, 22 Nov 2026 00:40:00 GMT", b"Content-Type: application/json", b"Server: s",
        b"Connection: keep-alive", b"Vary: Accept-Encoding", b"X-Id: 1",
    ]
)  # fmt: skip
BODIES = st.sampled_from([b"", b"h", b"hi", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
METHODS = st.sampled_from(["GET", "GET", "POST", "HEAD"])
PIECES = st.sampled_from([b"", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b":", b"\0", b"\t", b"1"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A plain answer, or one with something odd about it."""
    body = draw(BODIES)
    lines = [b"Content-Length: %d" % len(body), *draw(st.lists(USUAL_LINES, max_size=3))]
    odd = draw(st.sampled_from(["", "line", "start", "twice", "ending", "behind", "bytes"]))
    if odd == "line":
        lines.append(draw(st.sampled_from(ODD_LINES)))
    if odd == "twice":
        lines.append(draw(st.sampled_from(lines)))
    start = draw(st.sampled_from(STARTS)) if odd == "start" else OK
    ending = b"\n" if odd == "ending" else b"\r\n"
    data = bytearray(answer(start, *draw(st.permutations(lines)), body=body, ending=ending))
    if odd == "behind":
        data += draw(st.sampled_from([b"!", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]))
    if odd == "bytes":
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(PIECES)
    return bytes(data)


@settings(max_examples=500)
@given(answers(), METHODS)
def test_one_step_and_llhttp_read_the_same(data: bytes, method: str) -> None:
    """Same head, body, end, fault and reuse, whatever was written."""
    assert not differences([data], method)


@settings(max_examples=200)
@given(st.lists(st.tuples(answers(), METHODS, st.booleans()), min_size=2, max_size=5))
def test_one_connection_reads_both_kinds_in_turn(
    exchanges: list[tuple[bytes, str, bool]],
) -> None:
    """What llhttp didn't see leaves nothing behind: each answer is read as if it were the first."""
    log = ResponseLog()
    reader = ResponseReader(log, LIMITS)
    for data, method, is_split in exchanges:
        log.forget()
        pieces = [data[:1], data[1:]] if is_split else [data]
        found = read(reader, log, pieces, method)
        assert found == read_by_llhttp(data, method)
        if not log.is_reusable:
            return
