"""Promise: a run that a person cancels sends nothing more, and no other run is touched."""

from __future__ import annotations

import pytest

from tests.support.agents import CLIENTS, run_agent, start_agent
from tests.support.stack import Gateway, Stack

STRIPE = next(client for client in CLIENTS if client.name == "stripe")

pytestmark = pytest.mark.timeout(180)


def in_run(gateway: Gateway, name: str) -> dict[str, str]:
    """The agent's environment, with a run named where its credentials are."""
    variables = gateway.environment_of_agent.items()
    return {key: text.replace("//agent:", f"//agent+{name}:") for key, text in variables}


def test_what_it_waits_for_is_refused_and_what_comes_after(stack: Stack, tag: str) -> None:
    """Announced, at work, held for a person, cancelled: its program reads why, its steps are all
    there, and the same program in another run goes on."""
    run = stack.api.call("POST", "/v1/runs", {"agentId": "agent", "goal": "refund everybody"})
    environment = in_run(stack.gateway, run["name"])
    assert run_agent(STRIPE, "read", tag, environment).ok
    known = stack.api.approval_ids()
    agent = start_agent(STRIPE, "risky", tag, environment)
    stack.api.wait_pending(known)

    path = f"/v1/runs/{run['runId']}"
    cancelled = stack.api.call("POST", f"{path}/cancel", {"reason": "wrong list"})
    told = agent.finish()
    assert cancelled["status"] == "CANCELLED"
    assert not told.ok
    assert "wrong list" in told.message, told
    assert not run_agent(STRIPE, "read", tag, environment).ok
    assert [each for each in stack.oracle.about(tag) if each.method == "POST"] == []
    assert run_agent(STRIPE, "read", tag, in_run(stack.gateway, "another")).ok

    stack.api.wait_record({"kind": "outcome", "code": "KILL_SWITCH"})
    effects = [each["effect"] for each in stack.api.call("GET", f"{path}/steps")["steps"]]
    assert effects[:2] == ["ALLOW", "REQUIRE_APPROVAL"]
    for stop in stack.api.call("GET", "/v1/stops")["stops"]:
        stack.api.call("POST", f"/v1/stops/{stop['stopId']}/lift", {"reason": "the test is over"})
