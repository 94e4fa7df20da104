"""The sign-in page: a person's key, once, against a session.

It says the same of every key that is not good, takes the same work for each, and is throttled. The
form is bound to the browser that opened it, so that nobody can be signed in by another site.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from typing import Final

from aiohttp import web

from controlplane.auth import KEY_LENGTH_MAX
from controlplane.dashboard import csrf
from controlplane.dashboard.cookies import Cookie
from controlplane.dashboard.gate import Gate, Handler, next_path
from controlplane.dashboard.throttle import Throttle
from controlplane.dashboard.visit import read_fields, redirect
from controlplane.faults import ControlFault, Fault

log = logging.getLogger(__name__)

DOOR_SECONDS: Final = 3_600

_NOT_GOOD: Final = "This key is not valid. It may be mistyped, revoked or expired."
_STALE: Final = "The page was open for too long. Please try again."


class SignIn:
    def __init__(self, gate: Gate, throttle: Throttle, has_elsewhere: bool) -> None:
        self._gate = gate
        self._throttle = throttle
        self._has_elsewhere = has_elsewhere

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /dashboard/sign-in`."""
        wanted = next_path(request.query.get("next", ""))
        if await self._gate.session_of(request) is not None:
            return redirect(wanted)
        return self._page(request, wanted)

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """`POST /dashboard/sign-in`."""
        csrf.check_origin(request.headers)
        fields = await read_fields(request)
        wanted = next_path(fields.get("next", ""))
        wait_seconds = self._throttle.wait_seconds(request.remote or "")
        if wait_seconds:
            why = f"Too many tries. Wait {wait_seconds} seconds, then try again."
            response = self._page(request, wanted, why, 429)
            response.headers["Retry-After"] = str(wait_seconds)
            return response
        door = self._gate.cookies.read(request, Cookie.DOOR)
        given = fields.get(csrf.FIELD, "")
        if not door or not _is_equal(given, csrf.door_token(door)):
            return self._page(request, wanted, _STALE, 403)
        key = fields.get("key", "").strip()
        try:
            token = await self._gate.services.sessions.sign_in(key[:KEY_LENGTH_MAX])
        except ControlFault as fault:
            if fault.fault not in (Fault.UNAUTHENTICATED, Fault.FORBIDDEN):
                raise
            log.info("a sign-in was refused", extra={"code": fault.code})
            is_machine = fault.fault is Fault.FORBIDDEN
            why = f"{fault.message[:1].upper()}{fault.message[1:]}." if is_machine else _NOT_GOOD
            return self._page(request, wanted, why, 403 if is_machine else 401)
        self._throttle.forgive(request.remote or "")
        response = redirect(wanted)
        self._gate.cookies.put(response, Cookie.SESSION, token)
        self._gate.cookies.drop(response, Cookie.DOOR)
        return response

    def _page(
        self, request: web.Request, wanted: str, problem: str = "", status: int = 200
    ) -> web.Response:
        door = secrets.token_urlsafe(32)
        response = self._gate.renderer.bare(
            request,
            self._gate.theme_of(request),
            "sign_in.html",
            status,
            token=csrf.door_token(door),
            wanted=wanted,
            problem=problem,
            elsewhere=self._has_elsewhere,
        )
        self._gate.cookies.put(response, Cookie.DOOR, door, DOOR_SECONDS)
        return response


def _is_equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def routes(gate: Gate, throttle: Throttle, has_elsewhere: bool) -> list[tuple[str, str, Handler]]:
    """`has_elsewhere`: whether to offer the way to an OpenID provider too."""
    page = SignIn(gate, throttle, has_elsewhere)
    return [("GET", "/sign-in", page.show), ("POST", "/sign-in", page.sign_in)]
