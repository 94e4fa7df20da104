"""`python -m tests.end_to_end.attacks.flood`: how much memory an agent can make a gateway take.

Opens idle connections until far beyond the limit, then as many that each send half a head, then
sends a body of 10 GiB that is passed on and one that must be read. Prints what each came to: the
gateway's memory before, at its most, and after. Stops when it does not serve any more afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.end_to_end.attacks.payloads import SEARCH
from tests.support import providers
from tests.support.oracle import Oracle
from tests.support.raw_client import RawClient, request
from tests.support.stack import Gateway, Upstreams, start_stack
from tests.support.upstream_files import make_upstream_files

HOST = "warehouse.example.test"
MIB = 1024 * 1024
PIECE = b"x" * MIB
DESCRIPTORS_SPARE = 200


class Watch:
    """The memory of one process: `most` since it was last asked for."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.most = 0

    def look(self) -> int:
        """Resident memory now, in MiB."""
        now = self._process.memory_info().rss // MIB
        self.most = max(self.most, now)
        return int(now)


def main() -> int:
    """Run every flood once and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.end_to_end.attacks.flood",
        description="Open more connections than a gateway allows, then send half heads and bodies "
        "of many gigabytes. Prints its memory before, at its most, and after, in MiB. Loopback "
        "only; the full run takes many minutes.",
        epilog="example: python -m tests.end_to_end.attacks.flood --connections 2000 --limit 500 "
        "--gib 0.1",
    )
    parser.add_argument(
        "--connections", type=int, default=100_000, help="tried in all [%(default)s]"
    )
    parser.add_argument(
        "--limit", type=int, default=10_000, help="how many the gateway allows [%(default)s]"
    )
    parser.add_argument(
        "--gib", type=float, default=10.0, help="size of each of the two bodies [%(default)s]"
    )
    options = parser.parse_args()
    _raise_descriptors()
    table = Table(title="what floods take of a gateway's memory, MiB")
    for name in ("flood", "before", "most", "after", "what came of it"):
        table.add_column(name)
    with _running(options.limit) as (gateway, raw):
        watch = Watch(gateway.process.pid)
        for name, data in {
            "idle connections": b"",
            "halves of a head": b"CONNECT a.test:443",
        }.items():
            row = _connections(gateway.port, watch, options.connections, options.limit, data)
            table.add_row(name, *row)
            _check(raw)
        size = int(options.gib * 1024) * MIB
        table.add_row(f"{options.gib:g} GiB passed on", *_body(raw, watch, _note(size), size))
        table.add_row(f"{options.gib:g} GiB to be read", *_body(raw, watch, _search(size), size))
        _check(raw)
        bugs = gateway.metric("checkrein_gateway_bugs_total")
    Console(width=110).print(table)
    assert bugs == 0, "the gateway found a fault of its own"
    return 0


def _raise_descriptors() -> None:
    """The gateway inherits what we may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _running(limit: int) -> Iterator[tuple[Gateway, RawClient]]:
    with tempfile.TemporaryDirectory() as folder:
        files = make_upstream_files(Path(folder))
        with Oracle(files.certificate, files.key, providers.answer, keeps_bodies=False) as oracle:
            stack = start_stack("flood", Upstreams(oracle.port, files.ca, oracle))
            try:
                gateway = stack.add_gateway("flood", {"CHECKREIN_CONNECTIONS_MAX": str(limit)})
                yield gateway, RawClient(gateway.port, stack.control.key("agent"), gateway.ca_file)
            finally:
                stack.close()


def _check(raw: RawClient) -> None:
    """It still serves, once the connections are gone."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError, AssertionError):
            if raw.inside(HOST, request("GET", "/v1/orders/o1"), quiet_seconds=10).status == 200:
                return
        assert time.monotonic() < deadline, "the gateway does not serve any more"
        time.sleep(0.5)


def _connections(
    port: int, watch: Watch, count: int, limit: int, data: bytes
) -> tuple[str, str, str, str]:
    """Open `count`, keeping those that are not refused; ours end when our descriptors do."""
    before = watch.look()
    watch.most = before
    ours, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(count, 3 * limit, ours - DESCRIPTORS_SPARE)
    opened: list[socket.socket] = []
    tried = refused = 0
    while tried < count:
        for _ in range(most - len(opened)):
            # Another source address every 20,000: one has 28,000 ports.
            source = (f"127.0.0.{2 + tried // 20_000}", 0)
            sock = socket.create_connection(("127.0.0.1", port), 10, source)
            tried += 1
            with contextlib.suppress(OSError):
                sock.sendall(data)
            opened.append(sock)
        watch.look()
        # Those beyond the limit were told 503 at once: drop them, and try as many others.
        for sock in opened[limit:]:
            sock.settimeout(5)
            with contextlib.suppress(OSError):
                refused += b" 503 " in sock.recv(200)
            sock.close()
        del opened[limit:]
    for sock in opened:
        sock.close()
    watch.look()
    return (
        str(before),
        str(watch.most),
        str(watch.look()),
        f"{tried:,} tried, {refused:,} told 503, others by deadline",
    )


def _note(size: int) -> bytes:
    return request("POST", "/v1/orders/large/note", {"Content-Length": str(size)})


def _search(size: int) -> bytes:
    return SEARCH + b"Content-Length: %d\r\n\r\n" % size


def _body(raw: RawClient, watch: Watch, head: bytes, size: int) -> tuple[str, str, str, str]:
    """Send a head and as much of its body as is taken."""
    before = watch.look()
    watch.most = before
    sent, answer = 0, b""
    with raw.open_tls(HOST) as sock:
        sock.settimeout(60)
        with contextlib.suppress(OSError):
            sock.sendall(head)
            while sent < size:
                sock.sendall(PIECE)
                sent += MIB
                if sent % (64 * MIB) == 0:
                    watch.look()
        with contextlib.suppress(OSError):
            answer = sock.recv(4_096)
    status = answer[9:12].decode() or "nothing"
    return str(before), str(watch.most), str(watch.look()), f"{sent // MIB:,} MiB, told {status}"


if __name__ == "__main__":
    sys.exit(main())
