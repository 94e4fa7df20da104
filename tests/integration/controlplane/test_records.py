"""Records over HTTP on a real database: once, in order, as exact bytes, never changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Any

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.chains import chain
from tests.support.control_plane import TOLD_SECONDS_MAX, Answer, Client
from tests.support.database import connect_as

_gateways = iter(range(1_000_000))


def fresh_gateway() -> str:
    return f"gw-{next(_gateways)}"


async def ship(client: Client, gateway: str, lines: list[str]) -> Answer:
    body = {"gatewayId": gateway, "records": lines}
    return await client.call("POST", "/v1/records", body, "gateway")


async def stored(client: Client, gateway: str) -> list[dict[str, Any]]:
    answer = await client.call("GET", f"/v1/records?gatewayId={gateway}&limit=1000")
    return list(answer.body["records"])


async def test_lines_are_stored_as_the_bytes_that_came(client: Client):
    """Escapes, other scripts and a NUL escape survive; the hash is of these very bytes."""
    gateway = fresh_gateway()
    lines = chain(gateway, [{"detail": 'a"b\\c'}, {"detail": "naïve 😀"}, {"agent": "x\0y"}])
    answer = await ship(client, gateway, lines)
    assert (answer.status, answer.body) == (200, {"acceptedThrough": 3})
    rows = await stored(client, gateway)
    assert [row["line"] for row in rows] == lines
    assert [row["hash"] for row in rows] == [
        hashlib.sha256(line.encode()).hexdigest() for line in lines
    ]
    assert [row["seq"] for row in rows] == [1, 2, 3]


async def test_a_batch_sent_again_is_stored_once(client: Client):
    """Whole, in part, and with new lines behind it."""
    gateway = fresh_gateway()
    lines = chain(gateway, [{}] * 6)
    for batch, through in ((lines[:4], 4), (lines[:4], 4), (lines[1:3], 4), (lines[2:], 6)):
        answer = await ship(client, gateway, batch)
        assert answer.body == {"acceptedThrough": through}
    assert [row["seq"] for row in await stored(client, gateway)] == [1, 2, 3, 4, 5, 6]


async def test_an_empty_batch_tells_how_far_the_gateway_is(client: Client):
    """0 for a gateway that never shipped, its last number for one that did."""
    gateway = fresh_gateway()
    assert (await ship(client, gateway, [])).body == {"acceptedThrough": 0}
    await ship(client, gateway, chain(gateway, [{}] * 2))
    assert (await ship(client, gateway, [])).body == {"acceptedThrough": 2}


async def test_a_gap_is_refused_and_names_what_is_expected(client: Client):
    """Nothing of the batch is stored."""
    gateway = fresh_gateway()
    lines = chain(gateway, [{}] * 5)
    await ship(client, gateway, lines[:2])
    answer = await ship(client, gateway, lines[3:])
    assert (answer.status, answer.code) == (409, "RECORD_GAP")
    assert answer.body["error"]["expectedSeq"] == 3
    assert len(await stored(client, gateway)) == 2


async def test_other_bytes_under_a_stored_number_are_a_conflict(client: Client):
    """A rewritten history is refused, whether or not new lines follow it."""
    gateway = fresh_gateway()
    await ship(client, gateway, chain(gateway, [{}] * 3))
    forged = chain(gateway, [{"detail": "forged"}, {}, {}, {}])
    answer = await ship(client, gateway, forged)
    assert (answer.status, answer.code) == (409, "RECORD_CONFLICT")
    assert len(await stored(client, gateway)) == 3


async def test_a_line_that_does_not_follow_the_stored_head_is_a_conflict(client: Client):
    """The number fits and the hash before it doesn't: another chain under the same name."""
    gateway = fresh_gateway()
    await ship(client, gateway, chain(gateway, [{}]))
    other = chain(gateway, [{}], first=2, prev="a" * 64)
    assert (await ship(client, gateway, other)).code == "RECORD_CONFLICT"


async def test_two_senders_of_one_batch_store_it_once(client: Client):
    """Ten at the same time: each gets 200, and every line is there once."""
    gateway = fresh_gateway()
    lines = chain(gateway, [{"detail": str(number)} for number in range(40)])
    answers = await asyncio.gather(*(ship(client, gateway, lines) for _ in range(10)))
    assert [answer.status for answer in answers] == [200] * 10
    assert [row["line"] for row in await stored(client, gateway)] == lines


async def test_a_reader_with_a_cursor_misses_nothing_while_gateways_write(client: Client):
    """Four gateways ship in small batches at once; a follower ends with every line, in order."""
    gateways = [fresh_gateway() for _ in range(4)]
    start = (await client.call("GET", "/v1/records?last=1")).body["nextCursor"]
    seen: list[tuple[str, int]] = []

    async def write(gateway: str) -> None:
        lines = chain(gateway, [{}] * 30)
        for first in range(0, 30, 3):
            assert (await ship(client, gateway, lines[first : first + 3])).status == 200

    async def follow() -> None:
        cursor = start
        while len(seen) < 120:
            path = f"/v1/records?after={cursor}&limit=7&waitSeconds=5"
            page = (await client.call("GET", path)).body
            seen.extend((row["gatewayId"], row["seq"]) for row in page["records"])
            cursor = page["nextCursor"]

    async with asyncio.timeout(30):
        await asyncio.gather(follow(), *(write(gateway) for gateway in gateways))
    for gateway in gateways:
        assert [seq for name, seq in seen if name == gateway] == list(range(1, 31))


async def test_following_wakes_at_once(told: Client):
    """A long poll for new records ends when one comes, not when its time is over."""
    cursor = (await told.call("GET", "/v1/records?last=1")).body["nextCursor"]
    gateway = fresh_gateway()
    waiting = asyncio.create_task(told.call("GET", f"/v1/records?after={cursor}&waitSeconds=20"))
    while told.plane.metrics.waiting.collect()[0].samples[0].value < 1:
        await asyncio.sleep(0.005)
    started = time.monotonic()
    await ship(told, gateway, chain(gateway, [{}]))
    assert (await waiting).body["records"][0]["gatewayId"] == gateway
    assert time.monotonic() - started < TOLD_SECONDS_MAX


async def test_filters_and_the_newest(client: Client):
    """By agent, effect, kind and gateway; `last` gives the newest in ascending order."""
    gateway = fresh_gateway()
    entries = [
        {"kind": "intent", "agent": "a1", "effect": "ALLOW", "decision_id": "d1"},
        {"kind": "outcome", "decision_id": "d1", "outcome": "executed"},
        {"kind": "decision", "agent": "a2", "effect": "BLOCK", "decision_id": "d2"},
    ]
    await ship(client, gateway, chain(gateway, entries))
    for query, seqs in {
        "agent=a1": [1],
        "effect=BLOCK": [3],
        "kind=outcome": [2],
        "agent=a1&effect=BLOCK": [],
        "last=2": [2, 3],
        "limit=1": [1],
    }.items():
        answer = await client.call("GET", f"/v1/records?gatewayId={gateway}&{query}")
        assert [row["seq"] for row in answer.body["records"]] == seqs, query


BAD_LINES = {
    "not JSON": "{",
    "not an object": "[]",
    "spaces": '{"v": 1}',
    "keys out of order": '{"v":1,"a":1}',
    "a key twice": '{"a":1,"a":1,"v":1}',
    "a float": '{"a":1.5,"v":1}',
    "too deep": "[" * 100_000 + "]" * 100_000,
    "a line break at its end": "{}\n",
}


@pytest.mark.parametrize("name", BAD_LINES)
async def test_what_is_not_one_canonical_record_is_refused(client: Client, name: str):
    """422, and the gateway's chain stays where it was."""
    gateway = fresh_gateway()
    answer = await ship(client, gateway, [BAD_LINES[name]])
    assert (answer.status, answer.body["error"]["reason_code"]) == (422, "RECORD_INVALID")
    assert (await ship(client, gateway, [])).body == {"acceptedThrough": 0}


async def test_a_decision_is_told_with_what_became_of_it(client: Client):
    """Open while there is no outcome; a held one shows its approval; newest first."""
    gateway = fresh_gateway()
    approval = await client.ask(decisionId="dec-held", agent="teller")
    common = {
        "agent": "teller", "run": None, "request_id": "r", "provider": "stripe", "mode": "enforce",
        "policy": "p", "rule": "q", "reason_code": "R", "message": "m",
        "risk": {"score": 1, "factors": [], "vector": ""},
        "actions": [{"operation": "o", "action": "a", "kind": "create",
                     "target": {"type": "t", "id": "i"}, "params": {"n": 1}}],
    }  # fmt: skip
    used = {"id": approval["approvalId"], "state": "CONSUMED"}
    entries = [
        {**common, "kind": "intent", "effect": "ALLOW", "decision_id": "dec-open",
         "watched": [{"policy": "p", "rule": "w", "effect": "BLOCK", "reason_code": "W"}],
         "limits": [{"limit": "p/l", "key": "agent:teller", "used": 1, "amount": 1, "max": 5,
                     "exceeded": False}],
         "obligations": ["limit:p/l"], "unresolved": "params.x"},
        {**common, "kind": "decision", "effect": "REQUIRE_APPROVAL", "decision_id": "dec-held"},
        {**common, "kind": "intent", "effect": "REQUIRE_APPROVAL", "decision_id": "dec-held",
         "approval": used},
        {"kind": "outcome", "decision_id": "dec-held", "outcome": "executed", "status": 200,
         "approval": used},
    ]  # fmt: skip
    await ship(client, gateway, chain(gateway, entries))
    await client.resolve(approval["approvalId"], "APPROVE")
    listed = (await client.call("GET", "/v1/decisions?agent=teller")).body["decisions"]
    assert [one["decisionId"] for one in listed] == ["dec-held", "dec-open"]
    held, still_open = listed
    assert (held["outcome"], held["status"]) == ("executed", 200)
    assert (held["approvalId"], held["approvalStatus"]) == (approval["approvalId"], "APPROVED")
    assert (held["target"], held["params"]) == ({"type": "t", "id": "i"}, {"n": 1})
    assert (still_open["outcome"], still_open["approvalId"]) == (None, None)
    assert (held["watched"], held["limits"], held["unresolved"]) == ([], [], None)
    assert [one["rule"] for one in still_open["watched"]] == ["w"]
    assert [one["used"] for one in still_open["limits"]] == [1]
    assert (still_open["obligations"], still_open["unresolved"]) == (["limit:p/l"], "params.x")
    page = (await client.call("GET", "/v1/decisions?agent=teller&limit=1")).body
    rest = await client.call("GET", f"/v1/decisions?agent=teller&cursor={page['nextCursor']}")
    assert rest.body["decisions"] == listed[1:]
    none = (await client.call("GET", "/v1/decisions?agent=teller&effect=BLOCK")).body
    assert none["decisions"] == []


FORBIDDEN = {
    "change a record": "update records set line = '{}'",
    "delete a record": "delete from records",
    "empty the records": "truncate records",
    "switch the guard off": "alter table records disable trigger all",
    "pretend to be a replica": "set session_replication_role = replica",
    "delete an approval": "delete from approvals",
    "change what was asked": "update approvals set summary = 'harmless'",
    "change a key's permissions": "update api_keys set permissions = array['Admin']",
    "make a table": "create table checkrein.mine (x int)",
    "become the owner": "set role checkrein_owner",
    "undo a migration": "delete from schema_migrations",
}


@pytest.mark.parametrize("deed", FORBIDDEN)
async def test_the_service_role_is_refused(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str, deed: str
):
    """INVARIANT(append-only): what the service must never do, its role can't do."""
    gateway = fresh_gateway()
    await ship(client, gateway, chain(gateway, [{}]))
    await client.ask()
    connection = await connect_as(postgres_server, Role.APPLICATION, database_name)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(FORBIDDEN[deed])
    finally:
        await connection.close()


OWNER_FORBIDDEN = {
    "change a record": ("update records set line = '{}'", "append-only"),
    "delete a record": ("delete from records", "append-only"),
    "empty the records": ("truncate records", "append-only"),
    "delete an approval": ("delete from approvals", "never deleted"),
    "empty the approvals": ("truncate approvals cascade", "append-only"),
    "change what was asked": ("update approvals set summary = 'harmless'", "does not change"),
    "open a closed approval": (
        "update approvals set status = 'APPROVED' where status = 'DENIED'",
        "does not move",
    ),
    "skip the approval": (
        "update approvals set status = 'CONSUMED' where status = 'PENDING'",
        "does not move",
    ),
}


@pytest.mark.parametrize("deed", OWNER_FORBIDDEN)
async def test_even_the_owner_is_stopped_by_the_triggers(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str, deed: str
):
    """The second wall, for servers where the service can't have a role of its own."""
    gateway = fresh_gateway()
    await ship(client, gateway, chain(gateway, [{}]))
    await client.ask()
    await client.resolve((await client.ask())["approvalId"], "REJECT")
    statement, reason = OWNER_FORBIDDEN[deed]
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        with pytest.raises(asyncpg.PostgresError, match=reason):
            await connection.execute(statement)
    finally:
        await connection.close()


UNJOINED = {
    "a number again": [2],
    "a gap": [4],
    "a gap inside": [3, 5],
    "the same number twice": [3, 3],
    "another gateway that does not begin": [7],
}


@pytest.mark.parametrize("how", UNJOINED)
async def test_no_statement_appends_what_does_not_follow(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str, how: str
):
    """INVARIANT(chain-once): the database itself holds numbers together, over all its months."""
    gateway = fresh_gateway()
    await ship(client, gateway, chain(gateway, [{}, {}]))
    named = fresh_gateway() if how.startswith("another") else gateway
    connection = await connect_as(postgres_server, Role.APPLICATION, database_name)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=r"follow|duplicate"):
            await connection.execute(
                "insert into records (tenant_id, gateway_id, seq, hash, line, kind, at) "
                "select $1, $2, n, 'h', '{}', 'gateway', '' from unnest($3::bigint[]) n",
                client.tenant_id,
                named,
                UNJOINED[how],
            )
    finally:
        await connection.close()


async def test_a_head_never_goes_back(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Else what is stored could be told a second time."""
    gateway = fresh_gateway()
    await ship(client, gateway, chain(gateway, [{}, {}]))
    connection = await connect_as(postgres_server, Role.APPLICATION, database_name)
    try:
        with pytest.raises(asyncpg.CheckViolationError, match="forward"):
            await connection.execute(
                "update gateway_heads set seq = 1 where gateway_id = $1", gateway
            )
    finally:
        await connection.close()


async def test_records_of_a_coming_month_have_a_place_that_nobody_empties(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Partitions are made ahead, walled and guarded like the table; a month without one is kept in
    the rest."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        parts = [
            row["relname"]
            for row in await connection.fetch(
                "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
                "where i.inhparent = 'records'::regclass"
            )
        ]
        assert len(parts) >= 5
        assert {"records_before", "records_rest"} < set(parts)
        for part in parts:
            for deed in (f"truncate {part}", f"update {part} set line = ''"):
                if deed.startswith("update") and not await connection.fetchval(
                    f"select count(*) from {part}"
                ):
                    continue
                with pytest.raises(asyncpg.PostgresError, match="append-only"):
                    await connection.execute(deed)
        far = "select make_month_partitions('records', 5)"
        assert await connection.fetchval(far) > 0
        assert await connection.fetchval(far) == 0
        with pytest.raises(asyncpg.InvalidParameterValueError):
            await connection.fetchval("select make_month_partitions('api_keys', 1)")
    finally:
        await connection.close()


async def test_every_table_has_its_rights_written_down(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """A new table must be thought about in `rights.sql`."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        rows = await connection.fetch(
            "select c.relname, has_table_privilege('checkrein_app', c.oid, 'select') as readable "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = 'checkrein' and c.relkind in ('r', 'p') and not c.relispartition"
        )
    finally:
        await connection.close()
    assert len(rows) >= 7
    assert [row["relname"] for row in rows if not row["readable"]] == []


async def test_a_line_can_not_be_forged_by_json_in_json(client: Client):
    """The stored line is what the chain hashes: parsed again it is the same record."""
    gateway = fresh_gateway()
    lines = chain(gateway, [{"detail": '","seq":99,"x":"'}])
    await ship(client, gateway, lines)
    row = (await stored(client, gateway))[0]
    assert json.loads(row["line"])["seq"] == row["seq"] == 1
