"""Whatever frames an agent writes: one well-formed request is governed, or nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest
from h2.errors import ErrorCodes

from gateway.model.exchange import Header
from tests.integration.http2.raw_agent import raw_agent
from tests.integration.intercept.agent import running_proxy
from tests.support.frames import (
    REQUEST,
    START,
    block,
    changed,
    data,
    headers,
    raw,
    reset,
    window,
    with_header,
)

GRPC = (b"content-type", b"application/grpc")

ANSWERED: dict[str, tuple[tuple[Header, ...], int, str]] = {
    "`:authority` is not the CONNECT's host": (
        changed(b":authority", b"evil.test"), 421, "authority.mismatch",
    ),
    "`:authority` has user information": (
        changed(b":authority", b"a@api.test"), 400, "authority.malformed",
    ),
    "`:authority` has another port": (
        changed(b":authority", b"api.test:444"), 421, "authority.mismatch",
    ),
    "the scheme is not https": (changed(b":scheme", b"http"), 400, "request.scheme"),
    "the path is an asterisk": (changed(b":path", b"*"), 400, "request.target_form"),
    "the path is absolute": (
        changed(b":path", b"https://api.test/x"), 400, "request.target_form",
    ),
    "the path holds a space": (changed(b":path", b"/a b"), 400, "request.malformed"),
    "the path is an HTTP/1.1 request line": (
        changed(b":path", b"/a HTTP/1.1 x"), 400, "request.malformed",
    ),
    "the path holds a control": (changed(b":path", b"/\x01"), 400, "request.malformed"),
    "the path has a fragment": (changed(b":path", b"/a#b"), 400, "request.malformed"),
    "the path is too long": (
        changed(b":path", b"/" + b"a" * 17_000), 414, "request.target_too_long",
    ),
    "the method is lower case": (changed(b":method", b"post"), 400, "request.malformed"),
    "the method holds a space": (changed(b":method", b"GET /x"), 400, "request.malformed"),
    "CONNECT in the tunnel": (
        ((b":method", b"CONNECT"), (b":authority", b"api.test")), 400, "request.connect_inside",
    ),
    "extended CONNECT": (
        (*changed(b":method", b"CONNECT"), (b":protocol", b"websocket")),
        400, "request.connect_inside",
    ),
    "a value holds a control": (with_header((b"x", b"a\x01b")), 400, "request.malformed"),
    "a name is no token": (with_header((b"x(y", b"1")), 400, "request.malformed"),
    "a length and no body": (with_header((b"content-length", b"5")), 400, "request.framing"),
    "too many headers": (
        with_header(*[(b"x-%d" % n, b"1") for n in range(120)]), 431, "request.too_many_headers",
    ),
}  # fmt: skip
"""Wrong requests, answered on their stream; the connection lives on."""


@pytest.mark.parametrize(("listed", "status", "code"), ANSWERED.values(), ids=ANSWERED.keys())
async def test_wrong_request_is_refused_on_its_stream(
    tmp_path: Path, listed: tuple[Header, ...], status: int, code: str
) -> None:
    """Nothing is governed, the refusal is noted, and the next stream is served."""
    async with running_proxy(tmp_path) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, headers(1, listed))
        heard = await agent.until(lambda heard: bool(heard.head(1)) or heard.goodbye is not None)
        if heard.goodbye is None:
            assert (heard.head(1)[b":status"], heard.head(1)[b"checkrein-code"]) == (
                b"%d" % status, code.encode(),
            )  # fmt: skip
            agent.send(headers(3))
            assert (await agent.until(lambda h: h.has_ended(3))).head(3)[b":status"] == b"200"
        assert len(proxy.governor.exchanges) <= 1
        assert [error.code for error in proxy.governor.refusals] in ([code], ["http2.malformed"])


MALFORMED: dict[str, bytes] = {
    "a pseudo-header after a regular one": headers(1, ((b"x", b"1"), *REQUEST)),
    "a pseudo-header twice": headers(1, (*REQUEST, (b":path", b"/other"))),
    "an unknown pseudo-header": headers(1, (*REQUEST, (b":evil", b"1"))),
    "a pseudo-header of answers": headers(1, (*REQUEST, (b":status", b"200"))),
    "no path": headers(1, changed(b":path", None)),
    "an empty path": headers(1, changed(b":path", b"")),
    "no method": headers(1, changed(b":method", None)),
    "`host` and `:authority` differ": headers(1, with_header((b"host", b"evil.test"))),
    "neither `host` nor `:authority`": headers(1, changed(b":authority", None)),
    "an upper-case name": headers(1, with_header((b"X-A", b"1"))),
    "an empty name": headers(1, with_header((b"", b"1"))),
    "CR LF in a value": headers(1, with_header((b"x", b"1\r\ny: 2"))),
    "LF in a value": headers(1, with_header((b"x", b"1\ny"))),
    "NUL in a value": headers(1, with_header((b"x", b"1\x00"))),
    "CR LF in the path": headers(1, changed(b":path", b"/\r\nx: y")),
    "white space around a value": headers(1, with_header((b"x", b" 1"))),
    "a colon in a name": headers(1, with_header((b"x:y", b"1"))),
    "Connection": headers(1, with_header((b"connection", b"close"))),
    "Transfer-Encoding": headers(1, with_header((b"transfer-encoding", b"chunked"))),
    "Upgrade": headers(1, with_header((b"upgrade", b"h2c"))),
    "TE other than trailers": headers(1, with_header((b"te", b"gzip"))),
    "two lengths": headers(1, with_header((b"content-length", b"1"), (b"content-length", b"2"))),
    "a body longer than its length": headers(1, with_header((b"content-length", b"1")), ends=False)
    + data(1, b"ab", ends=True),
    "a body shorter than its length": headers(1, with_header((b"content-length", b"3")), ends=False)
    + data(1, b"ab", ends=True),
    "a stream of even number": headers(2),
    "a stream number that goes back": headers(5, ends=False) + headers(3),
    "DATA on a stream that never was": data(7, b"x"),
    "DATA of the connection": raw(0, 0, 0, b"x"),
    "HEADERS of the connection": raw(1, 5, 0, block(REQUEST)),
    "a frame inside a block of headers": headers(1, whole=False) + raw(6, 0, 0, b"12345678"),
    "a CONTINUATION of another stream": headers(1, whole=False) + raw(9, 4, 3),
    "a CONTINUATION of nothing": raw(9, 4, 1),
    "padding longer than the frame": raw(0, 8, 1, b"\xff"),
    "a frame that is too large": raw(0, 0, 1, b"x" * 16_385),
    "PUSH_PROMISE of a client": headers(1, ends=False)
    + raw(5, 4, 1, (2).to_bytes(4, "big") + block(REQUEST)),
    "SETTINGS of six and a half": raw(4, 0, 0, b"1234567"),
    "SETTINGS of a stream": raw(4, 0, 1),
    "an initial window beyond the largest": raw(4, 0, 0, b"\0\4\xff\xff\xff\xff"),
    "PING of seven bytes": raw(6, 0, 0, b"1234567"),
    "a window update of nothing": raw(8, 0, 0, b"\0\0\0\0"),
    "a window beyond the largest": window(0, 2**31 - 1),
    "GOAWAY of a stream": raw(7, 0, 1, b"\0" * 8),
    "GOAWAY of three bytes": raw(7, 0, 0, b"\0" * 3),
    "a header block that is no HPACK": raw(1, 5, 1, b"\xff\xff\xff\xff\xff\xff"),
    "a table size beyond what was agreed": raw(1, 5, 1, b"\x3f\xff\xff\x03" + block(REQUEST)),
}
"""What ends the connection, since both sides could no longer be of one mind about it."""


@pytest.mark.parametrize("frames", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_connection_ends_with_goaway(tmp_path: Path, frames: bytes) -> None:
    """Nothing is governed, the agent is told by GOAWAY, and the refusal is noted once."""
    async with running_proxy(tmp_path) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, frames)
        heard = await agent.until_closed()
        assert heard.goodbye not in (None, ErrorCodes.NO_ERROR)
        assert proxy.governor.exchanges == []
        codes = [error.code for error in proxy.governor.refusals]
        assert len(codes) == 1
        assert codes[0].startswith("http2.")


NOT_HTTP2: dict[str, bytes] = {
    "HTTP/1.1 where HTTP/2 was agreed": b"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n",
    "a preface that is nearly one": START.replace(b"SM", b"SN"),
    "another first frame than SETTINGS": START[:24] + headers(1),
    "an acknowledgement as the first frame": START[:24] + raw(4, 1, 0),
}


@pytest.mark.parametrize("beginning", NOT_HTTP2.values(), ids=NOT_HTTP2.keys())
async def test_connection_that_does_not_begin_as_http2(tmp_path: Path, beginning: bytes) -> None:
    """It ends before anything is looked at."""
    async with running_proxy(tmp_path) as proxy:
        agent = await raw_agent(proxy)
        agent.send(beginning)
        await agent.until_closed()
        assert proxy.governor.exchanges == []
        assert [error.code for error in proxy.governor.refusals] == ["http2.preface"]


BIG = b"a" * 4_000
FLOODS: dict[str, tuple[bytes, str]] = {
    "rapid reset (CVE-2023-44487)": (
        b"".join(headers(n, ends=False) + reset(n) for n in range(1, 401, 2)), "http2.reset_flood",
    ),
    "resets that are made to be sent by us (CVE-2025-8671)": (
        b"".join(
            headers(n, ends=False) + window(n, 2**31 - 1) for n in range(1, 401, 2)
        ), "http2.",
    ),
    "CONTINUATION without an end": (
        headers(1, whole=False) + raw(9, 0, 1, b"\x00\x01a\x01b" * 1_000) * 20,
        "http2.head_too_large",
    ),
    "empty CONTINUATION without an end": (headers(1, whole=False) + raw(9, 0, 1) * 5_000, "http2."),
    "a bomb of indexed headers": (
        raw(1, 5, 1, block(REQUEST) + b"\x40\x01a\x7f\xa1\x1e" + BIG + b"\xbe" * 10_000), "http2.",
    ),
    "PING": (raw(6, 0, 0, b"12345678") * 3_000, "http2.control_flood"),
    "SETTINGS": (raw(4, 0, 0) * 3_000, "http2.control_flood"),
    "PRIORITY": (raw(2, 0, 3, b"\0\0\0\0\0") * 3_000, "http2.control_flood"),
    "unknown frames": (raw(0x42, 0, 0, b"x") * 3_000, "http2.control_flood"),
    "window updates for nothing": (window(0, 1) * 3_000, "http2.control_flood"),
    "empty DATA": (headers(1, ends=False) + data(1, b"") * 3_000, "http2.control_flood"),
    "a body in single bytes": (
        headers(1, ends=False) + data(1, b"x") * 3_000, "http2.control_flood",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("frames", "code"), FLOODS.values(), ids=FLOODS.keys())
async def test_flood_ends_the_connection(tmp_path: Path, frames: bytes, code: str) -> None:
    """Soon, by GOAWAY, noted once; no request of it is answered as if nothing were."""
    async with running_proxy(tmp_path) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, frames)
        heard = await agent.until_closed()
        assert heard.goodbye not in (None, ErrorCodes.NO_ERROR)
        (refusal,) = proxy.governor.refusals
        assert refusal.code.startswith(code)


async def test_more_streams_than_agreed_are_sent_back(tmp_path: Path) -> None:
    """A client that did not wait for our SETTINGS is told to try again, and is served as before."""
    async with running_proxy(tmp_path, http2_streams_max=3) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, *[headers(n, ends=False) for n in (1, 3, 5)])
        agent.send(data(1, b"abc", ends=True))
        assert (await agent.until(lambda heard: heard.has_ended(1))).body(1) == b"POST /v1/things 3"
        agent.send(headers(7))
        assert (await agent.until(lambda heard: heard.has_ended(7))).head(7)[b":status"] == b"200"


async def test_trailers_of_a_request_are_not_passed_on(tmp_path: Path) -> None:
    """Nobody decides on them, so the request ends there."""
    async with running_proxy(tmp_path) as proxy:
        agent = await raw_agent(proxy)
        trailers = headers(1, [(b"authorization", b"Bearer other")])
        agent.send(START, headers(1, ends=False), data(1, b"body"), trailers)
        heard = await agent.until(lambda heard: bool(heard.resets()))
        assert heard.resets() == {1: ErrorCodes.PROTOCOL_ERROR}
        assert proxy.governor.exchanges == []
        assert [error.code for error in proxy.governor.refusals] == ["request.trailers"]


async def test_what_is_wrong_with_a_call_is_said_as_grpc_does(tmp_path: Path) -> None:
    """In one block of headers, with a status that clients know."""
    async with running_proxy(tmp_path) as proxy:
        agent = await raw_agent(proxy)
        agent.send(START, headers(1, (*changed(b":authority", b"evil.test"), GRPC)))
        agent.send(headers(3, with_header(GRPC), ends=False), data(3, b"\7\0\0\0\0", ends=True))
        agent.send(headers(5, with_header(GRPC), ends=False), data(5, b"\0\0\0\0\5ab", ends=True))
        heard = await agent.until(lambda heard: heard.has_ended(5))
        for stream_id, code in (
            (1, "authority.mismatch"),
            (3, "grpc.framing"),
            (5, "grpc.framing"),
        ):
            head = heard.head(stream_id)
            assert (head[b":status"], head[b"grpc-status"]) == (b"200", b"3")
            assert code.encode() in head[b"grpc-message"]
        assert proxy.governor.exchanges == []
