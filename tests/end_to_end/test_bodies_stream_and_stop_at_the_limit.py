"""Promise: answers stream as they come; a body beyond the limit streams too, or is refused."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.raw_client import RawClient, request
from tests.support.stack import Gateway, Stack, Upstreams
from tests.support.upstream_files import make_upstream_files

pytestmark = pytest.mark.slow

HOST = "warehouse.example.test"
BODY_BYTES_MAX = 20_000
SECONDS_MAX = 20.0
EVENT_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class EventSource:
    """A TLS upstream that sends its second event only after the test has read the first."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS_MAX)
        self.port: int = self._listener.getsockname()[1]
        self.has_read_first = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="event-source")
        self._thread.start()

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        plain.settimeout(SECONDS_MAX)
        with self._context.wrap_socket(plain, server_side=True) as sock:
            sock.recv(65_536)
            sock.sendall(EVENT_HEAD + b"data: one\n\n")
            if self.has_read_first.wait(SECONDS_MAX):
                sock.sendall(b"data: two\n\n")
            # Ended properly, so that the end of the stream is not mistaken for a cut.
            with contextlib.suppress(OSError):
                sock.unwrap().close()

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


@pytest.fixture
def events(stack: Stack, tmp_path: Path) -> Iterator[tuple[EventSource, RawClient]]:
    """The event source, and a client of a gateway that leads there."""
    files = make_upstream_files(tmp_path, [HOST])
    source = EventSource(files.certificate, files.key)
    upstreams = Upstreams(source.port, files.ca, None, [HOST])
    gateway = Gateway(stack.folder, "events", stack.control, upstreams)
    gateway.start()
    try:
        yield source, RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
    finally:
        gateway.process.close()
        source.close()


@pytest.fixture(scope="module")
def narrow(stack: Stack) -> Iterator[RawClient]:
    """A client of a gateway that inspects 20,000 bytes and no more."""
    gateway = stack.add_gateway("narrow", {"CHECKREIN_BODY_BYTES_MAX": str(BODY_BYTES_MAX)})
    yield RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
    stack.gateways.pop("narrow").process.close()


def test_an_event_arrives_before_the_next_is_sent(events: tuple[EventSource, RawClient]) -> None:
    """Were answers gathered, the first event would never come."""
    source, client = events
    with client.open_tls(HOST) as sock:
        sock.settimeout(SECONDS_MAX)
        sock.sendall(request("GET", "/v1/orders/1"))
        received = b""
        while b"data: one" not in received:
            received += sock.recv(65_536)
        assert b"data: two" not in received

        source.has_read_first.set()
        while not received.endswith(b"0\r\n\r\n"):
            received += sock.recv(65_536)
    assert b"data: two" in received
    assert received.startswith(b"HTTP/1.1 200 ")


FRAMINGS = ("with a length", "in chunks")


def long_request(target: str, body: bytes, framing: str) -> bytes:
    """A POST of a JSON-typed body, framed one way or the other."""
    if framing == "with a length":
        return request("POST", target, {"Content-Type": "application/json"}, body)
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    pieces = [body[start : start + 9_000] for start in range(0, len(body), 9_000)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return request("POST", target, headers) + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_long_body_that_a_rule_needs_is_refused(
    stack: Stack, narrow: RawClient, tag: str, framing: str
) -> None:
    """The refund's amount can't be read: 413, and nothing of it arrives."""
    body = b'{"amount": 1, "padding": "%b"}' % (b"x" * BODY_BYTES_MAX)

    reply = narrow.inside(HOST, long_request(f"/v1/orders/{tag}/refund", body, framing))

    assert reply.status == 413
    assert stack.oracle.about(tag) == []
    decision = stack.api.wait_record({"kind": "decision", "effect": "BLOCK"}, tag)
    assert decision["reason_code"] == "BODY_TOO_LARGE"


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_long_body_that_nothing_needs_streams_unchanged(
    stack: Stack, narrow: RawClient, tag: str, framing: str
) -> None:
    """A note is allowed whatever it says: fifty times the limit arrives, byte for byte."""
    body = hashlib.sha256(tag.encode()).digest() * (50 * BODY_BYTES_MAX // 32)

    reply = narrow.inside(HOST, long_request(f"/v1/orders/{tag}/note", body, framing))

    (seen,) = stack.oracle.about(tag)
    assert reply.status == 200
    assert seen.body == body
