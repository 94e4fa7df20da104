"""Promise: kill -9 at any moment loses no record, executes nothing twice and releases no hold."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator

import psutil
import pytest

from tests.support.agents import CLIENTS, run_agent, start_agent
from tests.support.control_api import ApiError
from tests.support.processes import descendants
from tests.support.raw_client import RawClient
from tests.support.stack import Gateway, Stack, Upstreams, start_stack
from tests.support.traffic import Traffic, assert_every_effect_is_recorded_once, verify_chain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

KILLS = int(os.environ.get("CHECKREIN_TEST_KILLS", "3"))
"""Raise it, and pytest's --timeout, for a campaign of kills of the gateway in traffic."""
URLLIB = next(client for client in CLIENTS if client.name == "urllib")
SETTLE_SECONDS_MAX = 30.0
HOLD_SECONDS_MAX = "10"
"""Longer than a restart of anything, and no longer than a test should wait for a hold to end."""


@pytest.fixture(scope="module")
def broken_before(upstreams: Upstreams) -> Iterator[Stack]:
    """A stack for this file alone, as the test before left it."""
    running = start_stack("fragile", upstreams)
    try:
        running.add_gateway("ordinary", {"CHECKREIN_HOLD_SECONDS_MAX": HOLD_SECONDS_MAX})
        yield running
    finally:
        running.close()


@pytest.fixture
def fragile(broken_before: Stack) -> Stack:
    """The same, whole again, to be broken."""
    wait_ready(broken_before)
    if not broken_before.gateway.process.is_running:
        broken_before.gateway.start()
    wait_shipped(broken_before, broken_before.gateway)
    return broken_before


@pytest.fixture
def traffic(fragile: Stack, tag: str) -> Iterator[Traffic]:
    """Agents that mutate all the time."""
    gateway = fragile.gateway
    client = RawClient(gateway.port, fragile.control.key("agent"), gateway.ca_file)
    running = Traffic(client, tag)
    running.start()
    yield running
    running.stop()


def wait_shipped(stack: Stack, gateway: Gateway) -> None:
    """Wait until the control plane stores an intent made after this call."""
    # Not a long number: the record would take it for a card's and redact it.
    marker = f"shipped{uuid.uuid4().hex[:10]}"
    assert run_agent(URLLIB, "read", marker, gateway.environment_of_agent).ok
    stack.api.wait_record({"kind": "outcome"}, wait_intent(stack, marker), SETTLE_SECONDS_MAX)


def wait_intent(stack: Stack, about: str) -> str:
    """The decision id of the intent that mentions `about`."""
    fields = stack.api.wait_record({"kind": "intent"}, about, SETTLE_SECONDS_MAX)
    decision_id: str = fields["decision_id"]
    return decision_id


def wait_ready(stack: Stack) -> None:
    """Wait until the control plane answers from its database again; start it if it ended."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        if not stack.control.process.is_running:
            stack.control.start()
        try:
            stack.api.approvals()
        except (OSError, ApiError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"no database again: {stack.control.process.log[-4000:]}")


def assert_sound(stack: Stack, traffic: Traffic) -> None:
    """Nothing lost, nothing doubled, nothing unrecorded, and the chain holds."""
    traffic.stop()
    wait_shipped(stack, stack.gateway)
    chain = verify_chain(stack.api.records(), stack.gateway.gateway_id)
    assert_every_effect_is_recorded_once(stack.oracle, chain, traffic.told)
    assert traffic.count(200) > 0


def assert_unknown_ones_are_listed(stack: Stack) -> None:
    """A person is asked about each mutation that has no outcome, and about no other act."""
    known = [record.fields for record in stack.api.records()]
    ended = {each["decision_id"] for each in known if each["kind"] == "outcome"}
    left = {
        each["decision_id"]
        for each in known
        if each["kind"] == "intent" and any(one["kind"] != "read" for one in each["actions"])
    } - ended
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        page = stack.api.call("GET", "/v1/outcomes", status="unknown", limit=500)
        listed = {each["decisionId"] for each in page["outcomes"]}
        if listed == left:
            return
        time.sleep(0.1)
    raise AssertionError(f"{len(left)} are left open, {len(listed)} are listed")


def test_row_29_gateway_killed_in_traffic(fragile: Stack, traffic: Traffic) -> None:
    """Several kills in the middle of mutations: upstream effects are a subset of the intents."""
    for _ in range(KILLS):
        traffic.wait_told(200, 5)
        fragile.gateway.process.kill()
        fragile.gateway.start()

    traffic.wait_told(200, 5)
    assert_sound(fragile, traffic)
    assert_unknown_ones_are_listed(fragile)


def test_row_12_gateway_killed_in_a_hold(fragile: Stack, tag: str) -> None:
    """The held request dies with the gateway; its approval serves the agent's next try, once."""
    known = fragile.api.approval_ids()
    agent = start_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent)
    approval = fragile.api.wait_pending(known)

    fragile.gateway.process.kill()
    assert not agent.finish().ok
    fragile.api.resolve(approval["approvalId"], "APPROVE")
    fragile.gateway.start()
    wait_shipped(fragile, fragile.gateway)
    assert fragile.oracle.about(tag) == []

    assert run_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent).ok
    assert len(fragile.oracle.about(tag)) == 1
    assert fragile.api.approval(approval["approvalId"])["status"] == "CONSUMED"
    verify_chain(fragile.api.records(), fragile.gateway.gateway_id)


def test_row_11_gateway_stopped_in_a_hold(fragile: Stack, tag: str) -> None:
    """A held agent reads that it is still pending, and nothing is sent for it: not when a person
    approves it later, and not by the gateway that comes back. Asked again, it is done once."""
    known = fragile.api.approval_ids()
    agent = start_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent)
    approval = fragile.api.wait_pending(known)

    assert fragile.gateway.process.stop() == 0
    told = agent.finish()

    assert not told.ok
    assert approval["approvalId"] in told.message, told
    fragile.api.resolve(approval["approvalId"], "APPROVE")
    fragile.gateway.start()
    wait_shipped(fragile, fragile.gateway)
    assert fragile.oracle.about(tag) == []
    assert fragile.api.approval(approval["approvalId"])["status"] == "APPROVED"

    assert run_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent).ok
    assert len(fragile.oracle.about(tag)) == 1


def test_row_13_gateway_killed_between_sending_and_answer(fragile: Stack, tag: str) -> None:
    """The upstream has the request, the gateway dies: intent without outcome, never sent again."""
    release = fragile.oracle.hold(tag)
    agent = start_agent(URLLIB, "read", tag, fragile.gateway.environment_of_agent)
    assert len(fragile.oracle.wait_about(tag)) == 1

    fragile.gateway.process.kill()
    release.set()
    assert not agent.finish().ok
    fragile.gateway.start()
    wait_shipped(fragile, fragile.gateway)

    assert len(fragile.oracle.about(tag)) == 1
    chain = verify_chain(fragile.api.records(), fragile.gateway.gateway_id)
    intents = [f for f in chain.fields if f["kind"] == "intent" and tag in f["path"]]
    ids = {fields["decision_id"] for fields in intents}
    outcomes = [f for f in chain.fields if f["kind"] == "outcome" and f["decision_id"] in ids]
    # A read need not be on disk before it is sent, so the intent may be lost with the process.
    assert len(intents) <= 1
    assert [fields["outcome"] for fields in outcomes] in ([], ["unknown"])


def test_row_04_control_plane_killed_in_traffic(fragile: Stack, traffic: Traffic) -> None:
    """What is allowed goes on without it; afterwards every record is there, exactly once."""
    traffic.wait_told(200, 5)
    fragile.control.process.kill()
    traffic.wait_told(200, 10)
    fragile.control.start()
    traffic.wait_told(200, 5)

    assert_sound(fragile, traffic)
    assert traffic.count(None) == 0


def test_row_04_control_plane_killed_in_a_hold(fragile: Stack, tag: str) -> None:
    """No answer can come, so nothing is sent; after its return the same approval still stands."""
    known = fragile.api.approval_ids()
    agent = start_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent)
    approval = fragile.api.wait_pending(known)

    fragile.control.process.kill()
    assert not agent.finish().ok
    assert fragile.oracle.about(tag) == []
    fragile.control.start()
    assert fragile.api.approval(approval["approvalId"])["status"] == "PENDING"

    fragile.api.resolve(approval["approvalId"], "APPROVE")
    assert run_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent).ok
    assert len(fragile.oracle.about(tag)) == 1


def test_row_04_control_plane_down_means_no_holds(fragile: Stack, tag: str) -> None:
    """Without it, what needs a person is refused with a reason, and what is allowed goes on."""
    assert run_agent(URLLIB, "read", f"{tag}a", fragile.gateway.environment_of_agent).ok
    fragile.control.process.kill()

    refused = run_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent)
    allowed = run_agent(URLLIB, "read", f"{tag}b", fragile.gateway.environment_of_agent)

    assert not refused.ok
    assert "APPROVAL_UNAVAILABLE" in refused.message, refused
    assert allowed.ok, allowed
    assert [seen.method for seen in fragile.oracle.about(tag)] == ["GET", "GET"]


def test_row_02_gateway_restarted_without_control_plane_goes_on(fragile: Stack, tag: str) -> None:
    """It remembers who its agents are: what is allowed goes on, and its records arrive later."""
    assert run_agent(URLLIB, "read", f"{tag}a", fragile.gateway.environment_of_agent).ok
    fragile.control.process.kill()
    fragile.gateway.process.kill()
    fragile.gateway.start()

    told = run_agent(URLLIB, "noted", f"{tag}b", fragile.gateway.environment_of_agent)
    assert told.ok, told
    fragile.control.start()
    wait_shipped(fragile, fragile.gateway)
    chain = verify_chain(fragile.api.records(), fragile.gateway.gateway_id)
    assert len([line for line in chain.lines if f"{tag}b" in line]) == 1


def test_row_18_control_plane_killed_leaves_no_database_behind(fragile: Stack) -> None:
    """kill -9 of the control plane: its private Postgres ends by itself, and starts again with all
    that it had."""
    known = {record.line for record in fragile.api.records()}
    servers = descendants(fragile.control.process.pid, "postgres")
    assert servers
    fragile.control.process.kill()
    _, alive = psutil.wait_procs(servers, timeout=15)
    assert alive == []

    fragile.control.start()
    assert known
    assert known <= {record.line for record in fragile.api.records()}


def test_row_18_postgres_killed_in_traffic(fragile: Stack, traffic: Traffic) -> None:
    """The database dies like a machine does: what is allowed goes on, and no record is lost."""
    traffic.wait_told(200, 5)
    descendants(fragile.control.process.pid, "postgres")[0].kill()
    traffic.wait_told(200, 10)
    wait_ready(fragile)
    traffic.wait_told(200, 5)

    assert_sound(fragile, traffic)


def test_row_18_postgres_killed_in_a_hold(fragile: Stack, tag: str) -> None:
    """The approval is stored: it survives the database's death, and is used once."""
    known = fragile.api.approval_ids()
    agent = start_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent)
    approval = fragile.api.wait_pending(known)

    descendants(fragile.control.process.pid, "postgres")[0].kill()
    wait_ready(fragile)
    assert fragile.oracle.about(tag) == []
    fragile.api.resolve(approval["approvalId"], "APPROVE")
    told = agent.finish()
    if not told.ok:  # the hold was refused when the database went; the approval still stands
        told = run_agent(URLLIB, "risky", tag, fragile.gateway.environment_of_agent)

    assert told.ok, told
    assert len(fragile.oracle.about(tag)) == 1
    assert fragile.api.approval(approval["approvalId"])["status"] == "CONSUMED"
