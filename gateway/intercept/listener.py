"""The socket that agents connect to -> one `Session` and one task for each connection.

Bounded in connections, and patient when file descriptors run out. Never reads a byte itself.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway import telemetry
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.session import Session, Surroundings
from gateway.intercept.settings import InterceptSettings
from gateway.model.errors import ConfigurationError, Problem
from gateway.ports import Clock, Governor
from gateway.wire.socket_wire import adopt

log = logging.getLogger(__name__)

MakeSession = Callable[[Surroundings, socket.socket], Session]
"""Turns an accepted connection into its session; what the session is tells what is spoken."""


def proxy_session(surroundings: Surroundings, _: socket.socket) -> Session:
    """The session of a client that knows that it speaks to a proxy."""
    return Session(surroundings)


ACCEPTS_PER_TURN: Final = 32
"""Connections taken in one turn of the loop, so that a flood leaves time for those being served."""

EXHAUSTED_SECONDS: Final = 0.5
"""How long to wait when no file descriptor is left: some connection may end in the meantime."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\n"
    b"checkrein-code: connections.full\r\nconnection: close\r\n\r\n"
)


class Listener:
    """Accepts agents. `start`, then `address`; `drain` ends it."""

    def __init__(
        self,
        settings: InterceptSettings,
        governor: Governor,
        authority: CertificateAuthority,
        clock: Clock,
        new_id: Callable[[str], str],
        make_session: MakeSession = proxy_session,
        *,
        shares_port: bool = False,
    ) -> None:
        self._settings = settings
        self._surroundings = Surroundings(settings, governor, authority, clock, new_id)
        self._make_session = make_session
        self._shares_port = shares_port
        self._sock: socket.socket | None = None
        self._address = (settings.proxy_host, settings.proxy_port)
        self._sessions: dict[asyncio.Task[None], Session] = {}
        self._pause: asyncio.TimerHandle | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Numeric address and port; the real port once started."""
        return self._address

    @property
    def connections(self) -> int:
        return len(self._sessions)

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: `intercept.cannot_listen`.
        """
        host, port = self._settings.proxy_host, self._settings.proxy_port
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, kind, protocol, _, address = found[0]
            sock = socket.socket(family, kind, protocol)
            try:
                option = socket.SO_REUSEPORT if self._shares_port else socket.SO_REUSEADDR
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
                sock.setblocking(False)
                sock.bind(address)
                sock.listen(self._settings.accept_backlog)
            except BaseException:
                sock.close()
                raise
        except OSError as error:
            reason = (error.strerror or "failed").lower()
            problem = Problem(
                "CHECKREIN_PROXY_PORT", 0, 0, f"can't listen on `{host}:{port}`: {reason}",
                "name another port, or 0 for any free one; `proxy_host` must be an address of ours",
            )  # fmt: skip
            raise ConfigurationError("intercept.cannot_listen", [problem]) from error
        self._sock = sock
        self._address = sock.getsockname()[:2]
        loop.add_reader(sock.fileno(), self._accept)

    async def drain(self, seconds: float) -> None:
        """Accept no more, let requests in flight finish for so long, then cut the rest off.

        What the kernel has accepted for us already is served: it would be reset otherwise, although
        its client was told that it is connected.
        """
        self._accept_rest()
        self._stop_accepting()
        for session in self._sessions.values():
            session.drain()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=seconds)
        rest = list(self._sessions)
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)

    def _accept_rest(self) -> None:
        before = -1
        while self._sock is not None and before != len(self._sessions):
            before = len(self._sessions)
            self._accept()

    def _stop_accepting(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if self._sock is None:
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    log.warning("accept failed", extra={"detail": error.strerror})
                    return
                log.error("no file descriptor is left for an agent's connection")
                self._pause_accepting()
                return
            self._admit(sock)

    def _pause_accepting(self) -> None:
        """The waiting connection stays readable; without a pause the loop would spin on it."""
        loop = asyncio.get_running_loop()
        assert self._sock is not None
        loop.remove_reader(self._sock.fileno())
        self._pause = loop.call_later(EXHAUSTED_SECONDS, self._resume_accepting)

    def _resume_accepting(self) -> None:
        self._pause = None
        if self._sock is not None:
            asyncio.get_running_loop().add_reader(self._sock.fileno(), self._accept)

    def _admit(self, sock: socket.socket) -> None:
        if len(self._sessions) >= self._settings.connections_max:
            sock.setblocking(False)
            with suppress(OSError):
                sock.send(_FULL)
            sock.close()
            return
        session = self._make_session(self._surroundings, sock)
        try:
            wire = adopt(sock, session.inlet)
        except OSError:  # it left before it was taken
            sock.close()
            return
        if session.looks_first:
            wire.pause_reading()
        task = asyncio.create_task(session.run(wire), name=f"agent-{wire.peer[0]}:{wire.peer[1]}")
        self._sessions[task] = session
        telemetry.CONNECTIONS.inc()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sessions[task]
        telemetry.CONNECTIONS.dec()
        if not task.cancelled() and task.exception() is not None:
            telemetry.BUGS.inc()
            log.error("a session failed", exc_info=task.exception())
