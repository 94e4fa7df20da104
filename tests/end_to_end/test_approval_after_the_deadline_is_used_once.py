"""Promise: a hold that outlives the client's patience is answered `approval_pending`, and the same
request, sent again after a person approved it, is executed once; the next one needs a new approval.
"""

from __future__ import annotations

from tests.support.agents import CLIENTS, Client, run_agent, start_agent
from tests.support.stack import Stack


def test_approval_after_the_deadline_is_used_once(stack: Stack, client: Client, tag: str) -> None:
    """Pending with the approval's id and `Retry-After`, approved, retried: one request upstream.
    Again: a new approval, still one."""
    environment = stack.brief.environment_of_agent
    known = stack.api.approval_ids()

    pending = run_agent(client, "risky", tag, environment)
    first = stack.api.wait_pending(known)
    assert not pending.ok
    assert first["approvalId"] in pending.message, pending
    assert "crashed" not in pending.kinds
    assert int(pending.headers["retry-after"]) > 0
    assert stack.oracle.about(tag) == []

    stack.api.resolve(first["approvalId"], "APPROVE")
    retried = run_agent(client, "risky", tag, environment)
    assert retried.ok, retried
    assert len(stack.oracle.about(tag)) == 1

    again = run_agent(client, "risky", tag, environment)
    second = stack.api.wait_pending(known | {first["approvalId"]})
    assert not again.ok
    assert second["approvalId"] in again.message
    assert second["requestDigest"] == first["requestDigest"]
    assert len(stack.oracle.about(tag)) == 1


def test_an_impatient_agent_gets_through_once(stack: Stack, tag: str) -> None:
    """It asks again before anybody answers, and five of it at once afterwards: one approval, one
    request upstream. The other four came too late, or ask anew in one question."""
    environment = stack.brief.environment_of_agent
    curl = CLIENTS[-1]
    known = stack.api.approval_ids()
    asked = {run_agent(curl, "risky", tag, environment).headers["retry-after"] for _ in range(2)}
    assert all(int(seconds) > 0 for seconds in asked)
    first = stack.api.wait_pending(known)["approvalId"]
    assert stack.api.approval_ids() - known == {first}

    stack.api.resolve(first, "APPROVE")
    agents = [start_agent(curl, "risky", tag, environment) for _ in range(5)]
    told = [agent.finish() for agent in agents]
    assert [one.ok for one in told].count(True) == 1, told
    assert len(stack.oracle.about(tag)) == 1
    assert len(stack.api.approval_ids() - known) in (1, 2)
