"""Live updates: they come at once, to their tenant alone, and end with the session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.support.control_plane import Client
from tests.support.dashboard import Browser

pytestmark = pytest.mark.timeout(60)


@asynccontextmanager
async def following(browser: Browser) -> AsyncIterator[aiohttp.ClientResponse]:
    """An open stream."""
    async with browser._http.get(
        browser.client.url + "/dashboard/events", cookies=browser.cookies
    ) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b"retry: 2000\n"
        yield response


async def next_event(response: aiohttp.ClientResponse) -> dict[str, str]:
    """The next message's data."""
    while True:
        line = await asyncio.wait_for(response.content.readline(), 10)
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            return dict(json.loads(line[6:]))


async def test_a_new_question_and_its_answer_are_told(client: Client, signed_in: Browser) -> None:
    """Both arrive in order, with the id and what it came to."""
    async with following(signed_in) as stream:
        approval = await client.ask()
        asked = await next_event(stream)
        await client.resolve(approval["approvalId"], "APPROVE")
        answered = await next_event(stream)

    about = {"kind": "approval", "id": approval["approvalId"]}
    assert asked == {**about, "change": "PENDING"}
    assert answered == {**about, "change": "APPROVED"}


async def test_a_stream_ends_when_its_person_signs_out(signed_in: Browser) -> None:
    """At once: nothing more is told."""
    async with following(signed_in) as stream:
        await signed_in.submit("/dashboard/account", "/dashboard/sign-out", {})
        async with asyncio.timeout(4):
            while await stream.content.readline():
                pass


async def test_streams_of_one_session_are_bounded(signed_in: Browser) -> None:
    """The thirteenth is refused; the pages work without it."""
    responses = [
        await signed_in._http.get(
            signed_in.client.url + "/dashboard/events", cookies=signed_in.cookies
        )
        for _ in range(13)
    ]
    try:
        assert [response.status for response in responses] == [200] * 12 + [503]
    finally:
        for response in responses:
            response.close()


async def test_nobody_follows_without_a_session(browser: Browser) -> None:
    """401, and no stream."""
    shown = await browser.get("/dashboard/events")

    assert shown.status == 401
