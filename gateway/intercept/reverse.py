"""The listener of base URLs: for clients that take one, and know nothing of proxies.

Who acts is said in a header of ours, `checkrein-key: AGENT:KEY`, which never goes further; the
Authorization header is the provider's, and a key in a path would lie in logs. Without it the
sidecar's configured agent acts. Only names of ours are served, so that no page in a browser can
reach this port by a name of its own (DNS rebinding).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

from gateway.intercept.http1 import Head
from gateway.intercept.redirected import is_tls
from gateway.intercept.request import Credentials, host_authority, read_credentials
from gateway.intercept.routes import Route, find_route
from gateway.intercept.session import Session, Surroundings
from gateway.intercept.tunnel import peek_first, peek_hello
from gateway.model.address import parse_address
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, Principal
from gateway.wire.socket_wire import SocketWire

KEY: Final = b"checkrein-key"


_NOBODY: Final = "agent.unauthenticated"
_WHAT_TO_DO: Final = {
    _NOBODY: "name an agent in the header `checkrein-key: AGENT:KEY`; "
    "`checkrein agents create AGENT` makes one and its key",
    "agent.unknown": "the header `checkrein-key` names no agent with that key, or it has ended; "
    "write `AGENT:KEY` with the whole key, or make a new one: `checkrein agents create AGENT`",
}
"""By the code; nobody is told which of the two is wrong, the name or the key."""


class ReverseSession(Session):
    """One connection to a base URL."""

    looks_first = True

    takes_http2 = False
    """A base URL is for clients of HTTP/1.1."""

    def __init__(
        self,
        surroundings: Surroundings,
        sock: socket.socket,
        routes: Mapping[bytes, Route],
        names: frozenset[str],
    ) -> None:
        super().__init__(surroundings)
        self._routes = routes
        self._names = names
        self._own = Authority(*sock.getsockname()[:2])

    async def _serve(self, wire: SocketWire) -> None:
        seconds_max = self._s.settings.tls_seconds_max
        self._is_answerable = False
        if not is_tls(await peek_first(wire, seconds_max)):
            wire.resume_reading()
            self._is_answerable = True
            await self._serve_exchanges(self._own, None)
            return
        hello = await peek_hello(wire, seconds_max)
        name = hello.server_name or self._own.host
        self._check_name(name.lower())
        await self._serve_tls(wire, hello, name.lower(), self._own, None)

    async def _serve_exchanges(
        self, authority: Authority, mismatch: AgentProtocolError | None
    ) -> None:
        """Serve what comes, in TLS or without."""
        while True:
            head = await self.inlet.read_head(self._s.settings.keep_alive_seconds_max)
            if head.method == "CONNECT":
                raise AgentProtocolError("request.connect_inside", "CONNECT is for proxies")
            self._check_name(host_authority(head, authority.port).host)
            _refuse_pages(head)
            self._credentials = _credentials(head.control.get(KEY))
            principal = await self._recognize()
            route, head = find_route(head, self._routes)
            self._authority = route.authority
            self._rewrite_answer = route.rewrite_answer
            self._s.governor.admit_tunnel(principal, route.authority)
            if not await self._exchange(head, route.scheme, route.authority, head.target):
                return

    async def _recognize(self) -> Principal:
        try:
            return await super()._recognize()
        except AgentProtocolError as error:
            # 407 is a proxy's word, and not said to a client that believes to speak to a server.
            raise AgentProtocolError(
                error.code, _WHAT_TO_DO.get(error.code, _WHAT_TO_DO[_NOBODY]), 401
            ) from error

    def _check_name(self, name: str) -> None:
        """An address can't be rebound: whoever names it reaches it by itself."""
        if name not in self._names and parse_address(name) is None:
            raise AgentProtocolError(
                "reverse.foreign_name", "the Host header names neither us nor an address", 421
            )


def _refuse_pages(head: Head) -> None:
    """A page of somebody else's can make a browser here ask us, and the configured agent would act.

    Browsers say so by Fetch Metadata, but only to a place that they trust, which plain HTTP on
    another machine is not; and by Origin, with what changes something and with every WebSocket
    (RFC 6455, section 10.2). SDKs have no reason to send either.
    """
    is_ours = head.fields.get(b"sec-fetch-site", b"none") in (b"none", b"same-origin")
    if b"origin" in head.fields:
        scheme, _, host = head.fields[b"origin"].partition(b"://")
        is_ours = is_ours and scheme in (b"http", b"https") and host == head.fields.get(b"host")
    if not is_ours:
        raise AgentProtocolError(
            "reverse.foreign_page", "a browser asks for a page of somebody else's", 403
        )


def _credentials(value: bytes | None) -> Credentials | None:
    if value is None:
        return None
    credentials = read_credentials(value)
    if credentials is None:
        raise AgentProtocolError(
            "agent.bad_credentials", "`checkrein-key` is not AGENT:KEY or AGENT+RUN:KEY", 401
        )
    return credentials
