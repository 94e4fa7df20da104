"""Promise: what policy allows reaches the upstream exactly once, unchanged, and is recorded."""

from __future__ import annotations

from tests.support.agents import Client, run_agent
from tests.support.stack import Stack


def test_allowed_request_arrives_once(stack: Stack, client: Client, tag: str) -> None:
    """A read succeeds in the client's own terms and the upstream sees one request."""
    mark = stack.oracle.mark()
    told = run_agent(client, "read", tag, stack.gateway.environment_of_agent)

    assert told.ok, told
    seen = stack.oracle.since(mark, tag if client.read_tags else "")
    assert len(seen) == 1


def test_allowed_request_is_recorded_with_its_outcome(
    stack: Stack, client: Client, tag: str
) -> None:
    """The record holds the decision (rule and reason) and that it was executed."""
    told = run_agent(client, "read", tag, stack.gateway.environment_of_agent)
    assert told.ok, told

    about = tag if client.read_tags else "GetCallerIdentity"
    intent = stack.api.wait_record({"kind": "intent", "effect": "ALLOW"}, about)
    outcome = stack.api.wait_record({"kind": "outcome"}, intent["decision_id"])
    actual = (intent["agent"], intent["rule"], intent["reason_code"], outcome["outcome"])

    assert actual == ("agent", "reads", "SAFE_READ", "executed")
