"""One control plane's database for each module, and browsers at its dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.controlplane.conftest import client, data_dir, own_client
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing

__all__ = ["browser", "client", "data_dir", "own_client", "signed_in"]


@pytest.fixture
async def browser(client: Client) -> AsyncIterator[Browser]:
    """A browser that is signed in nowhere."""
    async with browsing(client) as found:
        yield found


@pytest.fixture
async def signed_in(browser: Browser) -> Browser:
    """A browser in which the admin is signed in."""
    shown = await browser.sign_in()
    assert shown.status == 303, shown.text
    return browser
