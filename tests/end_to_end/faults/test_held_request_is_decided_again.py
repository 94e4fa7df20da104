"""Promise: what waits for a person is decided by the rules of its release, and what new rules block
is refused at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import CLIENTS, start_agent
from tests.support.control_api import POLL_SECONDS, ApiError
from tests.support.stack import Gateway, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

URLLIB = next(client for client in CLIENTS if client.name == "urllib")
HEAD = """
apiVersion: checkrein/v1
kind: Policy
metadata: {name: changing}
spec:
  rules:
"""
ASK = "    - {id: ask, priority: 2, effect: REQUIRE_APPROVAL}\n"
REWORDED = "    - {id: ask, priority: 3, effect: REQUIRE_APPROVAL, message: somebody must look}\n"
CLOSED = "    - {id: closed, priority: 1, effect: BLOCK, reason: CLOSED, message: we are closed}\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "changing.yaml"
    path.write_text(HEAD + ASK)
    return path


@pytest.fixture
def changing(policy: Path, stack: Stack) -> Iterator[Gateway]:
    """A gateway whose policy is a file that the test writes."""
    gateway = stack.add_gateway("changing", {"CHECKREIN_POLICIES": str(policy)})
    yield gateway
    gateway.process.close()


def test_row_09_a_held_request_obeys_the_rules_of_now(
    stack: Stack, changing: Gateway, policy: Path, tag: str
) -> None:
    """Blocked by a file that is written while it waits: the agent is told at once, the approval is
    void and can't be given any more. Asked by other words: what was approved goes through."""
    known = stack.api.approval_ids()
    agent = start_agent(URLLIB, "risky", tag, changing.environment_of_agent)
    first = stack.api.wait_pending(known)
    policy.write_text(HEAD + CLOSED + ASK)

    told = agent.finish()

    assert not told.ok
    assert "we are closed" in told.message + told.output
    loaded = {"kind": "gateway", "event": "policy_loaded", "gateway": changing.gateway_id}
    stack.api.wait_record(loaded)
    voided = stack.api.approval(first["approvalId"])
    assert (voided["status"], voided["comment"]) == ("CANCELLED", "POLICY_CHANGED")
    with pytest.raises(ApiError) as refused:
        stack.api.resolve(first["approvalId"], "APPROVE")
    assert refused.value.status == 409
    assert stack.oracle.about(tag) == []

    load(stack, changing, policy, ASK)
    second_tag = f"{tag}second"
    agent = start_agent(URLLIB, "risky", second_tag, changing.environment_of_agent)
    second = stack.api.wait_pending({*known, first["approvalId"]})
    load(stack, changing, policy, REWORDED)
    stack.api.resolve(second["approvalId"], "APPROVE")
    assert agent.finish().ok
    intent = stack.api.wait_record({"kind": "intent", "decision_id": second["decisionId"]})
    assert intent["message"] == "somebody must look"
    assert intent["revision"] != second["bundleRevision"]
    assert len(stack.oracle.about(second_tag)) == 1


def load(stack: Stack, gateway: Gateway, policy: Path, rules: str) -> None:
    """Write other rules, and wait until the gateway has recorded that it decides by them."""
    known = len(loads(stack, gateway))
    policy.write_text(HEAD + rules)
    deadline = time.monotonic() + 15
    while len(loads(stack, gateway)) == known:
        assert time.monotonic() < deadline, "the rules were not loaded"
        time.sleep(POLL_SECONDS)


def loads(stack: Stack, gateway: Gateway) -> list[str]:
    """The revisions that were loaded."""
    entries = [record.fields for record in stack.api.records(gateway.gateway_id)]
    return [entry["detail"] for entry in entries if entry.get("event") == "policy_loaded"]
