"""TLS over a plain wire, as a `Wire`: a non-blocking `ssl.SSLSocket` on the same reader calls.

Cheaper than memory BIOs by a tenth; in exchange the WANT_READ and WANT_WRITE of both directions
are handled here. Never verifies less than the context that it is given says.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Final

from gateway.ports import WireReceiver
from gateway.wire import faults
from gateway.wire.socket_wire import FLUSH_SECONDS_MAX, READ_BYTES_MAX, SocketWire, ready

RECORD_BYTES_MAX: Final = 16_384
"""Plaintext of one TLS record (RFC 8446 section 5.1). OpenSSL gives at most one a read, so after
reading this many nothing is left inside OpenSSL where the event loop could not see it."""


async def start_tls_client(
    wire: SocketWire,
    context: ssl.SSLContext,
    server_name: str,
    receiver: WireReceiver,
    seconds_max: float,
) -> TlsWire:
    """Be the TLS client on `wire`, whose object is spent. On failure it is closed.

    Raises:
        UpstreamError: `upstream.tls_untrusted`, `upstream.tls_failed`, `upstream.timed_out`.
    """
    try:
        sock = await _shake_hands(wire, context, seconds_max, server_name)
        return TlsWire(asyncio.get_running_loop(), sock, receiver, lingers=False)
    except TimeoutError as error:
        raise faults.timed_out("the TLS handshake") from error
    except OSError as error:
        raise faults.upstream_tls(error) from error


async def start_tls_server(
    wire: SocketWire, context: ssl.SSLContext, receiver: WireReceiver, seconds_max: float
) -> TlsWire:
    """Be the TLS server on `wire`, whose object is spent. On failure it is closed.

    Reading of `wire` must be paused since before the client's first TLS byte, or that byte is
    lost. The name that the client asked for is read before, by peeking.

    Raises:
        AgentProtocolError: `tunnel.ca_distrusted`, `tunnel.tls_failed`, `tunnel.timed_out`.
    """
    try:
        sock = await _shake_hands(wire, context, seconds_max, None)
        return TlsWire(asyncio.get_running_loop(), sock, receiver, lingers=True)
    except TimeoutError as error:
        raise faults.agent_tls_timed_out() from error
    except OSError as error:
        raise faults.agent_tls(error) from error


async def _shake_hands(
    wire: SocketWire, context: ssl.SSLContext, seconds_max: float, server_name: str | None
) -> ssl.SSLSocket:
    """Take the socket out of `wire` and bring TLS up on it; it is closed on any failure."""
    loop = asyncio.get_running_loop()
    sock: socket.socket = wire.detach()
    try:
        tls = context.wrap_socket(
            sock,
            server_side=server_name is None,
            server_hostname=server_name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        sock = tls
        fd = tls.fileno()
        async with asyncio.timeout(seconds_max):
            while True:
                try:
                    tls.do_handshake()
                    return tls
                except ssl.SSLWantReadError:
                    await ready(fd, loop.add_reader, loop.remove_reader)
                except ssl.SSLWantWriteError:
                    await ready(fd, loop.add_writer, loop.remove_writer)
    except BaseException:  # cancellation too
        sock.close()
        raise


class TlsWire(SocketWire):
    """`ports.Wire` over TLS. An end without close_notify is a broken wire, never an end of file."""

    _sock: ssl.SSLSocket | None

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: ssl.SSLSocket,
        receiver: WireReceiver,
        *,
        lingers: bool,
    ) -> None:
        self._read_wants_write = False
        self._send_wants_read = False
        super().__init__(loop, sock, receiver, lingers=lingers)
        if sock.pending():
            loop.call_soon(self._readable)

    @property
    def is_http2(self) -> bool:
        """Whether the handshake agreed on HTTP/2 (ALPN)."""
        return self._sock is not None and self._sock.selected_alpn_protocol() == "h2"

    def resume_reading(self) -> None:
        super().resume_reading()
        if self._reads and self._sock is not None and self._sock.pending():
            self._loop.call_soon(self._readable)

    def _on_readable(self) -> None:
        sock = self._sock
        if sock is None:
            return
        if self._is_closing:
            self._discard(sock)
            return
        if self._send_wants_read:
            self._send_wants_read = False
            self._listen_readable(not self._is_paused)
            self._on_writable()
        if self._is_paused or self._sock is None or self._is_closing:
            return
        pieces, error, is_eof = self._read_records(sock)
        if pieces:
            self._deliver(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if error is not None and self._sock is not None:
            self._lose(faults.broken(error))
        elif is_eof and not self._is_closing:
            self._deliver(b"")

    def _read_records(self, sock: ssl.SSLSocket) -> tuple[list[bytes], OSError | None, bool]:
        """Read until nothing is left or enough was read; what ended it beside that."""
        pieces: list[bytes] = []
        read_bytes = 0
        try:
            while read_bytes < READ_BYTES_MAX:
                data = sock.read(RECORD_BYTES_MAX)
                if not data:
                    return pieces, None, True
                pieces.append(data)
                read_bytes += len(data)
                # A short record is the end of what came, nearly always: asking again would cost
                # a system call, and the loop calls again when it was not.
                if len(data) < RECORD_BYTES_MAX and not sock.pending():
                    return pieces, None, False
        except ssl.SSLWantReadError:
            return pieces, None, False
        except ssl.SSLWantWriteError:
            self._read_wants_write = True
            self._listen_writable(True)
            return pieces, None, False
        except ssl.SSLZeroReturnError:
            return pieces, None, True
        except OSError as error:
            return pieces, error, False
        if sock.pending():
            self._loop.call_soon(self._readable)
        return pieces, None, False

    def _discard(self, sock: ssl.SSLSocket) -> None:
        """While lingering, count what still comes without decrypting it."""
        try:
            data = socket.socket.recv(sock, READ_BYTES_MAX)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._deliver(data)

    def _on_writable(self) -> None:
        if self._read_wants_write:
            self._read_wants_write = False
            self._on_readable()
        if self._sock is not None:
            super()._on_writable()

    def _send(self, data: bytes) -> int:
        """OpenSSL wants the same bytes again after a refusal; `_flush` offers just these."""
        assert self._sock is not None
        try:
            return self._sock.write(data)
        except ssl.SSLWantWriteError:
            return 0
        except ssl.SSLWantReadError:
            self._send_wants_read = True
            return 0

    def _keep(self, data: bytes) -> None:
        super()._keep(data)
        self._wait_for_read()

    def _flush(self) -> None:
        super()._flush()
        self._wait_for_read()

    def _wait_for_read(self) -> None:
        """A send that waits for the peer's bytes must not spin on a writable socket."""
        if self._send_wants_read:
            self._listen_writable(False)
            self._listen_readable(True)

    def _end(self) -> None:
        assert self._sock is not None
        try:
            self._sock.unwrap()
        except ssl.SSLWantWriteError:
            self._set_deadline(FLUSH_SECONDS_MAX, self._give_up)
            self._listen_writable(True)
            return
        except (OSError, ValueError):
            # WANT_READ is the usual case: our close_notify is out, the peer's is not awaited.
            pass
        super()._end()
