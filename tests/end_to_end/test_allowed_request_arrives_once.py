"""Promise: what policy allows reaches the upstream exactly once, and the record names exactly the
request that the upstream understood. The two parsers share no code.
"""

from __future__ import annotations

from tests.support.agents import Client, run_agent
from tests.support.stack import Stack


def test_allowed_request_arrives_once(stack: Stack, client: Client, tag: str) -> None:
    """A read succeeds in the client's own terms, the upstream sees one request, and the record
    holds who sent it, its method, authority, path and body, rule, reason and outcome."""
    mark = stack.oracle.mark()
    told = run_agent(client, "read", tag, stack.gateway.environment_of_agent)
    assert told.ok, told
    (understood,) = stack.oracle.since(mark, tag if client.read_tags else "")

    body_digest = stack.gateway.content_digest(understood.body)
    wanted = {"kind": "intent", "method": understood.method, "body_digest": body_digest}
    intent = stack.api.wait_record(wanted, understood.path)
    outcome = stack.api.wait_record({"kind": "outcome"}, intent["decision_id"])
    actual = (intent["agent"], intent["rule"], intent["reason_code"], outcome["outcome"])

    assert actual == ("agent", "reads", "SAFE_READ", "executed")
    assert intent["authority"].removesuffix(":443") == understood.host
    assert intent["path"].partition("?")[0] == understood.path
