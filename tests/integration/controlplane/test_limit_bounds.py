"""What may be asked of the shared counters, how much there may be of them, and who sees them."""

from __future__ import annotations

import uuid
from typing import Any

import asyncpg
import pytest

from controlplane.faults import ControlFault
from controlplane.services.limits import LimitService, LimitSettings
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.limits import Claim, Demand, LimitLedger
from tests.support.control_plane import Client
from tests.support.database import connect_as
from tests.support.limit_calls import (
    DAY,
    NOW,
    SECOND,
    DatabaseClock,
    claim,
    demand,
    move,
    read,
    reserve,
    rows_of,
)
from tests.support.tenants import make_key, make_tenant

HELD = {"lapsesAt": NOW + 60 * SECOND}


async def test_a_full_tenant_gets_nothing_more(
    client: Client,
    clock: DatabaseClock,
    key: str,
    ledger: LimitLedger,
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """Its rows are counted once the planner's statistics say that there are many; then whatever
    would be counted is refused, and never let through uncounted."""
    await reserve(client, demand(claim(key)))
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute("analyze limit_uses")
    finally:
        await connection.close()
    tenant = client.plane.bootstrapped.tenant_id
    for use_count_max, is_full in ((10**9, False), (1, True)):
        settings = LimitSettings(use_count_max_per_tenant=use_count_max)
        service = LimitService(ledger, client.plane.metrics, settings)
        await service.measure()
        one = Claim("l", key, 1, 10, NOW - DAY, 86_400, True)
        asked = Demand(tenant, f"own-{key}", NOW, None, (one,))
        if is_full:
            with pytest.raises(ControlFault, match="too much is counted"):
                await service.reserve(asked)
        else:
            assert (await service.reserve(asked)).token is not None


async def test_people_see_the_counters_in_force(client: Client, clock: DatabaseClock, key: str):
    """Newest counter first, page by page, with what is only held of it."""
    for number in range(5):
        await reserve(client, demand(claim(f"{key}-{number}", amount=2)))
    await reserve(client, demand(claim(f"{key}-0", amount=3), **HELD))
    await reserve(client, demand(claim(f"{key}-lapsed"), **HELD))
    seen: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = (await client.call("GET", f"/v1/limits?limit=2{cursor}")).body
        seen += [one for one in page["limits"] if key in one["key"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert [one["key"].removeprefix(key) for one in seen] == [
        "-lapsed",
        "-4",
        "-3",
        "-2",
        "-1",
        "-0",
    ]
    assert seen[-1] == {
        "limit": "payments/refunds",
        "key": f"{key}-0",
        "used": 5,
        "held": 3,
        "since": "2026-09-20T14:13:20.000000Z",
        "changedAt": "2026-09-21T14:13:20.000000Z",
    }
    await clock.advance(61)
    found = (await client.call("GET", f"/v1/limits?key={key}-lapsed")).body["limits"]
    assert found == []
    found = (await client.call("GET", f"/v1/limits?limitName=payments/refunds&key={key}-0")).body
    assert [(one["used"], one["held"]) for one in found["limits"]] == [(2, 0)]


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "a negative amount": {"amount": -1},
    "an amount beyond JSON's numbers": {"amount": 2**53},
    "an amount with a point": {"amount": 1.5},
    "an amount as text": {"amount": "1"},
    "a yes for a number": {"max": True},
    "a window of no length": {"windowSeconds": 0},
    "a window of a century": {"windowSeconds": 10**10},
    "a window that begins after now": {"since": NOW + 1},
    "a window that is longer than it says": {"since": NOW - DAY - 3600 * SECOND - 1},
    "an effect that there is not": {"effect": "DENY"},
    "no key": {"key": ""},
    "a key without end": {"key": "k" * 257},
    "a limit without end": {"limit": "l" * 257},
    "an unknown field": {"unit": "usd"},
}
BAD_DEMANDS: dict[str, dict[str, Any]] = {
    "nothing claimed": {"claims": []},
    "too much claimed": {"claims": [claim(f"bad{n}") for n in range(101)]},
    "one counter twice": {"claims": [claim("bad"), claim("bad")]},
    "no owner": {"owner": ""},
    "an owner without end": {"owner": "o" * 257},
    "held for a year": {"lapsesAt": NOW + 365 * DAY},
    "no time": {"now": None},
}


@pytest.mark.parametrize("case", [*BAD_CLAIMS, *BAD_DEMANDS])
async def test_a_bad_demand_is_refused(
    client: Client,
    clock: DatabaseClock,
    case: str,
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """422 in the envelope, and nothing stored."""
    if case in BAD_CLAIMS:
        body = demand(claim("bad-k"), {**claim("bad"), **BAD_CLAIMS[case]})
    else:
        body = {**demand(claim("bad-k")), **BAD_DEMANDS[case]}
    told = await reserve(client, body)
    assert (told.status, told.code) == (422, "INVALID_ARGUMENT")
    assert await rows_of(postgres_server, database_name, "bad") == (0, 0, 0)


async def test_sums_beyond_every_number_stay_exact_enough_to_block(
    client: Client, clock: DatabaseClock, key: str
):
    """The greatest amounts that there are, many times: no overflow, and it is exceeded."""
    most = 2**53 - 1
    for _ in range(3):
        body = demand(claim(key, amount=most, max=most, effect="REQUIRE_APPROVAL"))
        told = (await reserve(client, body)).body
    assert told["readings"][0] == {
        "limit": "payments/refunds", "key": key, "used": most, "isExceeded": True
    }  # fmt: skip


async def test_words_of_every_kind_make_a_key(client: Client, clock: DatabaseClock, key: str):
    """Whatever an agent may have put into a target's id; NUL stands as a replacement."""
    for word in ("a'b\\c\n%", "\u202e\U0001f600", "n\0l", "k" * 220):
        assert (await reserve(client, demand(claim(key[:30] + word)))).body["token"] != ""
        assert await read(client, key[:30] + word) == 1
    longest = demand(claim("\U0001f600" * 256, limit="\U0001f601" * 256), owner="\U0001f600" * 256)
    assert (await reserve(client, longest)).status == 200


async def test_tokens_that_are_none_do_nothing(client: Client):
    """Like unknown ones: an answer, no fault."""
    for token in ("x", str(uuid.uuid4()), "res_1", "%00"):
        assert (await move(client, token, "start")).body == {"started": False}
        for what in ("settle", "release"):
            told = await move(client, token, what)
            assert (told.status, told.body) == (200, {})


async def test_the_service_can_not_make_a_counter_smaller_than_nothing(
    postgres_server: EmbeddedPostgres, database_name: str
):
    """A negative use or total is refused by the schema itself."""
    connection = await connect_as(postgres_server, Role.APPLICATION, database_name)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "insert into limit_counters (tenant_id, limit_name, key, counted, counted_since, "
                "changed_at) select tenant_id, 'l', 'k', -1, 0, 0 from tenants limit 1"
            )
    finally:
        await connection.close()


async def test_another_tenant_counts_for_itself(
    client: Client,
    clock: DatabaseClock,
    key: str,
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """The same limit, key and owner are others there; our tokens are nothing to them."""
    tenant = await make_tenant(postgres_server, database_name)
    theirs = await make_key(postgres_server, database_name, ["Gateway"], tenant=tenant)
    body = demand(claim(key, amount=10), **HELD)
    ours = (await reserve(client, body)).body["token"]
    assert (await move(client, ours, "start", theirs)).body == {"started": False}
    for what in ("settle", "release"):
        assert (await move(client, ours, what, theirs)).body == {}
    told = (await reserve(client, body, theirs)).body
    assert told["token"] not in {"", ours}
    assert told["readings"][0]["used"] == 0
    await move(client, told["token"], "release", theirs)
    assert await read(client, key) == 10
    assert (await move(client, ours, "start")).body == {"started": True}
