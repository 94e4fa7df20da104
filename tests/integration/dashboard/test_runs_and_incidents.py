"""Pages of runs, incidents and unknown outcomes: what they show, and what a person does there."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.integration.dashboard.test_approvals import PROBES, assert_inert
from tests.support.control_plane import Client
from tests.support.dashboard import Browser, browsing, person_key
from tests.support.followed_records import Traffic
from tests.support.tenants import make_key, make_tenant

pytestmark = pytest.mark.timeout(60)


async def run_named(client: Client, agent: str) -> dict[str, Any]:
    """The only run of an agent."""
    (run,) = (await client.call("GET", f"/v1/runs?agent={agent}")).body["runs"]
    return dict(run)


async def test_a_run_is_told_step_by_step(client: Client, signed_in: Browser) -> None:
    """In order, with what was decided and what came of it."""
    agent, traffic = f"agent-{uuid.uuid4().hex[:8]}", Traffic(client)
    done = traffic.decided("tickets", sends=True, agent=agent)
    traffic.outcome(done, "executed")
    traffic.decided("tickets", sends=False, agent=agent, effect="BLOCK")
    await traffic.ship()
    run = await run_named(client, agent)
    listed = await signed_in.get("/dashboard/runs")
    assert f'href="/dashboard/runs/{run["runId"]}"' in listed.text
    shown = (await signed_in.get(f"/dashboard/runs/{run['runId']}")).text
    assert shown.index("Executed") < shown.index("badge-BLOCK")
    assert f"/dashboard/decisions/{done}" in shown
    assert 'class="marks"' in shown


async def test_a_cancelled_run_is_stopped(client: Client, signed_in: Browser) -> None:
    """The page asks why, says what happens, and gateways get a stop."""
    made = await client.call("POST", "/v1/runs", {"agentId": "agent", "goal": "sort mail"})
    path = f"/dashboard/runs/{made.body['runId']}"
    went = await signed_in.submit(path, f"{path}/cancel", {"reason": "wrong folder"})
    assert (await signed_in.follow(went)).text.count("badge-CANCELLED") == 1
    stops = (await client.call("GET", "/v1/stops")).body["stops"]
    assert any("wrong folder" in stop["reason"] for stop in stops)
    again = await signed_in.post(f"{path}/cancel", {"csrf": await token(signed_in), "reason": "x"})
    assert "already" in (await signed_in.follow(again)).text


async def token(browser: Browser) -> str:
    """A form's token of this session."""
    return (await browser.get("/dashboard/account")).token


async def test_an_incident_is_acknowledged_and_resolved_with_a_note(
    client: Client, signed_in: Browser
) -> None:
    """Each state shows what can be done next; without a note nothing is resolved."""
    incident = await reported(client, "Agent attempted execute_shell")
    path = f"/dashboard/incidents/{incident['incidentId']}"
    assert "Agent attempted execute_shell" in (await signed_in.get("/dashboard/incidents")).text
    went = await signed_in.submit(path, f"{path}/acknowledge", {})
    assert "badge-ACKNOWLEDGED" in (await signed_in.follow(went)).text
    empty = await signed_in.submit(path, f"{path}/resolve", {"note": " "})
    assert "is needed" in (await signed_in.follow(empty)).text
    went = await signed_in.submit(path, f"{path}/resolve", {"note": "the shell is gone"})
    shown = (await signed_in.follow(went)).text
    assert "badge-RESOLVED" in shown
    assert "the shell is gone" in shown
    assert f"{path}/resolve" not in shown


async def reported(client: Client, title: str, **more: Any) -> dict[str, Any]:
    """An incident that a program reports."""
    body = {"severity": "HIGH", "reasonCode": "SHELL_BLOCKED", "title": title, **more}
    answer = await client.call("POST", "/v1/incidents", body)
    assert answer.status == 201, answer
    return dict(answer.body["incident"])


async def test_an_unknown_outcome_is_settled_once(client: Client, signed_in: Browser) -> None:
    """Whoever comes second is told what was found out."""
    agent, traffic = f"agent-{uuid.uuid4().hex[:8]}", Traffic(client)
    decision = traffic.decided("pay", sends=True, agent=agent)
    traffic.outcome(decision, "unknown")
    await traffic.ship()
    fields = {"decision": decision, "outcome": "executed", "note": "the ledger has it"}
    assert agent in (await signed_in.get("/dashboard/outcomes")).text
    went = await signed_in.submit("/dashboard/outcomes", "/dashboard/outcomes", fields)
    assert "Settled" in (await signed_in.follow(went)).text
    again = await signed_in.post("/dashboard/outcomes", {**fields, "csrf": await token(signed_in)})
    assert "settled already" in (await signed_in.follow(again)).text
    assert "the ledger has it" in (await signed_in.get("/dashboard/outcomes?status=settled")).text


async def test_nothing_that_an_agent_wrote_is_markup(client: Client, signed_in: Browser) -> None:
    """Goals, names, targets and titles are text."""
    for probe in PROBES:
        await client.call("POST", "/v1/runs", {"agentId": "agent", "goal": probe})
        line = probe if probe.isprintable() else "x"
        made = await reported(client, line, summary=probe, agent=line, decisionIds=[probe])
        for path in (
            "/dashboard/runs",
            "/dashboard/incidents",
            f"/dashboard/incidents/{made['incidentId']}",
        ):
            shown = await signed_in.get(path)
            assert shown.status == 200
            assert_inert(shown.text, probe)


async def test_another_tenant_and_nonsense_are_not_found(
    client: Client, browser: Browser, postgres_server: EmbeddedPostgres, database_name: str
) -> None:
    """As if it were not there."""
    made = await client.call("POST", "/v1/runs", {"agentId": "agent", "goal": "ours"})
    incident = await reported(client, "ours")
    tenant = await make_tenant(postgres_server, database_name)
    await browser.sign_in(await make_key(postgres_server, database_name, ["Admin"], tenant=tenant))
    for path in (
        f"/dashboard/runs/{made.body['runId']}",
        f"/dashboard/incidents/{incident['incidentId']}",
        "/dashboard/runs/nonsense",
        "/dashboard/incidents/nonsense",
    ):
        assert (await browser.get(path)).status == 404
    assert "ours" not in (await browser.get("/dashboard/runs")).text


async def test_who_may_only_read_sees_no_button(client: Client) -> None:
    """And the routes behind them refuse."""
    made = await client.call("POST", "/v1/runs", {"agentId": "agent", "goal": "read me"})
    incident = await reported(client, "read me")
    name = f"reader-{uuid.uuid4().hex[:6]}"
    await person_key(client, name, "RunRead", "IncidentRead")
    run, seen = f"/dashboard/runs/{made.body['runId']}", incident["incidentId"]
    async with browsing(client) as browser:
        await browser.sign_in(name)
        assert f"{run}/cancel" not in (await browser.get(run)).text
        page = await browser.get(f"/dashboard/incidents/{seen}")
        assert "/acknowledge" not in page.text
        refused = await browser.post(f"{run}/cancel", {"csrf": await token(browser), "reason": "x"})
        assert refused.status == 403
