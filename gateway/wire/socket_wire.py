"""A plain TCP connection as a `Wire`, on `add_reader`/`add_writer` of any event loop.

Writes go to the socket at once; only what it does not take is kept. Never resolves a name.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from gateway.ports import WireReceiver
from gateway.wire import faults

log = logging.getLogger(__name__)

READ_BYTES_MAX: Final = 262_144
"""Most that one `wire_data` carries: few calls for a large body, little memory for a small one."""

HIGH_BYTES: Final = 262_144
LOW_BYTES: Final = 65_536
"""Kept unsent bytes at which a writer is told to stop, and to go on: one read's worth, and a
quarter of it so that the socket never runs dry in between."""

_RESET: Final = struct.pack("ii", 1, 0)

FLUSH_SECONDS_MAX: Final = 10.0
"""How long `close` tries to send what is kept before it gives up."""

LINGER_SECONDS_MAX: Final = 2.0
LINGER_BYTES_MAX: Final = 1_048_576
"""How long and how much an adopted connection is read after `close`. A socket closed with unread
bytes sends a reset, which may destroy the answer that the peer has not read yet."""


async def connect(
    address: tuple[str, int], receiver: WireReceiver, seconds_max: float
) -> SocketWire:
    """Connect to a numeric address; the peer is checked to be that address.

    Raises:
        UpstreamError: `upstream.unreachable`, `upstream.timed_out` (nothing was sent).
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # no file descriptor is left
        raise faults.unreachable(error) from error
    try:
        sock.setblocking(False)
        async with asyncio.timeout(seconds_max):
            await loop.sock_connect(sock, address)
        _check_peer(sock, address)
        return SocketWire(loop, sock, receiver, lingers=False)
    except TimeoutError as error:
        sock.close()
        raise faults.timed_out("connecting") from error
    except OSError as error:
        sock.close()
        raise faults.unreachable(error) from error
    except BaseException:  # cancelled
        sock.close()
        raise


def adopt(sock: socket.socket, receiver: WireReceiver) -> SocketWire:
    """Take over an accepted socket.

    Raises:
        OSError: the peer is gone already; the socket is then still the caller's.
    """
    sock.setblocking(False)
    return SocketWire(asyncio.get_running_loop(), sock, receiver, lingers=True)


async def ready(fd: int, add: Callable[..., object], remove: Callable[[int], bool]) -> None:
    """Wait until a descriptor is readable or writable, by the loop's methods for one of them."""
    event = asyncio.Event()
    add(fd, event.set)
    try:
        await event.wait()
    finally:
        remove(fd)


def _check_peer(sock: socket.socket, address: tuple[str, int]) -> None:
    """INVARIANT(dialled-is-checked): what answers is the address that the guard looked at."""
    host, port = sock.getpeername()[:2]
    if (ip_address(host), port) != (ip_address(address[0].partition("%")[0]), address[1]):
        raise OSError(None, "the connection leads to another address")


class SocketWire:
    """`ports.Wire` without TLS; `TlsWire` overrides what touches the bytes."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        receiver: WireReceiver,
        *,
        lingers: bool,
    ) -> None:
        self.receiver = receiver
        self._loop = loop
        self._peer: tuple[str, int] = sock.getpeername()[:2]
        self._sock: socket.socket | None = sock
        self._fd = sock.fileno()
        self._lingers = lingers
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._is_full = False
        self._is_closing = False
        self._is_lost = False
        self._saw_eof = False
        self._is_paused = False
        self._is_mute = False
        self._reads = False
        self._writes = False
        self._deadline: asyncio.TimerHandle | None = None
        self._linger_left = LINGER_BYTES_MAX
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listen_readable(True)

    @property
    def peer(self) -> tuple[str, int]:
        return self._peer

    @property
    def is_closing(self) -> bool:
        return self._is_closing

    # --- reading ----------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        self._is_paused = True
        if not self._is_closing:
            self._listen_readable(False)

    def resume_reading(self) -> None:
        self._is_paused = False
        if not self._is_closing and not self._saw_eof:
            self._listen_readable(True)

    def peek(self, bytes_max: int) -> bytes | None:
        """What lies unread, without taking it: None when there is nothing yet, empty at EOF.

        Raises:
            WireError: the connection broke.
        """
        if self._sock is None:
            raise faults.WireError("wire.reset", "the connection is closed")
        try:
            return self._sock.recv(bytes_max, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise faults.broken(error) from error

    async def wait_readable(self) -> None:
        """Wait until `peek` has something to say. Only while reading is paused; has no deadline.

        Raises:
            WireError: the connection is closed.
        """
        assert not self._reads, "two readers would share one descriptor"
        if self._sock is None:
            raise faults.WireError("wire.reset", "the connection is closed")
        await ready(self._fd, self._loop.add_reader, self._loop.remove_reader)

    def _on_readable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            data = sock.recv(READ_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(faults.broken(error))
            return
        self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        """Hand on what was read; empty means that the peer ended its side."""
        if self._is_closing:
            self._linger_left -= len(data)
            if not data or self._linger_left <= 0:
                self._shut()
        elif data:
            self.receiver.wire_data(data)
        else:
            self._saw_eof = True
            self._listen_readable(False)
            self.receiver.wire_eof()

    def _readable(self) -> None:
        """INVARIANT(whole): where a piece of the stream got lost in our hands (no memory is left,
        or a bug of ours), the wire is lost. Nobody ever reads a stream with a hole."""
        try:
            self._on_readable()
        except Exception:
            self._break()

    def _writable(self) -> None:
        """INVARIANT(whole): the same for what is sent."""
        try:
            self._on_writable()
        except Exception:
            self._break()

    def _break(self) -> None:
        log.exception("a connection could not be carried on")
        self._lose(faults.failed())

    # --- writing ----------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self._is_closing or self._is_mute or not data:
            return
        if self._kept:
            self._keep(data)
            return
        try:
            sent = self._send(data)
        except OSError as error:
            self._fail_writing(error)
            return
        if sent < len(data):
            self._keep(data[sent:] if sent else data)

    def _send(self, data: bytes) -> int:
        """Give bytes to the socket; 0 when it takes none now."""
        assert self._sock is not None
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0

    def _fail_writing(self, error: OSError) -> None:
        """The peer takes no more. It may have answered before it closed, so what it sent is still
        read; the loss is reported by the end of that, or at once when nobody reads."""
        if self._reads and not self._is_closing:
            self._is_mute = True
            self._kept.clear()
            self._kept_bytes = 0
            self._listen_writable(False)
        else:
            self._lose_soon(faults.broken(error))

    def _keep(self, data: bytes) -> None:
        self._kept.append(data)
        self._kept_bytes += len(data)
        self._listen_writable(True)
        if self._kept_bytes > HIGH_BYTES and not self._is_full:
            self._is_full = True
            self.receiver.wire_full()

    def _on_writable(self) -> None:
        try:
            self._flush()
        except OSError as error:
            self._fail_writing(error)
            return
        if self._kept or self._sock is None:
            return
        self._listen_writable(False)
        if self._is_closing:
            self._end()

    def _flush(self) -> None:
        """Send what is kept, oldest first, and say when it is little enough again."""
        done = 0
        for data in self._kept:
            sent = self._send(data)
            self._kept_bytes -= sent
            if sent < len(data):
                if sent:
                    self._kept[done] = data[sent:]
                break
            done += 1
        del self._kept[:done]
        if self._is_full and self._kept_bytes <= LOW_BYTES:
            self._is_full = False
            if not self._is_closing:
                self.receiver.wire_drained()

    # --- ending -----------------------------------------------------------------------------------

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._listen_readable(False)
        if self._kept:
            self._set_deadline(FLUSH_SECONDS_MAX, self._give_up)
        else:
            self._end()

    def abort(self) -> None:
        self._is_closing = True
        if self._sock is not None:
            # A reset, since a plain FIN would look like a proper end of what was sent.
            with suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._shut()
        self._loop.call_soon(self._report_lost, None)

    def detach(self) -> socket.socket:
        """Give the socket away, for TLS. This object is spent and reports nothing more.

        Nothing may be kept unsent; the caller sees to that by writing little before.
        """
        assert self._sock is not None
        assert not self._kept, "plaintext is still unsent"
        sock = self._sock
        self._listen_readable(False)
        self._is_closing = self._is_lost = True
        self._sock = None
        return sock

    def _end(self) -> None:
        """Everything is sent: say so to the peer, then wait for its end if that matters."""
        assert self._sock is not None
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._saw_eof = True
        if self._lingers and not self._saw_eof:
            self._set_deadline(LINGER_SECONDS_MAX, self._shut)
            self._listen_readable(True)
        else:
            self._shut()
        self._loop.call_soon(self._report_lost, None)

    def _give_up(self) -> None:
        self._shut()
        self._report_lost(faults.stalled())

    def _lose_soon(self, error: Exception) -> None:
        """Report from the loop, since the caller of `write` is in the middle of something."""
        fault = None if self._is_closing or self._saw_eof else error
        self._is_closing = True
        self._shut()
        self._loop.call_soon(self._report_lost, fault)

    def _lose(self, error: Exception) -> None:
        was_closing, self._is_closing = self._is_closing, True
        self._shut()
        self._report_lost(None if was_closing or self._saw_eof else error)

    def _report_lost(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.receiver.wire_lost(error)

    def _shut(self) -> None:
        """Close the socket and forget everything; safe to repeat."""
        sock = self._sock
        if sock is None:
            return
        self._listen_readable(False)
        self._listen_writable(False)
        self._set_deadline(0.0, None)
        self._kept.clear()
        self._kept_bytes = 0
        self._sock = None
        sock.close()

    # --- the loop ---------------------------------------------------------------------------------

    def _set_deadline(self, seconds: float, then: Callable[[], None] | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if then is not None:
            self._deadline = self._loop.call_later(seconds, then)

    def _listen_readable(self, wanted: bool) -> None:
        if wanted is not self._reads and self._sock is not None:
            self._reads = wanted
            if wanted:
                self._loop.add_reader(self._fd, self._readable)
            else:
                self._loop.remove_reader(self._fd)

    def _listen_writable(self, wanted: bool) -> None:
        if wanted is not self._writes and self._sock is not None:
            self._writes = wanted
            if wanted:
                self._loop.add_writer(self._fd, self._writable)
            else:
                self._loop.remove_writer(self._fd)
