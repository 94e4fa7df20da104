"""The system's own Chromium at a running control plane; without it these tests are skipped.

One is started for all tests of a file, as a start costs more than most of them; each has windows of
its own that share no cookie and no cache.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.controlplane.conftest import data_dir, own_client
from tests.support.control_plane import Client

__all__ = ["client", "data_dir", "desk", "own_client"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

SHOTS = os.environ.get("CHECKREIN_TEST_SCREENSHOTS")
"""A folder for pictures of what the tests saw."""


@dataclass
class Desk:
    """A browser with windows, at one control plane."""

    client: Client
    browser: Any
    errors: list[str]

    async def window(
        self, width: int = 1280, height: int = 800, *, key: str | None = "admin", **more: Any
    ) -> Any:
        """A window of its own, signed in with a key of the client, or with None nowhere."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": height}, **more
        )
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        page.on("dialog", self._refuse)
        await page.goto(self.client.url + "/")
        if key is not None:
            await page.fill("#key", self.client.keys.get(key, key))
            await page.press("#key", "Enter")
            await page.wait_for_selector(".rail")
        return page

    async def shoot(self, page: Any, name: str) -> None:
        """Take a picture, where somebody wants to look."""
        if SHOTS:
            await page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))

    def _note(self, message: Any) -> None:
        # The answer to a POST that went wrong is told to the console as well; it is no fault.
        if message.type == "error" and "status of 4" not in message.text:
            self.errors.append(message.text)

    async def _refuse(self, dialog: Any) -> None:
        self.errors.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()


@pytest.fixture
async def client(own_client: Client) -> Client:
    """A control plane for each test: it counts who signs in."""
    return own_client


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Any]:
    """The browser of a file's tests, without a window."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (apt install chromium)")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def desk(client: Client, chromium: Any) -> AsyncIterator[Desk]:
    """A browser; at the end, no script has failed and nothing was refused by the page's policy."""
    assert chromium.contexts == []
    found = Desk(client, chromium, [])
    try:
        yield found
    finally:
        for context in chromium.contexts:
            await context.close()
    assert found.errors == []
