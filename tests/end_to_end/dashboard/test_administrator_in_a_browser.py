"""An administrator in a real browser: coverage, channels and settings, wide and narrow, by key and
without scripts."""

from __future__ import annotations

import uuid

import pytest

from tests.end_to_end.dashboard.conftest import Desk
from tests.integration.dashboard.test_coverage_page import unmapped
from tests.integration.dashboard.test_overview import ship
from tests.support.control_plane import Client

pytestmark = pytest.mark.slow

PAGES = ("policies", "coverage", "channels", "settings", "deliveries")


async def add_some(client: Client) -> str:
    """A channel that can't work, and traffic that nobody knows; the channel's path."""
    body = {"name": f"hook-{uuid.uuid4().hex[:6]}", "webhook": {"url": "https://127.0.0.1:9/"}}
    made = await client.call("POST", "/v1/channels", body)
    gateway = f"gw-{uuid.uuid4().hex[:6]}"
    await ship(
        client,
        gateway,
        [
            unmapped(number, f"api.shop-{number % 3}.test/v1/orders/{number}?page=<script>")
            for number in range(12)
        ],
    )
    return f"/dashboard/channels/{made.body['channel']['channelId']}"


async def test_keys_lead_to_every_page_and_try_a_channel(client: Client, desk: Desk) -> None:
    """`g` and a letter; on a channel `t` sends a test and says what became of it."""
    path = await add_some(client)
    page = await desk.window()
    for key, place in (("c", "coverage"), ("l", "channels"), ("e", "settings"), ("p", "policies")):
        await page.keyboard.press("g")
        await page.keyboard.press(key)
        await page.wait_for_url(f"**/dashboard/{place}")
    await page.goto(client.url + path)
    await page.keyboard.press("t")
    await page.wait_for_selector("text=The test did not arrive")
    await desk.shoot(page, "channel")


@pytest.mark.parametrize(("width", "theme"), [(360, "dark"), (1280, "light")])
async def test_pages_fit_and_need_no_scripts(
    client: Client, desk: Desk, width: int, theme: str
) -> None:
    """Nothing is wider than the window, in either theme; a form without scripts does its work."""
    path = await add_some(client)
    page = await desk.window(width, 900, color_scheme=theme)
    for place in (*(f"/dashboard/{name}" for name in PAGES), path):
        await page.goto(client.url + place)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, place
        await desk.shoot(page, f"{place.rsplit('/', 1)[1][:12]}-{width}")
    bare = await desk.window(width, 900, java_script_enabled=False, color_scheme=theme)
    await bare.goto(f"{client.url}/dashboard/channels")
    await bare.click("text=A program, by webhook")
    await bare.fill("#webhook-name", f"bare-{width}")
    await bare.fill("#webhook-url", "https://receiver.test/")
    await desk.shoot(bare, f"channel-form-{width}")
    await bare.press("#webhook-url", "Enter")
    await bare.wait_for_selector("text=It is shown this once")
