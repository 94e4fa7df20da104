"""Every spelling of a host and a port has one reading, or none."""

from __future__ import annotations

import pytest

from gateway.model.authority import parse_authority
from gateway.model.errors import AgentProtocolError

READ = {
    "a name": ("api.test:443", "api.test:443"),
    "a name without a port": ("api.test", "api.test:443"),
    "upper case and one trailing dot": ("API.Test.:8443", "api.test:8443"),
    "an international name": ("bücher.test", "xn--bcher-kva.test:443"),
    "an international name in capitals": ("BÜCHER.test", "xn--bcher-kva.test:443"),
    "the same in ASCII": ("XN--bcher-KVA.test", "xn--bcher-kva.test:443"),
    "an underscore": ("a_b.test", "a_b.test:443"),
    "an address": ("192.0.2.1", "192.0.2.1:443"),
    "an address with a dot": ("192.0.2.1.", "192.0.2.1:443"),
    "a hexadecimal address": ("0x7f.0.0.1", "127.0.0.1:443"),
    "one 32-bit number": ("2130706433:80", "127.0.0.1:80"),
    "one hexadecimal number": ("0x7f000001", "127.0.0.1:443"),
    "two parts": ("127.1", "127.0.0.1:443"),
    "three parts": ("127.0.256", "127.0.1.0:443"),
    "IPv6": ("[2001:DB8:0::1]:80", "[2001:db8::1]:80"),
    "IPv4 in IPv6": ("[::ffff:127.0.0.1]", "127.0.0.1:443"),
}
REFUSED = {
    "empty": "",
    "only a port": ":443",
    "user information": "user@api.test",
    "a key as user information": "user:key@api.test",
    "a list": "a.test,b.test",
    "a space": "a .test",
    "a line end": "a.test\r\n",
    "a percent sign": "a%2etest",
    "a path": "a.test/x",
    "a backslash": "a.test\\x",
    "port zero": "a.test:0",
    "port 65536": "a.test:65536",
    "a port with letters": "a.test:443abc",
    "a port with zeros": "a.test:00443",
    "a port with a sign": "a.test:+443",
    "an empty port": "a.test:",
    "a full-width port": "a.test:\uff14\uff14\uff13",
    "two dots": "a..test",
    "two trailing dots": "a.test..",
    "a dot alone": ".",
    "a leading dot": ".a.test",
    "254 characters": ".".join(["a" * 49] * 5 + ["abcd"]),
    "a label of 64": "a" * 64 + ".test",
    "a leading hyphen": "-a.test",
    "full-width digits": "\uff1127.0.0.1",
    "ideographic dots": "127\u30020\u30020\u30021",
    "half-width ideographic dots": "a\uff61test",
    "a sharp s": "faß.test",
    "a zero-width joiner": "a\u200db.test",
    "an octal octet": "0177.0.0.1",
    "an octal number": "017700000001",
    "five parts": "1.2.3.4.5",
    "an octet too large": "256.0.0.1",
    "a number too large": "4294967296",
    "a name that ends in a number": "a.test.1",
    "a name that ends in a hexadecimal number": "a.test.0x1",
    "0x alone": "0x",
    "IPv6 without brackets": "2001:db8::1",
    "an open bracket": "[::1",
    "text after a bracket": "[::1]x",
    "IPv4 in brackets": "[127.0.0.1]",
    "a zone": "[fe80::1%eth0]",
    "a kilobyte": "a." * 600,
    "bytes that are no text": b"\xff\xfe",
}


@pytest.mark.parametrize("case", READ)
def test_one_reading(case: str) -> None:
    """Reduced to the canonical spelling, as text and as bytes."""
    text, canonical = READ[case]
    assert str(parse_authority(text, 443)) == canonical
    assert str(parse_authority(text.encode(), 443)) == canonical
    assert parse_authority(canonical, None) == parse_authority(text, 443)


@pytest.mark.parametrize("case", REFUSED)
def test_no_reading(case: str) -> None:
    """Refused with status 400; the text itself is not repeated."""
    with pytest.raises(AgentProtocolError) as caught:
        parse_authority(REFUSED[case], 443)
    assert (caught.value.code, caught.value.status) == ("authority.malformed", 400)


def test_a_port_may_be_demanded() -> None:
    """A CONNECT without a port is refused."""
    with pytest.raises(AgentProtocolError, match="names no port"):
        parse_authority("a.test", None)
