"""F1-F9: what frames a request. Where two servers could differ on where one ends, it is refused and
the connection closed; what an upstream frames wrongly reaches no agent as a whole answer."""

from __future__ import annotations

import pytest

from tests.end_to_end.attacks.conftest import HOST, Scene
from tests.end_to_end.attacks.payloads import (
    BAD,
    BAD_OR_UNKNOWN,
    CHUNKED,
    END,
    GET,
    SEARCH,
    VERSION,
    Row,
)
from tests.end_to_end.attacks.payloads import HOST as HOST_LINE
from tests.end_to_end.attacks.wicked import Wicked
from tests.support.raw_client import request


def _length(value: bytes) -> bytes:
    return SEARCH + b"Content-Length: " + value + b"\r\n\r\n{}{}{}"


def _coding(line: bytes) -> bytes:
    return SEARCH + line + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


def _chunks(body: bytes) -> bytes:
    return SEARCH + CHUNKED + END + body


FRAMING: dict[str, Row] = {
    "F1 length and chunks together": (
        SEARCH + b"Content-Length: 12\r\n" + CHUNKED + END + b"2\r\n{}\r\n0\r\n\r\n",
        BAD,
    ),
    "F1 chunks and length together": (
        SEARCH + CHUNKED + b"Content-Length: 12\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        BAD,
    ),
    "F2 two different lengths": (
        SEARCH + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}",
        BAD,
    ),
    "F2 a list of lengths": (_length(b"2, 2"), BAD),
    "F2 a signed length": (_length(b"+2"), BAD),
    "F2 a negative length": (_length(b"-2"), BAD),
    "F2 a hexadecimal length": (_length(b"0x2"), BAD),
    "F2 a length with an underscore": (_length(b"0_2"), BAD),
    "F2 a length beyond 64 bits": (_length(b"18446744073709551618"), frozenset({400, 413})),
    "F2 two words as length": (_length(b"2 2"), BAD),
    "F2 an empty length": (_length(b""), BAD),
    "F3 space before the colon": (_coding(b"Transfer-Encoding : chunked"), BAD),
    "F3 a vertical tab in the coding": (_coding(b"Transfer-Encoding: \x0bchunked"), BAD_OR_UNKNOWN),
    "F3 a no-break space in the coding": (
        _coding(b"Transfer-Encoding: \xa0chunked"),
        BAD_OR_UNKNOWN,
    ),
    "F3 an unknown coding": (_coding(b"Transfer-Encoding: xchunked"), BAD_OR_UNKNOWN),
    "F3 chunked then identity": (_coding(b"Transfer-Encoding: chunked, identity"), BAD_OR_UNKNOWN),
    "F3 chunked twice in a list": (_coding(b"Transfer-Encoding: chunked, chunked"), BAD_OR_UNKNOWN),
    "F3 chunked twice in two lines": (
        _coding(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        BAD_OR_UNKNOWN,
    ),
    "F3 a quoted coding": (_coding(b'Transfer-Encoding: "chunked"'), BAD_OR_UNKNOWN),
    "F3 a folded coding": (_coding(b"Transfer-Encoding:\r\n chunked"), BAD_OR_UNKNOWN),
    "F3 gzip before chunked": (_coding(b"Transfer-Encoding: gzip, chunked"), BAD_OR_UNKNOWN),
    "F3 chunks in HTTP/1.0": (
        SEARCH.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + END + b"2\r\n{}\r\n0\r\n\r\n",
        VERSION,
    ),
    "F5 a folded header": (GET + b"X-A: 1\r\n 2\r\n\r\n", BAD),
    "F5 bare line feeds": (GET.replace(b"\r\n", b"\n") + b"\n", BAD),
    "F5 one bare line feed": (GET + b"X-A: 1\nX-B: 2\r\n\r\n", BAD),
    "F5 a bare carriage return": (GET + b"X-A: 1\rX-B: 2\r\n\r\n", BAD),
    "F5 a NUL in a value": (GET + b"X-A: 1\x002\r\n\r\n", BAD),
    "F5 space before a colon": (GET + b"X-A : 1\r\n\r\n", BAD),
    "F5 a space before the first header": (
        GET.replace(b"\r\nHost", b"\r\n Host") + b"\r\n",
        BAD,
    ),
    "F5 a header without a colon": (GET + b"X-A\r\n\r\n", BAD),
    "F5 an empty header name": (GET + b": 1\r\n\r\n", BAD),
    "F6 a chunk size with a space": (_chunks(b"2 \r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a signed chunk size": (_chunks(b"+2\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a hexadecimal prefix": (_chunks(b"0x2\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 an underscore in the size": (_chunks(b"0_2\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a chunk size beyond 64 bits": (
        _chunks(b"10000000000000002\r\n{}\r\n0\r\n\r\n"),
        frozenset({400, 413}),
    ),
    "F6 a control character in an extension": (_chunks(b"2;a\x00\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a bare line feed after the size": (_chunks(b"2\n{}\r\n0\r\n\r\n"), BAD),
    "F6 no line end after a chunk": (_chunks(b"2\r\n{}0\r\n\r\n"), BAD),
    "F6 a chunk longer than its size": (_chunks(b"1\r\n{}\r\n0\r\n\r\n"), BAD),
    "F7 HTTP/0.9": (b"GET /v1/orders/o1\r\n", VERSION),
    "F7 HTTP/1.2": (GET.replace(b"HTTP/1.1", b"HTTP/1.2") + END, VERSION),
    "F7 HTTP/2.0": (GET.replace(b"HTTP/1.1", b"HTTP/2.0") + END, VERSION),
    "F7 the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    "F7 a lower-case version": (GET.replace(b"HTTP/1.1", b"http/1.1") + END, VERSION),
    "F7 two spaces": (GET.replace(b"GET /", b"GET  /") + END, BAD),
    "F7 tabs for spaces": (GET.replace(b"GET /", b"GET\t/") + END, BAD),
    "F7 an impossible method": (GET.replace(b"GET", b"G@T") + END, BAD_OR_UNKNOWN),
    "F7 a method of 64 KiB": (
        b"G" * 65_536 + GET + END,
        frozenset({400, 414, 431, 501}),
    ),
    "T8 a header of 256 KiB": (
        GET + b"X-A: " + b"a" * 262_144 + b"\r\n\r\n",
        frozenset({400, 431}),
    ),
    "T8 two thousand headers": (GET + b"X-A: 1\r\n" * 2_000 + END, frozenset({400, 431})),
    "T3 TLS again inside TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", BAD),
}

FRAMING |= {
    "F3 a form feed in the coding": (_coding(b"Transfer-Encoding: \x0cchunked"), BAD_OR_UNKNOWN),
    "F3 an underscore in the name": (_coding(b"Transfer_Encoding: chunked"), BAD),
    "F2 an underscore in the length's name": (
        SEARCH + b"Content_Length: 2\r\nContent-Length: 4\r\n\r\n{}{}",
        BAD,
    ),
    "F6 an extension": (_chunks(b"2;a=b\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a carriage return in an extension": (_chunks(b"2;a\rb\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a trailer that would be a host": (
        _chunks(b"2\r\n{}\r\n0\r\nHost: api.stripe.com\r\n\r\n"),
        BAD,
    ),
    "F6 a trailer that would be a length": (
        _chunks(b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"),
        BAD,
    ),
    "F6 a trailer that would be a credential": (
        _chunks(b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n"),
        BAD,
    ),
}

UNFINISHED: dict[str, bytes] = {
    "F4 a body shorter than its length": _length(b"4000"),
    "F5 a head that never ends": GET + b"X-A: 1\r\n",
    "F6 a last chunk that never comes": _chunks(b"2\r\n{}\r\n"),
    "F6 a last chunk without its end": _chunks(b"2\r\n{}\r\n0\r\n"),
}


@pytest.mark.parametrize("row", FRAMING)
def test_bad_framing_is_refused_and_closed(scene: Scene, row: str) -> None:
    """The first answer is a refusal, and a request behind it is never looked at."""
    payload, statuses = FRAMING[row]
    reply = scene.refuse(payload + GET + END, statuses)

    assert reply.is_closed
    assert 200 not in reply.statuses


@pytest.mark.parametrize("row", UNFINISHED)
def test_unfinished_request_is_not_sent(scene: Scene, row: str) -> None:
    """Neither while it lasts nor when it breaks off."""
    with scene.nothing_arrives():
        reply = scene.raw.inside(HOST, UNFINISHED[row])

    assert 200 not in reply.statuses


HIDDEN = b"GET /v1/orders/hidden HTTP/1.1\r\n" + HOST_LINE + END
NOTE = b"POST /v1/orders/TAG/note HTTP/1.1\r\n" + HOST_LINE
BODIES: dict[str, tuple[bytes, int]] = {
    "F4 a request as the body of a POST": (
        NOTE + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        1,
    ),
    "F4 a request as the body of a GET": (
        b"GET /v1/orders/TAG HTTP/1.1\r\n"
        + HOST_LINE
        + b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
        + HIDDEN,
        0,
    ),
    "F4 a request as the body of a HEAD": (
        b"HEAD /v1/orders/TAG HTTP/1.1\r\n"
        + HOST_LINE
        + b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
        + HIDDEN,
        0,
    ),
    "F4 a request in a chunk": (
        NOTE + CHUNKED + END + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
        1,
    ),
    "F4 a body that waits for no 100": (
        NOTE + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        1,
    ),
}


@pytest.mark.parametrize("row", BODIES)
def test_a_request_in_a_body_stays_one(scene: Scene, tag: str, row: str) -> None:
    """A body is one request's, whatever it looks like: the hidden one is never understood."""
    payload, arrivals = BODIES[row]
    mark = scene.stack.oracle.mark()
    reply = scene.note(scene.ask(payload.replace(b"TAG", tag.encode())))

    assert [one.path for one in scene.stack.oracle.since(mark)] == [
        f"/v1/orders/{tag}/note"
    ] * arrivals
    assert len([status for status in reply.statuses if status >= 200]) == 1


PIPELINED_SECONDS = 0.5
"""How long the second answer may take behind the first."""


def test_f8_pipelined_request_is_decided_on_its_own(scene: Scene, tag: str) -> None:
    """F8: a forbidden request and an allowed one in one packet: only the allowed one may go."""
    forbidden = request("DELETE", f"/v1/orders/{tag}a")
    allowed = request("GET", f"/v1/orders/{tag}b")
    reply = scene.note(scene.ask(forbidden + allowed, PIPELINED_SECONDS))

    assert reply.status == 403, reply
    seen = [(found.method, found.path) for found in scene.stack.oracle.about(tag)]
    assert seen in ([], [("GET", f"/v1/orders/{tag}b")])
    assert len(reply.statuses) == 1 + len(seen)


def test_f8_allowed_then_forbidden_in_one_packet(scene: Scene, tag: str) -> None:
    """F8: the permit of the first request does not cover the second."""
    allowed = request("GET", f"/v1/orders/{tag}a")
    forbidden = request("DELETE", f"/v1/orders/{tag}b")
    reply = scene.ask(allowed + forbidden, PIPELINED_SECONDS)

    assert reply.status == 200, reply
    assert [found.method for found in scene.stack.oracle.about(tag)] == ["GET"]


def test_refusals_are_recorded_and_what_arrived_was_decided(scene: Scene) -> None:
    """After all rows of this file: each refusal has its record, and each arrival its intent."""
    scene.refuse(GET.replace(b"HTTP/1.1", b"HTTP/1.2") + END, VERSION)
    scene.assert_recorded()
    scene.assert_understood()
    assert scene.gateway.metric("checkrein_gateway_bugs_total") == 0, scene.gateway.process.log


# --- F9: what an upstream frames wrongly ----------------------------------------------------------

_OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS: dict[str, bytes] = {
    "F9 101 that nobody asked for": (
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    ),
    "F9 a length and chunks": _OK
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "F9 two lengths": _OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n",
    "F9 informational answers without end": b"HTTP/1.1 103 Early\r\n\r\n" * 500,
    "F9 a header without end": _OK + b"X-A: " + b"a" * 300_000,
    "F9 a line end inside a header": _OK + b"X-A: 1\rSet-Cookie: 2\r\nContent-Length: 0\r\n\r\n",
    "F9 a folded header": _OK + b"X-A: 1\r\n Set-Cookie: 2\r\nContent-Length: 0\r\n\r\n",
    "F9 a coding before chunked": _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "F9 no HTTP": b"220 mail.test ESMTP\r\n",
}


@pytest.mark.parametrize("row", ANSWERS)
def test_bad_answer_is_a_502(wicked: Wicked, row: str) -> None:
    """The agent is told 502, once; the record says that nobody knows what became of it."""
    reply = wicked.ask(row, ANSWERS[row])

    assert reply.statuses == (502,), reply
    assert wicked.outcome() == "unknown"


def test_f9_two_answers_are_one(wicked: Wicked) -> None:
    """F9: bytes behind an answer are nobody's; the connection is not used again."""
    answer = _OK + b"Content-Length: 2\r\n\r\n{}" + _OK + b'Content-Length: 6\r\n\r\n"evil"'
    for _ in range(2):
        reply = wicked.ask("two answers", answer)
        assert reply.statuses == (200,)
        assert b"evil" not in reply.data
