"""The one door of the dashboard: every answer carries the headers, every fault becomes a page, and
no page is shown to anybody but who may see it."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import web

from controlplane.auth import may
from controlplane.dashboard import csrf
from controlplane.dashboard.cookies import Cookie, CookieJar
from controlplane.dashboard.rendering import Renderer
from controlplane.dashboard.visit import ROOT, Page, PageRoute, Visit, read_fields, redirect
from controlplane.faults import ControlFault, Fault
from controlplane.services.access.sessions import Session
from controlplane.services.joined import Services
from controlplane.store.tenancy import Actor, acting_for

log = logging.getLogger(__name__)

SIGN_IN: Final = f"{ROOT}/sign-in"

HEADERS: Final = {
    # Scripts and styles come from our own files alone; no inline ones, not even of our own.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with it browsers send `Origin: null` with our own forms, and one wall of
    # `csrf` would be lost. To other sites this one says nothing either.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_NEXT: Final = re.compile(rf"{ROOT}(/[A-Za-z0-9._~/-]*)?(\?[A-Za-z0-9._~%&=+:-]*)?")
_NEXT_LENGTH_MAX: Final = 1_000

STATUS: Final = {
    Fault.NOT_FOUND: 404,
    Fault.NO_SUCH_ROUTE: 404,
    Fault.BUNDLE_NONE: 404,
    Fault.METHOD_NOT_ALLOWED: 405,
    Fault.FORBIDDEN: 403,
    Fault.NOT_AN_APPROVER: 403,
    Fault.UNAUTHENTICATED: 401,
    Fault.BODY_TOO_LARGE: 413,
    Fault.BODY_TOO_SLOW: 408,
    Fault.BAD_REQUEST: 400,
    Fault.INVALID_ARGUMENT: 422,
    Fault.UNAVAILABLE: 503,
    Fault.INTERNAL: 500,
}
"""Statuses of pages that say what went wrong; every other fault is a conflict, 409."""

TITLES: Final = {
    403: "That is not yours to do",
    404: "There is nothing here",
    409: "That is no longer possible",
    500: "Something broke on our side",
    503: "That can't be done now",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Gate:
    services: Services
    renderer: Renderer
    cookies: CookieJar
    pages: tuple[Page, ...]

    def guarded(self, route: PageRoute) -> Handler:
        """The route's handler, behind session, permission and token."""

        async def handle(request: web.Request) -> web.StreamResponse:
            is_change = route.method != "GET"
            if is_change:
                csrf.check_origin(request.headers)
            session = await self.session_of(request)
            if session is None:
                return self._away(request)
            if is_change:
                given = request.headers.get(csrf.HEADER) or (await read_fields(request)).get(
                    csrf.FIELD, ""
                )
                csrf.check_token(given, session.proof(csrf.PURPOSE))
            caller = session.caller
            with acting_for(caller.tenant_id, Actor(caller.key_name, caller.key_id)):
                visit = await self._visit(request, session)
                try:
                    if not may(session.caller, route.needs):
                        raise ControlFault(
                            Fault.FORBIDDEN, "your key does not have the needed permission"
                        )
                    return await route.handler(visit)
                except ControlFault as fault:
                    return await self._problem_in_frame(visit, fault)

        return handle

    async def session_of(self, request: web.Request) -> Session | None:
        """Who is signed in; None when nobody is."""
        token = self.cookies.read(request, Cookie.SESSION)
        if not token:
            return None
        try:
            return await self.services.sessions.find(token)
        except ControlFault as fault:
            if fault.fault is Fault.UNAUTHENTICATED:
                return None
            raise

    def theme_of(self, request: web.Request) -> str:
        return self.cookies.read(request, Cookie.THEME)

    async def observe(self, request: web.Request, proceed: Handler) -> web.StreamResponse:
        """Around every answer below `/dashboard`."""
        try:
            response = await proceed(request)
        except ControlFault as fault:
            response = self._problem(request, fault)
        except web.HTTPException as error:
            response = self._problem(request, _fault_of(error))
        except Exception:
            self.services.metrics.bugs.inc()
            log.exception("unhandled fault")
            bug = ControlFault(Fault.INTERNAL, "an internal fault; the log has it")
            response = self._problem(request, bug)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def _visit(self, request: web.Request, session: Session) -> Visit:
        allowed = tuple(page for page in self.pages if may(session.caller, page.needs()))
        # Before the page reads anything, so that no event falls between it and its live updates.
        cursor = await self.services.following.newest(session.caller.tenant_id)
        return Visit(
            request, session, self.services, self.renderer, self.cookies, allowed, str(cursor)
        )

    def _away(self, request: web.Request) -> web.Response:
        """To the sign-in page, and back afterwards."""
        if request.method != "GET" or request.path == f"{ROOT}/events":
            raise ControlFault(Fault.UNAUTHENTICATED, "your session has ended; sign in again")
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # A link in a message: the browser keeps a strict cookie to itself. From a page of
            # ours, even this empty one, it sends it.
            return self.renderer.bare(
                request, self.theme_of(request), "onward.html", 200, onward=request.path_qs
            )
        return redirect(f"{SIGN_IN}?next={quote(request.path_qs, safe='')}")

    def _problem(self, request: web.Request, fault: ControlFault) -> web.Response:
        status = STATUS.get(fault.fault, 409)
        response = self.renderer.bare(
            request,
            self.theme_of(request),
            "problem.html",
            status,
            title=TITLES.get(status, "That did not work"),
            message=fault.message,
        )
        if status == 503:
            response.headers["Retry-After"] = "1"
        return response

    async def _problem_in_frame(self, visit: Visit, fault: ControlFault) -> web.Response:
        status = STATUS.get(fault.fault, 409)
        if status >= 500:
            # The frame itself asks the database.
            raise fault
        return await visit.page(
            "problem_in_frame.html",
            status,
            title=TITLES.get(status, "That did not work"),
            message=fault.message,
        )


def next_path(wanted: str) -> str:
    """Where to go after the sign-in: a page of ours, whatever the address says."""
    is_ours = len(wanted) <= _NEXT_LENGTH_MAX and _NEXT.fullmatch(wanted) is not None
    if is_ours and "//" not in wanted and ".." not in wanted:
        return wanted
    return ROOT


def _fault_of(error: web.HTTPException) -> ControlFault:
    match error.status:
        case 404:
            return ControlFault(Fault.NO_SUCH_ROUTE, "there is no such page")
        case 405:
            return ControlFault(Fault.METHOD_NOT_ALLOWED, "this page does not take that method")
        case 413:
            return ControlFault(Fault.BODY_TOO_LARGE, "the form is too long")
        case _:
            return ControlFault(Fault.BAD_REQUEST, "the request is not well-formed")
