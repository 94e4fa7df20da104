"""A browser without a screen: keeps cookies, sends what browsers send, reads forms out of pages."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.support.control_plane import Client

_FIELD = re.compile(r'<input type="hidden" name="csrf" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Shown:
    """What came back; redirects are not followed."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def token(self) -> str:
        """The token of the first form."""
        found = _FIELD.search(self.text)
        assert found is not None, "no form on this page"
        return html.unescape(found[1])


class Browser:
    """One browser; `cookies` are what it holds, by name."""

    def __init__(self, client: Client, http: aiohttp.ClientSession) -> None:
        self.client = client
        self._http = http
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, **headers: str) -> Shown:
        return await self._send("GET", path, None, headers)

    async def post(
        self, path: str, fields: Mapping[str, str] | None = None, **headers: str
    ) -> Shown:
        """Send a form as a page of ours would; `headers` replace what the browser says of it."""
        said = {"Origin": self.client.url, "Sec_Fetch_Site": "same-origin", **headers}
        return await self._send("POST", path, dict(fields or {}), said)

    async def submit(self, page: str, path: str, fields: Mapping[str, str]) -> Shown:
        """Open a page, fill in a form of it, and send it to `path`."""
        token = (await self.get(page)).token
        return await self.post(path, {"csrf": token, **fields})

    async def sign_in(self, key: str = "admin", **more: str) -> Shown:
        """Sign in with a key of the client, or with any other text as the key."""
        token = (await self.get("/dashboard/sign-in")).token
        given = self.client.keys.get(key, key)
        return await self.post("/dashboard/sign-in", {"csrf": token, "key": given, **more})

    async def follow(self, shown: Shown) -> Shown:
        """Open what a redirect names."""
        assert shown.status == 303, shown
        return await self.get(shown.location)

    async def _send(
        self, method: str, path: str, data: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Shown:
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value}
        async with self._http.request(
            method,
            self.client.url + path,
            data=data,
            headers=sent,
            cookies=self.cookies,
            allow_redirects=False,
        ) as response:
            given = {name: morsel.value for name, morsel in response.cookies.items()}
            self.cookies.update(given)
            self.cookies = {name: value for name, value in self.cookies.items() if value}
            return Shown(response.status, await response.text(), response.headers, given)


@asynccontextmanager
async def browsing(client: Client) -> AsyncIterator[Browser]:
    """A fresh browser, signed in nowhere."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Browser(client, http)


async def person_key(
    client: Client, name: str, *permissions: str, groups: tuple[str, ...] = ()
) -> str:
    """A new person's key, known to the client by its name too."""
    body = {"name": name, "permissions": list(permissions), "groups": list(groups)}
    answer = await client.call("POST", "/v1/keys", body)
    assert answer.status == 201, answer
    client.keys[name] = answer.body["key"]
    return str(answer.body["key"])
