"""What an address is, whatever it is written as."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest

from gateway.model.address import AddressClass, classify, embedded_ipv4

CLASSES = {
    "a public IPv4 address": ("93.184.216.34", AddressClass.GLOBAL),
    "the last address before 10/8": ("9.255.255.255", AddressClass.GLOBAL),
    "the first address after 10/8": ("11.0.0.0", AddressClass.GLOBAL),
    "the first address before 172.16/12": ("172.15.255.255", AddressClass.GLOBAL),
    "the first address after 172.16/12": ("172.32.0.0", AddressClass.GLOBAL),
    "the first address after 100.64/10": ("100.128.0.0", AddressClass.GLOBAL),
    "a public IPv6 address": ("2606:4700::1111", AddressClass.GLOBAL),
    "0.0.0.0, which Linux sends to itself": ("0.0.0.0", AddressClass.UNSPECIFIED),
    "the rest of 0/8": ("0.1.2.3", AddressClass.UNSPECIFIED),
    "loopback": ("127.0.0.1", AddressClass.LOOPBACK),
    "the far end of loopback": ("127.255.255.254", AddressClass.LOOPBACK),
    "10/8": ("10.1.2.3", AddressClass.PRIVATE),
    "172.16/12": ("172.31.255.255", AddressClass.PRIVATE),
    "192.168/16": ("192.168.0.1", AddressClass.PRIVATE),
    "carrier-grade NAT": ("100.64.0.1", AddressClass.SHARED),
    "the end of carrier-grade NAT": ("100.127.255.255", AddressClass.SHARED),
    "link-local": ("169.254.1.1", AddressClass.LINK_LOCAL),
    "the metadata service": ("169.254.169.254", AddressClass.METADATA),
    "ECS task credentials": ("169.254.170.2", AddressClass.METADATA),
    "EKS pod identity": ("169.254.170.23", AddressClass.METADATA),
    "Alibaba's metadata service": ("100.100.100.200", AddressClass.METADATA),
    "Azure's wire server, a public address": ("168.63.129.16", AddressClass.METADATA),
    "IETF protocol assignments": ("192.0.0.8", AddressClass.RESERVED),
    "TEST-NET-1": ("192.0.2.1", AddressClass.DOCUMENTATION),
    "TEST-NET-2": ("198.51.100.1", AddressClass.DOCUMENTATION),
    "TEST-NET-3": ("203.0.113.1", AddressClass.DOCUMENTATION),
    "benchmarking": ("198.19.255.255", AddressClass.RESERVED),
    "6to4 relay anycast": ("192.88.99.1", AddressClass.TRANSITION),
    "multicast": ("224.0.0.251", AddressClass.MULTICAST),
    "class E": ("240.0.0.1", AddressClass.RESERVED),
    "broadcast": ("255.255.255.255", AddressClass.BROADCAST),
    "IPv6 unspecified": ("::", AddressClass.UNSPECIFIED),
    "IPv6 loopback": ("::1", AddressClass.LOOPBACK),
    "mapped loopback": ("::ffff:127.0.0.1", AddressClass.TRANSITION),
    "mapped public address": ("::ffff:8.8.8.8", AddressClass.TRANSITION),
    "compatible form": ("::127.0.0.1", AddressClass.TRANSITION),
    "translated form": ("::ffff:0:10.0.0.1", AddressClass.TRANSITION),
    "NAT64 of a private address": ("64:ff9b::a00:1", AddressClass.TRANSITION),
    "NAT64 of a public address": ("64:ff9b::808:808", AddressClass.TRANSITION),
    "NAT64 for local use": ("64:ff9b:1::1", AddressClass.TRANSITION),
    "6to4": ("2002:7f00:1::", AddressClass.TRANSITION),
    "Teredo": ("2001:0:4136:e378:8000:63bf:80ff:fffe", AddressClass.TRANSITION),
    "discard only": ("100::1", AddressClass.RESERVED),
    "IPv6 documentation": ("2001:db8::1", AddressClass.DOCUMENTATION),
    "newer IPv6 documentation": ("3fff::1", AddressClass.DOCUMENTATION),
    "ORCHID": ("2001:20::1", AddressClass.RESERVED),
    "unique local": ("fd12::1", AddressClass.PRIVATE),
    "AWS's IPv6 metadata service": ("fd00:ec2::254", AddressClass.METADATA),
    "IPv6 link-local": ("fe80::1", AddressClass.LINK_LOCAL),
    "IPv6 link-local with a zone": ("fe80::1%eth0", AddressClass.LINK_LOCAL),
    "site-local": ("fec0::1", AddressClass.PRIVATE),
    "IPv6 multicast": ("ff02::1", AddressClass.MULTICAST),
    "IPv6 never given out": ("4000::1", AddressClass.RESERVED),
}


@pytest.mark.parametrize(("text", "expected"), CLASSES.values(), ids=CLASSES.keys())
def test_address_is_classified(text: str, expected: AddressClass) -> None:
    """Only global unicast is GLOBAL; everything else says what it is."""
    assert classify(ip_address(text)) is expected


EMBEDDED = {
    "mapped": ("::ffff:127.0.0.1", "127.0.0.1"),
    "compatible": ("::10.0.0.1", "10.0.0.1"),
    "NAT64": ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
    "6to4": ("2002:c0a8:1::", "192.168.0.1"),
    "Teredo's client": ("2001:0:4136:e378:8000:63bf:80ff:fffe", "127.0.0.1"),
    "a plain IPv6 address has none": ("2606:4700::1111", None),
}


@pytest.mark.parametrize(("text", "inner"), EMBEDDED.values(), ids=EMBEDDED.keys())
def test_embedded_address_is_found(text: str, inner: str | None) -> None:
    """The IPv4 address that an IPv6 form leads to."""
    expected = IPv4Address(inner) if inner else None
    assert embedded_ipv4(ip_address(text)) == expected
