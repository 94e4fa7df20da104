"""Promise: a held request is sent once when a person approves it, and never otherwise."""

from __future__ import annotations

from tests.support.agents import Client, run_agent, start_agent
from tests.support.stack import Stack


def test_held_then_approved_is_sent_once(stack: Stack, client: Client, tag: str) -> None:
    """The call blocks, a person approves, the client gets the upstream's answer; one request."""
    known = stack.api.approval_ids()
    agent = start_agent(client, "risky", tag, stack.gateway.environment_of_agent)
    approval = stack.api.wait_pending(known)
    assert stack.oracle.about(tag) == []

    stack.api.resolve(approval["approvalId"], "APPROVE")
    told = agent.finish()

    assert told.ok, told
    assert len(stack.oracle.about(tag)) == 1
    assert stack.api.approval(approval["approvalId"])["status"] == "CONSUMED"


def test_held_then_denied_is_never_sent(stack: Stack, client: Client, tag: str) -> None:
    """A person says no with a reason: the client raises with that reason; no request."""
    known = stack.api.approval_ids()
    agent = start_agent(client, "risky", tag, stack.gateway.environment_of_agent)
    approval = stack.api.wait_pending(known)

    stack.api.resolve(approval["approvalId"], "REJECT", "not in this quarter")
    told = agent.finish()

    assert not told.ok
    assert "not in this quarter" in told.message, told
    assert "judge@example.test" in told.message
    assert stack.oracle.about(tag) == []


def test_held_and_abandoned_is_never_sent(stack: Stack, client: Client, tag: str) -> None:
    """The client dies while it waits; approving afterwards sends nothing."""
    known = stack.api.approval_ids()
    agent = start_agent(client, "risky", tag, stack.gateway.environment_of_agent)
    approval = stack.api.wait_pending(known)

    agent.kill()
    wanted = {"kind": "outcome", "outcome": "not_sent"}
    stack.api.wait_record(wanted, approval["decisionId"])
    stack.api.resolve(approval["approvalId"], "APPROVE")
    # A request behind it on the same gateway: once it is through, the dead one had its chance.
    assert run_agent(client, "read", f"{tag}after", stack.gateway.environment_of_agent).ok

    assert [seen for seen in stack.oracle.about(tag) if not seen.mentions(f"{tag}after")] == []
    assert stack.api.approval(approval["approvalId"])["status"] == "APPROVED"
