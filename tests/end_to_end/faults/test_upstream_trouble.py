"""Promise: after its first byte has left, what became of an approved act is what was seen, or
`unknown`; it is never sent again by itself, and never under the same approval."""

from __future__ import annotations

from tests.support.agents import CLIENTS, start_agent
from tests.support.providers import BREAKS_OFF
from tests.support.stack import Stack

URLLIB = next(client for client in CLIENTS if client.name == "urllib")


def test_row_23_an_approved_act_whose_answer_breaks_off_is_unknown(stack: Stack, tag: str) -> None:
    """The provider did it and died while it answered: the agent's client fails, the record says
    `unknown` under the approval that is used up, and the same act asks anew."""
    tag = f"{tag}{BREAKS_OFF}"
    known = set(stack.api.approval_ids())
    agent = start_agent(URLLIB, "risky", tag, stack.gateway.environment_of_agent)
    approval = stack.api.wait_pending(known)
    stack.api.resolve(approval["approvalId"], "APPROVE")

    assert not agent.finish().ok

    wanted = {"kind": "outcome", "decision_id": approval["decisionId"]}
    record = stack.api.wait_record(wanted, approval["approvalId"])
    assert record["outcome"] == "unknown"
    assert record["approval"]["id"] == approval["approvalId"]
    assert len(stack.oracle.about(tag)) == 1
    assert stack.api.approval(approval["approvalId"])["status"] == "CONSUMED"

    known.add(approval["approvalId"])
    again = start_agent(URLLIB, "risky", tag, stack.gateway.environment_of_agent)
    anew = stack.api.wait_pending(known)
    stack.api.resolve(anew["approvalId"], "REJECT", "it may be done already")
    assert "it may be done already" in again.finish().message
    assert len(stack.oracle.about(tag)) == 1
