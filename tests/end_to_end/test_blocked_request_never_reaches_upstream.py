"""Promise: what policy blocks raises the SDK's own exception, and the upstream sees nothing."""

from __future__ import annotations

import re

from tests.support.agents import Client, run_agent
from tests.support.stack import Stack

SENTENCE = "the proof forbids this act"


def test_blocked_request_never_reaches_upstream(stack: Stack, client: Client, tag: str) -> None:
    """The native exception carries our sentence, the rule and a decision id; no request leaves,
    and the record says under the same id which rule refused it, and that nothing was sent."""
    mark = stack.oracle.mark()
    told = run_agent(client, "forbidden", tag, stack.gateway.environment_of_agent)

    assert not told.ok
    assert client.exception in told.kinds, told
    assert SENTENCE in told.message
    assert "forbidden-acts" in told.message
    assert stack.oracle.since(mark) == []

    decision_id = re.search(r"dec_[0-9a-f]+", told.message)
    assert decision_id is not None, told
    decided = stack.api.wait_record({"kind": "decision"}, decision_id[0])
    outcome = stack.api.wait_record({"kind": "outcome"}, decision_id[0])
    actual = (decided["effect"], decided["rule"], decided["reason_code"], outcome["outcome"])

    assert actual == ("BLOCK", "forbidden-acts", "FORBIDDEN_BY_PROOF", "refused")
