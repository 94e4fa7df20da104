"""Promise: whatever odd bytes an agent sends, the record names exactly the request that upstream
understood. (`test_allowed_request_arrives_once` holds the same of real clients.)
"""

from __future__ import annotations

import pytest

from tests.support.raw_client import RawClient, request
from tests.support.stack import Stack

HOST = "warehouse.example.test"


def _chunked(coding: str, body: str) -> str:
    """A note in chunks."""
    return (
        f"POST /v1/orders/TAG/note HTTP/1.1\r\nHost: {HOST}\r\n"
        f"Content-Type: application/json\r\nTransfer-Encoding: {coding}\r\n\r\n{body}"
    )


ODD_BUT_LEGAL = {
    "chunks of one byte": (_chunked("chunked", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), b"{}"),
    "an upper-case coding": (_chunked("CHUNKED", "2\r\n{}\r\n0\r\n\r\n"), b"{}"),
    "a size with leading zeros": (_chunked("chunked", "0002\r\n{}\r\n000\r\n\r\n"), b"{}"),
    "a GET with a body": (
        f"GET /v1/orders/TAG HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\n\r\n{{}}",
        b"{}",
    ),
    "an empty line before the request": (
        f"\r\nGET /v1/orders/TAG HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
        b"",
    ),
    "HTTP/1.0": (f"GET /v1/orders/TAG HTTP/1.0\r\nHost: {HOST}\r\n\r\n", b""),
    "a query that repeats a key": (
        f"GET /v1/orders/TAG?a=1&a=2 HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
        b"",
    ),
    "an empty header value": (
        f"GET /v1/orders/TAG HTTP/1.1\r\nHost: {HOST}\r\nX-Empty:\r\n\r\n",
        b"",
    ),
    "the port spelt out": (
        f"GET /v1/orders/TAG HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n",
        b"",
    ),
}


@pytest.mark.parametrize(("text", "body"), ODD_BUT_LEGAL.values(), ids=ODD_BUT_LEGAL.keys())
def test_odd_request_is_recorded_as_understood(
    stack: Stack, tag: str, text: str, body: bytes
) -> None:
    """Legal oddities either arrive as they were recorded, or do not arrive at all."""
    raw = RawClient(stack.gateway.port, stack.control.key("agent"), stack.gateway.ca_file)
    reply = raw.inside(HOST, text.replace("TAG", tag).encode())
    understood = stack.oracle.about(tag)
    if not understood:
        assert reply.status is not None
        assert reply.status >= 400
        return

    (seen,) = understood
    intent = stack.api.wait_record({"kind": "intent"}, tag)
    assert seen.body == body
    assert (intent["method"], intent["path"].partition("?")[0]) == (seen.method, seen.path)
    assert intent["body_digest"] == stack.gateway.content_digest(seen.body)


def test_unsigned_parts_are_not_touched(stack: Stack, tag: str) -> None:
    """Headers that signatures cover keep their order, spelling and bytes."""
    raw = RawClient(stack.gateway.port, stack.control.key("agent"), stack.gateway.ca_file)
    headers = {"X-B": "2", "x-a": "1", "X-Long": "a  b\tc", "Authorization": "AWS4 Credential=x"}
    assert raw.inside(HOST, request("GET", f"/v1/orders/{tag}", headers)).status == 200

    (seen,) = stack.oracle.about(tag)
    kept = [(name, value) for name, value in seen.headers if name in headers]
    assert kept == list(headers.items())
