"""The audit explorer and a decision's story: what they find, show, prove, and never let through."""

from __future__ import annotations

import json
import uuid
from urllib.parse import quote

import pytest

from controlplane.services.record import chain_check
from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.integration.dashboard.test_approvals import PROBES, assert_inert
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key
from tests.support.database import connect_as
from tests.support.followed_records import Traffic
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)


def audit(line: str) -> str:
    return f"/dashboard/audit?q={quote(line, safe='')}"


async def test_a_filter_line_finds_and_its_address_can_be_shared(
    client: Client, signed_in: Browser
) -> None:
    """The form writes the same line; a row leads to the decision's story."""
    agent, traffic = f"agent-{uuid.uuid4().hex[:8]}", Traffic(client)
    blocked = traffic.decided(None, agent=agent, effect="BLOCK")
    allowed = traffic.decided(None, agent=agent)
    await traffic.ship(waits=False)
    shown = (await signed_in.get(audit(f"agent:{agent} effect:BLOCK"))).text
    assert f"/dashboard/decisions/{blocked}" in shown
    assert f"/dashboard/decisions/{allowed}" not in shown
    found = await signed_in.get(f"/dashboard/search?q={blocked}")
    assert found.location == f"/dashboard/decisions/{blocked}"
    by_form = await signed_in.get(f"/dashboard/audit?q=agent%3A{agent}&effect=BLOCK&rule=")
    assert by_form.location == f"/dashboard/audit?q=agent%3A{agent}%20effect%3ABLOCK"
    counted = await signed_in.get(f"/dashboard/audit/new?after=0&q=agent%3A{agent}")
    assert json.loads(counted.text) == {"count": 2}
    file = await signed_in.get(f"/dashboard/audit/export?format=csv&q=agent%3A{agent}")
    assert 'filename="decisions.csv"' in file.headers["Content-Disposition"]
    assert file.text.count(agent) == 2


async def test_an_unknown_word_is_said_with_the_nearest(signed_in: Browser) -> None:
    """Nothing is listed then, and nothing exported."""
    shown = (await signed_in.get(audit("agnt:x"))).text
    assert "did you mean `agent`?" in shown.replace("&#39;", "'")
    assert 'class="panel flush log"' not in shown
    assert (await signed_in.get("/dashboard/audit/export?q=agnt%3Ax")).status == 422


async def test_a_story_tells_what_happened_in_order(client: Client, signed_in: Browser) -> None:
    """Intercepted, understood, decided, asked, answered by whom and through what, sent, ended."""
    traffic = Traffic(client)
    decision = traffic.decided("tickets", effect="REQUIRE_APPROVAL")
    asked = await client.ask(decisionId=decision, requestDigest=uuid.uuid4().hex * 2)
    await client.resolve(asked["approvalId"], "APPROVE", reason="the customer called")
    await client.consume(asked, "claim")
    used = {"id": asked["approvalId"], "state": "CONSUMED", "answered_by": None, "comment": None}
    traffic.decided("tickets", decision_id=decision, sends=True, approval=used)
    traffic.outcome(decision, "executed", status=200, approval=used)
    lines = traffic.lines()
    await traffic.ship()
    shown = (await signed_in.get(f"/dashboard/decisions/{decision}")).text
    told = (
        "Intercepted", "Understood", "Decided", "A person was asked", "Approved by",
        "The approval was used", ">Sent<", "Executed</strong>",
    )  # fmt: skip
    places = [shown.index(word) for word in told]
    assert places == sorted(places)
    assert "the customer called" in shown
    assert f"/dashboard/approvals/{asked['approvalId']}" in shown
    assert all(line.replace('"', "&#34;") in shown for line in lines)


async def test_a_record_is_verified_and_a_changed_one_is_named(
    client: Client,
    signed_in: Browser,
    postgres_server: EmbeddedPostgres,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Among its neighbours and as a whole chain, piece by piece."""
    traffic = Traffic(client)
    made = [traffic.decided(None) for _ in range(5)]
    await traffic.ship()
    path = f"/dashboard/decisions/{made[2]}"
    shown = (await signed_in.get(f"{path}?verify=record")).text
    assert shown.count("are one unbroken chain, up to the newest") == 1
    monkeypatch.setattr(chain_check, "AT_ONCE_MAX", 2)
    first = (await signed_in.get(f"{path}?verify=chain")).text
    assert "records 1 to 2 are one unbroken chain" in first
    assert "from=3" in first
    last = (await signed_in.get(f"{path}?verify=chain&from=5")).text
    assert "records 5 to 5 are one unbroken chain, up to the newest" in last
    assert (await signed_in.get(f"{path}?verify=chain&from=6")).status == 404
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute("alter table records disable trigger user")
        await connection.execute("select set_config('checkrein.tenant', '*', false)")
        await connection.execute(
            "update records set line = replace(line, '9000', '9001') "
            "where gateway_id = $1 and seq = 3", traffic.gateway,
        )  # fmt: skip
        await connection.execute("alter table records enable trigger user")
    finally:
        await connection.close()
    broken = (await signed_in.get(f"{path}?verify=record")).text
    assert "broken at record 3" in broken
    assert "unbroken chain" not in broken


async def test_nothing_that_an_agent_wrote_is_markup(client: Client, signed_in: Browser) -> None:
    """Every field of a record with every probe, in the list and in the story."""
    for number, probe in enumerate(PROBES):
        traffic, odd = Traffic(client), f"odd-{uuid.uuid4().hex}-{number}"
        fields = {
            "policy": probe, "rule": probe, "reason_code": probe, "message": probe,
            "request_id": probe, "method": probe, "authority": probe, "path": probe,
            "revision": probe, "digest": probe, "body_digest": probe, "unresolved": probe,
            "actions": [{"operation": probe, "action": probe, "kind": probe,
                         "target": {"type": probe, "id": probe}, "params": {probe: [probe]}}],
            "risk": {"score": probe, "factors": [{"name": probe, "points": 9, "observed": probe}]},
            "watched": [{"policy": probe, "rule": probe, "effect": probe, "reason_code": probe}],
            "limits": [{"limit": probe, "key": probe, "used": probe, "exceeded": True}],
        }  # fmt: skip
        traffic.decided(probe, decision_id=odd, agent=f"agent {probe}", provider=probe, **fields)
        traffic.outcome(
            odd, probe, status=probe, code=probe, witness={"asked": probe, "found": probe}
        )
        await traffic.ship()
        for path in (audit(f"decision:{odd}"), audit(probe), f"/dashboard/decisions/{odd}"):
            shown = await signed_in.get(path)
            assert shown.status == 200, (path, shown.text)
            assert_inert(shown.text, probe)


async def test_lines_that_promise_nothing_are_shown(client: Client, signed_in: Browser) -> None:
    """Fields may be missing, or be anything."""
    traffic = Traffic(client)
    for fields in (
        {"kind": "decision"},
        {"kind": "outcome"},
        {"kind": "intent", "actions": {}, "risk": 5, "watched": "x", "limits": 3, "effect": []},
        {"kind": "decision", "actions": [1, {}], "agent": 7, "risk": {"factors": [None, {}]}},
    ):
        decision = f"odd-{uuid.uuid4().hex}"
        traffic.entry(decision_id=decision, **fields)
        await traffic.ship()
        shown = await signed_in.get(f"/dashboard/decisions/{decision}")
        assert shown.status == 200, (fields, shown.text)
        assert (await signed_in.get("/dashboard/audit")).status == 200


async def test_another_tenant_and_strangers_see_nothing(
    client: Client, browser: Browser, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """404 for a decision of others, 403 for whoever may not read records."""
    traffic = Traffic(client)
    decision = traffic.decided("ours")
    await traffic.ship()
    name = f"answers-{uuid.uuid4().hex[:6]}"
    await person_key(client, name, "ApprovalRead")
    async with browsing(client) as other:
        await other.sign_in(name)
        for path in ("audit", "audit/export", "audit/new", f"decisions/{decision}"):
            assert (await other.get(f"/dashboard/{path}")).status == 403
    tenant = await make_tenant(postgres_server, database_name)
    await browser.sign_in(await make_key(postgres_server, database_name, ["Admin"], tenant=tenant))
    for path in (f"decisions/{decision}", f"decisions/{decision}?verify=chain", "decisions/none"):
        assert (await browser.get(f"/dashboard/{path}")).status == 404
    assert decision not in (await browser.get("/dashboard/audit")).text
    assert decision not in (await browser.get("/dashboard/audit/export")).text
