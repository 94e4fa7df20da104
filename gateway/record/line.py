"""Turns an entry into the fields of its line, redacted and bounded. Pure, and on the hot path.

The chain's own fields (v, gateway, seq, prev) are added by `chain.seal`. Nothing that an agent
or a person wrote gets in unseen by `redact`, and no header or body ever gets in at all.

Made for every request, so: fields stand in the order of their names, in which they are sorted
quickest; an enum is written as the text that it is, which costs a fifth of what orjson takes for
it; and what a decision says, with who asked where, is made once, since most requests share theirs
with others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, assert_never

from gateway.model.action import UNKNOWN_OPERATION, Action, Canonical
from gateway.model.approval import Approval
from gateway.model.codec import JsonValue
from gateway.model.decision import Decision, Risk
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
from gateway.record.marks import content_digest
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

_INTENT, _DECISION, _OUTCOME = map(str, (EntryKind.INTENT, EntryKind.DECISION, EntryKind.OUTCOME))


def fields_of(entry: Entry) -> Fields:
    """The fields of an entry's line."""
    # Not by `match`, which makes a set and a list for every class that it is tried for.
    if isinstance(entry, DecisionEntry):
        return _decision(entry)
    if isinstance(entry, OutcomeEntry):
        return _outcome(entry)
    if isinstance(entry, RefusalEntry):
        return _refusal(entry)
    if isinstance(entry, TunnelEntry):
        return _tunnel(entry)
    if isinstance(entry, GatewayEntry):
        return _gateway(entry)
    assert_never(entry)


def _decision(entry: DecisionEntry) -> Fields:
    exchange, decision, canonical = entry.exchange, entry.decision, entry.canonical
    request, principal, approval = exchange.request, exchange.principal, entry.approval
    authority, body, run = request.authority, request.body, principal.run
    # What the counters said is of this request alone; to keep it would only cost memory.
    is_kept = not decision.readings and len(principal.agent) <= _KNOWN_CHARS_MAX
    frame: Callable[..., Fields] = _frame if is_kept else _frame.__wrapped__
    # The authority by its two fields, whose hashes are at hand: its own is made anew each time.
    fields = frame(
        decision,
        entry.sends,
        principal.agent,
        authority.host,
        authority.port,
        request.method,
        canonical.provider,
    ).copy()
    fields["actions"] = actions_json(canonical)
    fields["at"] = time_text(entry.at)
    fields["context"] = context_json(entry.context)
    fields["decision_id"] = entry.decision_id
    fields["digest"] = entry.digest
    fields["path"], fields["query_digest"] = target_shown(request.target, canonical)
    fields["request_id"] = exchange.request_id
    if body is None:
        fields["body_bytes"] = request.body_bytes
    else:
        fields["body_bytes"] = len(body)
        fields["body_digest"] = content_digest(body)
    if approval is not None:
        fields["approval"] = _approval(approval)
    if canonical.refused is not None:
        fields["refused"] = canonical.refused
    if run is not None:
        fields["run"] = _known(run)
    if len(canonical.actions) > ACTIONS_MAX:
        fields["actions_total"] = len(canonical.actions)
    return fields


@lru_cache(maxsize=1_024)
def _frame(
    decision: Decision, sends: bool, agent: str, host: str, port: int, method: str, provider: str
) -> Fields:
    """The line of a decision, with what many requests share filled in, and a place for the rest.

    INVARIANT(frame): it is copied for each line and never changed, nor is what it holds. Each place
    is empty here, so that no request's own can be seen in the line of another.
    """
    verdict = _verdict.__wrapped__(decision) if decision.readings else _verdict(decision)
    return {
        "actions": None,
        "agent": _known(agent),
        "approval": None,
        "at": None,
        "authority": _authority_of(host, port),
        "body_bytes": None,
        "body_digest": None,
        "context": None,
        "decision_id": None,
        "digest": None,
        "effect": verdict.effect,
        "gateway": None,
        "kind": _INTENT if sends else _DECISION,
        "message": verdict.message,
        "method": _known_short(method),
        "mode": verdict.mode,
        "path": None,
        "policy": decision.policy,
        "prev": None,
        "provider": _known_short(provider),
        "query_digest": None,
        "reason_code": verdict.reason_code,
        "refused": None,
        "request_id": None,
        "revision": decision.revision,
        "risk": verdict.risk,
        "rule": decision.rule,
        "run": None,
        **verdict.rest,
    }


class _Verdict(NamedTuple):
    """What a decision says, as it is written down; shared by lines, so that nobody changes it."""

    effect: str
    mode: str
    reason_code: str
    message: str
    risk: Fields
    rest: Fields


@lru_cache(maxsize=512)
def _verdict(decision: Decision) -> _Verdict:
    return _Verdict(
        str(decision.effect),
        str(decision.mode),
        str(decision.reason_code),
        _known(decision.message),
        risk_json(decision.risk),
        verdict_json(decision),
    )


def target_shown(target: bytes, canonical: Canonical) -> tuple[str, str | None]:
    """The path as it may be shown, and the digest of the query. Of a path that no mapper knows, a
    segment that may be a token is not shown."""
    is_unmapped = canonical.refused is not None
    for action in canonical.actions:
        if action.operation == UNKNOWN_OPERATION:
            is_unmapped = True
            break
    if len(target) <= _KNOWN_CHARS_MAX:
        return _target_short(target, is_unmapped)
    return redact_target(target, is_unmapped=is_unmapped)


@lru_cache(maxsize=2_048)
def _target_short(target: bytes, is_unmapped: bool) -> tuple[str, str | None]:
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
    fields: Fields = {
        "action": _known_short(action.action),
        "kind": str(action.kind),
        "missing": sorted(map(_known, action.missing)) if action.missing else [],
        "operation": _known(action.operation),
        "params": params_shown(action),
        "reversible": action.reversible,
        "target": {"id": target_id_shown(action), "type": _known_short(action.target.type)},
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
    shown = redact_params(action.params) if action.params else {}
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
        "approval": None if entry.approval is None else _approval(entry.approval),
        "at": time_text(entry.at),
        "code": entry.code,
        "decision_id": entry.decision_id,
        "duration_us": entry.duration_us,
        "gateway": None,
        "kind": _OUTCOME,
        "outcome": str(entry.outcome),
        "prev": None,
        "request_id": entry.request_id,
        "response_bytes": entry.response_bytes,
        "seq": None,
        "status": entry.status,
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


def _approval(approval: Approval) -> Fields:
    by, comment = approval.answered_by, approval.comment
    return {
        "id": approval.approval_id,
        "state": approval.state,
        "answered_by": None if by is None else redact_text(by),
        "comment": None if comment is None else redact_text(comment),
    }


def time_text(at: int) -> str:
    """RFC 3339 text, UTC, with microseconds, of microseconds since the Unix epoch."""
    # A million is added, so that the digits behind the point keep their noughts: a format of six
    # digits costs twice as much as all of this.
    seconds = at // 1_000_000
    return _second_text(seconds) + str(1_000_000 + at - seconds * 1_000_000)[1:] + "Z"


@lru_cache(maxsize=64)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.")


def _authority(authority: Authority) -> str:
    # By its two fields, whose hashes are at hand: that of an authority is made anew each time.
    return _authority_of(authority.host, authority.port)


@lru_cache(maxsize=1_024)
def _authority_of(host: str, port: int) -> str:
    return _known(str(Authority(host, port)))


def _known(text: str) -> str:
    """Redact text that repeats from request to request: names of agents, operations, factors."""
    return _known_short(text) if len(text) <= _KNOWN_CHARS_MAX else redact_text(text)


@lru_cache(maxsize=8_192)
def _known_short(text: str) -> str:
    return redact_text(text)
