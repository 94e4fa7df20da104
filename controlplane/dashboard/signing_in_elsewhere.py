"""The way to an OpenID provider and back: two addresses, for people who are not signed in yet."""

from __future__ import annotations

import logging

from aiohttp import web

from controlplane.dashboard.cookies import Cookie
from controlplane.dashboard.gate import SIGN_IN, Gate, Handler, next_path
from controlplane.dashboard.oidc import FLOW_SECONDS, OidcClient, OidcError, unavailable
from controlplane.dashboard.throttle import Throttle
from controlplane.dashboard.visit import redirect
from controlplane.faults import ControlFault, Fault
from controlplane.store.sessions import SignedInBy

log = logging.getLogger(__name__)


class SignInElsewhere:
    """`public_url`: where browsers reach us; None: where this request came."""

    def __init__(
        self, gate: Gate, throttle: Throttle, client: OidcClient, public_url: str | None
    ) -> None:
        self._gate = gate
        self._throttle = throttle
        self._client = client
        self._public_url = public_url

    async def begin(self, request: web.Request) -> web.StreamResponse:
        """`GET /dashboard/sign-in/elsewhere`."""
        if self._throttle.wait_seconds(request.remote or ""):
            raise ControlFault(Fault.UNAVAILABLE, "too many tries; wait a minute")
        wanted = next_path(request.query.get("next", ""))
        try:
            where, cookie = await self._client.begin(wanted, self._back_url(request))
        except OidcError as error:
            log.warning("the OpenID provider can't be used", extra={"detail": str(error)})
            raise unavailable() from error
        response = redirect(where)
        self._gate.cookies.put(response, Cookie.FLOW, cookie, FLOW_SECONDS)
        return response

    async def back(self, request: web.Request) -> web.StreamResponse:
        """`GET /dashboard/sign-in/back`, where the provider sends people."""
        gate = self._gate
        cookie = gate.cookies.read(request, Cookie.FLOW)
        try:
            email, wanted = await self._client.finish(
                cookie, request.query, self._back_url(request)
            )
        except OidcError as error:
            log.info("a sign-in elsewhere was refused", extra={"detail": str(error)})
            raise ControlFault(
                Fault.FORBIDDEN, "the sign-in did not work; begin it again from the sign-in page"
            ) from error
        sessions = gate.services.sessions
        caller = await sessions.person_named(email)
        if caller is None:
            raise ControlFault(
                Fault.FORBIDDEN,
                f"nobody here is called {email}; ask an administrator for a key of that name",
            )
        token = await sessions.open_for(caller, SignedInBy.OIDC)
        # A page, not a redirect: browsers keep a strict cookie back on a chain of redirects that
        # another site began.
        response = gate.renderer.bare(
            request, gate.theme_of(request), "onward.html", 200, onward=next_path(wanted)
        )
        gate.cookies.put(response, Cookie.SESSION, token)
        gate.cookies.drop(response, Cookie.FLOW)
        return response

    def _back_url(self, request: web.Request) -> str:
        base = self._public_url or f"{request.scheme}://{request.host}"
        return f"{base.rstrip('/')}{SIGN_IN}/back"

    def routes(self) -> list[tuple[str, str, Handler]]:
        return [("GET", "/sign-in/elsewhere", self.begin), ("GET", "/sign-in/back", self.back)]
