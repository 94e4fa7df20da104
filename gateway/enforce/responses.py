"""A refusal -> the answer that the agent's own SDK understands. Pure."""

from __future__ import annotations

from gateway.enforce import gate
from gateway.model.action import Canonical
from gateway.model.decision import Decision
from gateway.model.exchange import Response
from gateway.ports import Sent


def refusal(
    canonical: Canonical, decision: Decision, decision_id: str, refuse: gate.Refuse
) -> Response:
    """The answer to a request that is not sent."""
    raise NotImplementedError


def upstream_failed(canonical: Canonical, sent: Sent, decision_id: str) -> Response:
    """The answer to a request whose upstream gave none."""
    raise NotImplementedError
