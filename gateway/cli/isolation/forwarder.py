"""The process outside that serves the listeners inside: every connection goes to the gateway.

A connection to the proxy's own address is passed on as it is. Any other is put into a tunnel in the
agent's name, with the word that it was redirected and to which address it was made; the gateway
finds out whom it is for. While the gateway is gone, connections are refused.

Its arguments are a descriptor to read the instructions from, and one to say on that it is ready.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

from gateway.cli.isolation.loopback import BACKLOG
from gateway.cli.isolation.resolver import MESSAGE_BYTES_MAX, answer
from gateway.intercept.redirected import REDIRECTED
from gateway.intercept.splice import splice
from gateway.model.dataclass import dataclass
from gateway.wire.socket_wire import adopt

CONNECT_SECONDS_MAX: Final = 10.0
HEAD_BYTES_MAX: Final = 32_768
IDLE_SECONDS_MAX: Final = 3_600.0
"""As the gateway's tunnels; it ends most connections sooner by itself."""

CONNECTIONS_MAX: Final = 2_000
"""Of one program; each takes two descriptors here. Fewer where the system gives fewer."""

_OWN_DESCRIPTORS: Final = 64

RETRY_SECONDS: Final = 0.2
"""Between looks for a gateway that is gone."""

_RESET: Final = struct.pack("ii", 1, 0)
_PLAIN_PORT: Final = 80


@dataclass(frozen=True, slots=True)
class Instructions:
    """`streams` and `resolvers` are descriptors; the proxy is named as the program sees it."""

    proxy_host: str
    proxy_port: int
    user: str
    key: str
    streams: tuple[int, ...]
    resolvers: tuple[int, ...]

    def as_json(self) -> bytes:
        """For `main` to read."""
        return json.dumps(asdict(self)).encode()


class Forwarder:
    """All listeners of one isolated program."""

    def __init__(self, instructions: Instructions) -> None:
        self._proxy = (instructions.proxy_host, instructions.proxy_port)
        token = base64.b64encode(f"{instructions.user}:{instructions.key}".encode())
        self._credentials = b"Proxy-Authorization: Basic " + token + b"\r\n"
        self._streams = [socket.socket(fileno=fd) for fd in instructions.streams]
        self._resolvers = [socket.socket(fileno=fd) for fd in instructions.resolvers]
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._connections_max = min(CONNECTIONS_MAX, (_raise_limit() - _OWN_DESCRIPTORS) // 2)

    async def run(self) -> None:
        """Serve for ever."""
        loop = asyncio.get_running_loop()
        for sock in (*self._streams, *self._resolvers):
            sock.setblocking(False)
        for sock in self._resolvers:
            loop.add_reader(sock.fileno(), _resolve, sock)
        self._listen()
        await self._watch_gateway()

    # --- whether there is a gateway ---------------------------------------------------------------

    async def _watch_gateway(self) -> None:
        """Keep an idle connection to the gateway. It ends now and then, because the gateway waits
        for nobody; when no other can be made, the gateway is gone."""
        loop = asyncio.get_running_loop()
        while True:
            sock = await self._dial()
            if sock is None:
                self._refuse_all()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._listen_again()
            with sock, suppress(OSError):
                await loop.sock_recv(sock, 1)
            await asyncio.sleep(0)

    async def _dial(self) -> socket.socket | None:
        family = socket.AF_INET6 if ":" in self._proxy[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await asyncio.get_running_loop().sock_connect(sock, self._proxy)
        except (OSError, TimeoutError):
            sock.close()
            return None
        return sock

    def _refuse_all(self) -> None:
        """Stop listening; what waited to be accepted is reset."""
        if not self._is_open:
            return
        self._is_open = False
        for sock in self._streams:
            asyncio.get_running_loop().remove_reader(sock.fileno())
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _listen_again(self) -> None:
        if self._is_open:
            return
        for sock in self._streams:
            sock.listen(BACKLOG)
        self._is_open = True
        self._listen()

    def _listen(self) -> None:
        for sock in self._streams:
            asyncio.get_running_loop().add_reader(sock.fileno(), self._accept, sock)

    # --- connections ------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        if len(self._tasks) >= self._connections_max:
            _reset(sock)
            return
        task = asyncio.create_task(self._serve(sock), name=f"forward-{sock.fileno()}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, agent: socket.socket) -> None:
        place = agent.getsockname()[:2]
        gateway = await self._dial()
        if gateway is None:
            _reset(agent)
            self._refuse_all()
            return
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                answered = b"" if place == self._proxy else await self._tunnel(gateway, place)
        except (OSError, TimeoutError):
            answered = b"refused"
        if answered:
            await _end_refused(agent, answered if place[1] == _PLAIN_PORT else b"")
            gateway.close()
            return
        try:
            # Until they are joined, in this same turn of the loop, nothing is read.
            ends = adopt(agent, _Nobody()), adopt(gateway, _Nobody())
        except OSError:
            _reset(agent)
            gateway.close()
            return
        await splice(*ends, IDLE_SECONDS_MAX, lambda _sent, _received: None)

    async def _tunnel(self, gateway: socket.socket, place: tuple[str, int]) -> bytes:
        """Ask for a tunnel; what the gateway says when it gives none, else nothing."""
        host, port = place
        authority = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(
            gateway,
            b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b%b: 1\r\n\r\n"
            % (authority, authority, self._credentials, REDIRECTED),
        )
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES_MAX:
            data = await loop.sock_recv(gateway, 4_096)
            if not data:
                break
            head += data
        return b"" if head.startswith(b"HTTP/1.1 200 ") else head or b"refused"


def _raise_limit() -> int:
    """Take as many descriptors as may be had; how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS_MAX + _OWN_DESCRIPTORS
    soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


class _Nobody:
    """Receives nothing: the splice takes its place at once."""

    def wire_data(self, data: bytes) -> None: ...
    def wire_eof(self) -> None: ...
    def wire_full(self) -> None: ...
    def wire_drained(self) -> None: ...
    def wire_lost(self, error: Exception | None) -> None: ...


async def _end_refused(agent: socket.socket, answered: bytes) -> None:
    """End a connection that the gateway did not take, in its own words where they are readable."""
    if not answered.startswith(b"HTTP/1.1 "):
        _reset(agent)
        return
    with suppress(OSError, TimeoutError), agent:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            loop = asyncio.get_running_loop()
            await loop.sock_recv(agent, HEAD_BYTES_MAX)
            await loop.sock_sendall(agent, answered)


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()


def _resolve(sock: socket.socket) -> None:
    """Answer one question from the address to which it was sent, as its sender expects."""
    with suppress(OSError):
        question, control, _, sender = sock.recvmsg(MESSAGE_BYTES_MAX, 256)
        data = answer(question)
        if data is not None:
            sock.sendmsg([data], [_from_there(item) for item in control], 0, sender)


def _from_there(control: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """The control message that makes an answer leave from where its question arrived."""
    level, kind, data = control
    if level == socket.IPPROTO_IP:
        _, _, arrived_at = struct.unpack("=I4s4s", data[:12])
        return level, kind, struct.pack("=I4s4s", 0, arrived_at, bytes(4))
    return level, kind, data[:16] + bytes(4)


async def _run(instructions: Instructions, ready_fd: int) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
    forwarder = asyncio.create_task(Forwarder(instructions).run(), name="forwarder")
    await asyncio.sleep(0)
    os.write(ready_fd, b"r")
    os.close(ready_fd)
    await forwarder


def main() -> None:
    """Serve until a signal or the parent's death."""
    with os.fdopen(int(sys.argv[1]), "rb") as stream:
        fields: dict[str, Any] = json.loads(stream.read())
    lists = {name: tuple(fields[name]) for name in ("streams", "resolvers")}
    asyncio.run(_run(Instructions(**fields | lists), int(sys.argv[2])))


if __name__ == "__main__":
    main()
