"""HTTP/1 requests of published suites and lists; `TAKEN` is what we take of them, all else not."""

from __future__ import annotations

from collections.abc import Iterator

HOST = b"Host: a.test\r\n"
POST = b"POST /x HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /x HTTP/1.1\r\n" + HOST
LAST = b"0\r\n\r\n"


def _te(line: bytes) -> bytes:
    return POST + line + b"\r\n\r\n1\r\nA\r\n" + LAST


LLHTTP: dict[str, bytes] = {
    "an empty coding and a length": POST + b"Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello",
    "a lower-case size": CHUNKED + b"a\r\n0123456789\r\n" + LAST,
    "an upper-case size": CHUNKED + b"A\r\n0123456789\r\n" + LAST,
    "a size of two digits": CHUNKED + b"1e\r\nall your base are belong to us\r\n" + LAST,
    "a last size of three zeros": CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n",
    "trailers": CHUNKED + b"5\r\nhello\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\n\r\n",
    "extensions": CHUNKED + b"5;ilovew3;somuchlove=x;another=withvalue\r\nhello\r\n" + LAST,
    "extensions without a semicolon": CHUNKED + b"2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n",
    "a semicolon without an extension": CHUNKED + b"2;\r\naa\r\n" + LAST,
    "a quoted extension": CHUNKED + b'5;a="I \\"love\\"; \\\\x";b="c";d\r\nhello\r\n' + LAST,
    "an open quote in an extension": CHUNKED + b'5;a="abc";b="def; ghi\r\nhello\r\n' + LAST,
    "pigeons": _te(b"Transfer-Encoding: pigeons"),
    "identity and a length": POST
    + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nWorld",
    "three empty codings": POST
    + b"Content-Length: 1\r\n"
    + b"Transfer-Encoding:\r\n" * 3
    + b"\r\nA",
    "another protocol": b"GET /music HTTQ/1.0\r\n" + HOST + b"\r\n",
    "a protocol that ends in HTTP": b"GET /music IHTTP/1.0\r\n" + HOST + b"\r\n",
    "RTSP": b"PUT /music RTSP/1.0\r\n" + HOST + b"\r\n",
    "headers divided by CR": GET + b"Foo: 1\rBar: 2\r\n\r\n",
    "headers divided by LF": GET + b"x:x\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n" + LAST,
    "a request behind a lone CR": GET + b"\rZGET /evil: HTTP/1.1\r\n" + HOST + b"\r\n",
    "an empty header ended by CR": GET + b"x:\rTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n" + LAST,
    "an empty header ended by LF": GET + b"x:\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n" + LAST,
    "an at sign in a name": GET + b"Fo@: Failure\r\n\r\n",
    "a control character in a name": GET + b"Foo\x01test: Bar\r\n\r\n",
    "no name": GET + b": Bar\r\n\r\n",
    "no space after the method": b"MKCOLA/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a folded name": GET + b"name\r\n : value\r\n\r\n",
    "a corrupted Connection": GET + b"Connection\r\x1b\x35\xd5eep-Alive\r\n\r\n",
    "a length hidden behind LF": GET + b"Dummy: x\nContent-Length: 23\r\n\r\n" + GET + b"\r\n",
    "version 5.6": b"GET / HTTP/5.6\r\n" + HOST + b"\r\n",
    "a space before the first header": b"GET / HTTP/1.1\r\n " + HOST + b"\r\n",
    "line feeds alone": b"POST / HTTP/1.1\nHost: a.test\nTransfer-Encoding: chunked\n\n1\nA\n0\n\n",
    "a length hidden by folding": GET + b"Foo: bar\r\n Content-Length: 38\r\n\r\n" + GET + b"\r\n",
}

GO: dict[str, bytes] = {
    "a path that begins with two slashes": b"GET //user@host/a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path of dots": b"GET ../../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "no path": b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
    "chunks and a trailer": CHUNKED + b"3\r\nfoo\r\n3\r\nbar\r\n0\r\nTrailer-Key: Value\r\n\r\n",
    "chunks and a length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 9999\r\n\r\n3\r\nfoo\r\n"
    + LAST,
    "a length of letters": POST + b"Content-Length: notdigits\r\n\r\n",
    "CONNECT to a path": b"CONNECT /_goRPC_ HTTP/1.1\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "close": GET + b"Connection: close\r\n\r\n",
    "two hosts": GET + b"Host: b.test\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
}

GARDEN: dict[str, bytes] = {
    "a size that overflows 64 bits": CHUNKED + b"10000000000000001\r\nA\r\n" + LAST,
    "a size that overflows 32 bits": CHUNKED + b"100000001\r\nA\r\n" + LAST,
    "a size with 0x": CHUNKED + b"0x1\r\nA\r\n" + LAST,
    "a size with an underscore": CHUNKED + b"0_1\r\nA\r\n" + LAST,
    "a size with a sign": CHUNKED + b"+1\r\nA\r\n" + LAST,
    "a negative last size": CHUNKED + b"1\r\nA\r\n-0\r\n\r\n",
    "an empty size": CHUNKED + b"\r\nA\r\n" + LAST,
    "a size ended by LF": CHUNKED + b"1\nA\r\n" + LAST,
    "a size ended by CR": CHUNKED + b"1\rA\r\n" + LAST,
    "an extension with LF": CHUNKED + b"1;a\nA\r\n" + LAST,
    "two bytes of any kind behind a chunk": CHUNKED + b"1\r\nAXX" + LAST,
    "a chunk ended by LF": CHUNKED + b"1\r\nA\n" + LAST,
    "a last chunk ended by LF": CHUNKED + b"1\r\nA\r\n0\n\n",
    "a list of empty lengths": POST + b"Content-Length: ,1\r\n\r\nA",
    "a length with leading zeros": POST + b"Content-Length: 01\r\n\r\nA",
    "a length with a space inside": POST + b"Content-Length: 1 1\r\n\r\nA",
    "a length of another script": POST + "Content-Length: \u0661\r\n\r\nA".encode(),
    "a length with a NUL": POST + b"Content-Length: 1\x00\r\n\r\nA",
    "a coding behind a comma": _te(b"Transfer-Encoding: ,chunked"),
    "a coding before a comma": _te(b"Transfer-Encoding: chunked,"),
    "a coding with a parameter": _te(b"Transfer-Encoding: chunked;q=1"),
    "a coding with a NUL": _te(b"Transfer-Encoding: \x00chunked"),
    "identity": _te(b"Transfer-Encoding: identity"),
    "a version with zeros": b"GET / HTTP/01.1\r\n" + HOST + b"\r\n",
    "a version with a sign": b"GET / HTTP/+1.1\r\n" + HOST + b"\r\n",
    "two versions": b"GET / HTTP/1.1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a version of three parts": b"GET / HTTP/1.1.1\r\n" + HOST + b"\r\n",
    "a NUL in a name": GET + b"X\x00: 1\r\n\r\n",
    "a space before a colon": GET + b"X : 1\r\n\r\n",
    "a method in brackets": b"(GET) / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /#a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a backslash in an authority": b"GET https://a.test\\b/ HTTP/1.1\r\n" + HOST + b"\r\n",
}

TAKEN = frozenset(
    {
        "a lower-case size", "an upper-case size", "a size of two digits", "close",
        "a last size of three zeros", "a path that begins with two slashes",
    }
)  # fmt: skip
"""The two slashes are refused behind this, where the path is read."""


def codings() -> Iterator[tuple[str, bytes]]:
    """Transfer-Encoding, disguised in every way of smuggler's exhaustive list, as header lines."""
    lines = (
        b" Transfer-Encoding: chunked", b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding\t:\tchunked", b"Transfer Encoding: chunked",
        b"Transfer_Encoding: chunked", b"Transfer Encoding:chunked", b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:  chunked", b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding: chunked, cow", b"Transfer-Encoding: cow, chunked",
        b"Transfer-Encoding:\n chunked", b'Transfer-Encoding: "chunked"',
        b"Transfer-Encoding: 'chunked'", b"Transfer-Encoding: chunk",
        b"TrAnSFer-EnCODinG: cHuNkeD", b"TRANSFER-ENCODING: CHUNKED",
        b"Transfer-Encoding: chunked\r", b"Transfer-Encoding: chunked\t",
        b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
        b"Transfer\r-Encoding: chunked", b"Transfer-Encoding: cow chunked bar",
        b"Transfer-Encoding:\xffchunked", b"Transfer-Encoding: ch\x96nked",
        b"Transf\x82r-Encoding: chunked", b"X:X\rTransfer-Encoding: chunked",
        b"X:X\nTransfer-Encoding: chunked",
    )  # fmt: skip
    for line in lines:
        yield repr(line), line
    for number in (*range(0x01, 0x20), *range(0x7F, 0x100)):
        byte = bytes([number])
        yield f"{number:02x} before the value", b"Transfer-Encoding:" + byte + b"chunked"
        yield f"{number:02x} before the colon", b"Transfer-Encoding" + byte + b": chunked"
        yield f"{number:02x} before the name", byte + b"Transfer-Encoding: chunked"
        yield f"{number:02x} behind the value", b"Transfer-Encoding: chunked" + byte
