"""What a page is, and what its handler gets: a `Page` lists its routes, its place in the rail and
the permissions that it needs; a `Visit` is one request of somebody who is signed in.

INVARIANT(one-gate): no handler runs before `gate` let its visitor through, with what `needs` says
and, for a change, with the form's token.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from controlplane.auth import Caller, Permission, may
from controlplane.dashboard import csrf
from controlplane.dashboard.cookies import Cookie, CookieJar
from controlplane.dashboard.forms import Choice, Form, whole_number
from controlplane.dashboard.notices import SECONDS, Notice, Tone, seal_notice
from controlplane.dashboard.rendering import Renderer
from controlplane.faults import ControlFault, Fault
from controlplane.services.access.sessions import Session
from controlplane.services.joined import Services

ROOT: Final = "/dashboard"

QUERY_LENGTH_MAX: Final = 1_000
BODY_SECONDS_MAX: Final = 15.0

_PAGES_OF_THEIR_OWN: Final = frozenset({Fault.NOT_FOUND, Fault.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a signed-in person. `pages` are those that they may open, for the rail;
    `cursor` is the event before which everything is seen that the page shows, for live updates."""

    http: web.Request
    session: Session
    services: Services
    renderer: Renderer
    cookies: CookieJar
    pages: tuple[Page, ...]
    cursor: str = ""

    @property
    def caller(self) -> Caller:
        return self.session.caller

    @property
    def token(self) -> str:
        """The token of this session's forms."""
        return self.session.proof(csrf.PURPOSE)

    def may(self, *needs: Permission) -> bool:
        """Whether to show a button at all; the route behind it asks again."""
        return may(self.caller, frozenset(needs))

    def query(self, name: str) -> str:
        """A parameter of the address, empty when it is not there or too long to be meant."""
        value = self.http.query.get(name, "").replace("\0", "")
        return value if len(value) <= QUERY_LENGTH_MAX else ""

    def choice(
        self, name: str, choices: type[Choice], usual: Choice | None = None
    ) -> Choice | None:
        """A parameter that is one of these: `usual` when it is not there, None for nonsense."""
        text = self.query(name)
        if not text:
            return usual
        return choices(text) if text in set(choices) else None

    def number(self, name: str) -> int | None:
        """A parameter that is a whole number from 0 on; None for anything else."""
        return whole_number(self.query(name))

    def path_id(self, what: str) -> uuid.UUID:
        """The id in the page's path, of a `what`.

        Raises:
            ControlFault: NOT_FOUND for what is no id, as for one that names nothing.
        """
        try:
            return uuid.UUID(self.http.match_info["id"])
        except ValueError:
            raise ControlFault(Fault.NOT_FOUND, f"there is no such {what}") from None

    def here(self, **changes: object) -> str:
        """This page's address with some parameters changed; None or "" takes one away."""
        kept = {name: self.query(name) for name in self.http.query}
        wanted = {**kept, **{name: "" if v is None else str(v) for name, v in changes.items()}}
        text = urlencode({name: value for name, value in wanted.items() if value})
        return self.http.path + (f"?{text}" if text else "")

    async def form(self) -> Form:
        """The fields of a form. Its token was checked before the handler ran."""
        return Form(await read_fields(self.http))

    async def page(self, template: str, status: int = 200, **values: Any) -> web.Response:
        """Render a template that extends `base.html`, with the rail around it."""
        return await self.renderer.page(self, template, status, values)

    def go(self, path: str, done: str | None = None, problem: str | None = None) -> web.Response:
        """Send the browser to a path below the dashboard, with something to say there."""
        response = redirect(ROOT + path)
        if done is not None or problem is not None:
            said = (
                Notice(Tone.DONE, done) if done is not None else Notice(Tone.PROBLEM, problem or "")
            )
            self.cookies.put(response, Cookie.NOTICE, seal_notice(self.session, said), SECONDS)
        return response

    def refused(self, path: str, fault: ControlFault) -> web.Response:
        """Send the browser back to a page, with what stood against a change. What no other try
        can mend is raised on, and becomes a page of its own."""
        if fault.fault in _PAGES_OF_THEIR_OWN:
            raise fault
        return self.go(path, problem=fault.message)


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]
Count = Callable[[Visit], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class PageRoute:
    """`path` is below `/dashboard`. `needs`: one of these permissions."""

    method: str
    path: str
    handler: Handler
    needs: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class NavEntry:
    """A place in the rail. `key` opens it after `g`; `icon` is the id of a symbol of `icons.html`;
    `count` gives the number beside it, of which 0 is not shown. `live` is the kind of event that
    its pages are about: who may not see the page is not told of them either."""

    title: str
    path: str
    key: str
    icon: str
    count: Count | None = None
    live: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One file of `pages/`. `nav` None: a page that others lead to."""

    routes: tuple[PageRoute, ...]
    nav: NavEntry | None = None

    def needs(self) -> frozenset[Permission]:
        """What opens the page itself: its first route."""
        return self.routes[0].needs


def get(path: str, handler: Handler, *needs: Permission) -> PageRoute:
    return PageRoute("GET", path, handler, frozenset(needs))


def post(path: str, handler: Handler, *needs: Permission) -> PageRoute:
    return PageRoute("POST", path, handler, frozenset(needs))


ANYBODY: Final = tuple(Permission)
"""Whoever is signed in."""


def redirect(location: str) -> web.Response:
    """See other: the browser GETs it, whatever it did before."""
    return web.Response(status=303, headers={"Location": location})


async def read_fields(request: web.Request) -> Mapping[str, str]:
    """Read a form, once for all who ask; the first of several fields of one name.

    Raises:
        ControlFault: INVALID_ARGUMENT for anything but a plain form, BODY_TOO_SLOW.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise ControlFault(Fault.INVALID_ARGUMENT, "this page takes a plain form")
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            found = await request.post()
    except TimeoutError:
        raise ControlFault(Fault.BODY_TOO_SLOW, "the form did not arrive in time") from None
    except (ValueError, LookupError):
        raise ControlFault(Fault.BAD_REQUEST, "the form can't be read") from None
    fields: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, str):
            fields.setdefault(name, value)
    return fields
