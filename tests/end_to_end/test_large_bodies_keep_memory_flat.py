"""Promise: 100 MB pass either way, however they are framed, in memory that doesn't grow."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.raw_client import RawClient
from tests.support.stack import Gateway, Stack, Upstreams
from tests.support.upstream_files import UpstreamFiles, make_upstream_files

pytestmark = pytest.mark.slow

HOST = "warehouse.example.test"
SECONDS_MAX = 60.0
PIECE = bytes(range(256)) * 2_048
PIECES = 200
BODY_BYTES = PIECES * len(PIECE)
CHUNK = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
GROWTH_BYTES_MAX = 12_000_000
INSPECTED_BYTES_MAX = "1000000"
"""What the gateway keeps of a body to look at it, which is part of what may grow."""

OK = b"HTTP/1.1 200 OK\r\n"


class Warehouse:
    """A TLS upstream that gives 100 MB to a GET and counts what a POST brings."""

    def __init__(self, files: UpstreamFiles) -> None:
        self.received: list[int] = []
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(files.certificate, files.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="warehouse", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                plain.settimeout(SECONDS_MAX)
                with (
                    contextlib.suppress(OSError),
                    self._context.wrap_socket(plain, server_side=True) as sock,
                ):
                    self._serve(sock)

    def _serve(self, sock: ssl.SSLSocket) -> None:
        head, body = _read_head(sock)
        if head.startswith(b"GET /v1/orders/chunks"):
            sock.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(PIECES):
                sock.sendall(CHUNK)
            sock.sendall(b"0\r\n\r\n")
        elif head.startswith(b"GET "):
            sock.sendall(OK + b"Content-Length: %d\r\n\r\n" % BODY_BYTES)
            for _ in range(PIECES):
                sock.sendall(PIECE)
        else:
            count, tail = len(body), body[-5:]
            is_chunked = b"Transfer-Encoding: chunked" in head
            while tail != b"0\r\n\r\n" if is_chunked else count < BODY_BYTES:
                data = sock.recv(262_144)
                assert data, "the body was cut"
                count, tail = count + len(data), (tail + data)[-5:]
            self.received.append(count)
            sock.sendall(OK + b"Content-Length: 4\r\n\r\ndone")

    def close(self) -> None:
        self._listener.close()


def _read_head(sock: ssl.SSLSocket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65_536)
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


@pytest.fixture(scope="module")
def warehouse(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Warehouse, Gateway]]:
    """The upstream, and a gateway that leads there."""
    folder: Path = tmp_path_factory.mktemp("large")
    files = make_upstream_files(folder, [HOST])
    upstream = Warehouse(files)
    gateway = Gateway(
        stack.folder, "large", stack.control, Upstreams(upstream.port, files.ca, None, [HOST]),
        {"CHECKREIN_BODY_BYTES_MAX": INSPECTED_BYTES_MAX},
    )  # fmt: skip
    gateway.start()
    try:
        yield upstream, gateway
    finally:
        gateway.process.close()
        upstream.close()


def _download(sock: ssl.SSLSocket, path: bytes) -> int:
    sock.sendall(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (path, HOST.encode()))
    head, body = _read_head(sock)
    assert head.startswith(b"HTTP/1.1 200 "), head
    count = len(body)
    while count < BODY_BYTES:
        data = sock.recv(262_144)
        assert data, "the answer was cut"
        count += len(data)
    return count


def _upload(sock: ssl.SSLSocket, path: bytes) -> int:
    is_chunked = b"chunks" in path
    framing = b"Transfer-Encoding: chunked\r\nExpect: 100-continue"
    if not is_chunked:
        framing = b"Content-Length: %d" % BODY_BYTES
    line = b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Type: application/octet-stream\r\n%b\r\n\r\n"
    sock.sendall(line % (path, HOST.encode(), framing))
    if is_chunked:
        assert _read_head(sock)[0].startswith(b"HTTP/1.1 100 ")
    for _ in range(PIECES):
        sock.sendall(CHUNK if is_chunked else PIECE)
    if is_chunked:
        sock.sendall(b"0\r\n\r\n")
    head, body = _read_head(sock)
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert body == b"done"
    return BODY_BYTES


WAYS: dict[str, tuple[Callable[[ssl.SSLSocket, bytes], int], bytes]] = {
    "down with a length": (_download, b"/v1/orders/length"),
    "down in chunks": (_download, b"/v1/orders/chunks"),
    "up with a length": (_upload, b"/v1/orders/length/note"),
    "up in chunks, after 100 Continue": (_upload, b"/v1/orders/chunks/note"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_hundred_megabytes_pass(
    stack: Stack, warehouse: tuple[Warehouse, Gateway], way: str
) -> None:
    """The gateway's peak stays within 12 MB of what it was, its inspection of 1 MB included."""
    upstream, gateway = warehouse
    transfer, path = WAYS[way]
    client = RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
    before = _memory(gateway, "VmRSS")
    _forget_peak(gateway)
    with client.open_tls(HOST) as sock:
        sock.settimeout(SECONDS_MAX)
        assert transfer(sock, path) >= BODY_BYTES
    grown = _memory(gateway, "VmHWM") - before
    assert grown < GROWTH_BYTES_MAX, f"{grown / 1e6:.1f} MB"
    if transfer is _upload:
        assert upstream.received[-1] >= BODY_BYTES


def _memory(gateway: Gateway, field: str) -> int:
    for line in Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1_024
    raise AssertionError(f"no {field}")


def _forget_peak(gateway: Gateway) -> None:
    Path(f"/proc/{gateway.process.pid}/clear_refs").write_text("5")
