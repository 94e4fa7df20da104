"""Bytes that the HTTP server can't read are answered in the envelope, and repeated nowhere."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from tests.support.control_plane import Client

SECRET = b"sk_live_51planted0000000000000000"

BYTES = {
    "a request line of 9,000 bytes": b"GET /v1/outcomes?limit=" + SECRET + b"a" * 9_000,
    "a method that is none": b"G\x00T /" + SECRET,
    "no version": b"GET /" + SECRET + b" nothing",
}


@pytest.mark.parametrize("sent", BYTES.values(), ids=BYTES)
async def test_unreadable_bytes_are_answered_in_the_envelope(
    client: Client, sent: bytes, caplog: pytest.LogCaptureFixture
):
    """The status and shape are the described ones; what was sent is neither shown nor logged."""
    caplog.set_level("DEBUG")
    parts = urlsplit(client.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(sent + b" HTTP/1.1\r\nhost: localhost\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"application/json" in head
    error = json.loads(body)["error"]
    assert error["reason_code"] == "BAD_REQUEST"
    assert error["request_id"]
    assert SECRET not in answer
    assert SECRET.decode() not in caplog.text


async def test_a_caller_that_leaves_within_its_body_is_no_bug(
    client: Client, caplog: pytest.LogCaptureFixture
):
    """A gateway that is killed while it ships its records is no fault of ours."""
    parts = urlsplit(client.url)
    head = "POST /v1/records HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000\r\n"
    for number in range(3):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"{head}x-api-key: {client.keys['gateway']}\r\n\r\n{{".encode())
        await writer.drain()
        answer = await client.call("GET", f"/v1/approvals?limit={number + 1}")
        assert answer.status == 200  # so that the half request is being read
        writer.transport.abort()
    await client.call("GET", "/v1/approvals")
    assert client.plane.metrics.bugs._value.get() == 0
    assert "unhandled" not in caplog.text
