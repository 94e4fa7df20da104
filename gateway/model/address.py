"""Turns an IP address into the class of network it belongs to. Pure.

Own table beside `ipaddress`, whose answers differ between Python versions; the registries are
IANA's special-purpose ones (RFC 6890). What the table doesn't name and `ipaddress` doesn't call
global is RESERVED: it must never let an address through because nobody thought of it.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class AddressClass(StrEnum):
    """Only GLOBAL may be dialled without being named by configuration."""

    GLOBAL = "global"
    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    SHARED = "carrier-shared"
    LINK_LOCAL = "link-local"
    METADATA = "cloud metadata"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"
    DOCUMENTATION = "documentation"
    RESERVED = "reserved"
    TRANSITION = "IPv4 inside IPv6"


_TABLE: tuple[tuple[str, AddressClass], ...] = (
    # The more exact network stands first.
    ("169.254.169.254/32", AddressClass.METADATA),  # AWS, Google, Azure, most others
    ("169.254.170.2/32", AddressClass.METADATA),  # AWS ECS task credentials
    ("169.254.170.23/32", AddressClass.METADATA),  # AWS EKS pod identity
    ("100.100.100.200/32", AddressClass.METADATA),  # Alibaba
    ("192.0.0.192/32", AddressClass.METADATA),  # Oracle, older images
    ("168.63.129.16/32", AddressClass.METADATA),  # Azure's wire server: a public address
    ("fd00:ec2::254/128", AddressClass.METADATA),  # AWS
    ("fd00:ec2::23/128", AddressClass.METADATA),  # AWS EKS pod identity
    ("fd20:ce::254/128", AddressClass.METADATA),  # Google
    ("fd00:c1::a9fe:a9fe/128", AddressClass.METADATA),  # Oracle
    ("0.0.0.0/8", AddressClass.UNSPECIFIED),
    ("127.0.0.0/8", AddressClass.LOOPBACK),
    ("10.0.0.0/8", AddressClass.PRIVATE),
    ("172.16.0.0/12", AddressClass.PRIVATE),
    ("192.168.0.0/16", AddressClass.PRIVATE),
    ("100.64.0.0/10", AddressClass.SHARED),
    ("169.254.0.0/16", AddressClass.LINK_LOCAL),
    ("192.0.0.0/24", AddressClass.RESERVED),
    ("192.0.2.0/24", AddressClass.DOCUMENTATION),
    ("198.51.100.0/24", AddressClass.DOCUMENTATION),
    ("203.0.113.0/24", AddressClass.DOCUMENTATION),
    ("192.88.99.0/24", AddressClass.TRANSITION),  # 6to4 relays
    ("198.18.0.0/15", AddressClass.RESERVED),  # benchmarking
    ("224.0.0.0/4", AddressClass.MULTICAST),
    ("255.255.255.255/32", AddressClass.BROADCAST),
    ("240.0.0.0/4", AddressClass.RESERVED),
    ("::/128", AddressClass.UNSPECIFIED),
    ("::1/128", AddressClass.LOOPBACK),
    ("::/96", AddressClass.TRANSITION),  # IPv4-compatible
    ("::ffff:0:0/96", AddressClass.TRANSITION),  # IPv4-mapped
    ("::ffff:0:0:0/96", AddressClass.TRANSITION),  # IPv4-translated (RFC 2765)
    ("64:ff9b::/96", AddressClass.TRANSITION),  # NAT64
    ("64:ff9b:1::/48", AddressClass.TRANSITION),  # NAT64, local use
    ("100::/64", AddressClass.RESERVED),  # discard only
    ("2001::/32", AddressClass.TRANSITION),  # Teredo
    ("2001:db8::/32", AddressClass.DOCUMENTATION),
    ("2001::/23", AddressClass.RESERVED),
    ("2002::/16", AddressClass.TRANSITION),  # 6to4
    ("3fff::/20", AddressClass.DOCUMENTATION),
    ("5f00::/16", AddressClass.RESERVED),  # SRv6 identifiers
    ("fc00::/7", AddressClass.PRIVATE),
    ("fe80::/10", AddressClass.LINK_LOCAL),
    ("fec0::/10", AddressClass.PRIVATE),  # site-local, deprecated and still routed by some
    ("ff00::/8", AddressClass.MULTICAST),
)

_NETWORKS: tuple[tuple[IPNetwork, AddressClass], ...] = tuple(
    (ip_network(text), meaning) for text, meaning in _TABLE
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
"""All of IPv6 that IANA has given out for global unicast; the rest is reserved."""

_V4_IN_LOW_BITS = tuple(
    IPv6Network(text)
    for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96")
)
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")


def classify(address: IPAddress) -> AddressClass:
    """Say what an address is. A zone (`fe80::1%eth0`) doesn't change its class."""
    plain = without_zone(address)
    for network, meaning in _NETWORKS:
        if plain.version == network.version and plain in network:
            return meaning
    if isinstance(plain, IPv6Address) and plain not in _GLOBAL_UNICAST_V6:
        return AddressClass.RESERVED
    return AddressClass.GLOBAL if plain.is_global else AddressClass.RESERVED


def embedded_ipv4(address: IPAddress) -> IPv4Address | None:
    """The IPv4 address that an IPv6 form leads to, None where there is none or it can't be told.

    For Teredo that is the client's; the server's is only reached through the tunnel.
    """
    if isinstance(address, IPv4Address):
        return None
    value = int(address)
    if address in _TEREDO:
        return IPv4Address(~value & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address((value >> 80) & 0xFFFFFFFF)
    if any(address in network for network in _V4_IN_LOW_BITS):
        return IPv4Address(value & 0xFFFFFFFF)
    return None


def without_zone(address: IPAddress) -> IPAddress:
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return IPv6Address(int(address))
    return address


def same_place(address: IPAddress) -> IPAddress:
    """The address that the kernel really dials: `::ffff:127.0.0.1` is 127.0.0.1."""
    plain = without_zone(address)
    if isinstance(plain, IPv6Address) and plain.ipv4_mapped is not None:
        return plain.ipv4_mapped
    return plain


def parse_address(text: str) -> IPAddress | None:
    """The address a host is written as, without brackets; None for a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
