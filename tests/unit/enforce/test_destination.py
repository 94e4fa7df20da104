"""Which destinations an agent may reach, and where configuration may send a name."""

from __future__ import annotations

import pytest

from gateway.enforce.connect_to import ConnectTo, parse_connect_to
from gateway.enforce.destination import DestinationGuard, DestinationSettings
from gateway.model.errors import AgentProtocolError, UpstreamError
from gateway.model.exchange import Authority

PORTS = (443, 80)


class Names:
    """A resolver that knows a table and counts what it is asked."""

    def __init__(self, table: dict[str, list[str]]) -> None:
        self.table = table
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self.table:
            raise OSError("unknown name")
        return self.table[host]


def make_guard(
    names: dict[str, list[str]] | None = None,
    own: set[tuple[str, int]] | None = None,
    **settings: tuple[str, ...],
) -> DestinationGuard:
    return DestinationGuard(
        DestinationSettings(**settings),  # type: ignore[arg-type]
        set() if own is None else own,
        Names(names or {}),
    )


REFUSED_AUTHORITIES = {
    "a port nobody named": ("api.stripe.com", 22, "port 22"),
    "port zero": ("api.stripe.com", 0, "port 0"),
    "localhost": ("localhost", 443, "local use"),
    "a name under localhost": ("api.localhost", 443, "local use"),
    "multicast DNS": ("printer.local", 443, "local use"),
    "Google's metadata name": ("metadata.google.internal", 80, "local use"),
    "AWS's metadata name": ("instance-data", 80, "local use"),
    "a Kubernetes service": ("kubernetes.default.svc", 443, "local use"),
    "loopback": ("127.0.0.1", 443, "loopback"),
    "the metadata service": ("169.254.169.254", 80, "cloud metadata"),
    "a private address": ("10.0.0.1", 443, "private"),
    "mapped loopback": ("::ffff:127.0.0.1", 443, "IPv4 inside IPv6"),
    "link-local with a zone": ("fe80::1%eth0", 443, "interface"),
    "a public address with a zone": ("2606:4700::1%eth0", 443, "interface"),
    "a decimal address": ("2130706433", 443, "read as an address"),
    "a hexadecimal address": ("0x7f.1", 443, "read as an address"),
    "a hexadecimal address alone": ("0x7f000001", 443, "read as an address"),
    "an octal address": ("0177.0.0.1", 443, "read as an address"),
    "an empty name": ("", 443, "read as an address"),
}


@pytest.mark.parametrize(
    ("host", "port", "reason"), REFUSED_AUTHORITIES.values(), ids=REFUSED_AUTHORITIES.keys()
)
def test_authority_is_refused_before_it_is_resolved(host: str, port: int, reason: str) -> None:
    """403 with a reason, from the authority alone."""
    with pytest.raises(AgentProtocolError, match=reason) as caught:
        make_guard().check_authority(Authority(host, port), PORTS)
    assert (caught.value.code, caught.value.status) == ("destination.forbidden", 403)


ALLOWED_AUTHORITIES = {
    "a public name": ("api.stripe.com", 443),
    "a public name by plain HTTP": ("example.com", 80),
    "a public address": ("93.184.216.34", 443),
    "a public IPv6 address": ("2606:4700::1111", 443),
    "a name that only contains a reserved one": ("localhost.example.com", 443),
    "a name that only ends like a reserved one": ("thelocal", 443),
}


@pytest.mark.parametrize(
    ("host", "port"), ALLOWED_AUTHORITIES.values(), ids=ALLOWED_AUTHORITIES.keys()
)
def test_authority_is_allowed(host: str, port: int) -> None:
    """What is public passes."""
    make_guard().check_authority(Authority(host, port), PORTS)


REFUSED_ANSWERS = {
    "a private address": ["10.0.0.1"],
    "a good and a bad address": ["93.184.216.34", "127.0.0.1"],
    "a bad address beyond the limit": ["93.184.216.34"] * 20 + ["127.0.0.1"],
    "the metadata service by NAT64": ["64:ff9b::a9fe:a9fe"],
    "Azure's wire server": ["168.63.129.16"],
    "link-local with a zone": ["fe80::1%2"],
}


@pytest.mark.parametrize("addresses", REFUSED_ANSWERS.values(), ids=REFUSED_ANSWERS.keys())
async def test_name_is_refused_when_one_address_is_bad(addresses: list[str]) -> None:
    """One bad address refuses all of them, so that no order of answers helps."""
    guard = make_guard({"evil.example": addresses})
    with pytest.raises(UpstreamError) as caught:
        await guard.resolve(Authority("evil.example", 443))
    error = caught.value
    assert (error.code, error.status, error.sent) == ("destination.forbidden", 403, False)


async def test_checked_addresses_are_given_in_order_and_bounded() -> None:
    """What is dialled is what was checked."""
    addresses = [f"93.184.216.{last}" for last in range(30)]
    guard = make_guard({"api.example": addresses})
    found = await guard.resolve(Authority("api.example", 8443))
    assert found == [(address, 8443) for address in addresses[:16]]


BAD_NAMES = {
    "unknown name": ({}, "upstream.name_unknown"),
    "no address": ({"api.example": []}, "upstream.name_unknown"),
    "an answer that is no address": ({"api.example": ["nonsense"]}, "upstream.name_unknown"),
}


@pytest.mark.parametrize(("names", "code"), BAD_NAMES.values(), ids=BAD_NAMES.keys())
async def test_unresolvable_name(names: dict[str, list[str]], code: str) -> None:
    """Nothing to dial is a failure that says so, and nothing was sent."""
    with pytest.raises(UpstreamError) as caught:
        await make_guard(names).resolve(Authority("api.example", 443))
    assert (caught.value.code, caught.value.sent) == (code, False)


NAMED_BY_CONFIGURATION = {
    "a network": (("10.1.0.0/16",), "db.example", "10.1.2.3"),
    "one address": (("10.1.2.3",), "db.example", "10.1.2.3"),
    "a host wherever it leads": (("db.internal",), "db.internal", "10.9.9.9"),
    "the metadata service by its exact address": (
        ("169.254.169.254",), "md.example", "169.254.169.254",
    ),
    "NAT64 leading to a public address": (("64:ff9b::/96",), "v6.example", "64:ff9b::808:808"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("allowed", "host", "address"),
    NAMED_BY_CONFIGURATION.values(),
    ids=NAMED_BY_CONFIGURATION.keys(),
)
async def test_configuration_may_name_private_places(
    allowed: tuple[str, ...], host: str, address: str
) -> None:
    """What the operator named may be reached."""
    guard = make_guard({host: [address]}, private_allowed=allowed)
    guard.check_authority(Authority(host, 443), PORTS)
    assert await guard.resolve(Authority(host, 443)) == [(address, 443)]


NOT_NAMED = {
    "another network": (("10.1.0.0/16",), "10.2.0.1"),
    "the metadata service inside a wide network": (("0.0.0.0/0",), "169.254.169.254"),
    "NAT64 leading to a private address": (("64:ff9b::/96",), "64:ff9b::a00:1"),
    "another host": (("db.internal",), "10.0.0.1"),
}


@pytest.mark.parametrize(("allowed", "address"), NOT_NAMED.values(), ids=NOT_NAMED.keys())
async def test_configuration_opens_no_more_than_it_names(
    allowed: tuple[str, ...], address: str
) -> None:
    """A wide network doesn't open the metadata service, nor a prefix what hides in it."""
    guard = make_guard({"evil.example": [address]}, private_allowed=allowed)
    with pytest.raises(UpstreamError, match="not public"):
        await guard.resolve(Authority("evil.example", 443))


async def test_connect_to_sends_a_name_elsewhere_without_resolving_it() -> None:
    """The address that configuration names is trusted, and the name is never asked for."""
    names = Names({})
    settings = DestinationSettings(connect_to=("api.stripe.com:443:127.0.0.1:8443",))
    guard = DestinationGuard(settings, set(), names)
    guard.check_authority(Authority("api.stripe.com", 443), PORTS)
    assert await guard.resolve(Authority("api.stripe.com", 443)) == [("127.0.0.1", 8443)]
    assert names.asked == []


async def test_connect_to_names_a_port_that_is_not_usual() -> None:
    """A rule with a port allows that port; one without a port doesn't."""
    guard = make_guard(connect_to=("db.example:9443:127.0.0.1:1", "x.example::127.0.0.1:1"))
    guard.check_authority(Authority("db.example", 9443), PORTS)
    with pytest.raises(AgentProtocolError, match="port 9443"):
        guard.check_authority(Authority("x.example", 9443), PORTS)


async def test_connect_to_that_changes_the_port_alone_trusts_nothing() -> None:
    """Only an address that configuration wrote down is trusted."""
    guard = make_guard({"api.example": ["10.0.0.1"]}, connect_to=("api.example:443::8443",))
    with pytest.raises(UpstreamError, match="not public"):
        await guard.resolve(Authority("api.example", 443))
    with pytest.raises(AgentProtocolError, match="loopback"):
        make_guard(connect_to=(":::8443",)).check_authority(Authority("127.0.0.1", 443), PORTS)


OWN = {
    "the same address": ("127.0.0.1", "127.0.0.1"),
    "a wildcard listener by loopback": ("0.0.0.0", "127.0.0.1"),
    "an IPv6 wildcard listener by IPv4": ("::", "127.0.0.1"),
    "loopback by 0.0.0.0": ("127.0.0.1", "0.0.0.0"),
    "loopback by its mapped form": ("127.0.0.1", "[::ffff:127.0.0.1]"),
    "loopback by NAT64": ("127.0.0.1", "[64:ff9b::7f00:1]"),
    "loopback by another of its addresses": ("127.0.0.1", "127.9.9.9"),
}


@pytest.mark.parametrize(("own", "target"), OWN.values(), ids=OWN.keys())
async def test_own_listeners_are_refused_whatever_configuration_says(own: str, target: str) -> None:
    """No rule lets an agent reach the gateway's own ports; other ports of the machine are fine."""
    rule = f"api.example:443:{target}:3128"
    guard = make_guard(own={(own, 3128)}, connect_to=(rule, f"b.example:443:{target}:3129"))
    with pytest.raises(UpstreamError, match="gateway's own"):
        await guard.resolve(Authority("api.example", 443))
    with pytest.raises(AgentProtocolError, match="gateway's own"):
        guard.check_authority(Authority("api.example", 443), PORTS)
    assert len(await guard.resolve(Authority("b.example", 443))) == 1


async def test_own_addresses_may_be_added_later() -> None:
    """Listeners open after the guard is made, and count at once."""
    own: set[tuple[str, int]] = set()
    guard = make_guard(own=own, private_allowed=("127.0.0.0/8",))
    authority = Authority("127.0.0.1", 443)
    guard.check_authority(authority, PORTS)
    own.add(("127.0.0.1", 443))
    with pytest.raises(AgentProtocolError, match="gateway's own"):
        guard.check_authority(authority, PORTS)


CONNECT_TO = {
    "all four": ("a:1:b:2", ConnectTo("a", 1, "b", 2)),
    "any host": (":443:b:2", ConnectTo(None, 443, "b", 2)),
    "any port": ("a::b:2", ConnectTo("a", None, "b", 2)),
    "unchanged host": ("a:1::2", ConnectTo("a", 1, None, 2)),
    "unchanged port": ("a:1:b:", ConnectTo("a", 1, "b", None)),
    "IPv6": ("[2001:DB8::1]:1:[::1]:2", ConnectTo("2001:db8::1", 1, "::1", 2)),
    "case and a trailing dot": ("API.Example.:443:B:2", ConnectTo("api.example", 443, "b", 2)),
}


@pytest.mark.parametrize(("text", "expected"), CONNECT_TO.values(), ids=CONNECT_TO.keys())
def test_connect_to_is_read_as_curl_reads_it(text: str, expected: ConnectTo) -> None:
    """Empty fields are wildcards or "unchanged"."""
    assert parse_connect_to(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a", "a:1", "a:1:b", ":::", "a:0:b:1", "a:65536:b:1", "a:x:b:1", "::1:443:b:1"]
)
def test_unreadable_connect_to_is_a_configuration_error(text: str) -> None:
    """A rule that can't be read stops the start; it never means "no rule"."""
    with pytest.raises(ValueError, match="HOST:PORT:ADDRESS:PORT"):
        DestinationSettings(connect_to=(text,))


@pytest.mark.parametrize("text", ["", "10.0.0.0/99", "a b", "127.1", "*.internal"])
def test_unreadable_private_allowed_is_a_configuration_error(text: str) -> None:
    """The same for the names and networks."""
    with pytest.raises(ValueError, match="neither"):
        DestinationSettings(private_allowed=(text,))
