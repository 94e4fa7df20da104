"""Turns the authority that was decided on into addresses that may be dialled, or a refusal.

The guard against an agent that uses the gateway to reach what only the gateway can reach: its own
ports, the machine, the private network, the metadata service of the cloud. Names are resolved
here, once per connection, every address is checked, and the checked addresses are what is dialled.
It must never hand out an address that it has not looked at, and never use only a part of a name's
addresses because another part was bad.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection

from gateway.enforce.connect_to import ConnectTo, find_override, parse_connect_to
from gateway.enforce.name_lookup import resolve_name
from gateway.model.address import (
    IPAddress,
    classify,
    embedded_ipv4,
    parse_address,
    same_place,
)
from gateway.model.dataclass import dataclass
from gateway.model.errors import AgentProtocolError, UpstreamError
from gateway.model.exchange import Authority
from gateway.model.reach import (
    is_local_name,
    is_reachable,
    may_be_address,
    parse_private_allowed,
)

__all__ = [
    "ConnectTo",
    "DestinationGuard",
    "DestinationSettings",
    "parse_connect_to",
    "parse_private_allowed",
]

FORBIDDEN = "destination.forbidden"

Endpoint = tuple[str, int]
"""A numeric address and a port."""

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Numeric addresses of a name, in the order to try. Raises OSError as `getaddrinfo` does."""


@dataclass(frozen=True, slots=True)
class DestinationSettings:
    """`connect_to` and `private_allowed` are texts that the operator wrote, checked here and read
    by `parse_connect_to` and `parse_private_allowed`. `resolve_seconds_max` leaves common
    resolvers time for their second server (5 s each). `resolve_addresses_max` bounds how many are
    tried; large services publish 8 or so.

    Raises:
        ValueError: one of the texts can't be read.
    """

    connect_to: tuple[str, ...] = ()
    private_allowed: tuple[str, ...] = ()
    resolve_seconds_max: float = 10.0
    resolve_addresses_max: int = 16

    def __post_init__(self) -> None:
        for text in self.connect_to:
            parse_connect_to(text)
        for text in self.private_allowed:
            parse_private_allowed(text)


class DestinationGuard:
    """Says where connections may go.

    `own_addresses` are this product's listeners, filled in by `app` as they open (a wildcard
    address stands for every address of this machine). INVARIANT(own-ports): they are refused
    whatever configuration says, so that no agent can answer its own approval.
    """

    def __init__(
        self,
        settings: DestinationSettings,
        own_addresses: Collection[Endpoint],
        resolver: Resolver | None = None,
    ) -> None:
        self._settings = settings
        self._own_addresses = own_addresses
        self._resolver = resolver or resolve_name
        self._connect_to = tuple(parse_connect_to(text) for text in settings.connect_to)
        allowed = [parse_private_allowed(text) for text in settings.private_allowed]
        self._hosts = frozenset(entry for entry in allowed if isinstance(entry, str))
        self._networks = tuple(entry for entry in allowed if not isinstance(entry, str))

    def check_authority(self, authority: Authority, ports_allowed: tuple[int, ...]) -> None:
        """Refuse what can be told to be wrong from the authority alone, before any resolver.

        Raises:
            AgentProtocolError: `destination.forbidden`, status 403.
        """
        try:
            self._check_authority(authority, ports_allowed)
        except UpstreamError as error:
            raise AgentProtocolError(error.code, error.message, status=403) from None

    async def resolve(self, authority: Authority) -> list[Endpoint]:
        """Find the addresses to dial, all of them checked, in the order to try them.

        Raises:
            UpstreamError: `destination.forbidden` (403), `upstream.name_unknown` (502),
                `upstream.name_timed_out` (504).
        """
        rule = find_override(self._connect_to, authority)
        goal = rule.apply(authority) if rule else authority
        is_trusted = rule is not None and rule.to_host is not None
        if not is_trusted:
            self._check_host(goal.host)
        addresses = await self._addresses(goal)
        for address in addresses:
            self._check_address(address, goal, is_trusted=is_trusted)
        return [
            (str(address), goal.port)
            for address in addresses[: self._settings.resolve_addresses_max]
        ]

    # --- the rules --------------------------------------------------------------------------------

    def _check_authority(self, authority: Authority, ports_allowed: tuple[int, ...]) -> None:
        rule = find_override(self._connect_to, authority)
        port_is_named = rule is not None and rule.port is not None
        if authority.port not in ports_allowed and not port_is_named:
            raise _forbidden(f"port {authority.port} is not one that agents may use")
        goal = rule.apply(authority) if rule else authority
        is_trusted = rule is not None and rule.to_host is not None
        if not is_trusted:
            self._check_host(goal.host)
        address = parse_address(goal.host)
        if address is not None:
            self._check_address(address, goal, is_trusted=is_trusted)

    def _check_host(self, host: str) -> None:
        if host in self._hosts or parse_address(host) is not None:
            return
        if is_local_name(host):
            raise _forbidden("the host name is reserved for local use")
        if may_be_address(host):
            raise _forbidden("the host name could be read as an address")

    def _check_address(self, address: IPAddress, goal: Authority, *, is_trusted: bool) -> None:
        if self._is_own(address, goal.port):
            raise _forbidden("the address is one of the gateway's own")
        if is_trusted or goal.host in self._hosts:
            return
        if "%" in str(address):
            raise _forbidden("the address names a network interface")
        if not is_reachable(address, self._networks):
            # The class is told and the address is not: it may come from a private zone.
            raise _forbidden(f"the destination's address is not public ({classify(address)})")

    def _is_own(self, address: IPAddress, port: int) -> bool:
        own_ports = [(host, own) for host, own in self._own_addresses if own == port]
        if not own_ports:
            return False
        inner = embedded_ipv4(address)
        places = {same_place(address), address} | ({inner} if inner else set())
        for host, _ in own_ports:
            own = parse_address(host)
            if own is None or own.is_unspecified:
                if any(is_of_this_machine(place) for place in places):
                    return True
            elif same_place(own) in places or any(
                place.is_unspecified or (place.is_loopback and own.is_loopback) for place in places
            ):
                return True
        return False

    # --- names ------------------------------------------------------------------------------------

    async def _addresses(self, goal: Authority) -> list[IPAddress]:
        literal = parse_address(goal.host)
        if literal is not None:
            return [literal]
        try:
            async with asyncio.timeout(self._settings.resolve_seconds_max):
                found = await self._resolver(goal.host, goal.port)
        except TimeoutError as error:
            raise UpstreamError(
                "upstream.name_timed_out",
                "the host name could not be resolved in time",
                sent=False,
                status=504,
            ) from error
        except (OSError, UnicodeError) as error:
            raise _unknown_name() from error
        addresses = [parse_address(text) for text in found]
        if not addresses or None in addresses:
            raise _unknown_name()
        return [address for address in addresses if address is not None]


def is_of_this_machine(address: IPAddress) -> bool:
    """Whether the kernel would deliver to this machine: only then can the address be bound.

    Where the kernel allows binding to foreign addresses (`ip_nonlocal_bind`), every address looks
    like ours and is refused: on the side of safety.
    """
    if address.is_loopback or address.is_unspecified:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _forbidden(message: str) -> UpstreamError:
    return UpstreamError(FORBIDDEN, message, sent=False, status=403)


def _unknown_name() -> UpstreamError:
    return UpstreamError("upstream.name_unknown", "the host name could not be resolved", sent=False)
