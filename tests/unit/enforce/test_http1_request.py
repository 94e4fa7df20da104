"""The head that goes upstream: what the agent said, with a framing of our own, and no line more."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.enforce.http1_request import request_head
from gateway.model.errors import UpstreamError
from gateway.model.exchange import Authority, Header, HttpRequest
from gateway.model.line_memory import LINES_MAX

HOST = (b"Host", b"api.example.com")


def request(*headers: Header, body: bytes | None = b"", **others: Any) -> HttpRequest:
    fields = {name.lower(): value for name, value in headers}
    given = {"method": "GET", "target": b"/v1/x?y=1", "body_bytes": None, **others}
    at = Authority("api.example.com", 443)
    return HttpRequest(
        scheme="https",
        authority=at,
        headers=headers,
        fields=fields,
        repeated=frozenset(),
        body=body,
        **given,
    )


POST = {"method": "POST"}

WRITTEN = {
    "a GET": (request(HOST), b"Host: api.example.com\r\n"),
    "spelling, order and repetition": (
        request((b"x-B", b"2"), HOST, (b"x-B", b"1 , 3")),
        b"x-B: 2\r\nHost: api.example.com\r\nx-B: 1 , 3\r\n",
    ),
    "an empty value": (request((b"X-Empty", b"")), b"X-Empty: \r\n"),
    "a length": (
        request(HOST, body=b"hi", **POST), b"Host: api.example.com\r\nContent-Length: 2\r\n",
    ),
    "a POST without a body": (request(**POST), b"Content-Length: 0\r\n"),
    "a length where it stood, and ours": (
        request((b"content-length", b"7"), HOST, (b"Content-Length", b"9"), body=b"hi", **POST),
        b"content-length: 2\r\nHost: api.example.com\r\n",
    ),
    "a body that streams, with its length": (
        request(HOST, body=None, body_bytes=5, **POST),
        b"Host: api.example.com\r\nContent-Length: 5\r\n",
    ),
    "a body that streams without one": (
        request((b"Content-Length", b"5"), body=None, **POST),
        b"Transfer-Encoding: chunked\r\n",
    ),
    "what goes no further": (
        request(
            (b"Expect", b"100-continue"), (b"Proxy-Authorization", b"Basic x"), HOST,
            (b"Checkrein-Agent", b"me"), (b"TE", b"gzip"), (b"transfer-encoding", b"chunked"),
        ),
        b"Host: api.example.com\r\n",
    ),
    "trailers": (
        request(HOST, takes_trailers=True),
        b"Host: api.example.com\r\nTE: trailers\r\nConnection: TE\r\n",
    ),
    "a handshake": (
        request((b"Sec-WebSocket-Key", b"eA=="), is_websocket=True),
        b"Sec-WebSocket-Key: eA==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRITTEN)
@pytest.mark.parametrize("time", ["first", "second"])
def test_the_head(what: str, time: str) -> None:
    """The same whether its lines were written before or not."""
    asked, lines = WRITTEN[what]
    start = b"%b /v1/x?y=1 HTTP/1.1\r\n" % asked.method.encode()
    assert request_head(asked) == start + lines + b"\r\n", time


UNSAFE = {
    "a line in a value": request((b"X-A", b"1\r\nX-B: 2")),
    "a line feed in a value": request((b"X-A", b"1\nX-B: 2")),
    "a carriage return in a value": request((b"X-A", b"1\rX-B: 2")),
    "a line in a name": request((b"X-A: 1\r\nX-B", b"2")),
    "a zero": request((b"X-A", b"1\0")),
    "a line in the target": request(HOST, target=b"/ HTTP/1.1\r\nX-B: 2\r\n\r\n"),
    "a long one": request((b"X-A", b"1" * 600 + b"\r\nX-B: 2")),
}


@pytest.mark.parametrize("what", UNSAFE)
@pytest.mark.parametrize("time", ["first", "second"])
def test_what_would_break_the_framing_is_not_written(what: str, time: str) -> None:
    """Behind a parser that lets none of it pass; remembered lines are held to it as new ones."""
    with pytest.raises(UpstreamError) as refused:
        request_head(UNSAFE[what])
    assert (refused.value.code, refused.value.sent) == ("upstream.unsafe_request", False), time


def test_headers_that_never_come_again_are_forgotten() -> None:
    """An agent can't fill the memory; what it says is written all the same."""
    for number in range(LINES_MAX + 10):
        head = request_head(request((b"X-Id", b"%d" % number)))
        assert head == b"GET /v1/x?y=1 HTTP/1.1\r\nX-Id: %d\r\n\r\n" % number
