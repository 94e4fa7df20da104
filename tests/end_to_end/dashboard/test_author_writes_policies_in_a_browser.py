"""An author at work in a real browser: findings while they type, no trap, nothing lost, and the
same without scripts and on a phone."""

from __future__ import annotations

import uuid

import pytest

from gateway.decide.loader import make_bundle
from gateway.model.decision import Context
from tests.end_to_end.dashboard.conftest import Desk
from tests.support.bundles import policy, published
from tests.support.chains import chain
from tests.support.control_plane import Client
from tests.support.policy_records import record_fields
from tests.support.policy_world import act

pytestmark = pytest.mark.slow


async def test_findings_come_while_somebody_types(client: Client, desk: Desk) -> None:
    """A mistake is named with its line, a click leads there, and without it the preview comes."""
    page = await desk.window()
    await page.keyboard.press("g")
    await page.keyboard.press("p")
    await page.wait_for_url("**/dashboard/policies")
    await page.keyboard.press("n")
    await page.wait_for_selector("#findings [data-verdict=good]")
    await page.wait_for_selector("text=Nothing is recorded yet")
    await desk.shoot(page, "editor")

    text = await page.input_value("#document")
    await page.fill("#document", text.replace("effect: ALLOW", "efect: ALLOW"))
    await page.wait_for_selector("#findings [data-verdict=bad]")
    await desk.shoot(page, "editor-findings")
    await page.click("#findings li:has(pre:has-text('efect')) [data-line]")
    line = await page.evaluate(
        "(t => t.value.slice(0, t.selectionStart).split('\\n').length)(document.activeElement)"
    )
    assert "efect" in (await page.input_value("#document")).split("\n")[line - 1]
    assert await page.inner_text(".gutter") == "\n".join(
        str(number) for number in range(1, text.count("\n") + 2)
    )


async def test_tab_indents_and_escape_leaves(desk: Desk) -> None:
    """Nobody is caught in the text, and undo takes an indent back."""
    page = await desk.window()
    await page.goto(f"{desk.client.url}/dashboard/policies/new")
    await page.fill("#document", "a:\nb: 1\nc: 2")
    await page.evaluate("document.querySelector('#document').setSelectionRange(3, 11)")
    await page.keyboard.press("Tab")
    assert await page.input_value("#document") == "a:\n  b: 1\n  c: 2"
    await page.keyboard.press("Shift+Tab")
    assert await page.input_value("#document") == "a:\nb: 1\nc: 2"
    await page.keyboard.press("Control+z")
    assert await page.input_value("#document") == "a:\n  b: 1\n  c: 2"
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement === document.body")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_policy_is_put_in_force_with_and_without_scripts(
    client: Client, desk: Desk, scripts: bool
) -> None:
    """Write, keep, see what differs, put in force: each step is a page."""
    page = await desk.window(360, 780, java_script_enabled=scripts, color_scheme="dark")
    name = f"p-{uuid.uuid4().hex[:8]}"
    await page.goto(f"{client.url}/dashboard/policies/new?from=payments")
    text = (await page.input_value("#document")).replace("payments-guardrails", name, 1)
    await page.fill("#document", text)
    await page.click("button[name=check]")
    await page.wait_for_selector("#findings [data-verdict=good]")
    await page.wait_for_selector("#findings:has-text('cases hold')")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360 if scripts else True
    await desk.shoot(page, f"editor-phone-{scripts}")
    await page.click("button[name=save]")
    await page.wait_for_selector("text=It is kept as a draft.")
    await desk.shoot(page, f"activate-phone-{scripts}")
    await page.fill("#f-comment", "<b>the season begins</b>")
    await page.click("button:has-text('in force')")
    await page.wait_for_selector("text=is in force as version 1")
    await desk.shoot(page, f"policy-phone-{scripts}")
    rows = (await client.call("GET", f"/v1/policies?name={name}")).body["policies"]
    assert [row["status"] for row in rows] == ["ACTIVE"]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_what_would_change_is_told_before_it_does(
    client: Client, desk: Desk, theme: str
) -> None:
    """Forty refunds are on record; the editor says which would pass, and the page that asks for
    the yes says it again, with the lines that differ."""
    name = f"refunds-{theme}"
    await published(client, policy(name))
    then = make_bundle([("p.yaml", policy(name))])
    entries = [
        record_fields(
            then,
            act("create_refund", params={"amount": 1000 * number, "currency": "usd"}),
            Context("billing-bot", None, number),
            decision_id=f"dec_{theme}_{number}",
        )
        for number in range(1, 41)
    ]
    gateway = "gw_a" if theme == "light" else "gw_b"
    body = {"gatewayId": gateway, "records": chain(gateway, entries)}
    answer = await client.call("POST", "/v1/records", body, "gateway")
    assert answer.status == 200, answer
    (row,) = (await client.call("GET", f"/v1/policies?name={name}")).body["policies"]

    page = await desk.window(1280, 900, color_scheme=theme)
    await page.goto(f"{client.url}/dashboard/policies/{row['policyId']}")
    await page.keyboard.press("e")
    await page.wait_for_url("**/edit?version=1")
    text = policy(name, "ALLOW").replace(
        "      effect", "      when: params.amount <= 10000\n      effect"
    )
    await page.fill("#document", text)
    await page.wait_for_selector("#effects:has-text('let more pass')")
    await desk.shoot(page, f"preview-{theme}")
    await page.click("button[name=save]")
    await page.wait_for_selector("text=In the place of version 1.")
    await page.wait_for_selector(".line-added:has-text('effect: ALLOW')")
    await desk.shoot(page, f"activate-{theme}")
    body = {"document": text, "comment": "somebody else"}
    await client.call("POST", f"/v1/policies/{row['policyId']}/versions", body)
    await page.wait_for_selector("text=This has changed. Show")
    await page.click("text=This has changed. Show")
    await page.click("button:has-text('in force')")
    await page.wait_for_selector("text=is in force as version 2")
    await desk.shoot(page, f"policy-{theme}")
    await page.goto(f"{client.url}/dashboard/policies")
    await desk.shoot(page, f"policies-{theme}")
