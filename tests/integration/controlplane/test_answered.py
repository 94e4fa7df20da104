"""The route that names what was answered: from a cursor on, of one's own tenant, without a gap."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import TOLD_SECONDS_MAX, Answer, Client
from tests.support.tenants import make_key, make_tenant

PATH = "/v1/approvals/answered"


async def after(client: Client, cursor: str, wait: float = 0, key: str = "gateway") -> Answer:
    return await client.call("GET", f"{PATH}?cursor={cursor}&waitSeconds={wait}", key=key)


async def newest(client: Client, key: str = "gateway") -> str:
    answer = await client.call("GET", PATH, key=key)
    assert answer.body["answered"] == []
    return str(answer.body["nextCursor"])


async def settled(client: Client, cursor: str, count: int) -> tuple[list[str], str]:
    """What is named until there are so many."""
    named: list[str] = []
    async with asyncio.timeout(10):
        while len(named) < count:
            answer = await after(client, cursor, 5)
            named += answer.body["answered"]
            cursor = answer.body["nextCursor"]
    return named, cursor


async def test_what_is_answered_is_named_once(client: Client) -> None:
    """Not what is asked; approved, denied, withdrawn and used are; from the new cursor on nothing
    of it comes again."""
    cursor = await newest(client)
    asked = [await client.ask() for _ in range(4)]
    ids = [str(approval["approvalId"]) for approval in asked]
    for approval_id, resolution in zip(ids, ("APPROVE", "REJECT", "CANCEL"), strict=False):
        assert (await client.resolve(approval_id, resolution)).status == 200
    named, cursor = await settled(client, cursor, 3)
    assert named == ids[:3]
    assert (await client.consume(asked[0], "claim")).status == 200
    named, cursor = await settled(client, cursor, 1)
    assert named == ids[:1]
    assert (await after(client, cursor)).body["answered"] == []


async def test_who_waits_is_woken(told: Client) -> None:
    """As soon as somebody answers, though questions alone wake nobody's gateway."""
    approval = await told.ask()
    cursor = await newest(told)
    waiting = asyncio.create_task(after(told, cursor, 20))
    await told.ask()
    await asyncio.sleep(0.05)
    assert not waiting.done()
    began = time.monotonic()
    await told.resolve(approval["approvalId"], "APPROVE")
    answer = await waiting
    assert answer.body["answered"] == [approval["approvalId"]]
    assert time.monotonic() - began < TOLD_SECONDS_MAX


async def test_nothing_falls_between_two_questions(client: Client) -> None:
    """Answered in many transactions at once, while a reader goes from cursor to cursor."""
    cursor = await newest(client)
    asked = await asyncio.gather(*(client.ask() for _ in range(40)))
    ids = [str(approval["approvalId"]) for approval in asked]
    reading = asyncio.create_task(settled(client, cursor, len(ids)))
    await asyncio.gather(*(client.resolve(each, "APPROVE") for each in ids))
    named, _ = await reading
    assert sorted(named) == sorted(ids)


async def test_another_tenant_is_told_nothing_of_it(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """Neither with its own cursor nor with ours."""
    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Gateway"], tenant=tenant)
    ours, theirs = await newest(client), await newest(client, key)
    approval = await client.ask()
    await client.resolve(approval["approvalId"], "APPROVE")
    await settled(client, ours, 1)
    for cursor in (ours, theirs):
        assert (await after(client, cursor, key=key)).body["answered"] == []


WRONG: dict[str, Any] = {
    "no cursor": "cursor=x", "a negative one": "cursor=-1-2", "a giant": f"cursor={2**64}-1",
    "an empty one": "cursor=", "an endless wait": "waitSeconds=inf", "something else": "after=1-1",
}  # fmt: skip


@pytest.mark.parametrize("query", WRONG.values(), ids=WRONG.keys())
async def test_what_is_no_cursor_of_ours_is_refused(client: Client, query: str) -> None:
    """By name of the parameter, not by the database."""
    assert (await client.call("GET", f"{PATH}?{query}", key="gateway")).status == 422


async def test_who_may_not_follow_is_refused(client: Client) -> None:
    """An agent's key asks for its own approvals alone."""
    assert (await client.call("GET", PATH, key="agent")).status == 403
