"""Turns an entry into the fields of its line, redacted and bounded. Pure, and on the hot path.

The chain's own fields (v, gateway, seq, prev) are added by `chain.seal`. Nothing that an agent
or a person wrote gets in unseen by `redact`, and no header or body ever gets in at all.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import assert_never

from gateway.model.action import UNKNOWN_OPERATION, Action, Canonical
from gateway.model.approval import Approval
from gateway.model.codec import JsonValue
from gateway.model.decision import Risk
from gateway.model.exchange import Authority
from gateway.model.record import (
    DecisionEntry,
    Entry,
    EntryKind,
    GatewayEntry,
    OutcomeEntry,
    RefusalEntry,
    TunnelEntry,
)
from gateway.record.evidence import altered_fields, context_json, verdict_json
from gateway.record.redact import (
    redact_params,
    redact_segments,
    redact_target,
    redact_text,
    redact_undeclared,
)

Fields = dict[str, JsonValue]

ACTIONS_MAX = 32
"""Actions of one request that a record spells out; the digest covers all of them."""
FACTORS_MAX = 32
"""Risk factors that a record spells out; a policy with more says nothing more to a reader."""

_KNOWN_CHARS_MAX = 256


def fields_of(entry: Entry) -> Fields:
    """The fields of an entry's line."""
    match entry:
        case DecisionEntry():
            return _decision(entry)
        case OutcomeEntry():
            return _outcome(entry)
        case RefusalEntry():
            return _refusal(entry)
        case TunnelEntry():
            return _tunnel(entry)
        case GatewayEntry():
            return _gateway(entry)
        case _:
            assert_never(entry)


def _decision(entry: DecisionEntry) -> Fields:
    exchange, decision = entry.exchange, entry.decision
    request, principal = exchange.request, exchange.principal
    path, query_digest = target_shown(request.target, entry.canonical)
    body = request.body
    fields: Fields = {
        "kind": EntryKind.INTENT if entry.sends else EntryKind.DECISION,
        "at": time_text(entry.at),
        "decision_id": entry.decision_id,
        "request_id": exchange.request_id,
        "agent": _known(principal.agent),
        "run": None if principal.run is None else _known(principal.run),
        "method": _known_short(request.method),
        "authority": _authority(request.authority),
        "path": path,
        "query_digest": query_digest,
        "body_digest": None if body is None else hashlib.sha256(body).hexdigest(),
        "body_bytes": request.body_bytes if body is None else len(body),
        "digest": entry.digest,
        "provider": _known_short(entry.canonical.provider),
        "actions": actions_json(entry.canonical),
        "refused": entry.canonical.refused,
        "effect": decision.effect,
        "mode": decision.mode,
        "policy": decision.policy,
        "rule": decision.rule,
        "reason_code": decision.reason_code,
        "message": _known(decision.message),
        "risk": risk_json(decision.risk),
        "revision": decision.revision,
        "approval": _approval(entry.approval),
        "context": context_json(entry.context),
    }
    if len(entry.canonical.actions) > ACTIONS_MAX:
        fields["actions_total"] = len(entry.canonical.actions)
    fields.update(verdict_json(decision))
    return fields


def target_shown(target: bytes, canonical: Canonical) -> tuple[str, str | None]:
    """The path as it may be shown, and the digest of the query. Of a path that no mapper knows, a
    segment that may be a token is not shown."""
    is_unmapped = canonical.refused is not None or any(
        action.operation == UNKNOWN_OPERATION for action in canonical.actions
    )
    return redact_target(target, is_unmapped=is_unmapped)


def actions_json(canonical: Canonical) -> list[JsonValue]:
    """The actions as they may be shown: params and target redacted. An action names its provider
    where that is not the request's."""
    shown: list[JsonValue] = []
    for action in canonical.actions[:ACTIONS_MAX]:
        fields = action_json(action)
        if action.provider != canonical.provider:
            fields["provider"] = _known_short(action.provider)
        shown.append(fields)
    return shown


def action_json(action: Action) -> Fields:
    """One action as it may be shown: params and target redacted. `altered` names the fields that
    are not shown as they were."""
    target = action.target
    fields: Fields = {
        "operation": _known(action.operation),
        "action": _known_short(action.action),
        "kind": action.kind,
        "target": {"type": _known_short(target.type), "id": target_id_shown(action)},
        "params": params_shown(action),
        "missing": sorted(map(_known, action.missing)) if action.missing else [],
        "reversible": action.reversible,
    }
    if action.missing:
        # None of them is said too: `has()` is then false, where it is silent it can't be told.
        fields["unreadable"] = sorted(map(_known, action.unreadable))
    if action.sensitive is not None:
        fields["sensitive"] = _known_short(action.sensitive)
    altered = altered_fields(action, fields)
    if altered:
        fields["altered"] = altered
    return fields


def target_id_shown(action: Action) -> str:
    """Of what no mapper knows, the target is the path."""
    shown = redact_text(action.target.id)
    return redact_segments(shown) if action.operation == UNKNOWN_OPERATION else shown


def params_shown(action: Action) -> dict[str, JsonValue]:
    """The params of one action as they may be written down."""
    shown = redact_params(action.params)
    if action.free:
        free = {name: value for name, value in action.params.items() if name in action.free}
        shown |= redact_undeclared(free)
    return shown


def risk_json(risk: Risk) -> Fields:
    """A risk as it may be shown; what a factor observed may be a param, so it is redacted too."""
    factors: list[JsonValue] = [
        {
            "name": _known_short(factor.name),
            "points": factor.points,
            "observed": _known(factor.observed),
        }
        for factor in risk.factors[:FACTORS_MAX]
    ]
    return {"score": risk.score, "factors": factors, "vector": _known_short(risk.vector)}


def _outcome(entry: OutcomeEntry) -> Fields:
    fields: Fields = {
        "kind": EntryKind.OUTCOME,
        "at": time_text(entry.at),
        "decision_id": entry.decision_id,
        "request_id": entry.request_id,
        "outcome": entry.outcome,
        "status": entry.status,
        "code": entry.code,
        "duration_us": entry.duration_us,
        "response_bytes": entry.response_bytes,
        "approval": _approval(entry.approval),
    }
    if entry.witness_found is not None:
        asked = None if entry.approval is None else entry.approval.witness
        fields["witness"] = {"asked": asked, "found": entry.witness_found}
    return fields


def _refusal(entry: RefusalEntry) -> Fields:
    return {
        "kind": EntryKind.REFUSAL,
        "at": time_text(entry.at),
        "code": entry.code,
        "message": redact_text(entry.message),
        "agent": None if entry.agent is None else _known(entry.agent),
        "authority": None if entry.authority is None else _authority(entry.authority),
    }


def _tunnel(entry: TunnelEntry) -> Fields:
    return {
        "kind": EntryKind.TUNNEL,
        "at": time_text(entry.at),
        "tunnel_id": entry.tunnel_id,
        "agent": _known(entry.agent),
        "authority": _authority(entry.authority),
        "closed": entry.closed,
        "sent_bytes": entry.sent_bytes,
        "received_bytes": entry.received_bytes,
    }


def _gateway(entry: GatewayEntry) -> Fields:
    """A key and its proof are public and stand as they are: base64 may look like anything."""
    is_key = entry.key_proof is not None
    fields: Fields = {
        "kind": EntryKind.GATEWAY,
        "at": time_text(entry.at),
        "event": redact_text(entry.event),
        "detail": entry.detail if is_key else redact_text(entry.detail),
    }
    if is_key:
        fields["key_proof"] = entry.key_proof
    return fields


def _approval(approval: Approval | None) -> Fields | None:
    if approval is None:
        return None
    by, comment = approval.answered_by, approval.comment
    return {
        "id": approval.approval_id,
        "state": approval.state,
        "answered_by": None if by is None else redact_text(by),
        "comment": None if comment is None else redact_text(comment),
    }


def time_text(at: int) -> str:
    """RFC 3339 text, UTC, with microseconds, of microseconds since the Unix epoch."""
    seconds, micros = divmod(at, 1_000_000)
    return f"{_second_text(seconds)}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=1_024)
def _authority(authority: Authority) -> str:
    return _known(str(authority))


def _known(text: str) -> str:
    """Redact text that repeats from request to request: names of agents, operations, factors."""
    return _known_short(text) if len(text) <= _KNOWN_CHARS_MAX else redact_text(text)


@lru_cache(maxsize=8_192)
def _known_short(text: str) -> str:
    return redact_text(text)
