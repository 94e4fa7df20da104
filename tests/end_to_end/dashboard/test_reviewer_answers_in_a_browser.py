"""A reviewer at work in a real browser: by key, by mouse, without scripts, on a phone, in dark."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.end_to_end.dashboard.conftest import Desk
from tests.support.control_plane import Client

pytestmark = pytest.mark.slow

PROBE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*7}}"


async def state_of(client: Client, approval_id: str) -> dict[str, Any]:
    found = await client.call("GET", f"/v1/approvals/{approval_id}")
    return dict(found.body["approval"])


async def test_a_key_answers(client: Client, desk: Desk) -> None:
    """Open the queue, walk with j, open with Enter, approve with a; the next one, deny with d."""
    first = await client.ask(summary="refund 12.00 USD of charge ch_1")
    page = await desk.window()
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await page.wait_for_url("**/dashboard/approvals")
    second = await client.ask(summary="refund 90.00 USD of charge ch_2")
    await page.wait_for_selector("text=1 new. Show")
    await page.click("text=1 new. Show")
    await page.wait_for_selector("text=Refund 90.00 USD")

    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("h1:has-text('Refund 12.00 USD')")
    await page.keyboard.press("a")
    await page.wait_for_selector("text=Approved. The agent's request goes out once.")
    assert (await state_of(client, first["approvalId"]))["status"] == "APPROVED"

    await page.goto(f"{client.url}/dashboard/approvals/{second['approvalId']}")
    await page.keyboard.press("1")
    await page.keyboard.press("4")
    await page.keyboard.press("d")
    await page.keyboard.press("4")
    assert await page.evaluate("document.activeElement.id") == "deny-reason"
    await page.keyboard.type("ask finance first")
    await desk.shoot(page, "deny")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("text=Denied. The agent reads your reason.")
    answered = await state_of(client, second["approvalId"])
    assert (answered["status"], answered["comment"]) == ("DENIED", "ask finance first")
    assert answered["answers"][0]["through"] == "dashboard"


async def test_a_preset_denies_and_a_grant_covers_more(client: Client, desk: Desk) -> None:
    """`d` then `2` says why; `g` approves this one and the next of its kind."""
    denied = await client.ask()
    granted = await client.ask(action="create_coupon", operation="stripe.coupons.create")
    page = await desk.window()
    await page.goto(f"{client.url}/dashboard/approvals/{denied['approvalId']}")
    await page.keyboard.press("d")
    await page.keyboard.press("2")
    await page.wait_for_selector("text=Denied.")
    assert (await state_of(client, denied["approvalId"]))["comment"] == "Wrong target or amount"

    await page.goto(f"{client.url}/dashboard/approvals/{granted['approvalId']}")
    await page.keyboard.press("g")
    await page.fill("#f-uses", "3")
    await desk.shoot(page, "grant")
    await page.click("text=Approve, and the next ones")
    await page.wait_for_selector("text=More of its kind pass for a while.")
    grants = (await client.call("GET", "/v1/grants")).body["grants"]
    assert [grant["usesMax"] for grant in grants] == [3]


async def test_what_somebody_else_answered_is_told_at_once(client: Client, desk: Desk) -> None:
    """Two reviewers on one card: the slower one sees it, and can't answer twice."""
    approval = await client.ask()
    page = await desk.window()
    await page.goto(f"{client.url}/dashboard/approvals/{approval['approvalId']}")
    await page.wait_for_timeout(0)
    async with page.expect_response("**/dashboard/counts"):
        await client.resolve(approval["approvalId"], "APPROVE")
    await page.wait_for_selector("text=This has changed. Show")

    await page.keyboard.press("a")

    await page.wait_for_selector("text=This approval is APPROVED")
    assert len((await state_of(client, approval["approvalId"]))["answers"]) == 1


async def test_a_page_is_live_again_after_a_refusal(client: Client, desk: Desk) -> None:
    """A control plane that is starting, or full, refuses once; what came meanwhile is told."""
    page = await desk.window()
    refused: list[str] = []

    async def refuse(route: Any) -> None:
        refused.append(route.request.url)
        await route.fulfill(status=503)

    await page.route("**/dashboard/events*", refuse, times=1)
    await page.goto(f"{client.url}/dashboard/approvals")
    await client.ask()
    await page.wait_for_selector("text=1 new. Show")
    assert len(refused) == len(desk.errors) == 1
    desk.errors.clear()  # the browser's own word for the refusal


async def test_everything_works_without_scripts(client: Client, desk: Desk) -> None:
    """Sign in, read, deny with a reason, stop, lift, sign out: plain pages and forms."""
    approval = await client.ask()
    page = await desk.window(java_script_enabled=False)
    await page.click("text=Approvals")
    await page.click(".ask-title >> nth=0")
    await page.click("summary:has-text('Deny')")
    await page.fill("#deny-reason", "not today")
    await page.click("form:has(#deny-reason) button")
    await page.wait_for_selector("text=Denied.")
    assert (await state_of(client, approval["approvalId"]))["comment"] == "not today"

    await page.click("text=Kill switch")
    await page.fill("#f-name", "agent")
    await page.fill("#f-reason", "runs wild")
    await page.fill("#f-confirmation", "stop")
    await page.click("button:has-text('Stop it')")
    await page.wait_for_selector("text=Type STOP to confirm.")
    await page.fill("#f-confirmation", "STOP")
    await page.click("button:has-text('Stop it')")
    await page.wait_for_selector("text=Agent agent is stopped")
    assert await page.text_content(".chip-alarm") == "Stopped"
    await page.click("summary:has-text('Lift')")
    await page.fill("[placeholder='Why it is lifted']", "calm again")
    await page.click("button:has-text('Lift it')")
    await page.wait_for_selector("text=The stop is lifted.")

    await page.click(".top-side a >> nth=-1")
    await page.click("button:has-text('Sign out')")
    await page.wait_for_selector("#key")


PAGES = ("", "/approvals", "/approvals?status=all", "/stop", "/account")

LOOKS: dict[str, dict[str, Any]] = {
    "phone, light": {"width": 360, "height": 740, "color_scheme": "light"},
    "wide, dark": {"width": 1920, "height": 1080, "color_scheme": "dark"},
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
async def test_pages_fit_and_say_what_they_are(
    client: Client, desk: Desk, look: dict[str, Any]
) -> None:
    """No page is wider than its window; each control has a name, each page one heading."""
    approval = await client.ask(summary=PROBE, message=PROBE, agent="agent", runId=PROBE)
    page = await desk.window(**look)
    for path in (*PAGES, f"/approvals/{approval['approvalId']}"):
        await page.goto(f"{client.url}/dashboard{path}")
        found = await page.evaluate(LOOK_AT)
        assert found["overflow"] <= 0, (path, found)
        assert found["unnamed"] == [], path
        assert (found["headings"], found["mains"], found["lang"]) == (1, 1, "en"), path
        assert found["duplicates"] == [], path
        assert found["inline"] == 0, path
        await desk.shoot(page, f"{look['width']}{path.replace('/', '-')[:20]}")
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    is_dark = int(background.split("(")[1].split(",")[0]) < 100
    assert is_dark == (look["color_scheme"] == "dark")


LOOK_AT = """() => {
  const name = (e) => (e.getAttribute("aria-label") || e.textContent.trim() || e.title
    || (e.labels && e.labels.length && e.labels[0].textContent.trim()) || "");
  const controls = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, progress, [role=img]")]
    .filter((e) => e.getClientRects().length && !e.closest("[aria-hidden=true]"));
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    unnamed: controls.filter((e) => !name(e) && !e.getAttribute("aria-labelledby"))
      .map((e) => e.outerHTML.slice(0, 120)),
    headings: document.querySelectorAll("h1").length,
    mains: document.querySelectorAll("main").length,
    lang: document.documentElement.lang,
    duplicates: ids.filter((id, at) => ids.indexOf(id) !== at),
    inline: document.querySelectorAll("[style], style, script:not([src])").length,
  };
}"""


async def test_the_page_can_not_be_framed_and_runs_nothing_foreign(
    client: Client, desk: Desk
) -> None:
    """Clickjacking, and a script that got in by some way: the browser itself refuses both."""
    page = await desk.window()
    refused = await page.evaluate(
        """async () => {
          const seen = new Promise((done) =>
            document.addEventListener("securitypolicyviolation", (e) => done(e.violatedDirective)));
          const script = document.createElement("script");
          script.textContent = "window.wasRun = true";
          document.body.append(script);
          return [await seen, window.wasRun === true];
        }"""
    )
    assert refused == ["script-src-elem", False]

    other = await desk.window(key=None)
    await other.set_content(f'<iframe src="{client.url}/dashboard/sign-in"></iframe>')
    await asyncio.sleep(0)
    await other.wait_for_function("document.querySelector('iframe') !== null")
    frame = other.frames[-1]
    assert await frame.query_selector("#key") is None
    desk.errors[:] = [
        error for error in desk.errors if "Content Security Policy" not in error
        and "frame-ancestors" not in error and "X-Frame-Options" not in error
    ]  # fmt: skip


async def test_dark_is_chosen_and_kept(desk: Desk) -> None:
    """The switch holds for the next pages, with the system set to light."""
    page = await desk.window(color_scheme="light")
    await page.goto(f"{desk.client.url}/dashboard/account")
    await page.click("button:has-text('Dark')")
    await page.wait_for_selector("html[data-theme=dark]")
    await page.goto(f"{desk.client.url}/dashboard/approvals")

    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert background == "rgb(18, 19, 21)"
