"""Who is signed in: sign out, and choose dark or light."""

from __future__ import annotations

from aiohttp import web

from controlplane.dashboard.cookies import THEME_SECONDS, THEMES, Cookie
from controlplane.dashboard.gate import next_path
from controlplane.dashboard.visit import ANYBODY, ROOT, Page, Visit, get, post, redirect


async def show(visit: Visit) -> web.Response:
    """`GET /dashboard/account`."""
    return await visit.page("account.html")


async def sign_out(visit: Visit) -> web.Response:
    """`POST /dashboard/sign-out`. What this browser keeps of us goes too."""
    await visit.services.sessions.end(visit.session)
    await visit.services.following.wake(visit.caller.tenant_id)
    response = redirect(f"{ROOT}/sign-in")
    visit.cookies.drop(response, Cookie.SESSION)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def choose_theme(visit: Visit) -> web.Response:
    """`POST /dashboard/theme`."""
    form = await visit.form()
    theme = form.line("theme", "Theme")
    response = redirect(next_path(form.line("next", "Next page")))
    visit.cookies.put(
        response, Cookie.THEME, theme if theme in THEMES else THEMES[0], THEME_SECONDS
    )
    return response


PAGE = Page(
    routes=(
        get("/account", show, *ANYBODY),
        post("/sign-out", sign_out, *ANYBODY),
        post("/theme", choose_theme, *ANYBODY),
    )
)
