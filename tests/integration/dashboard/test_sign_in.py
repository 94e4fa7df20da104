"""Who gets in, for how long, and what a cookie is worth."""

from __future__ import annotations

import asyncio
from http.cookies import SimpleCookie

import pytest
from aiohttp import web

from controlplane.dashboard.cookies import Cookie, CookieJar
from controlplane.dashboard.gate import next_path
from controlplane.dashboard.throttle import Throttle, ThrottleSettings
from controlplane.services.access.sessions import SessionSettings
from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key
from tests.support.database import connect_as

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def client(own_client: Client) -> Client:
    """A control plane for each test: it counts tries."""
    return own_client


async def test_a_key_opens_the_dashboard_and_signing_out_closes_it(browser: Browser) -> None:
    """The way in and out; the cookie is worth nothing afterwards."""
    assert (await browser.get("/")).location == "/dashboard"
    away = await browser.get("/dashboard/approvals?status=all")
    assert away.location == "/dashboard/sign-in?next=%2Fdashboard%2Fapprovals%3Fstatus%3Dall"

    shown = await browser.sign_in(next="/dashboard/approvals?status=all")
    assert (shown.status, shown.location) == (303, "/dashboard/approvals?status=all")
    assert (await browser.get("/dashboard")).status == 200
    kept = dict(browser.cookies)

    left = await browser.submit("/dashboard/account", "/dashboard/sign-out", {})
    assert left.location == "/dashboard/sign-in"
    browser.cookies = kept
    assert (await browser.get("/dashboard")).status == 303


async def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: Browser) -> None:
    """HttpOnly, SameSite=Strict, no expiry of its own; with https also Secure and `__Host-`."""
    token = (await browser.get("/dashboard/sign-in")).token
    shown = await browser.post(
        "/dashboard/sign-in", {"csrf": token, "key": browser.client.keys["admin"]}
    )
    given = [text for name, text in shown.headers.items() if name == "Set-Cookie"]
    cookie = SimpleCookie(next(text for text in given if text.startswith("checkrein=")))[
        "checkrein"
    ]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert not cookie["max-age"]
    assert len(cookie.value) >= 43


@pytest.mark.parametrize("role", ["gateway", "agent"])
async def test_a_machines_key_opens_nothing(browser: Browser, role: str) -> None:
    """INVARIANT(no-self-approval): no gateway and no agent gets a session."""
    shown = await browser.sign_in(role)

    assert shown.status == 403
    assert "checkrein" not in shown.cookies
    assert "person" in shown.text


async def test_no_key_that_is_not_good_says_why(browser: Browser) -> None:
    """One answer for all of them, and the key is not repeated."""
    for key in ("", "cr_admin_wrong", "x" * 5_000, "cr_\u00e9", "' or 1=1 --", "\0", "a\r\nb: c"):
        shown = await browser.sign_in(key or " ")
        assert shown.status == 401, key
        assert "This key is not valid" in shown.text
        assert "checkrein" not in shown.cookies
        assert len(key) < 3 or key not in shown.text


async def test_a_session_ends_with_its_key(client: Client, browser: Browser) -> None:
    """Revoked, and the next click is refused."""
    await person_key(client, "rita", "ApprovalRead")
    await browser.sign_in("rita")
    assert (await browser.get("/dashboard")).status == 200
    keys = (await client.call("GET", "/v1/keys")).body["keys"]
    rita = next(one for one in keys if one["name"] == "rita")

    await client.call("POST", f"/v1/keys/{rita['keyId']}/revoke", {})

    assert (await browser.get("/dashboard")).status == 303


async def test_a_session_ends_with_the_secret_that_opened_it(
    client: Client, browser: Browser
) -> None:
    """A key is rotated because somebody else may know it: what they opened with it is closed, and
    the old secret, good for programs for a while yet, opens nothing any more."""
    first = await person_key(client, "rosa", "ApprovalRead")
    await browser.sign_in(first)
    keys = (await client.call("GET", "/v1/keys?name=rosa")).body["keys"]
    path = f"/v1/keys/{keys[0]['keyId']}/rotate"

    rotated = await client.call("POST", path, {"graceSeconds": 3600})

    assert (await browser.get("/dashboard")).status == 303
    assert (await client.call("GET", "/v1/approvals", key=first)).status == 200
    assert (await browser.sign_in(first)).status == 401
    assert (await browser.sign_in(rotated.body["key"])).status == 303
    assert (await browser.get("/dashboard")).status == 200
    await client.call("POST", path, {"graceSeconds": 0})
    assert (await browser.get("/dashboard")).status == 303


@pytest.mark.parametrize(
    ("column", "seconds"),
    [
        ("last_seen_at", SessionSettings().idle_seconds_max),
        ("created_at", SessionSettings().seconds_max),
    ],
)
async def test_a_session_ends_when_idle_and_when_old(
    postgres_server: EmbeddedPostgres,
    database_name: str,
    signed_in: Browser,
    column: str,
    seconds: float,
) -> None:
    """Half an hour without a click, or twelve hours in all."""
    assert (await signed_in.get("/dashboard")).status == 200

    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute(
            f"update sessions set {column} = clock_timestamp() - make_interval(secs => $1)", seconds
        )
    finally:
        await connection.close()

    assert (await signed_in.get("/dashboard")).status == 303


async def test_a_session_that_somebody_chose_is_not_taken_over(browser: Browser) -> None:
    """Fixation: a cookie from before the sign-in never becomes a session."""
    browser.cookies["checkrein"] = "chosen-by-an-attacker-0123456789abcdefghijk"
    await browser.sign_in()
    assert browser.cookies["checkrein"] != "chosen-by-an-attacker-0123456789abcdefghijk"

    browser.cookies = {"checkrein": "chosen-by-an-attacker-0123456789abcdefghijk"}
    assert (await browser.get("/dashboard")).status == 303


async def test_a_forged_cookie_opens_nothing(browser: Browser) -> None:
    """Whatever it holds, it leads to the sign-in page."""
    for cookie in ("", "x", "x" * 129, "../../etc/passwd", "A" * 43, "' or ''='", "%00"):
        shown = await browser.get("/dashboard", Cookie=f"checkrein={cookie}")
        assert shown.status == 303, cookie
        assert shown.location.startswith("/dashboard/sign-in")


async def test_the_sign_in_form_belongs_to_its_browser(client: Client, browser: Browser) -> None:
    """Nobody is signed in by another site: the form's token goes with the browser's own cookie."""
    async with browsing(client) as attacker:
        stolen = (await attacker.get("/dashboard/sign-in")).token
    await browser.get("/dashboard/sign-in")

    shown = await browser.post("/dashboard/sign-in", {"csrf": stolen, "key": client.keys["admin"]})

    assert shown.status == 403
    assert "checkrein" not in shown.cookies


async def test_guessing_is_slowed_down(client: Client, browser: Browser) -> None:
    """After ten tries a minute the answer is 429 with the time to wait, whatever the key."""
    for _ in range(10):
        await browser.sign_in("wrong")

    shown = await browser.sign_in()

    assert shown.status == 429
    assert int(shown.headers["Retry-After"]) in range(1, 62)
    assert "Wait" in shown.text


def test_the_throttle_counts_addresses_apart_and_all_together() -> None:
    """One address can't lock out the others until all of them together are too many."""
    now = [0.0]
    throttle = Throttle(ThrottleSettings(60, 2, 5), lambda: now[0])

    assert [throttle.wait_seconds("a") for _ in range(3)] == [0, 0, 61]
    assert [throttle.wait_seconds("b") for _ in range(2)] == [0, 0]
    assert [throttle.wait_seconds("c") for _ in range(2)] == [0, 61]
    now[0] = 60.0
    assert throttle.wait_seconds("a") == 0


NEXT = {
    "": "/dashboard",
    "/dashboard": "/dashboard",
    "/dashboard/approvals?status=all": "/dashboard/approvals?status=all",
    "https://evil.example/": "/dashboard",
    "//evil.example/": "/dashboard",
    "/dashboard//evil.example": "/dashboard",
    "/dashboard\\@evil.example": "/dashboard",
    "/dashboard@evil.example": "/dashboard",
    "/dashboardevil": "/dashboard",
    "/v1/keys": "/dashboard",
    "/dashboard/../v1/keys": "/dashboard",
    "/dashboard\n": "/dashboard",
    "/dashboard/x\r\nSet-Cookie: a=b": "/dashboard",
    "javascript:alert(1)": "/dashboard",
    "/dashboard?" + "a" * 2_000: "/dashboard",
}


@pytest.mark.parametrize(("wanted", "goes"), NEXT.items())
def test_the_way_back_leads_nowhere_else(wanted: str, goes: str) -> None:
    """`next` is an address that a stranger may have written."""
    assert next_path(wanted) == goes


async def test_a_link_from_another_site_finds_the_open_session(signed_in: Browser) -> None:
    """A strict cookie stays away from a link in a message; one page of ours brings it along."""
    cookies, signed_in.cookies = signed_in.cookies, {}
    shown = await signed_in.get("/dashboard/approvals", Sec_Fetch_Site="cross-site")

    assert shown.status == 200
    assert 'http-equiv="refresh" content="0; url=/dashboard/approvals"' in shown.text
    signed_in.cookies = cookies
    assert (await signed_in.get("/dashboard/approvals")).status == 200


async def test_many_devices_of_one_person_stay_bounded(browser: Browser) -> None:
    """The oldest session ends when one key has too many."""
    tokens = []
    for _ in range(21):
        await browser.sign_in()
        tokens.append(browser.cookies.pop("checkrein"))

    browser.cookies = {"checkrein": tokens[0]}
    assert (await browser.get("/dashboard")).status == 303
    browser.cookies = {"checkrein": tokens[1]}
    assert (await browser.get("/dashboard")).status == 200


async def test_sessions_of_many_requests_at_once(signed_in: Browser) -> None:
    """Requests of one page come together, and all are let in."""
    found = await asyncio.gather(*(signed_in.get("/dashboard/approvals") for _ in range(20)))

    assert {shown.status for shown in found} == {200}


def test_cookies_of_https_can_not_be_planted() -> None:
    """The prefix makes a browser refuse what did not come from exactly this host by https."""
    response = web.Response()
    jar = CookieJar(is_secure=True)
    jar.put(response, Cookie.SESSION, "value")
    jar.put(response, Cookie.FLOW, "value", 600)

    text = response.cookies["__Host-checkrein"].OutputString()
    assert "Secure" in text
    assert "SameSite=Strict" in text
    assert "SameSite=Lax" in response.cookies["__Host-checkrein-flow"].OutputString()
