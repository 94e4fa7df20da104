"""The dashboard's cookies: their names, and the attributes that keep them where they belong.

All are HttpOnly: no script of ours needs one. `SameSite=Strict` for all but the short one of a
sign-in elsewhere (OIDC), which comes back by a navigation from another site.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from aiohttp import web

THEMES: Final = ("auto", "light", "dark")
THEME_SECONDS: Final = 365 * 86_400


class Cookie(Enum):
    """SESSION: who is signed in. DOOR: binds the form of the sign-in page to its browser. FLOW: a
    sign-in elsewhere that is under way. NOTICE: what to say on the next page. THEME: dark or
    light."""

    SESSION = "checkrein"
    DOOR = "checkrein-door"
    FLOW = "checkrein-flow"
    NOTICE = "checkrein-notice"
    THEME = "checkrein-theme"


@dataclass(frozen=True, slots=True)
class CookieJar:
    """`is_secure`: whether browsers reach us by https. Then the prefix `__Host-` makes them refuse
    a cookie that another host, a subdomain or plain http tries to plant."""

    is_secure: bool

    def name(self, cookie: Cookie) -> str:
        return f"__Host-{cookie.value}" if self.is_secure else cookie.value

    def read(self, request: web.Request, cookie: Cookie) -> str:
        """Its value, empty where there is none."""
        return request.cookies.get(self.name(cookie), "")

    def put(
        self,
        response: web.StreamResponse,
        cookie: Cookie,
        value: str,
        seconds: int | None = None,
    ) -> None:
        """Set it; for the browser's session when no `seconds` are given."""
        response.set_cookie(
            self.name(cookie),
            value,
            max_age=seconds,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="Lax" if cookie is Cookie.FLOW else "Strict",
        )

    def drop(self, response: web.StreamResponse, cookie: Cookie) -> None:
        response.del_cookie(
            self.name(cookie),
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="Lax" if cookie is Cookie.FLOW else "Strict",
        )
