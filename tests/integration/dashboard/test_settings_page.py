"""The page of settings: what runs, who is signed in, and how that ends."""

from __future__ import annotations

import re
import uuid

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)

PAGE = "/dashboard/settings"
SESSIONS = f"{PAGE}/sessions"


def others(text: str) -> list[str]:
    """The ids of the sessions that can be ended."""
    return re.findall(r'name="session" value="([0-9a-f-]{36})"', text)


async def test_who_is_signed_in_elsewhere_can_be_signed_out(client: Client) -> None:
    """One by one, or all at once; this session stays."""
    name = f"bob-{uuid.uuid4().hex[:6]}"
    await person_key(client, name, "ApprovalRead")
    async with browsing(client) as here, browsing(client) as phone, browsing(client) as old:
        for browser in (here, phone, old):
            await browser.sign_in(name)
        found = others((await here.get(PAGE)).text)
        assert len(found) == 2
        went = await here.submit(PAGE, SESSIONS, {"session": found[0]})
        assert "over" in (await here.follow(went)).text
        answers = {(await one.get("/dashboard/account")).status for one in (phone, old)}
        assert answers == {200, 303}
        went = await here.submit(PAGE, SESSIONS, {"others": "1"})
        assert "Signed out elsewhere: 1" in (await here.follow(went)).text
        for browser, status in ((here, 200), (phone, 303), (old, 303)):
            assert (await browser.get("/dashboard/account")).status == status


async def test_nobody_ends_sessions_of_others_but_an_administrator(
    client: Client, signed_in: Browser, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """Neither of another person nor, as an administrator, of another tenant."""
    name = f"eve-{uuid.uuid4().hex[:6]}"
    await person_key(client, name, "PolicyWrite", "ApprovalWrite", "AgentWrite")
    tenant = await make_tenant(postgres_server, database_name)
    foreign = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    async with browsing(client) as victim:
        await victim.sign_in()
        ids = others((await signed_in.get(PAGE)).text)
        assert ids
        for key in (name, foreign):
            async with browsing(client) as browser:
                await browser.sign_in(key)
                own = (await browser.get(PAGE)).text
                assert not set(others(own)) & set(ids)
                for session in ids:
                    shown = await browser.submit(PAGE, SESSIONS, {"session": session})
                    assert shown.status == 404
        assert (await victim.get("/dashboard/account")).status == 200
        assert (await signed_in.get("/dashboard/account")).status == 200

        async with browsing(client) as person:
            await person.sign_in(name)
            theirs = set(others((await signed_in.get(PAGE)).text)) - set(ids)
            assert theirs
            for session in theirs:
                await signed_in.submit(PAGE, SESSIONS, {"session": session})
            assert (await person.get("/dashboard/account")).status == 303


async def test_what_runs_here_is_shown_to_who_may_see_it(
    client: Client, signed_in: Browser
) -> None:
    """Gateways with their rules, the database and its schema; others see their sessions alone."""
    for gateway, source in (("gw-files", "files"), ("gw-none", "control")):
        query = f"gatewayId={gateway}&source={source}&sequence=0&waitSeconds=0"
        await client.call("GET", f"/v1/bundles/current?{query}", key="gateway")
    shown = (await signed_in.get(PAGE)).text
    assert "PostgreSQL" in shown
    assert re.search(r"schema \d+", shown)
    await person_key(client, "no-admin", "ApprovalRead")
    async with browsing(client) as browser:
        await browser.sign_in("no-admin")
        text = (await browser.get(PAGE)).text
        assert "Where you are signed in" in text
        for word in ("PostgreSQL", 'id="gateways"', 'id="learner"'):
            assert word not in text


async def test_the_learners_mode_is_set_by_who_may(client: Client, signed_in: Browser) -> None:
    """And shown to who may read it."""
    await signed_in.submit(PAGE, f"{PAGE}/learner", {"mode": "ENFORCE"})
    scope = f"scopeType=ORG&scopeId={client.tenant_id}"
    assert (await client.call("GET", f"/v1/learner/mode?{scope}")).body["mode"] == "ENFORCE"
    shown = await signed_in.submit(PAGE, f"{PAGE}/learner", {"mode": "LEARN"})
    assert shown.status == 422
    await person_key(client, "learner-reader", "LearnerRead")
    async with browsing(client) as browser:
        await browser.sign_in("learner-reader")
        text = (await browser.get(PAGE)).text
        assert "what was learnt may refuse" in text
        assert f"{PAGE}/learner" not in text
        went = await browser.submit(PAGE, f"{PAGE}/learner", {"mode": "MONITOR"})
        assert went.status == 403


async def test_how_long_bodies_are_kept_is_shown_to_who_may_read_records(
    client: Client, signed_in: Browser
) -> None:
    """The rule in force, a hold and who set it; nothing of it to who may not see records."""
    assert "as the installation has it" in (await signed_in.get(PAGE)).text
    body = {"days": 400, "legalHold": True, "reason": "case 4711"}
    assert (await client.call("PUT", "/v1/retention", body)).status == 200
    shown = (await signed_in.get(PAGE)).text
    assert "400 days, then" in shown
    assert "nothing is erased" in shown
    assert "case 4711" in shown
    await person_key(client, "no-records", "ApprovalRead")
    async with browsing(client) as browser:
        await browser.sign_in("no-records")
        text = (await browser.get(PAGE)).text
        assert "Legal hold" not in text
        assert "case 4711" not in text
