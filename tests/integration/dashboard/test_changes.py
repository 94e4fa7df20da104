"""Cross-site requests: no page of another site changes anything here."""

from __future__ import annotations

import pytest

from controlplane.auth import Permission
from controlplane.dashboard.app import PAGES
from controlplane.dashboard.gate import HEADERS
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key

pytestmark = pytest.mark.timeout(60)

UUID = "00000000-0000-4000-8000-000000000000"

CHANGES = [
    route.path.replace("{id}", UUID)
    for page in PAGES
    for route in page.routes
    if route.method == "POST"
]

ELSEWHERE = {
    "another site's form": {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
    "a sister domain's form": {"Sec_Fetch_Site": "same-site"},
    "another port of this host": {"Origin": "http://127.0.0.1:1"},
    "a sandboxed frame": {"Origin": "null"},
    "an address typed in": {"Sec_Fetch_Site": "none"},
    "no browser at all": {"Origin": "", "Sec_Fetch_Site": ""},
    "a host that begins like ours": {"Origin": "http://127.0.0.1.evil.example"},
}


async def test_a_form_of_another_site_is_refused(signed_in: Browser) -> None:
    """Even with the right token: the browser says where the form stood."""
    token = (await signed_in.get("/dashboard/account")).token

    for name, headers in ELSEWHERE.items():
        shown = await signed_in.post("/dashboard/sign-out", {"csrf": token}, **headers)
        assert shown.status == 403, name
        assert (await signed_in.get("/dashboard/account")).status == 200


async def test_every_change_wants_the_token_of_its_session(
    client: Client, signed_in: Browser
) -> None:
    """None, a wrong one, one of another session: refused before the handler runs."""
    async with browsing(client) as other:
        await other.sign_in()
        theirs = (await other.get("/dashboard/account")).token

    for path in CHANGES:
        for token in (None, "", "f" * 64, theirs, "\u00fc"):
            fields = {} if token is None else {"csrf": token}
            shown = await signed_in.post("/dashboard" + path, fields)
            assert shown.status == 403, (path, token)


async def test_no_change_comes_by_opening_a_page(signed_in: Browser) -> None:
    """A GET of the same address changes nothing: a link can't act."""
    for path in CHANGES:
        shown = await signed_in.get("/dashboard" + path)
        assert shown.status in {200, 404, 405}, path
    assert (await signed_in.get("/dashboard/account")).status == 200


async def test_a_change_without_a_session_is_refused(browser: Browser) -> None:
    """No session, no change; the page says what to do."""
    shown = await browser.post("/dashboard/sign-out", {"csrf": "x"})

    assert shown.status == 401
    assert "sign in again" in shown.text


async def test_only_plain_forms_are_read(signed_in: Browser) -> None:
    """Other bodies are refused, not guessed at."""
    for kind, body in (
        ("application/json", b'{"csrf": "x"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("text/plain", b"csrf=x"),
    ):
        async with signed_in._http.post(
            signed_in.client.url + "/dashboard/sign-out",
            data=body,
            headers={"Content-Type": kind, "Sec-Fetch-Site": "same-origin"},
            cookies=signed_in.cookies,
        ) as response:
            assert response.status == 422, kind


async def test_every_answer_forbids_frames_and_foreign_scripts(signed_in: Browser) -> None:
    """The headers are on every answer below the dashboard, errors and files too."""
    for path in ("/sign-in", "", "/approvals", "/nothing", "/static/dashboard.css", "/events/x"):
        shown = await signed_in.get("/dashboard" + path)
        for name, value in HEADERS.items():
            assert shown.headers[name] == value, (path, name)
        kept = "immutable" if "static" in path else "no-store"
        assert kept in shown.headers["Cache-Control"], path
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


async def test_who_may_not_see_a_page_does_not(client: Client) -> None:
    """Each route of each page asks for its own permission, whatever the rail shows."""
    await person_key(client, "powerless", "LearnerRead")
    async with browsing(client) as browser:
        await browser.sign_in("powerless")
        token = (await browser.get("/dashboard/account")).token
        for route in (route for page in PAGES for route in page.routes):
            if Permission.LEARNER_READ in route.needs:
                continue
            path = "/dashboard" + route.path.replace("{id}", UUID)
            shown = (
                await browser.get(path)
                if route.method == "GET"
                else await browser.post(path, {"csrf": token})
            )
            assert shown.status == 403, path
            assert "permission" in shown.text
