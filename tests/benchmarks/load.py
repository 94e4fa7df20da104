"""The load: TLS connections through CONNECT or straight, in one of three manners.

`kept`: each connection is kept alive and carries one request at a time, as fast as it goes.
`new`: as many at once, each opened for one request and closed. `rate`: kept alive, but requests
come at a fixed rate whatever the answers do, and their latency counts from when they were due, so
that a proxy which stalls can't hide what it made others wait.

Runs as a process of its own (`python -m tests.benchmarks.load`: one line of options in, `ready`
out, a line in, one line of results out, a line in), so that its work is on nobody else's bill. It
checks every answer's status and length, and never repeats a request.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

CONNECT_SECONDS_MAX = 10.0
NUMBER = b"000000000000"
"""Each request has another one here, as SDKs do: no two heads are the same."""

WARM_SECONDS = 0.5
"""Opens the connections upstream and fills every cache before anything is counted."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send where. `credentials` ("agent:key") and `authority` are for CONNECT; without
    `credentials` the TLS connection goes straight to the port."""

    port: int
    ca_file: str
    server_name: str
    authority: str
    host: str
    method: str
    path: str
    answer_bytes: int
    connections: int
    seconds: float
    credentials: str | None
    cpu: int | None
    manner: str = "kept"
    body_bytes: int = 500
    rate: float = 0.0


@dataclass(slots=True)
class Tally:
    """What came back in one phase. No request is begun after `deadline`."""

    deadline: float
    done: int = 0
    bad: int = 0
    latencies_us: list[int] = field(default_factory=list)


class Caller(asyncio.Protocol):
    """One connection: in a phase it sends, reads the whole answer, and sends again."""

    def __init__(self, request: bytes, answer_bytes: int) -> None:
        self._begin, _, self._end = request.partition(NUMBER)
        self._number = 0
        self._answer_bytes = answer_bytes
        self._data = b""
        self._sent_at = 0.0
        self._tally = Tally(0)
        self._idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, tally: Tally, due_at: float | None = None) -> asyncio.Future[None]:
        """Start a phase; the future is done when it is over on this connection. The first latency
        counts from `due_at`."""
        self._tally = tally
        self._idle = asyncio.get_running_loop().create_future()
        self._send()
        if due_at is not None:
            self._sent_at = due_at
        return self._idle

    def close(self) -> None:
        """End the connection."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, separator, body = self._data.partition(b"\r\n\r\n")
        if not separator or len(body) < self._answer_bytes:
            return
        self._data = b""
        tally = self._tally
        if head.startswith(b"HTTP/1.1 200") and len(body) == self._answer_bytes:
            tally.done += 1
            tally.latencies_us.append(int((time.perf_counter() - self._sent_at) * 1e6))
        else:
            tally.bad += 1
        if time.perf_counter() < tally.deadline:
            self._send()
        else:
            self._idle.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._idle.done():
            self._tally.bad += 1
            self._idle.set_result(None)

    def _send(self) -> None:
        self._number += 1
        self._sent_at = time.perf_counter()
        self._transport.write(b"%b%012d%b" % (self._begin, self._number, self._end))


def request_bytes(load: Load) -> bytes:
    """Ten headers, as an SDK sends, and a JSON body where the method has one."""
    body = b""
    if load.method == "POST":
        body = json.dumps({"note": "x" * (load.body_bytes - 12)}).encode()
        assert len(body) == load.body_bytes
    lines = [
        f"{load.method} {load.path} HTTP/1.1",
        f"Host: {load.host}",
        "User-Agent: benchmark/1.0 (own load generator)",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Accept-Language: en",
        "Authorization: Bearer sk_test_0123456789abcdef0123456789abcdef",
        f"X-Request-Id: {NUMBER.decode()}",
        "X-Request-Source: benchmark",
        "Connection: keep-alive",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def connect(load: Load, context: ssl.SSLContext) -> Caller:
    """One connection, through CONNECT when there are credentials."""
    loop = asyncio.get_running_loop()
    request = request_bytes(load)
    sock = socket.create_connection(("127.0.0.1", load.port), CONNECT_SECONDS_MAX)
    if load.credentials is not None:
        _ask_for_tunnel(sock, load.authority, load.credentials)
    sock.setblocking(False)
    _, caller = await loop.create_connection(
        lambda: Caller(request, load.answer_bytes),
        sock=sock,
        ssl=context,
        server_hostname=load.server_name,
        ssl_handshake_timeout=60,
    )
    return caller


def _ask_for_tunnel(sock: socket.socket, authority: str, credentials: str) -> None:
    """CONNECT, blocking: it happens before the measurement begins."""
    sock.sendall(_connect_bytes(authority, credentials))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = sock.recv(4096)
        if not piece:
            break
        head += piece
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ConnectionError(head.decode())


def _connect_bytes(authority: str, credentials: str) -> bytes:
    pair = base64.b64encode(credentials.encode()).decode()
    return (
        f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
        f"Proxy-Authorization: Basic {pair}\r\n\r\n"
    ).encode()


async def phase(callers: Sequence[Caller], seconds: float) -> Tally:
    """Let every connection call for so long, and wait for the last answers."""
    tally = Tally(time.perf_counter() + seconds)
    await asyncio.wait([caller.begin(tally) for caller in callers], timeout=seconds + 10)
    return tally


async def phase_of_new(load: Load, context: ssl.SSLContext, seconds: float) -> Tally:
    """Open a connection for every request."""
    tally = Tally(time.perf_counter() + seconds)

    async def keep_opening() -> None:
        while time.perf_counter() < tally.deadline:
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(CONNECT_SECONDS_MAX):
                    is_good = await one_new(load, context)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                is_good = False
            if is_good:
                tally.done += 1
                tally.latencies_us.append(int((time.perf_counter() - begun) * 1e6))
            else:
                tally.bad += 1

    await asyncio.gather(*(keep_opening() for _ in range(load.connections)))
    return tally


async def one_new(load: Load, context: ssl.SSLContext) -> bool:
    """One connection, one request; whether its answer was whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    try:
        if load.credentials is not None:
            writer.write(_connect_bytes(load.authority, load.credentials))
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n")[0]:
                return False
        await writer.start_tls(context, server_hostname=load.server_name)
        writer.write(request_bytes(load))
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(load.answer_bytes)
        return head.startswith(b"HTTP/1.1 200") and len(body) == load.answer_bytes
    finally:
        writer.transport.abort()


async def phase_at_rate(load: Load, callers: Sequence[Caller], seconds: float) -> Tally:
    """Begin requests when they are due, on whichever connection is free."""
    start = time.perf_counter()
    tally = Tally(0.0)  # no connection goes on by itself
    free = list(callers)
    running: set[asyncio.Future[None]] = set()
    count = int(load.rate * seconds)
    for number in range(count):
        due = start + number / load.rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        while not free:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        caller = free.pop()
        call = caller.begin(tally, due)
        running.add(call)

        def over(done: asyncio.Future[None], caller: Caller = caller) -> None:
            running.discard(done)
            free.append(caller)

        call.add_done_callback(over)
    if running:
        await asyncio.wait(running, timeout=10)
    return tally


async def run(load: Load) -> None:
    """Connect and warm up; then, at a word on standard input, the measured phase; then wait for
    another word, so that closing the connections is on nobody's bill either."""
    context = ssl.create_default_context(cafile=load.ca_file)
    callers: list[Caller] = []
    if load.manner == "new":
        await phase_of_new(load, context, WARM_SECONDS)
    else:
        callers = [await connect(load, context) for _ in range(load.connections)]
        await phase(callers, WARM_SECONDS)
    print("ready", flush=True)
    sys.stdin.readline()
    if load.manner == "new":
        tally = await phase_of_new(load, context, load.seconds)
    elif load.manner == "rate":
        tally = await phase_at_rate(load, callers, load.seconds)
    else:
        tally = await phase(callers, load.seconds)
    latencies = sorted(tally.latencies_us) or [0]
    told = {
        "done": tally.done,
        "bad": tally.bad,
        "p50_us": latencies[len(latencies) // 2],
        "p99_us": latencies[int(len(latencies) * 0.99)],
    }
    print(json.dumps(told), flush=True)
    sys.stdin.readline()
    for caller in callers:
        caller.close()


if __name__ == "__main__":
    wanted = Load(**json.loads(sys.stdin.readline()))
    if wanted.cpu is not None:
        os.sched_setaffinity(0, {wanted.cpu})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(wanted))
