"""The kill switch: nobody pulls it by a slip of the hand, and whoever may not never does."""

from __future__ import annotations

import re

import pytest

from tests.integration.dashboard.test_approvals import PROBES, assert_inert
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key

pytestmark = pytest.mark.timeout(60)

PLACE = "/dashboard/stop"

GOOD = {"scope": "agent", "name": "stray-bot", "reason": "runs wild", "confirmation": "STOP"}


async def reasons(client: Client) -> list[str]:
    """Of the stops in force."""
    return [stop["reason"] for stop in (await client.call("GET", "/v1/stops")).body["stops"]]


SLIPS = {
    "the word is not typed": ({"confirmation": ""}, "Type STOP to confirm."),
    "the word is typed otherwise": ({"confirmation": "stop"}, "Type STOP to confirm."),
    "no reason": ({"reason": ""}, "reason is needed"),
    "an agent without a name": ({"name": ""}, "Name the agent, the run or the provider"),
    "everything with a name": ({"scope": "everything"}, "Name the agent, the run or the provider"),
    "what there is not": ({"scope": "half"}, "none of the choices"),
    "a reason of two lines": ({"reason": "a\nb"}, "one line"),
}


@pytest.mark.parametrize("slip", SLIPS)
async def test_a_slip_stops_nothing(client: Client, signed_in: Browser, slip: str) -> None:
    """The form comes back with what was typed, but for the word, and says what is missing."""
    changed, why = SLIPS[slip]
    before = await reasons(client)
    shown = await signed_in.submit(PLACE, PLACE, {**GOOD, **changed})
    assert shown.status == 422
    assert why in shown.text
    assert 'id="f-confirmation" name="confirmation" type="text" value=""' in shown.text
    assert await reasons(client) == before


async def test_what_is_stopped_is_told_and_lifted(client: Client, signed_in: Browser) -> None:
    """On every page; lifting wants a reason, and happens once."""
    pulled = await signed_in.follow(await signed_in.submit(PLACE, PLACE, GOOD))
    assert "agent stray-bot is stopped" in pulled.text.replace("Agent", "agent")
    assert "runs wild" in await reasons(client)
    assert "Stopped</a>" in (await signed_in.get("/dashboard")).text

    stop_id = re.findall(r'name="stop" value="([0-9a-f-]{36})"', pulled.text)[0]
    lift = {"stop": stop_id, "reason": ""}
    refused = await signed_in.follow(await signed_in.submit(PLACE, f"{PLACE}/lift", lift))
    assert "The reason is needed." in refused.text
    assert "runs wild" in await reasons(client)

    lift["reason"] = "it is tame"
    lifted = await signed_in.follow(await signed_in.submit(PLACE, f"{PLACE}/lift", lift))
    assert "it is tame" in lifted.text
    assert "runs wild" not in await reasons(client)
    again = await signed_in.follow(await signed_in.submit(PLACE, f"{PLACE}/lift", lift))
    assert 'class="notice problem"' in again.text


async def test_a_reader_sees_and_does_not_stop(client: Client) -> None:
    """Neither by the page, which has no form for it, nor past the page."""
    key = await person_key(client, "watcher", "PolicyRead")
    async with browsing(client) as browser:
        await browser.sign_in(key)
        seen = await browser.get(PLACE)
        assert seen.status == 200
        assert "Stop it" not in seen.text
        before = await reasons(client)
        token = (await browser.get("/dashboard/account")).token
        assert (await browser.post(PLACE, {"csrf": token, **GOOD})).status == 403
        assert (await browser.post(f"{PLACE}/lift", {"csrf": token})).status == 403
        assert await reasons(client) == before


@pytest.mark.parametrize("probe", PROBES)
async def test_a_name_is_never_markup(signed_in: Browser, probe: str) -> None:
    """Neither in the form that comes back nor in the list."""
    name = " ".join(probe.split())[:200]
    kept = await signed_in.submit(PLACE, PLACE, {**GOOD, "name": name, "confirmation": ""})
    assert_inert(kept.text, probe)
    await signed_in.submit(PLACE, PLACE, {**GOOD, "name": name, "reason": name})
    assert_inert((await signed_in.get(PLACE)).text, probe)


async def test_a_slash_too_many_leads_in(signed_in: Browser) -> None:
    """People type it."""
    assert (await signed_in.get("/dashboard/")).location == "/dashboard"
