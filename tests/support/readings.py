"""One stream of bytes -> what each of several servers understands of it: the differential oracle.

Strict readers (h11, llhttp, aiohttp), one that is used everywhere (Python's `http.server`), and two
lenient ones of our own, which take every liberty that servers have been found to take. What the
gateway writes must be the same requests to all of them; what an agent writes need not be. They
share no code with the gateway.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from unittest import mock

import h11
import httptools
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser

BODY_READ_MAX = 1 << 20
_LENGTH = re.compile(rb"[+ ]*([0-9]+)")


class CannotReadError(Exception):
    """This server refuses the bytes, or waits for more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One request as a server understands it; header names in lower case."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


Reader = Callable[[bytes], list[Reading]]


def read_with_h11(data: bytes) -> list[Reading]:
    """Python's strictest."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=BODY_READ_MAX)
    connection.receive_data(data)
    found: list[Reading] = []
    head: h11.Request | None = None
    body = b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            raise CannotReadError(str(error)) from error
        match event:
            case h11.Request():
                head, body = event, b""
            case h11.Data():
                body += bytes(event.data)
            case h11.EndOfMessage():
                assert head is not None
                headers = tuple((name, value) for name, value in head.headers)
                found.append(Reading(head.method, head.target, headers, body))
                _answer_with_h11(connection)
                head = None
            case _ if head is None and not connection.trailing_data[0]:
                return found
            case _:
                raise CannotReadError("the stream ends inside a request")


def _answer_with_h11(connection: h11.Connection) -> None:
    connection.send(h11.Response(status_code=204, headers=[(b"connection", b"keep-alive")]))
    connection.send(h11.EndOfMessage())
    if connection.our_state is h11.DONE and connection.their_state is h11.DONE:
        connection.start_next_cycle()


class _Llhttp:
    def __init__(self) -> None:
        self.found: list[Reading] = []
        self.parser: Any = None
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.target = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_open = True

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        method: bytes = self.parser.get_method()
        self.found.append(Reading(method, self.target, tuple(self.headers), self.body))
        self.is_open = False


def read_with_llhttp(data: bytes) -> list[Reading]:
    """Node's."""
    witness = _Llhttp()
    witness.parser = httptools.HttpRequestParser(witness)
    try:
        witness.parser.feed_data(data)
    except httptools.HttpParserError as error:
        raise CannotReadError(str(error)) from error
    except httptools.HttpParserUpgrade as error:
        raise CannotReadError("an upgrade") from error
    if witness.is_open:
        raise CannotReadError("the stream ends inside a request")
    return witness.found


def read_with_aiohttp(data: bytes) -> list[Reading]:
    """Another server of Python's, with limits and a parser of its own around llhttp."""
    loop = mock.Mock()
    parser = HttpRequestParser(BaseProtocol(loop), loop, BODY_READ_MAX)
    try:
        messages, _, _ = parser.feed_data(data)
    except HttpProcessingError as error:
        raise CannotReadError(str(error)) from error
    found = []
    for message, payload in messages:
        if not payload.is_eof():
            raise CannotReadError("the stream ends inside a request")
        headers = tuple((name.lower(), value.strip(b" \t")) for name, value in message.raw_headers)
        body = b"".join(getattr(payload, "_buffer", ()))
        target = message.path.encode("utf-8", "surrogateescape")
        found.append(Reading(message.method.encode(), target, headers, body))
    return found


class _Handler(BaseHTTPRequestHandler):
    """`http.server` without a socket: heads by the standard library, bodies by their length."""

    def __init__(self, stream: io.BytesIO) -> None:
        self.rfile = stream  # type: ignore[assignment]
        self.wfile = io.BytesIO()
        self.client_address = ("", 0)
        self.close_connection = False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        raise CannotReadError(f"{code} {message}")

    def log_message(self, *args: object) -> None: ...

    def next(self) -> Reading | None:
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline:
            return None
        if not self.parse_request():
            raise CannotReadError("no request")
        coding = self.headers.get("transfer-encoding")
        if coding is not None:
            raise CannotReadError("http.server knows no chunks")
        headers = tuple(
            (name.lower().encode("latin-1"), value.strip(" \t").encode("latin-1"))
            for name, value in self.headers.items()
        )
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        return Reading(self.command.encode("latin-1"), self.path.encode("latin-1"), headers, body)


def read_with_http_server(data: bytes) -> list[Reading]:
    """The standard library's; it merges `//` at the start of a path, so that isn't compared."""
    handler = _Handler(io.BytesIO(data))
    found = []
    while True:
        try:
            reading = handler.next()
        except (ValueError, UnicodeError) as error:
            raise CannotReadError(str(error)) from error
        if reading is None:
            return found
        found.append(reading)


def read_leniently(data: bytes, *, prefers_length: bool) -> list[Reading]:
    """A server that takes every liberty at once: bare line feeds, spaces anywhere, codings that
    only contain `chunked`, signs and extensions in sizes, the last of several lengths."""
    found: list[Reading] = []
    at = 0
    while True:
        while data[at : at + 1] in (b"\r", b"\n"):
            at += 1
        if at >= len(data):
            return found
        end = re.compile(rb"\r?\n\r?\n").search(data, at)
        if end is None:
            raise CannotReadError("a head without an end")
        line, *lines = re.split(rb"\r?\n|\r", data[at : end.start()])
        method, _, rest = line.strip().partition(b" ")
        target = rest.rpartition(b" HTTP/")[0] if b" HTTP/" in rest else rest
        headers = []
        for text in lines:
            name, _, value = text.partition(b":")
            headers.append((name.strip().lower(), value.strip()))
        length, coding = _last(headers, b"content-length"), _last(headers, b"transfer-encoding")
        is_chunked = coding is not None and b"chunked" in coding.lower()
        at = end.end()
        if is_chunked and not (prefers_length and length is not None):
            body, at = _lenient_chunks(data, at)
        else:
            size = _LENGTH.match(length) if length is not None else None
            count = int(size[1]) if size else 0
            if at + count > len(data):
                raise CannotReadError("a body without an end")
            body, at = data[at : at + count], at + count
        found.append(Reading(method, target, tuple(headers), body))


def _last(headers: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    values = [value for key, value in headers if key.replace(b"_", b"-") == name]
    return values[-1] if values else None


def _lenient_chunks(data: bytes, at: int) -> tuple[bytes, int]:
    body = b""
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            raise CannotReadError("a chunk without an end")
        digits = re.match(rb"[+ ]*(?:0x)?([0-9a-fA-F]+)", data[at:end])
        if digits is None:
            raise CannotReadError("a chunk without a size")
        size, at = int(digits[1], 16), end + 1
        if not size:
            trailer = re.compile(rb"\r?\n").match(data, at) or re.compile(rb"\r?\n\r?\n").search(
                data, at
            )
            if trailer is None:
                raise CannotReadError("trailers without an end")
            return body, trailer.end()
        if at + size > len(data):
            raise CannotReadError("a chunk without its data")
        body, at = body + data[at : at + size], at + size
        at += len(re.compile(rb"\r?\n?").match(data, at)[0])  # type: ignore[index]


READERS: Mapping[str, Reader] = {
    "h11": read_with_h11,
    "llhttp": read_with_llhttp,
    "aiohttp": read_with_aiohttp,
    "http.server": read_with_http_server,
    "lenient, by the coding": lambda data: read_leniently(data, prefers_length=False),
    "lenient, by the length": lambda data: read_leniently(data, prefers_length=True),
}
"""By name, for whoever compares them all."""


def differences(data: bytes, expected: list[Reading]) -> list[str]:
    """What any reader understands otherwise; empty where all agree with what is expected."""
    found = []
    for name, read in READERS.items():
        try:
            readings = read(data)
        except CannotReadError as error:
            if not _is_excused(name, str(error), expected):
                found.append(f"{name} refuses it: {error}")
            continue
        if name == "http.server":
            readings = [
                _with_slashes(one, two) for one, two in zip(readings, expected, strict=False)
            ]
        if readings != expected:
            found.append(f"{name} reads {readings}, not {expected}")
    return found


def _is_excused(name: str, error: str, expected: list[Reading]) -> bool:
    """Servers that lack a feature of HTTP, and the closed list of methods of
    llhttp, which aiohttp is built on."""
    if name == "http.server" and "chunks" in error:
        return True
    return (
        name in ("llhttp", "aiohttp")
        and "method" in error.lower()
        and any(reading.method not in _LLHTTP_METHODS for reading in expected)
    )


_LLHTTP_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})


def _with_slashes(reading: Reading, expected: Reading) -> Reading:
    if expected.target.startswith(b"//") and expected.target.lstrip(b"/") == reading.target[1:]:
        return Reading(reading.method, expected.target, reading.headers, reading.body)
    return reading
