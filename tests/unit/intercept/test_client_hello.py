"""ClientHellos as OpenSSL writes them, and as it never would."""

from __future__ import annotations

import ssl

import pytest

from gateway.intercept.client_hello import HELLO_BYTES_MAX, parse_client_hello
from gateway.model.errors import AgentProtocolError


def hello(name: str | None, protocols: list[str] | None = None) -> bytes:
    """What a real client sends first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


READ = {
    "a name": (hello("api.test"), "api.test", (), True),
    "no name": (hello(None), None, (), True),
    "an address is no name": (hello("192.0.2.1"), None, (), True),
    "both protocols": (hello("a.test", ["h2", "http/1.1"]), "a.test", (b"h2", b"http/1.1"), True),
    "HTTP/2 only": (hello("a.test", ["h2"]), "a.test", (b"h2",), False),
}


@pytest.mark.parametrize("case", READ)
def test_what_is_read(case: str) -> None:
    """SNI and ALPN, as soon as the last byte is there and never before."""
    data, name, protocols, speaks = READ[case]
    for end in range(len(data)):
        assert parse_client_hello(data[:end]) is None
    found = parse_client_hello(data + b"more")
    assert found is not None
    assert (found.server_name, found.protocols, found.speaks_http1) == (name, protocols, speaks)


def in_records(message: bytes, size: int) -> bytes:
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(p).to_bytes(2, "big") + p for p in pieces)


def test_a_hello_in_many_records() -> None:
    """Put together from its fragments."""
    found = parse_client_hello(in_records(hello("api.test")[5:], 7))
    assert found is not None
    assert found.server_name == "api.test"


def twice(data: bytes) -> bytes:
    """The hello with a second name in its list of names."""
    entry = b"\x00\x00\x08api.test"
    at = data.index(entry)
    grown = bytearray(data[:at] + entry + data[at:])
    extensions = _extensions_at(data)
    for place, size in ((at - 2, 2), (at - 4, 2), (extensions, 2), (6, 3), (3, 2)):
        value = int.from_bytes(grown[place : place + size], "big") + len(entry)
        grown[place : place + size] = value.to_bytes(size, "big")
    return bytes(grown)


def _extensions_at(data: bytes) -> int:
    at = 5 + 4 + 34
    at += 1 + data[at]
    at += 2 + int.from_bytes(data[at : at + 2], "big")
    return at + 1 + data[at]


REFUSED = {
    "HTTP": (b"GET / HTTP/1.1\r\n", "tunnel.not_tls"),
    "SSH": (b"S", "tunnel.not_tls"),
    "another major version": (b"\x16\x02", "tunnel.not_tls"),
    "a ServerHello": (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "tunnel.bad_hello"),
    "an empty record": (b"\x16\x03\x01\x00\x00", "tunnel.bad_hello"),
    "lengths that lie": (b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", "tunnel.bad_hello"),
    "two names": (twice(hello("api.test")), "tunnel.bad_hello"),
    "a hello without end": (
        (b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + b"x" * 20_000)[:HELLO_BYTES_MAX],
        "tunnel.bad_hello",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    """Not TLS, or a hello that two readers could understand differently."""
    data, code = REFUSED[case]
    with pytest.raises(AgentProtocolError) as caught:
        parse_client_hello(data)
    assert caught.value.code == code
