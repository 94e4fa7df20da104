"""Every listener through which agents come in, as one part that starts and drains.

proxy         always: the client knows that it speaks to a proxy
transparent   the kernel redirected the client; needs a configured agent
reverse       the client was given a base URL for each provider
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.listener import Listener, MakeSession, proxy_session
from gateway.intercept.reverse import ReverseSession
from gateway.intercept.routes import parse_routes
from gateway.intercept.settings import InterceptSettings
from gateway.intercept.transparent import TransparentSession
from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem
from gateway.model.exchange import Authority
from gateway.ports import Clock, Governor

log = logging.getLogger(__name__)

_NO_SUCH_FAMILY = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@dataclass(frozen=True, slots=True)
class EntranceSettings:
    """Ways in beside the proxy; each is closed unless its port is given (0 takes any free one).

    `transparent_port`, `transparent_hosts`: where the kernel redirects connections to. Rules in the
    agent's own network namespace redirect to loopback, IPv4 and IPv6, which is the default; one
    that this machine does not have is left out.
    `reverse_port`, `reverse_host`: where base URLs lead to; loopback, since what they carry is not
    encrypted unless a client speaks TLS to it.
    `reverse`: the providers, as `NAME=https://HOST`; the base URL of one ends in `/NAME`.
    `reverse_names`: by what names, beside addresses, clients may call this gateway.

    Raises:
        ValueError: the providers can't be read, or have no port.
    """

    transparent_port: int | None = None
    transparent_hosts: tuple[str, ...] = ("127.0.0.1", "::1")
    reverse_port: int | None = None
    reverse_host: str = "127.0.0.1"
    reverse: tuple[str, ...] = ()
    reverse_names: tuple[str, ...] = ("localhost",)

    def __post_init__(self) -> None:
        parse_routes(self.reverse)
        if (self.reverse_port is None) is not (not self.reverse):
            raise ValueError("reverse and reverse_port belong together: set both or neither")


class Entrances:
    """All listeners of one gateway. `start`, then the addresses; `drain` ends them together."""

    def __init__(
        self,
        settings: EntranceSettings,
        intercept: InterceptSettings,
        governor: Governor,
        authority: CertificateAuthority,
        clock: Clock,
        new_id: Callable[[str], str],
        *,
        shares_ports: bool = False,
    ) -> None:
        self._settings = settings
        self._intercept = intercept
        self._make: Callable[[InterceptSettings, MakeSession], Listener] = (
            lambda limits, make_session: Listener(
                limits, governor, authority, clock, new_id, make_session, shares_port=shares_ports
            )
        )
        self.proxy = self._make(intercept, proxy_session)
        self.transparent: list[Listener] = []
        self.reverse: Listener | None = None

    @property
    def listeners(self) -> list[Listener]:
        """Those that are open, the proxy first."""
        reverse = [self.reverse] if self.reverse is not None else []
        return [self.proxy, *self.transparent, *reverse]

    def ready(self) -> dict[str, object]:
        """Where agents come in, for the ready line."""
        host, port = self.proxy.address
        places: dict[str, object] = {"proxy_host": host, "proxy_port": port}
        if self.transparent:
            places["transparent_port"] = self.transparent[0].address[1]
        if self.reverse is not None:
            places["reverse_url"] = f"http://{Authority(*self.reverse.address)}"
        return places

    async def start(self) -> None:
        """Open all, or raise with none of the others' sessions begun.

        Raises:
            ConfigurationError: `intercept.cannot_listen`, `intercept.no_agent`.
        """
        settings = self._settings
        if settings.transparent_port is not None and not self._intercept.configured_agent:
            problem = Problem(
                "CHECKREIN_TRANSPARENT_PORT", 0, 0,
                "redirected connections carry no credentials, and no agent is configured",
                "name the agent that acts here with CHECKREIN_CONFIGURED_AGENT",
            )  # fmt: skip
            raise ConfigurationError("intercept.no_agent", [problem])
        await self.proxy.start()
        if settings.transparent_port is not None:
            await self._start_transparent(settings.transparent_port)
        if settings.reverse_port is not None:
            make_session = partial(
                ReverseSession,
                routes=parse_routes(settings.reverse),
                names=frozenset(name.lower() for name in settings.reverse_names),
            )
            self.reverse = await self._open(
                "CHECKREIN_REVERSE_PORT", settings.reverse_host, settings.reverse_port, make_session
            )

    async def drain(self, seconds: float) -> None:
        """Drain all at the same time."""
        await asyncio.gather(*(listener.drain(seconds) for listener in self.listeners))

    async def _start_transparent(self, port: int) -> None:
        for host in self._settings.transparent_hosts:
            if not _is_here(host):
                log.warning("no connection can be redirected to an address that is not here")
                continue
            listener = await self._open(
                "CHECKREIN_TRANSPARENT_PORT", host, port, TransparentSession
            )
            self.transparent.append(listener)
            port = listener.address[1]

    async def _open(self, name: str, host: str, port: int, make_session: MakeSession) -> Listener:
        limits = replace(self._intercept, proxy_host=host, proxy_port=port)
        listener = self._make(limits, make_session)
        try:
            await listener.start()
        except ConfigurationError as error:
            problems = [replace(problem, file=name, help="name another port, or 0 for any free one")
                        for problem in error.problems]  # fmt: skip
            raise ConfigurationError(error.code, problems) from error
        return listener


def _is_here(host: str) -> bool:
    """Whether a numeric address is of this machine; a container may have no IPv6 at all."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return error.errno not in _NO_SUCH_FAMILY
    return True
