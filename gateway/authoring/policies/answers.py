"""What `policies decide` says of a line, and a decision as the JSON that all commands write.

Whatever can't be read is a BLOCK, as it would be on the data path; nothing is sent or recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from gateway.authoring.policies.questions import InputError, Question, parse_question
from gateway.decide.bundle import Bundle
from gateway.decide.rules.trace import PolicyTrace
from gateway.model.codec import JsonValue
from gateway.model.decision import Decision, Risk
from gateway.model.effect import ApprovalTerms, Mode
from gateway.model.limit import LimitClaim

MALFORMED: Final = "MALFORMED_ACTION"
"""Reason code of a line that is no action. Only this tool gives it."""

KEPT_MAX: Final = 4_096
"""Decisions whose text is kept: the engine gives the same one for all calls that are alike."""


class LineDecider:
    """Decides lines, one after the other."""

    def __init__(self, bundle: Bundle, mode: Mode = Mode.ENFORCE, *, with_trace: bool = False):
        self._bundle = bundle
        self._mode = mode
        self._with_trace = with_trace
        self._kept: dict[Decision, str] = {}

    def decide(self, line: bytes) -> str:
        """The answer to one line, as JSON text. Never raises for what the line holds."""
        try:
            question = parse_question(line)
        except InputError as error:
            return _written(malformed(self._bundle, str(error)))
        decision = question.decide(self._bundle, self._mode)
        if self._with_trace:
            return _written({**render(decision), "trace": traces(question, self._bundle)})
        text = self._kept.get(decision)
        if text is None:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            text = self._kept[decision] = _written(render(decision))
        return text


def _written(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def malformed(bundle: Bundle, message: str) -> dict[str, JsonValue]:
    """What a line that can't be read is answered with."""
    return {**render(bundle.fault()), "reason_code": MALFORMED, "message": message}


def render(decision: Decision) -> dict[str, JsonValue]:
    """A decision as the JSON object that DESIGN section 5 names."""
    terms = decision.terms
    return {
        "effect": decision.effect.value,
        "policy": decision.policy,
        "rule": decision.rule,
        "reason_code": decision.reason_code,
        "message": decision.message,
        "risk": _risk(decision.risk),
        "mode": decision.mode.value,
        "unresolved": decision.unresolved,
        "approval": None if terms is None else _terms(terms),
        "obligations": list(decision.obligations),
        "limits": [_claim(claim) for claim in decision.claims],
        "watched": [
            {
                "policy": watched.policy,
                "rule": watched.rule,
                "effect": watched.effect.value,
                "reason_code": watched.reason_code,
            }
            for watched in decision.watched
        ],
        "revision": decision.revision,
    }


def _terms(terms: ApprovalTerms) -> dict[str, JsonValue]:
    to = terms.escalation
    return {
        "groups": list(terms.groups),
        "quorum": terms.quorum,
        "timeout_seconds": terms.timeout_seconds,
        "witness_required": terms.witness_required,
        "comment_required": terms.comment_required,
        "escalate_to": [] if to is None else list(to.groups),
        "escalate_after_seconds": None if to is None else to.after_seconds,
        "requester_labels": list(terms.requester_labels),
    }


def _risk(risk: Risk) -> JsonValue:
    return {
        "score": risk.score,
        "factors": [
            {"name": factor.name, "points": factor.points, "observed": factor.observed}
            for factor in risk.factors
        ],
        "vector": risk.vector,
    }


def _claim(claim: LimitClaim) -> JsonValue:
    """What the action would take of a limit; nothing is counted here."""
    return {
        "limit": claim.limit,
        "key": claim.key,
        "amount": claim.amount,
        "max": claim.max,
        "since": claim.since,
        "effect": claim.effect.value,
        "mode": claim.mode.value,
        "reason_code": claim.reason_code,
    }


def traces(question: Question, bundle: Bundle) -> list[list[dict[str, JsonValue]]]:
    """For each action, what each policy and each of its rules says of it."""
    return [[trace_json(each) for each in one] for one in question.explain(bundle)]


def trace_json(trace: PolicyTrace) -> dict[str, JsonValue]:
    """What one policy says of one action."""
    return {
        "policy": trace.policy,
        "applies": trace.applies,
        "effect": trace.effect.value,
        "mode": trace.mode.value,
        "is_shadow": trace.is_shadow,
        "decided_by": trace.decided_by,
        "rules": list(_rules(trace)),
    }


def _rules(trace: PolicyTrace) -> Iterable[JsonValue]:
    for rule in trace.rules:
        yield {
            "rule": rule.rule,
            "priority": rule.priority,
            "effect": rule.effect.value,
            "finding": rule.finding.value,
            "field": rule.field,
            "detail": rule.detail,
        }
