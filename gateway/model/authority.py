"""Text that names a host and a port -> one `Authority`, the same for all of its spellings.

What two readers could understand differently is refused, never guessed: octal octets, full-width
digits, ideographic dots, user information, lists.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NoReturn

from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority

HOST_CHARACTERS_MAX: Final = 253
"""Longest name that DNS carries (RFC 1035 section 2.3.4)."""

TEXT_BYTES_MAX: Final = 1_024
"""Nothing longer is looked at: Unicode forms take up to four bytes a character."""

_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_DEVIATIONS: Final = frozenset("\u00df\u03c2\u200c\u200d")
"""Characters that IDNA 2003 and IDNA 2008 turn into different names (UTS 46, section 4)."""


def parse_authority(text: bytes | str, default_port: int | None) -> Authority:
    """Read `host`, `host:port` or `[IPv6]:port`. Without `default_port` the port must be there.

    Raises:
        AgentProtocolError: `authority.malformed`, status 400.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            _refuse("the authority is not text")
    if len(text) > TEXT_BYTES_MAX:
        _refuse("the authority is too long")
    if text[:1] == "[":
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and rest[0] != ":"):
            _refuse("the authority has an open bracket")
        return Authority(_ipv6(inside), _port(rest[1:] if rest else None, default_port))
    host, colon, port = text.partition(":")
    return Authority(_host(host), _port(port if colon else None, default_port))


def _port(text: str | None, default_port: int | None) -> int:
    if text is None:
        if default_port is None:
            _refuse("the authority names no port")
        return default_port
    if not _PORT.fullmatch(text) or int(text) > 65_535:
        _refuse("the port is not a number from 1 to 65535")
    return int(text)


def _host(text: str) -> str:
    host = text.lower()
    if not host.isascii():
        host = _to_ascii(host)
    host = host.removesuffix(".")
    if not host or len(host) > HOST_CHARACTERS_MAX:
        _refuse("the host is empty or too long")
    labels = host.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        _refuse("the host is not a name or an address")
    if "xn--" in host:
        _check_punycode(labels)
    # Resolvers read a name whose last label is a number as an IPv4 address (WHATWG URL, 3.5).
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(labels)
    return host


def _to_ascii(host: str) -> str:
    """IDNA, for text that every reader maps to the same name."""
    if unicodedata.normalize("NFKC", host) != host or "\u3002" in host or _DEVIATIONS & set(host):
        _refuse("the host can be read as different names")
    try:
        name = host.encode("idna")
        if name.decode("idna") != host:
            _refuse("the host can be read as different names")
    except UnicodeError:
        _refuse("the host is not a valid international name")
    return name.decode("ascii").lower()


def _check_punycode(labels: list[str]) -> None:
    """Refuse labels that say that they are international and can't be read: the URL standard fails
    them, resolvers would ask for them as they stand."""
    for label in labels:
        if label.startswith("xn--"):
            try:
                text = label[4:].encode("ascii").decode("punycode")
            except (UnicodeError, OverflowError):
                text = ""
            if text.isascii() or unicodedata.normalize("NFKC", text) != text:
                _refuse("the host is not a valid international name")


def _ipv4(parts: list[str]) -> str:
    """Reduce one to four parts, decimal or hexadecimal, as `inet_aton` does. Octal is refused:
    `010` is eight to some readers and ten to others."""
    if len(parts) > 4:
        _refuse("the host ends in a number and is no address")
    numbers = [_number(part) for part in parts]
    *octets, last = numbers
    if any(octet > 255 for octet in octets) or last >= 256 ** (4 - len(octets)):
        _refuse("the address is out of range")
    value = last
    for index, octet in enumerate(octets):
        value |= octet << (8 * (3 - index))
    return str(IPv4Address(value))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or text == "0x" or len(text) > 10:
        _refuse("the address has a part that is no number")
    if text.startswith("0x"):
        return int(text, 16)
    if text != "0" and text.startswith("0"):
        _refuse("the address has a leading zero, which can be read as octal")
    return int(text)


def _ipv6(text: str) -> str:
    if not text.isascii() or "%" in text:
        _refuse("the address has a zone or is not ASCII")
    try:
        address = IPv6Address(text)
    except AddressValueError:
        _refuse("the address in brackets is not IPv6")
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else address.compressed


def _refuse(message: str) -> NoReturn:
    raise AgentProtocolError("authority.malformed", message)
