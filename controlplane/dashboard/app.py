"""Joins pages into one application below `/dashboard`. A new page is one more name in `PAGES`."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from controlplane.dashboard import files, signing_in
from controlplane.dashboard.cookies import CookieJar
from controlplane.dashboard.gate import Gate, Handler
from controlplane.dashboard.live import Streams
from controlplane.dashboard.oidc import OidcClient
from controlplane.dashboard.pages import (
    account,
    agents,
    approvals,
    audit,
    channels,
    counts,
    coverage,
    decision,
    grants,
    incidents,
    keys,
    overview,
    policies,
    policy_editor,
    runs,
    search,
    settings,
    stop,
)
from controlplane.dashboard.rendering import Renderer
from controlplane.dashboard.signing_in_elsewhere import SignInElsewhere
from controlplane.dashboard.throttle import Throttle, ThrottleSettings
from controlplane.dashboard.visit import ROOT, Page, redirect
from controlplane.services.joined import Services
from controlplane.settings import OidcSettings

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    approvals.PAGE,
    audit.PAGE,
    runs.PAGE,
    incidents.PAGE,
    grants.PAGE,
    agents.PAGE,
    keys.PAGE,
    policies.PAGE,
    policy_editor.PAGE,
    coverage.PAGE,
    channels.PAGE,
    settings.PAGE,
    decision.PAGE,
    search.PAGE,
    stop.PAGE,
    account.PAGE,
    counts.PAGE,
)
"""In the order of the rail."""


BEGINNINGS = ThrottleSettings(per_address_max=60)
"""Sign-ins elsewhere that are begun: cheap here, and an office may come from one address."""


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """`environment` names this installation in the top bar. `public_url` is where browsers reach
    us; None: where they say. `has_tls`: we speak https ourselves."""

    environment: str = ""
    public_url: str | None = None
    has_tls: bool = False
    oidc: OidcSettings | None = None

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https, perhaps through a proxy that ends it."""
        return self.has_tls or (self.public_url or "").startswith("https://")


def add_dashboard(
    application: web.Application, services: Services, settings: DashboardSettings
) -> None:
    """Serve the dashboard beside the API, and lead `/` to it."""
    renderer = Renderer(settings.environment)
    gate = Gate(services, renderer, CookieJar(settings.is_secure), PAGES)

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.observe(request, handler)

    dashboard = web.Application(middlewares=[observe])
    streams = Streams()
    dashboard.on_shutdown.append(streams.end)
    for page in PAGES:
        for one in page.routes:
            dashboard.router.add_route(one.method, one.path, gate.guarded(one))
    live = streams.route()
    dashboard.router.add_route(live.method, live.path, gate.guarded(live))
    throttle, open_routes = Throttle(), files.routes()
    open_routes += signing_in.routes(gate, throttle, settings.oidc is not None)
    if settings.oidc is not None:
        client = OidcClient(settings.oidc)
        elsewhere = SignInElsewhere(gate, Throttle(BEGINNINGS), client, settings.public_url)
        open_routes += elsewhere.routes()
    for method, path, handler in open_routes:
        dashboard.router.add_route(method, path, handler)
    dashboard.router.add_get("/", _to_dashboard)
    application.add_subapp(ROOT, dashboard)
    application.router.add_get("/", _to_dashboard)


async def _to_dashboard(_: web.Request) -> web.Response:
    return redirect(ROOT)
