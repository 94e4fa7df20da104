"""Decisions by filter, exports, and chains recomputed, on a real database over HTTP."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import aiohttp
import pytest

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.services.access.keys import KeyService
from controlplane.services.decisions import explorer as explorer_module
from controlplane.services.decisions.explorer import ExplorerService
from controlplane.services.decisions.exports import (
    COLUMNS,
    EXPORTS_PER_KEY_MAX,
    ExportService,
    cell,
)
from controlplane.services.decisions.from_records import DecisionService
from controlplane.store.decisions import DecisionStore
from controlplane.store.embedded import EmbeddedPostgres
from controlplane.store.explorer import ExplorerStore
from controlplane.store.records import RecordFilter
from tests.support.control_plane import Client
from tests.support.followed_records import Traffic, moment
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)


def fresh_agent() -> str:
    return f"agent-{uuid.uuid4().hex[:8]}"


async def ids(client: Client, **wanted: object) -> list[str]:
    """The decisions that a filter finds."""
    answer = await client.call("GET", f"/v1/decisions?{urlencode(wanted)}")
    assert answer.status == 200, answer
    return [one["decisionId"] for one in answer.body["decisions"]]


async def fetch(client: Client, path: str, key: str = "admin") -> tuple[int, str]:
    """Read a file whole."""
    headers = {"x-api-key": client.keys.get(key, key)}
    async with client.http.get(client.url + path, headers=headers) as response:
        return response.status, await response.text()


async def test_each_filter_finds_its_own(client: Client) -> None:
    """Alone, and all of them together; what does not fit is not there."""
    agent, traffic, old = fresh_agent(), Traffic(client), datetime.now(UTC) - timedelta(days=2)
    run = f"run-{uuid.uuid4().hex[:8]}"
    special = {
        "effect": "BLOCK", "provider": "aws", "policy": "own", "rule": f"rule-{agent}",
        "reason_code": "WHY", "kind": "delete", "target": f"target-{agent}", "mode": "monitor",
        "risk": {"score": 90, "factors": [], "vector": "v"}, "message": "the odd one out",
    }  # fmt: skip
    odd = traffic.decided(run, agent=agent, at=old, **special)
    plain = traffic.decided(None, agent=agent, sends=True)
    traffic.outcome(plain, "executed", status=200)
    await traffic.ship(waits=False)
    assert await ids(client, agent=agent, text="") == [plain, odd]
    fitting = {
        "effect": "BLOCK", "provider": "aws", "policy": "own", "rule": f"rule-{agent}",
        "reason": "WHY", "kind": "delete", "target": f"target-{agent}", "mode": "monitor",
        "riskMin": 90, "text": "ODD one", "run": run, "outcome": "open",
        "until": moment(old + timedelta(hours=1)), "since": moment(old - timedelta(hours=1)),
        "decision": odd, "action": "create_refund", "operation": "stripe.refunds.create",
    }  # fmt: skip
    for name, value in fitting.items():
        assert odd in await ids(client, agent=agent, **{name: value}), name
        if name not in ("since", "action", "operation"):
            assert plain not in await ids(client, agent=agent, **{name: value}), name
    assert await ids(client, agent=agent, **fitting) == [odd]
    assert await ids(client, agent=agent, since=moment(old + timedelta(hours=1))) == [plain]
    assert await ids(client, agent=agent, outcome="executed") == [plain]
    for name in ("agent", "rule", "run", "target", "decision", "text"):
        assert await ids(client, **{**fitting, "agent": agent, name: "nobody"}) == []


async def test_pages_hold_each_decision_once_however_little_is_looked_at(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that ends early says from where to go on."""
    monkeypatch.setattr(explorer_module, "LOOK_COUNT", 3)
    monkeypatch.setattr(explorer_module, "LOOK_SECONDS", 0.0)
    agent, traffic = fresh_agent(), Traffic(client)
    made = [
        traffic.decided(None, agent=agent, kind="delete" if index % 5 == 0 else "read")
        for index in range(20)
    ]
    await traffic.ship()
    found, cursor, pages = [], "", 0
    while cursor is not None:
        given = {"cursor": cursor} if cursor else {}
        query = urlencode({"agent": agent, "kind": "delete", "limit": 2, **given})
        body = (await client.call("GET", f"/v1/decisions?{query}")).body
        found += [one["decisionId"] for one in body["decisions"]]
        cursor, pages = body["nextCursor"], pages + 1
    assert found == list(reversed(made[::5]))
    assert pages > 2


@pytest.mark.parametrize(
    "query", ["effect=NO", "kind=x", "riskMin=101", "since=1d", "outcome=done", "what=x"]
)
async def test_a_filter_that_means_nothing_is_refused(client: Client, query: str) -> None:
    """In lists and in exports."""
    for path in ("/v1/decisions", "/v1/exports/decisions"):
        status, _ = await fetch(client, f"{path}?{query}")
        assert status in (400, 422), path


async def test_exports_hold_what_the_filter_finds(client: Client) -> None:
    """As JSON lines with the fields of the API, and as CSV in which nothing is a formula."""
    agent, traffic = fresh_agent(), Traffic(client)
    evil = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\uff1d1", 'a"b,c\r\nd', "plain"]
    made = [traffic.decided(None, agent=agent, target=each) for each in evil]
    await traffic.ship()
    query = urlencode({"agent": agent})
    status, text = await fetch(client, f"/v1/exports/decisions?{query}")
    lines = [json.loads(line) for line in text.splitlines()]
    assert (status, [one["decisionId"] for one in lines]) == (200, made[::-1])
    listed = (await client.call("GET", f"/v1/decisions?{query}")).body["decisions"]
    assert lines == listed
    status, text = await fetch(client, f"/v1/exports/decisions?{query}&format=csv")
    header, *rows = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(header) == COLUMNS
    targets = [row[header.index("targetId")] for row in rows]
    assert targets == [evil[8], evil[7], *(f"'{each}" for each in reversed(evil[:7]))]
    assert all(row[header.index("riskScore")] == "30" for row in rows)


def test_a_cell_is_bounded_text() -> None:
    """Numbers stay numbers, and a negative one is no formula."""
    assert (cell(-5), cell(None), cell(True), cell({"a": 1})) == ("-5", "", "True", '{"a": 1}')
    assert len(cell("x" * 100_000)) == 32_000


async def test_exported_records_are_the_lines_themselves(client: Client) -> None:
    """So that `audit verify` proves them anywhere."""
    traffic = Traffic(client)
    for _ in range(250):
        traffic.decided(None)
    lines = traffic.lines()
    await traffic.ship(waits=False)
    status, text = await fetch(client, f"/v1/exports/records?gatewayId={traffic.gateway}")
    assert (status, text.splitlines()) == (200, lines)


async def test_an_export_ends_with_its_key(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads it sees that it was cut off."""
    made = await client.call("POST", "/v1/keys", {"name": "reader", "permissions": ["RecordRead"]})
    traffic = Traffic(client)
    for _ in range(800):
        traffic.decided(None, message="m" * 100)
    await traffic.ship(waits=False)
    headers = {"x-api-key": made.body["key"]}
    path = f"{client.url}/v1/exports/records?gatewayId={traffic.gateway}"
    authenticate = KeyService.authenticate
    calls = 0

    async def revoked_in_its_midst(self: KeyService, key: str) -> object:
        nonlocal calls
        calls += key == made.body["key"]
        if key == made.body["key"] and calls == 6:
            await client.call("POST", f"/v1/keys/{made.body['keyId']}/revoke")
        return await authenticate(self, key)

    monkeypatch.setattr(KeyService, "authenticate", revoked_in_its_midst)
    with pytest.raises(aiohttp.ClientPayloadError):
        async with client.http.get(path, headers=headers) as response:
            await response.read()


async def test_few_exports_are_made_at_once(client: Client) -> None:
    """A reader that stands still keeps one place, and gives it back when it goes."""
    assert client.plane.database is not None
    store = ExplorerStore(client.plane.database)
    decisions = DecisionService(DecisionStore(client.plane.database))
    exports = ExportService(store, ExplorerService(store, decisions))
    caller = Caller(client.tenant_id, uuid.uuid4(), "many", frozenset())
    traffic = Traffic(client)
    for _ in range(150):
        traffic.decided(None)
    await traffic.ship(waits=False)

    async def always() -> bool:
        return True

    def begin() -> AsyncIterator[bytes]:
        return exports.records(caller, RecordFilter(gateway_id=traffic.gateway), always)

    standing = [begin() for _ in range(EXPORTS_PER_KEY_MAX)]
    for each in standing:
        assert await anext(each)
    with pytest.raises(ControlFault) as caught:
        begin()
    assert caught.value.fault is Fault.UNAVAILABLE
    for each in standing:
        await each.aclose()  # type: ignore[attr-defined]
    assert await anext(begin())


async def test_another_tenant_finds_and_exports_nothing_of_ours(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """By no filter, and in no file."""
    traffic = Traffic(client)
    ours = traffic.decided("ours", agent="agent")
    await traffic.ship()
    tenant = await make_tenant(postgres_server, database_name)
    key = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    for query in (f"decision={ours}", "run=ours", "effect=ALLOW", "text=because"):
        answer = await client.call("GET", f"/v1/decisions?{query}", key=key)
        assert answer.body == {"decisions": [], "nextCursor": None}
    for path in ("/v1/exports/decisions", f"/v1/exports/records?gatewayId={traffic.gateway}"):
        assert await fetch(client, path, key) == (200, "")
