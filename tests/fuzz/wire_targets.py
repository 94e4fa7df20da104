"""Targets of the wire: heads, chunks, responses, authorities and ClientHellos."""

from __future__ import annotations

import re
import socket
import ssl

import h11

from gateway.enforce.http1_request import request_head
from gateway.enforce.http1_response import ResponseLimits, ResponseReader
from gateway.intercept.chunks import ChunkedBody
from gateway.intercept.client_hello import parse_client_hello
from gateway.intercept.http1 import Limits, RequestReader
from gateway.intercept.request import make_request, tunnelled_target
from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError, UpstreamError
from gateway.model.exchange import Authority, HttpRequest
from tests.fuzz.target import Target, same
from tests.support.readings import Reading, differences
from tests.support.response_log import ResponseLog

LIMITS = Limits(head_bytes_max=2_000, headers_max=30, target_bytes_max=500)
HOST = b"a.test"
PIECE_BYTES = 7
"""How the same bytes are cut a second time."""


# --- heads ----------------------------------------------------------------------------------------


def understood(data: bytes, piece_bytes: int) -> tuple[list[HttpRequest], str]:
    """Every request that is taken, as it would be governed, and the code of why no more are."""
    reader = RequestReader(LIMITS)
    authority = Authority(HOST.decode(), 443)
    found = []
    try:
        for at in range(0, len(data), piece_bytes):
            reader.feed(data[at : at + piece_bytes])
            while (taken := _take(reader, authority)) is not None:
                found.append(taken)
    except AgentProtocolError as error:
        return found, error.code
    return found, ""


_open: dict[int, tuple[object, bytes]] = {}


def _take(reader: RequestReader, authority: Authority) -> HttpRequest | None:
    """The next whole request. A head that waits for its body is kept beside its reader."""
    head, body = _open.pop(id(reader), (None, b""))
    if head is None:
        head = reader.read_head()
        if head is None:
            return None
    while not reader.is_complete:
        piece = reader.read_body()
        body += piece
        if not piece and not reader.is_complete:
            _open[id(reader)] = (head, body)
            return None
    target = tunnelled_target(head, authority)  # type: ignore[arg-type]
    reader.start_next()
    return make_request(head, "https", authority, target, body)  # type: ignore[arg-type]


def check_head(data: bytes) -> None:
    """What is written upstream is the same requests to every server, and no others."""
    _open.clear()
    requests, code = understood(data, len(data) or 1)
    _open.clear()
    again, other_code = understood(data, PIECE_BYTES)
    same([_facts(one) for one in requests], [_facts(one) for one in again], "the same in pieces")
    same(code, other_code, "the same in pieces")
    written, expected = b"", []
    for request in requests:
        if request.is_websocket:
            break  # readers of HTTP have nothing to say of what comes behind it
        head = request_head(request)
        written += head + (request.body or b"")
        lines = [line.partition(b": ") for line in head[:-4].split(b"\r\n")[1:]]
        headers = tuple((name.lower(), value) for name, _, value in lines)
        expected.append(
            Reading(request.method.encode(), request.target, headers, request.body or b"")
        )
        ours = [(name.lower(), value) for name, value in request.headers]
        if request.takes_trailers:
            ours += [(b"te", b"trailers"), (b"connection", b"TE")]  # said anew, of our own hop
        same(ours, [pair for pair in headers if pair[0] != b"content-length"], "the written head")
    found = differences(written, expected) if expected else []
    assert not found, found


def _facts(request: HttpRequest) -> object:
    return request.method, request.target, request.headers, request.body


HEADS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"GET https://a.test/x HTTP/1.1\r\nHost: A.TEST:443\r\nConnection: x-y\r\nX-Y: 1\r\n\r\n",
    b"PUT /x HTTP/1.0\r\nHost: a.test\r\nX: y\r\nX: z\r\nContent-Length: 2\r\n\r\nhi",
    b"POST /a HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\nGET /b HTTP/1.1\r\nHost: a.test\r\n\r\n",
)
HEAD_WORDS = (
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: ", b"Content-Length: ", b"chunked",
    b"identity", b"\r\n", b"\n", b"\r", b"\x0b", b"\x0c", b"\x85", b"\xa0", b"\x00", b" ", b"\t",
    b":", b",", b";", b"\r\n\r\n", b"0\r\n\r\n", b"Host: a.test\r\n", b"Host: b.test\r\n", b"0x",
    b"+", b"-", b"_", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"GET /x HTTP/1.1\r\n",
    b"Connection: ",
    b"Content_Length: 5\r\n", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"close",
    b"Trailer: Host\r\n", b"TE: trailers\r\n", b"//", b"http://", b"https://a.test", b"*", b"#",
    b"@",
)  # fmt: skip


# --- chunks ---------------------------------------------------------------------------------------


def check_chunks(data: bytes) -> None:
    """A body that is taken is the same to every server, and ends at the same byte."""
    whole = _chunks(data, len(data) or 1)
    same(whole, _chunks(data, 3), "the same in pieces")
    body, rest, code = whole
    if code != "done":
        return
    message = data[: len(data) - len(rest)]
    head = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    headers = ((b"host", b"a.test"), (b"transfer-encoding", b"chunked"))
    found = differences(head + message, [Reading(b"POST", b"/", headers, body)])
    assert not found, found


def _chunks(data: bytes, piece_bytes: int) -> tuple[bytes, bytes, str]:
    coding, buffer, body = ChunkedBody(), bytearray(), b""
    try:
        for at in range(0, len(data), piece_bytes):
            buffer += data[at : at + piece_bytes]
            if not coding.is_done:
                body += coding.take(buffer)
    except AgentProtocolError as error:
        return b"", b"", error.code
    return body, bytes(buffer), "done" if coding.is_done else "more"


CHUNKS = (
    b"5\r\nhello\r\n0\r\n\r\n",
    b"1\r\na\r\n0002\r\nbc\r\n000\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
    b"3;x=y\r\nabc\r\n0\r\nHost: b\r\n\r\n",
)
CHUNK_WORDS = (
    b"0\r\n\r\n", b"\r\n", b"\n", b"\r", b";", b" ", b"\t", b"0x", b"+", b"-", b"_", b"ffffffff",
    b"00000000", b"100000000", b'"', b"a\r\n", b"2\r\nbc\r\n", b"\x00", b"Host: b\r\n", b"F", b"g",
)  # fmt: skip


# --- responses ------------------------------------------------------------------------------------


def check_response(data: bytes) -> None:
    """Bytes are an answer or a fault of the upstream's, the same in any pieces; what h11 reads
    from a complete one is the same."""
    whole = _response(data, len(data) or 1)
    same(whole[:2], _response(data, PIECE_BYTES)[:2], "the same in pieces")
    status, fault, body = whole
    if fault or not status:
        return
    theirs = _read_with_h11(data)
    if theirs is not None:
        same((status, body), theirs, "h11")


def _response(data: bytes, piece_bytes: int) -> tuple[int, str, bytes]:
    log = ResponseLog()
    reader = ResponseReader(log, ResponseLimits(2_000, 20, 3))
    reader.begin("GET")
    fault = ""
    try:
        for at in range(0, len(data), piece_bytes):
            if not log.ends:
                reader.feed(data[at : at + piece_bytes])
        if not log.ends:
            reader.eof()
    except UpstreamError as error:
        fault = error.code
    return (log.head.status if log.head and log.ends else 0), fault, log.body


def _read_with_h11(data: bytes) -> tuple[int, bytes] | None:
    """Status and body; None where h11 refuses, which it may do for more than we do."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=4_000)
    connection.send(h11.Request(method=b"GET", target=b"/", headers=[(b"host", b"a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, body = 0, b""
    try:
        while True:
            match connection.next_event():
                case h11.Response(status_code=status):
                    pass
                case h11.Data(data=piece):
                    body += bytes(piece)
                case h11.EndOfMessage():
                    return status, body
                case h11.InformationalResponse():
                    pass
                case _:
                    return None
    except h11.RemoteProtocolError:
        return None


RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nhello",
    b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
)
RESPONSE_WORDS = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early\r\n\r\n", b"Content-Length: ", b"\r\n", b"\n",
    b"\r", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b" ", b"\x00", b"0\r\n\r\n",
    b"gzip, ", b"Content-Length: 4\r\nContent-Length: 4\r\n", b"1\r\na\r\n", b"+", b"0x", b"\xff",
)  # fmt: skip


# --- authorities ----------------------------------------------------------------------------------

_INET = re.compile(rb"[0-9a-fA-FxX.]+")


def check_proxy(data: bytes) -> None:
    """An authority is one place: written out and read again it is the same, and where the
    system's resolver would take it for an address, it is that address."""
    try:
        authority = parse_authority(data, 443)
    except AgentProtocolError:
        return
    same(authority, parse_authority(str(authority), None), "reading it again")
    assert authority.host == authority.host.lower()
    assert authority.host.isascii()
    assert 0 < authority.port < 65_536
    assert not re.search(r"[\s/@?#%\\]", authority.host)
    text = data.partition(b":")[0]
    if _INET.fullmatch(text):
        try:
            address = socket.inet_ntoa(socket.inet_aton(text.decode()))
        except OSError:
            return
        same(authority.host, address, "inet_aton")


AUTHORITIES = (
    b"api.stripe.com:443", b"[::1]:443", b"127.0.0.1:80", b"0x7f.1:443", b"[::ffff:127.0.0.1]:1",
    b"EXAMPLE.com.:443", "bücher.example:443".encode(), "１２７.0.0.1:443".encode(),  # noqa: RUF001
    b"a@b.test:443", b"a.test:443:80", b"xn--bcher-kva.example", b"2130706433:443",
)  # fmt: skip
AUTHORITY_WORDS = (
    b".", b":", b"[", b"]", b"@", b"%", b"%2e", b"0x", b"::", b"ffff:", b"127.0.0.1", b"xn--",
    "。".encode(), "ß".encode(), "．".encode(), b"\x00", b" ", b"/", b"#", b"\\",  # noqa: RUF001
    b"65535", b"00", b"-",
    b"_", b"localhost", b"%25lo", b",",
)  # fmt: skip


# --- ClientHellos ---------------------------------------------------------------------------------


def check_client_hello(data: bytes) -> None:
    """Bytes are a hello, too few, or refused; more bytes behind a hello change nothing."""
    try:
        hello = parse_client_hello(data)
    except AgentProtocolError:
        return
    if hello is None:
        return
    same(hello, parse_client_hello(data + b"\x16\x03\x01\x00\x01\x01"), "the same with more behind")


def _hello(name: str, protocols: list[str]) -> bytes:
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError


HELLOS = (
    _hello("api.test", []),
    _hello("api.test", ["h2", "http/1.1"]),
    _hello("192.0.2.1", ["h2"]),
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
)
HELLO_WORDS = (
    b"\x16\x03\x01", b"\x01\x00", b"\x00\x00", b"\x00\x10", b"\xff\xff", b"api.test", b"\x02h2",
    b"\x00\x01", b"\x00", b"\xff",
)  # fmt: skip


TARGETS = (
    Target("head", "what is written is the same to all servers", check_head, HEADS, HEAD_WORDS),
    Target("chunks", "a body ends where all say it does", check_chunks, CHUNKS, CHUNK_WORDS),
    Target("response", "an answer or a fault", check_response, RESPONSES, RESPONSE_WORDS),
    Target("proxy", "an authority is one place", check_proxy, AUTHORITIES, AUTHORITY_WORDS),
    Target("client_hello", "a hello or a refusal", check_client_hello, HELLOS, HELLO_WORDS),
)
