"""Entries to record, with everything filled in that a test doesn't care about."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.action import Action, Canonical, Kind, ParamValue, Target
from gateway.model.decision import Context, Decision, Risk, RiskFactor
from gateway.model.effect import Effect
from gateway.model.exchange import Authority, Exchange, Header, HttpRequest, Principal
from gateway.model.record import DecisionEntry, Outcome, OutcomeEntry

AT = 1_763_700_000_123_456
"""2025-11-21T04:40:00.123456Z."""

_PARAMS: Mapping[str, ParamValue] = {"amount": 9000, "currency": "usd"}


def an_exchange(
    target: bytes = b"/v1/refunds",
    body: bytes | None = b"charge=ch_1",
    agent: str = "agent",
    headers: tuple[Header, ...] = (),
) -> Exchange:
    request = HttpRequest(
        "POST",
        "https",
        Authority("api.stripe.com", 443),
        target,
        headers,
        {name.lower(): value for name, value in headers},
        frozenset(),
        body,
        None if body is None else len(body),
    )
    return Exchange("req_1", Principal(agent, "run-1"), request, AT)


def an_action(params: Mapping[str, ParamValue] | None = None, target_id: str = "ch_1") -> Action:
    given: Mapping[str, ParamValue] = params if params is not None else _PARAMS
    return Action(
        "stripe",
        "stripe.refunds.create",
        "create_refund",
        Kind.CREATE,
        Target("charge", target_id),
        given,
    )


def a_decision(effect: Effect = Effect.ALLOW) -> Decision:
    risk = Risk(30, (RiskFactor("operation", 30, "create_refund"),), "CR1/operation:30")
    return Decision(effect, "WITHIN_LIMITS", "small refunds pass", "starter", "r1", risk, "a" * 64)


def an_intent(
    decision_id: str = "dec_1",
    *,
    sends: bool = True,
    action: Action | None = None,
    exchange: Exchange | None = None,
) -> DecisionEntry:
    canonical = Canonical((action or an_action(),), "stripe", "stripe")
    return DecisionEntry(
        AT,
        decision_id,
        exchange or an_exchange(),
        canonical,
        Context("billing-bot", None, AT),
        a_decision(),
        sends,
        "b" * 64,
    )


def an_outcome(decision_id: str = "dec_1") -> OutcomeEntry:
    return OutcomeEntry(AT, decision_id, "req_1", Outcome.EXECUTED, 200, None, 1_234, 512)
