"""Turns a host name or an address into whether it may be dialled for somebody else. Pure.

Agents name upstreams and operators name where notifications go; neither may use this product to
reach what only its machine can reach. Who dials resolves first, looks at every address here, and
dials exactly those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network

from gateway.model.address import AddressClass, IPAddress, IPNetwork, classify, embedded_ipv4

_FORBIDDEN_NAMES = frozenset(
    {
        "localhost",
        "ip6-localhost",
        "ip6-loopback",
        "metadata",
        "instance-data",
        "kubernetes",
        "kubernetes.default",
    }
)
_FORBIDDEN_SUFFIXES = (".localhost", ".localdomain", ".local", ".internal", ".svc", ".home.arpa")
"""Names that mean this machine, the link or a private network by definition (RFC 6761, 6762 and
8375, ICANN's reservation of `internal`, Kubernetes services). Addresses are checked anyway; a name
is refused early so that nobody learns from the resolver whether it exists."""

_ENDS_IN_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")
"""Resolvers read such a name as an IPv4 address in octal, hexadecimal or short form."""


def is_local_name(host: str) -> bool:
    """Whether a lower-case name means this machine or its private network by definition."""
    return host in _FORBIDDEN_NAMES or host.endswith(_FORBIDDEN_SUFFIXES)


def may_be_address(host: str) -> bool:
    """Whether some resolver reads a name (that is no address to us) as an address, or it is none
    at all."""
    return not host or _ENDS_IN_NUMBER.search(host) is not None


def is_reachable(address: IPAddress, allowed: Iterable[IPNetwork]) -> bool:
    """Whether an address is public or in one of the networks that the operator allowed."""
    kind = classify(address)
    if kind is AddressClass.GLOBAL:
        return True
    networks = tuple(allowed)
    for network in networks:
        if address.version != network.version or address not in network:
            continue
        # A wide network never opens the metadata service by accident.
        if kind is AddressClass.METADATA and network.num_addresses > 1:
            continue
        inner = embedded_ipv4(address)
        if inner is None or is_reachable(inner, networks):
            return True
    return False


def parse_private_allowed(text: str) -> str | IPNetwork:
    """Parse what may be reached although it is not public: a host name (trusted wherever it
    leads), an address or a network (`10.1.0.0/16`).

    Raises:
        ValueError: it is none of these; the message says so in one sentence.
    """
    entry = text.strip().lower().rstrip(".")
    try:
        return ip_network(entry.strip("[]"))
    except ValueError:
        pass
    if not entry or not re.fullmatch(r"[a-z0-9_.-]+", entry) or _ENDS_IN_NUMBER.search(entry):
        raise ValueError(f"`{text}` is neither a host name nor a network")
    return entry
