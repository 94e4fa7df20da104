"""The tables of bytes that must be refused: `research`'s rows F, D and M as payloads.

Each key is a sentence, each row the bytes and the statuses that may answer them. `GET`s and the
search are reads that policy allows, so a payload that slips through reaches the upstream and is
seen there.
"""

from __future__ import annotations

import gzip
import json

from tests.support.raw_client import request

HOST = b"Host: warehouse.example.test\r\n"
GET = b"GET /v1/orders/o1 HTTP/1.1\r\n" + HOST
SEARCH = b"POST /v1/orders/search HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
END = b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

BAD = frozenset({400})
BAD_OR_UNKNOWN = frozenset({400, 501})
VERSION = frozenset({400, 505})
MISDIRECTED = frozenset({400, 403, 421})
REFUSED = frozenset({400, 403})

Row = tuple[bytes, frozenset[int]]


def _length(value: bytes) -> bytes:
    return SEARCH + b"Content-Length: " + value + b"\r\n\r\n{}{}{}"


def _coding(line: bytes) -> bytes:
    return SEARCH + line + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


def _chunks(body: bytes) -> bytes:
    return SEARCH + CHUNKED + END + body


FRAMING: dict[str, Row] = {
    "F1 length and chunks together": (
        SEARCH + b"Content-Length: 12\r\n" + CHUNKED + END + b"2\r\n{}\r\n0\r\n\r\n",
        BAD,
    ),
    "F1 chunks and length together": (
        SEARCH + CHUNKED + b"Content-Length: 12\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        BAD,
    ),
    "F2 two different lengths": (
        SEARCH + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}",
        BAD,
    ),
    "F2 a list of lengths": (_length(b"2, 2"), BAD),
    "F2 a signed length": (_length(b"+2"), BAD),
    "F2 a negative length": (_length(b"-2"), BAD),
    "F2 a hexadecimal length": (_length(b"0x2"), BAD),
    "F2 a length with an underscore": (_length(b"0_2"), BAD),
    "F2 a length beyond 64 bits": (_length(b"18446744073709551618"), frozenset({400, 413})),
    "F2 two words as length": (_length(b"2 2"), BAD),
    "F2 an empty length": (_length(b""), BAD),
    "F3 space before the colon": (_coding(b"Transfer-Encoding : chunked"), BAD),
    "F3 a vertical tab in the coding": (_coding(b"Transfer-Encoding: \x0bchunked"), BAD_OR_UNKNOWN),
    "F3 a no-break space in the coding": (
        _coding(b"Transfer-Encoding: \xa0chunked"),
        BAD_OR_UNKNOWN,
    ),
    "F3 an unknown coding": (_coding(b"Transfer-Encoding: xchunked"), BAD_OR_UNKNOWN),
    "F3 chunked then identity": (_coding(b"Transfer-Encoding: chunked, identity"), BAD_OR_UNKNOWN),
    "F3 chunked twice in a list": (_coding(b"Transfer-Encoding: chunked, chunked"), BAD_OR_UNKNOWN),
    "F3 chunked twice in two lines": (
        _coding(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        BAD_OR_UNKNOWN,
    ),
    "F3 a quoted coding": (_coding(b'Transfer-Encoding: "chunked"'), BAD_OR_UNKNOWN),
    "F3 a folded coding": (_coding(b"Transfer-Encoding:\r\n chunked"), BAD_OR_UNKNOWN),
    "F3 gzip before chunked": (_coding(b"Transfer-Encoding: gzip, chunked"), BAD_OR_UNKNOWN),
    "F3 chunks in HTTP/1.0": (
        SEARCH.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + END + b"2\r\n{}\r\n0\r\n\r\n",
        VERSION,
    ),
    "F5 a folded header": (GET + b"X-A: 1\r\n 2\r\n\r\n", BAD),
    "F5 bare line feeds": (GET.replace(b"\r\n", b"\n") + b"\n", BAD),
    "F5 one bare line feed": (GET + b"X-A: 1\nX-B: 2\r\n\r\n", BAD),
    "F5 a bare carriage return": (GET + b"X-A: 1\rX-B: 2\r\n\r\n", BAD),
    "F5 a NUL in a value": (GET + b"X-A: 1\x002\r\n\r\n", BAD),
    "F5 space before a colon": (GET + b"X-A : 1\r\n\r\n", BAD),
    "F5 a space before the first header": (
        GET.replace(b"\r\nHost", b"\r\n Host") + b"\r\n",
        BAD,
    ),
    "F5 a header without a colon": (GET + b"X-A\r\n\r\n", BAD),
    "F5 an empty header name": (GET + b": 1\r\n\r\n", BAD),
    "F6 a chunk size with a space": (_chunks(b"2 \r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a signed chunk size": (_chunks(b"+2\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a hexadecimal prefix": (_chunks(b"0x2\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 an underscore in the size": (_chunks(b"0_2\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a chunk size beyond 64 bits": (
        _chunks(b"10000000000000002\r\n{}\r\n0\r\n\r\n"),
        frozenset({400, 413}),
    ),
    "F6 a control character in an extension": (_chunks(b"2;a\x00\r\n{}\r\n0\r\n\r\n"), BAD),
    "F6 a bare line feed after the size": (_chunks(b"2\n{}\r\n0\r\n\r\n"), BAD),
    "F6 no line end after a chunk": (_chunks(b"2\r\n{}0\r\n\r\n"), BAD),
    "F6 a chunk longer than its size": (_chunks(b"1\r\n{}\r\n0\r\n\r\n"), BAD),
    "F7 HTTP/0.9": (b"GET /v1/orders/o1\r\n", VERSION),
    "F7 HTTP/1.2": (GET.replace(b"HTTP/1.1", b"HTTP/1.2") + END, VERSION),
    "F7 HTTP/2.0": (GET.replace(b"HTTP/1.1", b"HTTP/2.0") + END, VERSION),
    "F7 the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    "F7 a lower-case version": (GET.replace(b"HTTP/1.1", b"http/1.1") + END, VERSION),
    "F7 two spaces": (GET.replace(b"GET /", b"GET  /") + END, BAD),
    "F7 tabs for spaces": (GET.replace(b"GET /", b"GET\t/") + END, BAD),
    "F7 an impossible method": (GET.replace(b"GET", b"G@T") + END, BAD_OR_UNKNOWN),
    "F7 a method of 64 KiB": (
        b"G" * 65_536 + GET + END,
        frozenset({400, 414, 431, 501}),
    ),
    "T8 a header of 256 KiB": (
        GET + b"X-A: " + b"a" * 262_144 + b"\r\n\r\n",
        frozenset({400, 431}),
    ),
    "T8 two thousand headers": (GET + b"X-A: 1\r\n" * 2_000 + END, frozenset({400, 431})),
    "TLS again inside TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", BAD),
}

UNFINISHED: dict[str, bytes] = {
    "a head that never ends": GET + b"X-A: 1\r\n",
    "a body shorter than its length": _length(b"4000"),
    "a last chunk that never comes": _chunks(b"2\r\n{}\r\n"),
    "a last chunk without its end": _chunks(b"2\r\n{}\r\n0\r\n"),
}


def _host(lines: bytes) -> bytes:
    return b"GET /v1/orders/o1 HTTP/1.1\r\n" + lines + END


INNER_HOST: dict[str, Row] = {
    "D2 another host inside the tunnel": (_host(b"Host: api.stripe.com\r\n"), MISDIRECTED),
    "D2 two hosts": (_host(HOST + b"Host: api.stripe.com\r\n"), MISDIRECTED),
    "D2 the same host twice": (_host(HOST + HOST), MISDIRECTED),
    "D2 no host": (_host(b"X-A: 1\r\n"), MISDIRECTED),
    "D2 an empty host": (_host(b"Host:\r\n"), MISDIRECTED),
    "D2 a user in the host": (_host(b"Host: a@warehouse.example.test\r\n"), MISDIRECTED),
    "D2 another port": (_host(b"Host: warehouse.example.test:8443\r\n"), MISDIRECTED),
    "D2 a list of hosts": (
        _host(b"Host: warehouse.example.test, api.stripe.com\r\n"),
        MISDIRECTED,
    ),
    "D2 a path in the host": (_host(b"Host: warehouse.example.test/x\r\n"), MISDIRECTED),
    "D3 another authority in the target": (
        b"GET https://api.stripe.com/v1/charges HTTP/1.1\r\n" + HOST + END,
        MISDIRECTED,
    ),
    "D3 the plain scheme inside TLS": (
        b"GET http://warehouse.example.test/v1/orders/o1 HTTP/1.1\r\n" + HOST + END,
        MISDIRECTED,
    ),
    "D3 an asterisk": (b"GET * HTTP/1.1\r\n" + HOST + END, REFUSED),
    "D3 CONNECT inside a tunnel": (
        b"CONNECT api.stripe.com:443 HTTP/1.1\r\nHost: api.stripe.com:443\r\n\r\n",
        frozenset({400, 403, 405, 421, 501}),
    ),
    "D3 a target that is no path": (b"GET v1/orders/o1 HTTP/1.1\r\n" + HOST + END, BAD),
}

AUTHORITIES: dict[str, bytes] = {
    "D4 another port": b"warehouse.example.test:22",
    "D4 port zero": b"warehouse.example.test:0",
    "D4 port 65536": b"warehouse.example.test:65536",
    "D4 letters after the port": b"warehouse.example.test:443abc",
    "D4 zeros before the port": b"warehouse.example.test:00443",
    "D4 an empty port": b"warehouse.example.test:",
    "D4 no port": b"warehouse.example.test",
    "D5 loopback": b"127.0.0.1:443",
    "D5 loopback as one number": b"2130706433:443",
    "D5 loopback in hexadecimal": b"0x7f.0.0.1:443",
    "D5 loopback in octal": b"0177.0.0.1:443",
    "D5 loopback in two parts": b"127.1:443",
    "D5 loopback of IPv6": b"[::1]:443",
    "D5 loopback of IPv4 in IPv6": b"[::ffff:127.0.0.1]:443",
    "D5 loopback with a zone": b"[fe80::1%25lo]:443",
    "D5 loopback in full-width digits": "１２７.0.0.1:443".encode(),  # noqa: RUF001
    "D5 an ideographic full stop": "127。0。0。1:443".encode(),
    "D6 localhost": b"localhost:443",
    "D6 a name below localhost": b"a.localhost:443",
    "D6 any address": b"0.0.0.0:443",
    "D6 the metadata service": b"169.254.169.254:80",
    "D6 the metadata service by name": b"metadata.google.internal:80",
    "D6 a private network": b"10.0.0.1:443",
    "D6 a carrier's network": b"100.64.0.1:443",
    "D6 NAT64 of loopback": b"[64:ff9b::7f00:1]:443",
    "D6 6to4 of loopback": b"[2002:7f00:1::]:443",
    "D6 a unique local address": b"[fd00::1]:443",
    "D6 multicast": b"224.0.0.1:443",
    "D10 an encoded dot": b"warehouse%2eexample.test:443",
    "D10 a name of 255 characters": b"a." * 128 + b":443",
    "D10 a label of 64 characters": b"a" * 64 + b".test:443",
    "D2 a user in the authority": b"a@warehouse.example.test:443",
    "D2 nothing": b":443",
}


def _post(body: bytes, content_type: str = "application/json", **more: str) -> bytes:
    headers = {"Content-Type": content_type, **{k.replace("_", "-"): v for k, v in more.items()}}
    return request("POST", "/v1/orders/search", headers, body)


PATHS: dict[str, Row] = {
    "M1 encoded dots": (request("GET", "/v1/orders/%2e%2e/refund"), REFUSED),
    "M1 plain dots": (request("GET", "/v1/orders/../admin"), REFUSED),
    "M1 an encoded slash": (request("GET", "/v1/orders/a%2fb"), REFUSED),
    "M1 an encoded NUL": (request("GET", "/v1/orders/a%00"), REFUSED),
    "M1 a backslash": (request("GET", "/v1/orders\\a"), REFUSED),
    "M1 an encoded backslash": (request("GET", "/v1/orders/a%5cb"), REFUSED),
    "M1 path parameters": (request("GET", "/v1/orders/o1;a=b"), REFUSED),
    "M1 encoded twice": (request("GET", "/v1/orders/%252e%252e"), REFUSED),
    "M1 overlong UTF-8": (request("GET", "/v1/orders/%c0%ae%c0%ae"), REFUSED),
    "M1 an empty segment": (request("GET", "/v1//orders/o1"), REFUSED),
    "M1 a dot segment": (request("GET", "/v1/./orders/o1"), REFUSED),
    "M1 a bad escape": (request("GET", "/v1/orders/%zz"), REFUSED),
    "M1 raw bytes beyond ASCII": (
        b"GET /v1/orders/\xc3\xa9 HTTP/1.1\r\n" + HOST + END,
        REFUSED,
    ),
    "M1 a fragment": (request("GET", "/v1/orders/o1#x"), REFUSED),
    "M7 a method override on a read": (
        request("GET", "/v1/orders/o1", {"X-HTTP-Method-Override": "DELETE"}),
        REFUSED,
    ),
    "M7 the override's other name": (
        request("GET", "/v1/orders/o1", {"X-Method-Override": "DELETE"}),
        REFUSED,
    ),
    "M12 a path that no mapper knows": (request("GET", "/v2/everything"), REFUSED),
    "M12 a method that no mapper knows": (request("PURGE", "/v1/orders/o1"), REFUSED),
}

DEEP = b"[" * 10_000 + b"]" * 10_000

BODIES: dict[str, Row] = {
    "M3 a duplicate key": (_post(b'{"state":"open","state":"paid"}'), REFUSED),
    "M3 a duplicate key in disguise": (_post(b'{"state":"open","st\\u0061te":"paid"}'), REFUSED),
    "M3 not a number": (_post(b'{"limit":NaN}'), REFUSED),
    "M3 a number beyond doubles": (_post(b'{"limit":1e400}'), REFUSED),
    "M3 a lone surrogate": (_post(b'{"state":"\\ud800"}'), REFUSED),
    "M3 a byte order mark": (_post(b'\xef\xbb\xbf{"state":"open"}'), REFUSED),
    "M3 UTF-16": (_post(json.dumps({"state": "open"}).encode("utf-16-le")), REFUSED),
    "M3 a comment": (_post(b'{"state":"open"/*paid*/}'), REFUSED),
    "M3 bytes after the end": (_post(b'{"state":"open"}{"state":"paid"}'), REFUSED),
    "M3 ten thousand levels": (_post(DEEP), REFUSED),
    "M3 half a document": (_post(b'{"state":'), REFUSED),
    "M3 bytes that are not UTF-8": (_post(b'{"state":"\xff"}'), REFUSED),
    "M4 JSON called a form": (
        _post(b'{"state":"open"}', "application/x-www-form-urlencoded"),
        REFUSED,
    ),
    "M4 two content types": (
        SEARCH + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        REFUSED,
    ),
    "M4 another character set": (
        _post(b'{"state":"open"}', "application/json; charset=utf-16"),
        REFUSED,
    ),
    "M5 a compressed body": (
        _post(gzip.compress(b'{"state":"open"}'), Content_Encoding="gzip"),
        frozenset({400, 403, 415}),
    ),
    "M5 compressed twice": (
        _post(gzip.compress(gzip.compress(b'{"state":"open"}')), Content_Encoding="gzip, gzip"),
        frozenset({400, 403, 415}),
    ),
    "M5 a coding nobody knows": (
        _post(b'{"state":"open"}', Content_Encoding="zebra"),
        frozenset({400, 403, 415}),
    ),
}
