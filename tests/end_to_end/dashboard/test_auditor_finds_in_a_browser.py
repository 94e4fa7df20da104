"""An auditor in real Chromium: completes a filter, opens a row in place, verifies a story, hears of
what is new; and without scripts the same pages serve."""

from __future__ import annotations

import uuid

import pytest

from tests.end_to_end.dashboard.conftest import Desk
from tests.support.followed_records import Traffic

pytestmark = pytest.mark.slow


async def some_traffic(desk: Desk, agent: str) -> tuple[Traffic, str]:
    """Decisions of each sort; the one that was held, approved and executed."""
    traffic = Traffic(desk.client)
    factors = [{"name": "operation", "points": 40, "observed": "create"},
               {"name": "target", "points": 25, "observed": "production"}]  # fmt: skip
    held = traffic.decided("close October tickets", agent=agent, effect="REQUIRE_APPROVAL",
                           rule="big-refunds", reason_code="REFUND_NEEDS_REVIEW",
                           message="refunds above 50 USD need a person",
                           risk={"score": 65, "factors": factors, "vector": "v"})  # fmt: skip
    asked = await desk.client.ask(
        agent="agent", decisionId=held, requestDigest=uuid.uuid4().hex * 2
    )
    await desk.client.resolve(asked["approvalId"], "APPROVE", reason="the customer called")
    await desk.client.consume(asked, "claim")
    used = {"id": asked["approvalId"], "state": "CONSUMED", "answered_by": None, "comment": None}
    traffic.decided("x", agent=agent, decision_id=held, sends=True, approval=used)
    traffic.outcome(held, "executed", status=200, duration_us=84_000, approval=used)
    for index in range(6):
        one = traffic.decided(None, agent=agent, sends=True, kind="read", target=f"ch_{index}")
        traffic.outcome(one, "unknown" if index == 3 else "executed", status=200)
    for _ in range(3):
        traffic.decided(None, agent=agent, effect="BLOCK", rule="no-deletes",
                        message="nothing is deleted here")  # fmt: skip
    await traffic.ship()
    return traffic, held


async def test_an_auditor_finds_reads_and_verifies(desk: Desk) -> None:
    """With the keyboard alone; what comes meanwhile is said, and nothing jumps."""
    agent = f"billing-{uuid.uuid4().hex[:6]}"
    traffic, held = await some_traffic(desk, agent)
    page = await desk.window()
    await page.goto(desk.client.url + "/dashboard/audit")
    await page.keyboard.press("f")
    await page.keyboard.type("ag")
    await page.wait_for_selector("#completions li")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.type(agent[:9])
    await desk.shoot(page, "audit-completion")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    assert await page.input_value("#filter") == f"agent:{agent} "
    await page.keyboard.press("Escape")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**q=agent*")
    assert await page.locator(".log > li").count() == 10
    await page.keyboard.press("j")
    await page.keyboard.press("o")
    assert await page.locator(".log-more:visible").count() == 1
    await desk.shoot(page, "audit-list")
    traffic.decided(None, agent=agent)
    await traffic.ship()
    await page.wait_for_selector("[data-new]:visible")
    assert await page.inner_text("[data-new]") == "1 new. Show"
    assert await page.locator(".log > li").count() == 10
    await page.goto(f"{desk.client.url}/dashboard/decisions/{held}")
    await desk.shoot(page, "decision")
    await page.keyboard.press("v")
    await page.wait_for_selector("#proof")
    assert "one unbroken chain" in await page.inner_text("#proof")
    await desk.shoot(page, "decision-verified")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_fit_a_telephone_and_need_no_script(desk: Desk, scheme: str) -> None:
    """360 points wide, nothing is wider than the window; a row opens without any script."""
    agent = f"billing-{uuid.uuid4().hex[:6]}"
    _, held = await some_traffic(desk, agent)
    page = await desk.window(360, 740, java_script_enabled=False, color_scheme=scheme)
    for name, path in (
        ("audit", f"audit?q=agent%3A{agent}"),
        ("decision", f"decisions/{held}?verify=record"),
        ("runs", "runs"),
        ("incidents", "incidents"),
        ("outcomes", "outcomes"),
    ):
        await page.goto(f"{desk.client.url}/dashboard/{path}")
        await desk.shoot(page, f"narrow-{name}-{scheme}")
        box = await page.locator("body").bounding_box()
        assert box is not None
        wide = await page.locator("main").evaluate("one => one.scrollWidth - one.clientWidth")
        assert wide <= 0, name
    await page.goto(f"{desk.client.url}/dashboard/audit?q=agent%3A{agent}")
    await page.locator(".log summary .log-at").first.click()
    assert await page.locator(".log-more:visible").count() == 1
    wide = await desk.window(1280, 900, color_scheme=scheme)
    for name, path in (("audit", f"audit?q=agent%3A{agent}"), ("decision", f"decisions/{held}")):
        await wide.goto(f"{desk.client.url}/dashboard/{path}")
        await desk.shoot(wide, f"wide-{name}-{scheme}")
