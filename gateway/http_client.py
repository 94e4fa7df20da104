"""Questions to one HTTP/1.1 server -> status and body, over connections that are kept.

Small on purpose: what the control plane is asked needs no cookies, redirects, proxies or
compression, and a gateway carries its client's memory from its start. Every answer is bounded, and
so is every wait. It knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final, cast
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import httptools

HEAD_BYTES_MAX: Final = 64 * 1024
IDLE_SECONDS_MAX: Final = 15.0
"""Servers and balancers keep a connection for a minute; one that is asked on just then is lost."""
ADDRESSES_MAX: Final = 8
"""Of one name that are tried."""

_AGAIN: Final = frozenset({"GET", "PUT"})
"""What may be sent once more where a connection ended before a byte of the answer."""
_PATH_CHARS: Final = "/%:@!$&'()*+,;=~-._"


class HttpFault(Exception):
    """The server's answer can't be taken."""


class AnswerTooLong(HttpFault):
    """It is longer than was allowed."""


class ConnectionGone(HttpFault):
    """The connection ended before the answer did; `answered` says whether that had begun."""

    def __init__(self, answered: bool) -> None:
        super().__init__("the connection ended")
        self.answered = answered


class HttpClient:
    """Asks the server of `url`, with `headers` in every question. `roots` verify its certificate
    where the URL is one of HTTPS; without them, the system's do."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        connections_max: int,
        roots: ssl.SSLContext | None = None,
    ) -> None:
        self._parts = urlsplit(url)
        self._head = "".join(
            f"{name}: {value}\r\n"
            for name, value in {"Host": _host(self._parts), **headers}.items()
        )
        self._is_sound = all(value.isprintable() for value in headers.values())
        self._roots = roots
        self._places = asyncio.Semaphore(connections_max)
        self._idle: list[_Connection] = []
        self._address: str | None = None

    def close(self) -> None:
        """Close every connection that nobody waits on."""
        while self._idle:
            self._idle.pop().close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        seconds_max: float,
        bytes_max: int,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        connect_seconds_max: float | None = None,
        place_seconds_max: float | None = None,
    ) -> tuple[int, bytes]:
        """Send a question and give status and body of its answer. `place_seconds_max` bounds the
        wait for a connection with its making, `connect_seconds_max` its making alone,
        `seconds_max` all together.

        Raises:
            HttpFault: the answer can't be taken.
            OSError, TimeoutError: the server can't be reached, or is too slow.
        """
        if not self._is_sound:
            raise HttpFault("a header has characters that no header has")
        data = self._question(method, path, query, body)
        async with asyncio.timeout(seconds_max), AsyncExitStack() as stack:
            async with asyncio.timeout(place_seconds_max):
                await stack.enter_async_context(self._places)
                connection = self._kept() or await self._connect(connect_seconds_max)
            try:
                return await self._exchange(connection, data, bytes_max)
            except ConnectionGone as gone:
                if gone.answered or method not in _AGAIN:
                    raise
            connection = await self._connect(connect_seconds_max)
            return await self._exchange(connection, data, bytes_max)

    async def _exchange(
        self, connection: _Connection, data: bytes, bytes_max: int
    ) -> tuple[int, bytes]:
        try:
            found = await connection.ask(data, bytes_max)
        except BaseException:
            connection.close()
            raise
        if connection.is_open:
            self._idle.append(connection)
        return found

    def _kept(self) -> _Connection | None:
        """The connection that was used last, without those that are lost or too old."""
        since = time.monotonic() - IDLE_SECONDS_MAX
        while self._idle and self._idle[0].used_at < since:
            self._idle.pop(0).close()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self, seconds_max: float | None) -> _Connection:
        """Try every address of the name; each has its share of the time, so that one that is
        silent leaves some to the next."""
        host, port, secure = _place(self._parts)
        context = (self._roots or ssl.create_default_context()) if secure else None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds_max):
            ends_at = None if seconds_max is None else loop.time() + seconds_max
            try:
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except UnicodeError as error:
                raise OSError("the URL names no server") from error
            addresses = list(dict.fromkeys(str(each[4][0]) for each in found))[:ADDRESSES_MAX]
            addresses.sort(key=lambda each: each != self._address)
            fault: Exception = OSError("the name has no address")
            for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
                share = None if ends_at is None else (ends_at - loop.time()) / left
                try:
                    async with asyncio.timeout(share):
                        _, connection = await loop.create_connection(
                            _Connection,
                            address,
                            port,
                            ssl=context,
                            server_hostname=host if secure else None,
                        )
                except (OSError, TimeoutError) as error:
                    fault = error
                    continue
                self._address = address
                return connection
            raise fault

    def _question(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> bytes:
        target = quote(self._parts.path.rstrip("/") + path, safe=_PATH_CHARS) or "/"
        if query:
            target += "?" + urlencode(query)
        length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
        head = f"{method} {target} HTTP/1.1\r\n{self._head}{length}\r\n"
        return head.encode("utf-8") + (body or b"")


class _Connection(asyncio.Protocol):
    """One question at a time."""

    def __init__(self) -> None:
        self.is_open = False
        self.used_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._begin(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own class is no subclass of asyncio's.
        self._transport, self.is_open = cast("asyncio.Transport", transport), True

    async def ask(self, data: bytes, bytes_max: int) -> tuple[int, bytes]:
        """Send a question and wait for its answer; `close` when this fails.

        Raises:
            HttpFault: there is none that can be taken.
        """
        assert self._transport is not None
        assert self._answer is None
        if not self.is_open:
            raise ConnectionGone(answered=False)
        self._begin(bytes_max)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        try:
            return await self._answer
        finally:
            self._answer = None
            self.used_at = time.monotonic()

    def close(self) -> None:
        """End it at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _begin(self, bytes_max: int) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._bytes_max = bytearray(), bytes_max
        self._head_bytes, self._has_length, self._has_head = 0, False, False

    # --- what the transport tells -----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked for this
            return
        if not self._has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(HttpFault("it is no HTTP"), error)
            return
        if not self._has_head and self._head_bytes > HEAD_BYTES_MAX:
            self._fail(AnswerTooLong("its head is too long"))
        elif len(self._body) > self._bytes_max:
            self._fail(AnswerTooLong("its body is too long"))

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_open = False
        if self._answer is None or self._answer.done():
            return
        if self._has_head and not self._has_length:
            self._finish()
        else:
            self._fail(ConnectionGone(answered=self._head_bytes > 0))

    # --- what the parser tells --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self.is_open = False  # more than one answer: no other question goes this way

    def on_header(self, name: bytes, _value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        self._has_head = self._parser.get_status_code() >= 200

    def on_body(self, piece: bytes) -> None:
        if len(self._body) <= self._bytes_max:
            self._body += piece

    def on_message_complete(self) -> None:
        if not self._has_head:
            return  # 1xx: the answer is still to come
        if not self._parser.should_keep_alive():
            self.is_open = False
        self._finish()

    def _finish(self) -> None:
        if self._answer is None or self._answer.done() or len(self._body) > self._bytes_max:
            return
        self._answer.set_result((self._parser.get_status_code(), bytes(self._body)))
        if not self.is_open:
            self.close()

    def _fail(self, fault: HttpFault, cause: Exception | None = None) -> None:
        fault.__cause__ = cause
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(fault)
        self.close()


def _host(parts: SplitResult) -> str:
    """The `Host` of a URL: without its user, and in ASCII; empty where it names no server."""
    place = parts.netloc.rpartition("@")[2]
    if place.isascii():  # the codec takes tables of all Unicode
        return place
    try:
        return place.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _place(parts: SplitResult) -> tuple[str, int, bool]:
    """Host, port, and whether TLS is spoken.

    Raises:
        OSError: the URL names no place.
    """
    try:
        port = parts.port
    except ValueError as error:
        raise OSError("the URL has no such port") from error
    secure = parts.scheme == "https"
    if not parts.hostname or not _host(parts) or parts.scheme not in ("http", "https"):
        raise OSError("the URL names no server")
    return parts.hostname, port or (443 if secure else 80), secure
