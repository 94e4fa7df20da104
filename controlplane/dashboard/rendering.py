"""Templates -> pages. Every value is escaped, always: nothing that an agent wrote is ever markup.

A template gets its handler's values, and what the frame around it needs: the rail with its counts,
the visitor, the token of forms, the theme, what to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from controlplane.auth import Permission
from controlplane.dashboard import wording
from controlplane.dashboard.charts import factor_class, risk_bar, stacked_bars
from controlplane.dashboard.cookies import THEMES, Cookie
from controlplane.dashboard.notices import open_notice
from gateway.model.money import money_text, unit_text

if TYPE_CHECKING:
    from controlplane.dashboard.visit import NavEntry, Visit

STOP_READERS: Final = (Permission.POLICY_READ, Permission.POLICY_WRITE, Permission.ADMIN)

MODES: Final = {"enforce": "Enforcing", "monitor": "Only watching"}

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"


@dataclass(frozen=True, slots=True)
class RailEntry:
    nav: NavEntry
    count: int
    is_here: bool


class Renderer:
    """`environment` names this installation in the top bar, such as `production`."""

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters.update(
            ago=_ago,
            exact=wording.exact,
            iso=wording.iso,
            duration=wording.duration,
            micros=wording.micros,
            count=wording.count,
            plural=wording.plural,
            short_id=wording.short_id,
            initial=wording.initial,
            initial_sentence=wording.initial_sentence,
            pretty=wording.pretty,
            shown=wording.shown,
            tally=wording.tally,
            money=money_text,
        )
        self._templates.globals.update(
            stacked_bars=stacked_bars,
            risk_bar=risk_bar,
            factor_class=factor_class,
            unit_text=unit_text,
            version=_version(),
        )

    def bare(
        self, request: web.Request, theme: str, template: str, status: int, **values: Any
    ) -> web.Response:
        """A page without the rail, for people who are not signed in."""
        text = self._templates.get_template(template).render(
            {**values, **self._frame(request, theme)}
        )
        return _html(text, status)

    async def page(
        self, visit: Visit, template: str, status: int, values: Mapping[str, Any]
    ) -> web.Response:
        """A page in the frame."""
        cookies, request = visit.cookies, visit.http
        sealed = cookies.read(request, Cookie.NOTICE)
        frame = {
            **self._frame(request, cookies.read(request, Cookie.THEME)),
            "visit": visit,
            "rail": [await _rail_entry(visit, page.nav) for page in visit.pages if page.nav],
            "token": visit.token,
            "notice": open_notice(visit.session, sealed) if sealed else None,
            **await _stops(visit),
            "mode": _mode(await visit.services.overview.modes(visit.caller)),
        }
        response = _html(self._templates.get_template(template).render({**values, **frame}), status)
        if sealed:
            cookies.drop(response, Cookie.NOTICE)
        return response

    def _frame(self, request: web.Request, theme: str) -> dict[str, Any]:
        return {
            "now": datetime.now(UTC),
            "theme": theme if theme in THEMES else THEMES[0],
            "environment": self._environment or request.host,
            "path": request.path,
        }


async def _rail_entry(visit: Visit, nav: NavEntry) -> RailEntry:
    from controlplane.dashboard.visit import ROOT

    place, path = ROOT + nav.path, visit.http.path
    is_here = path == place or (nav.path != "" and path.startswith(place + "/"))
    return RailEntry(nav, 0 if nav.count is None else await nav.count(visit), is_here)


def _mode(modes: frozenset[str]) -> str:
    """What the top bar says of the mode; empty before the first decision."""
    if not modes:
        return ""
    return "Mixed modes" if len(modes) > 1 else MODES.get(next(iter(modes)), "")


async def _stops(visit: Visit) -> dict[str, bool]:
    """Whether the top bar shows the kill switch, and in which colour."""
    if not visit.may(*STOP_READERS):
        return {"may_see_stops": False, "stopped": False}
    standing = await visit.services.stops.in_force(visit.caller, None, 0, lambda: False)
    return {"may_see_stops": True, "stopped": bool(standing.stops)}


def _html(text: str, status: int) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html")


@pass_context
def _ago(context: Context, value: datetime | str | None) -> str:
    return wording.ago(value, context["now"])


def _version() -> str:
    """Changes whenever a static file does, so that browsers may keep each for good."""
    digest = hashlib.sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
