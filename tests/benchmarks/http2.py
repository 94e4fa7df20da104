"""`python -m tests.benchmarks.http2`: what a governed request costs over HTTP/1.1 and over HTTP/2.

The same gateway, mapper, policy and record; the same request and the same origin (nginx, which
speaks both); one connection, one request after the other, the ways taking turns. A write posts 500
bytes of JSON and has its intent synced to disk before it is sent, a read does neither. CPU of the
gateway's process alone, user and system, by request. Asserts nothing about time, but stops at the
first answer that is not 200.
"""

from __future__ import annotations

import argparse
import base64
import socket
import ssl
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded
from rich.console import Console
from rich.table import Table

from tests.benchmarks import accounting
from tests.benchmarks.candidates import HOST, free_port, start_nginx
from tests.support.stack import Gateway, Upstreams, start_stack
from tests.support.upstream_files import UpstreamFiles, make_upstream_files

REQUESTS = {
    "write": ("POST", "/v1/orders/o1/note", b'{"note":"' + b"x" * 489 + b'"}'),
    "read": ("GET", "/v1/orders/o1", b""),
}
ANSWER_BYTES = 1_024
WARM_REQUESTS = 50

Costs = dict[tuple[str, str], list[float]]
Way = Callable[[str, int], None]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.http2", description=main.__doc__
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1_000, help="in each measurement")
    options = parser.parse_args()
    costs = measure(options.rounds, options.requests)
    _print(costs, options)
    return 0


def measure(rounds: int, requests: int) -> Costs:
    """Microseconds of CPU by request of each kind and way, one figure a round."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="cr-http2-")))
        folder.chmod(0o755)
        files = make_upstream_files(folder)
        measured = {
            name: _gateway(opened, files, folder, name, is_http2=is_http2)
            for name, is_http2 in (("HTTP/1.1 origin", False), ("HTTP/2 origin", True))
        }
        ways: dict[str, tuple[Gateway, Way]] = {}
        for name, gateway in measured.items():
            if name == "HTTP/1.1 origin":
                ways["HTTP/1.1 to HTTP/1.1"] = (gateway, opened.enter_context(Http1(gateway)).ask)
                ways["HTTP/2 to HTTP/1.1"] = (gateway, opened.enter_context(Http2(gateway)).ask)
            else:
                ways["HTTP/2 to HTTP/2"] = (gateway, opened.enter_context(Http2(gateway)).ask)
        return _measure(ways, rounds, requests)


def _gateway(
    opened: ExitStack, files: UpstreamFiles, folder: Path, name: str, *, is_http2: bool
) -> Gateway:
    """A gateway with its control plane, and an origin behind it."""
    port = free_port()
    protocols = "ssl http2" if is_http2 else "ssl"
    server = (
        f"server {{ listen 127.0.0.1:{port} {protocols}; ssl_certificate {files.certificate};\n"
        f"ssl_certificate_key {files.key}; keepalive_requests 1000000;\n"
        f"location / {{ return 200 '{'y' * ANSWER_BYTES}'; }} }}"
    )
    origin = start_nginx(folder, f"origin-{port}", server, port)
    opened.callback(origin.wait)
    opened.callback(origin.terminate)
    stack = start_stack("http2", Upstreams(port, files.ca))
    opened.callback(stack.close)
    return stack.add_gateway("h2" if is_http2 else "h1", {"CHECKREIN_HTTP2_HOSTS": "*"})


class _Connection:
    """One TLS connection through the gateway."""

    protocol = ""

    def __init__(self, gateway: Gateway) -> None:
        credentials = base64.b64encode(f"agent:{gateway.control.key('agent')}".encode()).decode()
        plain = socket.create_connection(("127.0.0.1", gateway.port), 10)
        plain.sendall(
            f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n"
            f"Proxy-Authorization: Basic {credentials}\r\n\r\n".encode()
        )
        assert b" 200 " in plain.recv(4_096)
        context = ssl.create_default_context(cafile=str(gateway.ca_file))
        context.set_alpn_protocols([self.protocol])
        self._sock = context.wrap_socket(plain, server_hostname=HOST)
        assert self._sock.selected_alpn_protocol() == self.protocol

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def ask(self, what: str, count: int) -> None:
        raise NotImplementedError


class Http1(_Connection):
    protocol = "http/1.1"

    def ask(self, what: str, count: int) -> None:
        method, path, body = REQUESTS[what]
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
            f"Accept: */*\r\nUser-Agent: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        for _ in range(count):
            self._sock.sendall(request)
            answer = b""
            while len(answer) < ANSWER_BYTES or not answer.endswith(b"y" * ANSWER_BYTES):
                answer += self._sock.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]


class Http2(_Connection):
    protocol = "h2"

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._link = H2Connection(H2Configuration(header_encoding=None))
        self._link.initiate_connection()

    def ask(self, what: str, count: int) -> None:
        method, path, body = REQUESTS[what]
        headers = [
            (":method", method), (":scheme", "https"), (":authority", HOST), (":path", path),
            ("content-type", "application/json"), ("accept", "*/*"), ("user-agent", "bench"),
            ("content-length", str(len(body))),
        ]  # fmt: skip
        for _ in range(count):
            stream_id = self._link.get_next_available_stream_id()
            self._link.send_headers(stream_id, headers)
            self._link.send_data(stream_id, body, end_stream=True)
            is_over = False
            while not is_over:
                self._sock.sendall(self._link.data_to_send())
                for event in self._link.receive_data(self._sock.recv(65_536)):
                    if isinstance(event, ResponseReceived):
                        assert dict(event.headers)[b":status"] == b"200", event.headers
                    is_over = is_over or isinstance(event, StreamEnded)
            self._link.increment_flow_control_window(ANSWER_BYTES)


def _measure(ways: dict[str, tuple[Gateway, Way]], rounds: int, requests: int) -> Costs:
    """See `measure`; the ways take turns."""
    costs: Costs = {(what, name): [] for what in REQUESTS for name in ways}
    for what in REQUESTS:
        for _, ask in ways.values():
            ask(what, WARM_REQUESTS)
    for _ in range(rounds):
        for what, name in costs:
            gateway, ask = ways[name]
            begun = accounting.cpu_seconds(gateway.process.pid)
            ask(what, requests)
            spent = accounting.cpu_seconds(gateway.process.pid) - begun
            costs[what, name].append(spent / requests * 1e6)
    return costs


def _print(costs: Costs, options: argparse.Namespace) -> None:
    table = Table(title=f"{options.rounds} rounds of {options.requests} governed requests each")
    for column in ("agent to upstream", "CPU µs a request", "least to most", "of HTTP/1.1"):
        table.add_column(column, justify="left" if column.startswith("agent") else "right")
    for (what, name), each in costs.items():
        floor = statistics.median(costs[what, "HTTP/1.1 to HTTP/1.1"])
        median = statistics.median(each)
        spread = f"{min(each):.0f} - {max(each):.0f}"
        table.add_row(f"{what}: {name}", f"{median:.0f}", spread, f"{median / floor:.1f}")
    console = Console(width=100)
    console.print(table)
    console.print(accounting.machine())


if __name__ == "__main__":
    sys.exit(main())
