"""Dials what a tenant's channel names, and only what is public or allowed by the operator.

A name is resolved once for a connection, every address is looked at, and the addresses that were
looked at are dialled: a name that leads elsewhere a moment later gains nothing. No redirect is
followed, no proxy of the environment used, nothing kept from one request to the next.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from controlplane.notify.threads import run_apart
from gateway.model.address import classify, parse_address
from gateway.model.errors import CheckreinError
from gateway.model.reach import (
    is_local_name,
    is_reachable,
    may_be_address,
    parse_private_allowed,
)

REQUEST_SECONDS_MAX: Final = 10.0
CONNECT_SECONDS_MAX: Final = 5.0
RESPONSE_BYTES_MAX: Final = 64 * 1024
"""Receivers answer a word or two, Slack some kilobytes; the rest is not read."""

Resolver = Callable[[str, int], Awaitable[list[str]]]


class OutboundError(CheckreinError):
    """It may not be dialled, or can't be. The message is safe to show."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__("notify.outbound", message, retryable=not is_final)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side said; `body` is cut at `RESPONSE_BYTES_MAX`."""

    status: int
    headers: Any
    body: bytes


async def resolve_name(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = await run_apart(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class OutboundGuard:
    """Says where notifications may go. `allowed` are hosts and networks that the operator wrote.

    Raises:
        ValueError: one of them can't be read.
    """

    def __init__(self, allowed: Sequence[str] = (), resolver: Resolver = resolve_name) -> None:
        parsed = [parse_private_allowed(text) for text in allowed]
        self._hosts = frozenset(entry for entry in parsed if isinstance(entry, str))
        self._networks = tuple(entry for entry in parsed if not isinstance(entry, str))
        self._resolver = resolver

    def allows_plain(self, host: str) -> bool:
        """Whether the operator named this host: only then may it be spoken to without TLS."""
        address = parse_address(host)
        if address is None:
            return _plain(host) in self._hosts
        return any(
            address.version == network.version and address in network for network in self._networks
        )

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to dial, all of them looked at.

        Raises:
            OutboundError: it may not be reached, or the name is not known.
        """
        name = _plain(host)
        literal = parse_address(name)
        if literal is not None:
            found = [name]
        else:
            if ":" in name or may_be_address(name):
                raise OutboundError("the host could be read as an address", is_final=True)
            if name not in self._hosts and is_local_name(name):
                raise OutboundError("the host name is for local use only", is_final=True)
            found = await self._resolve(name, port)
        for text in found:
            address = parse_address(text)
            if address is None:
                raise OutboundError("the host name could not be resolved")
            if name in self._hosts:
                continue
            if "%" in text or not is_reachable(address, self._networks):
                # The class is told and the address is not: it may come from a private zone.
                raise OutboundError(
                    f"the address is not public ({classify(address)}); an operator can allow it "
                    "with CHECKREIN_WEBHOOK_ALLOW",
                    is_final=True,
                )
        return found

    async def _resolve(self, name: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                found = await self._resolver(name, port)
        except (TimeoutError, OSError, UnicodeError):
            found = []
        if not found:
            raise OutboundError("the host name could not be resolved")
        return found


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: OutboundGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._guard.addresses(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing is kept."""


async def post(
    guard: OutboundGuard | None,
    url: str,
    body: bytes,
    headers: dict[str, str],
    seconds_max: float = REQUEST_SECONDS_MAX,
    method: str = "POST",
) -> Reply:
    """POST (or PUT) once. Without a guard for an address that the operator has set, never a tenant.

    Raises:
        OutboundError: nothing came back.
    """
    if guard is not None:
        # The client asks no resolver for what looks like an address to it, such as `2130706433`.
        await guard.addresses(URL(url).host or "", 0)
    connector = aiohttp.TCPConnector(
        resolver=None if guard is None else _GuardedResolver(guard),
        use_dns_cache=False,
        force_close=True,
        ssl=tls_context(),
    )
    timeout = aiohttp.ClientTimeout(total=seconds_max, connect=CONNECT_SECONDS_MAX)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            ) as session,
            session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as response,
        ):
            return Reply(response.status, response.headers, await _start_of(response))
    except TimeoutError:
        raise OutboundError("no answer in time") from None
    except aiohttp.ClientConnectorCertificateError:
        raise OutboundError("its certificate is not trusted") from None
    except aiohttp.ClientSSLError:
        raise OutboundError("no TLS connection came about") from None
    except aiohttp.ClientConnectorError:
        raise OutboundError("no connection came about") from None
    except (aiohttp.ClientError, OSError, ValueError):
        # The library's words may repeat the URL, which may hold a secret.
        raise OutboundError("the connection failed") from None


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    left = RESPONSE_BYTES_MAX
    async for part in response.content.iter_chunked(16 * 1024):
        parts.append(part[:left])
        left -= len(part)
        if left <= 0:
            break
    return b"".join(parts)


@cache
def tls_context() -> ssl.SSLContext:
    """Certificates are verified with the system's roots, or certifi's where it has none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _plain(host: str) -> str:
    return host.strip("[]").lower().rstrip(".")
