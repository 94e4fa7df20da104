"""Promise: what policy blocks raises the SDK's own exception, and the upstream sees nothing."""

from __future__ import annotations

from tests.support.agents import Client, run_agent
from tests.support.stack import Stack

SENTENCE = "the proof forbids this act"


def test_blocked_request_never_reaches_upstream(stack: Stack, client: Client, tag: str) -> None:
    """The native exception carries our sentence, the rule and a decision id; no request leaves."""
    mark = stack.oracle.mark()
    told = run_agent(client, "forbidden", tag, stack.gateway.environment_of_agent)

    assert not told.ok
    assert told.exception == client.exception, told
    assert SENTENCE in told.message
    assert "forbidden-acts" in told.message
    assert "dec_" in told.message
    assert stack.oracle.since(mark) == []


def test_blocked_request_is_recorded_as_refused(stack: Stack, client: Client, tag: str) -> None:
    """The record says what was wanted, which rule refused it, and that nothing was sent."""
    told = run_agent(client, "forbidden", tag, stack.gateway.environment_of_agent)
    assert not told.ok

    decided = stack.api.wait_record({"kind": "decision", "effect": "BLOCK"}, tag)
    outcome = stack.api.wait_record({"kind": "outcome"}, decided["decision_id"])
    actual = (decided["rule"], decided["reason_code"], outcome["outcome"])

    assert actual == ("forbidden-acts", "FORBIDDEN_BY_PROOF", "refused")
    assert decided["decision_id"] in told.message
