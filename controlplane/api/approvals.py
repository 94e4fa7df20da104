"""`/v1/approvals`: ask, list, read and await, answer, use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from controlplane.api.parsing import (
    Body,
    Digest,
    Name,
    Query,
    Short,
    Text,
    parse_body,
    parse_id,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, cursor_after, route
from controlplane.auth import Permission
from controlplane.faults import ControlFault, Fault
from controlplane.services.approvals import Resolution
from controlplane.store.approvals import AnswerRow, ApprovalRow, Question
from gateway.model.action import Kind
from gateway.model.approval import ApprovalEvent, ApprovalState
from gateway.model.codec import JsonValue, canonical_json
from gateway.model.effect import Mode

LIST_COUNT_MAX = 500
TIMEOUT_SECONDS_MAX = 30 * 24 * 3600
"""A question that stands for more than a month is no question any more."""


class Factor(Body):
    name: Short
    points: Annotated[int, Field(ge=-1000, le=1000)]
    observed: Text


class RiskBody(Body):
    score: Annotated[int, Field(ge=0, le=100)]
    factors: Annotated[list[Factor], Field(default_factory=list, max_length=100)]
    vector: Text = ""


class TargetBody(Body):
    type: Short
    id: Text


class TermsBody(Body):
    groups: Annotated[list[Short], Field(default_factory=list, max_length=50)]
    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    timeoutSeconds: Annotated[int, Field(ge=1, le=TIMEOUT_SECONDS_MAX)] = 1800
    witnessRequired: bool = False


class WitnessBody(Body):
    """The target's state as the gateway read it, redacted; `hash` is over the whole of it."""

    hash: Digest
    state: Annotated[dict[str, Any], Field(max_length=100)]


class VoidBody(Body):
    """`witness`: what is there now, where the gateway read it."""

    reasonCode: Literal[
        "WITNESS_HASH_MISMATCH", "WITNESS_UNAVAILABLE", "APPROVAL_TERMS_CHANGED", "POLICY_CHANGED"
    ]
    witness: WitnessBody | None = None


class AskBody(Body):
    agent: Name
    runId: Short | None = None
    requestDigest: Digest
    decisionId: Name
    provider: Short
    operation: Short
    action: Short
    kind: Kind
    target: TargetBody
    params: Annotated[dict[str, Any], Field(default_factory=dict)]
    authority: Short
    method: Short
    path: Text
    policy: Short | None = None
    rule: Short | None = None
    reasonCode: Short
    message: Text
    risk: RiskBody
    bundleRevision: Short
    mode: Mode
    terms: TermsBody
    summary: Text
    witness: WitnessBody | None = None


class ListQuery(Query):
    status: ApprovalState | None = None
    agent: Short | None = None
    limit: Annotated[int, Field(ge=1, le=LIST_COUNT_MAX)] = 100
    cursor: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None


class WaitQuery(Query):
    waitSeconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0


class ResolveBody(Body):
    resolution: Literal["APPROVE", "REJECT", "CANCEL"]
    resolvedBy: Name | None = None
    reason: Text | None = None


class ConsumeBody(Body):
    requestDigest: Digest
    claimId: Name


async def ask(call: Call) -> web.Response:
    body = await parse_body(call.http, AskBody)
    row, is_new = await call.services.approvals.ask(_question(call, body))
    return answer({"approval": render_approval(row)}, 201 if is_new else 200)


async def list_(call: Call) -> web.Response:
    query = parse_query(call.http, ListQuery)
    rows = await call.services.approvals.list(
        call.caller, query.status, query.agent, query.cursor, query.limit
    )
    last = rows[-1].approval_seq if rows else None
    return answer(
        {
            "approvals": [render_approval(row) for row in rows],
            "nextCursor": cursor_after(len(rows), query.limit, last),
        }
    )


async def get(call: Call) -> web.Response:
    query = parse_query(call.http, WaitQuery)
    row = await call.services.approvals.get(
        call.caller, parse_id(call.http), query.waitSeconds, call.is_gone
    )
    answers = await call.services.approvals.answers(call.caller, row.approval_id)
    return answer({"approval": render_approval(row, answers)})


async def resolve(call: Call) -> web.Response:
    body = await parse_body(call.http, ResolveBody)
    resolution = Resolution(ApprovalEvent(body.resolution), body.resolvedBy, body.reason)
    row = await call.services.approvals.resolve(call.caller, parse_id(call.http), resolution)
    answers = await call.services.approvals.answers(call.caller, row.approval_id)
    return answer({"approval": render_approval(row, answers)})


async def consume(call: Call) -> web.Response:
    body = await parse_body(call.http, ConsumeBody)
    row = await call.services.approvals.consume(
        call.caller, parse_id(call.http), body.requestDigest, body.claimId
    )
    return answer({"approval": render_approval(row)})


async def void(call: Call) -> web.Response:
    body = await parse_body(call.http, VoidBody)
    now = body.witness
    found = None if now is None else (now.hash, _stored(now.state, "witness.state"))
    row = await call.services.approvals.void(
        call.caller, parse_id(call.http), body.reasonCode, found
    )
    return answer({"approval": render_approval(row)})


ROUTES = (
    route("POST", "/v1/approvals", ask, Permission.GATEWAY, Permission.ADMIN),
    route("GET", "/v1/approvals", list_, Permission.APPROVAL_READ, Permission.ADMIN),
    route(
        "GET",
        "/v1/approvals/{id}",
        get,
        Permission.APPROVAL_READ,
        Permission.GATEWAY,
        Permission.ADMIN,
    ),
    route(
        "POST", "/v1/approvals/{id}/resolve", resolve, Permission.APPROVAL_WRITE, Permission.ADMIN
    ),
    route("POST", "/v1/approvals/{id}/consume", consume, Permission.GATEWAY),
    route("POST", "/v1/approvals/{id}/void", void, Permission.GATEWAY),
)


def render_approval(row: ApprovalRow, answers: Sequence[AnswerRow] = ()) -> dict[str, JsonValue]:
    asked = row.question
    return {
        "approvalId": str(row.approval_id),
        "status": row.status_now,
        "requestDigest": asked.request_digest,
        "agent": asked.agent,
        "runId": asked.run_id,
        "decisionId": asked.decision_id,
        "provider": asked.provider,
        "operation": asked.operation,
        "action": asked.action,
        "kind": asked.kind,
        "target": {"type": asked.target_type, "id": asked.target_id},
        "params": json.loads(asked.params),
        "authority": asked.authority,
        "method": asked.method,
        "path": asked.path,
        "summary": asked.summary,
        "policy": asked.policy,
        "rule": asked.rule,
        "reasonCode": asked.reason_code,
        "message": asked.message,
        "risk": json.loads(asked.risk),
        "bundleRevision": asked.bundle_revision,
        "mode": asked.mode,
        "terms": {
            "groups": list(asked.approver_groups),
            "quorum": asked.quorum,
            "timeoutSeconds": asked.timeout_seconds,
            "witnessRequired": asked.witness_required,
        },
        "witness": None
        if asked.witness_hash is None
        else {"hash": asked.witness_hash, "state": json.loads(asked.witness_state or "{}")},
        "witnessNow": None
        if row.witness_now_hash is None
        else {"hash": row.witness_now_hash, "state": json.loads(row.witness_now_state or "null")},
        "createdAt": timestamp(row.created_at),
        "expiresAt": timestamp(row.expires_at),
        "resolvedAt": timestamp(row.resolved_at),
        "resolvedBy": row.resolved_by,
        "resolvedByKey": str(row.resolved_by_key) if row.resolved_by_key else None,
        "comment": row.comment,
        "consumedAt": timestamp(row.consumed_at),
        "answers": [
            {
                "answeredBy": given.answered_by,
                "answer": given.answer,
                "comment": given.comment,
                "answeredAt": timestamp(given.answered_at),
                "through": given.through,
            }
            for given in answers
        ],
    }


def _question(call: Call, body: AskBody) -> Question:
    witness = body.witness
    return Question(
        tenant_id=call.caller.tenant_id,
        agent=body.agent,
        run_id=body.runId,
        request_digest=body.requestDigest,
        decision_id=body.decisionId,
        provider=body.provider,
        operation=body.operation,
        action=body.action,
        kind=body.kind,
        target_type=body.target.type,
        target_id=body.target.id,
        params=_stored(body.params, "params"),
        authority=body.authority,
        method=body.method,
        path=body.path,
        summary=body.summary,
        policy=body.policy,
        rule=body.rule,
        reason_code=body.reasonCode,
        message=body.message,
        risk=canonical_json(body.risk.model_dump()).decode(),
        bundle_revision=body.bundleRevision,
        mode=body.mode,
        approver_groups=tuple(body.terms.groups),
        quorum=body.terms.quorum,
        timeout_seconds=body.terms.timeoutSeconds,
        witness_required=body.terms.witnessRequired,
        witness_hash=None if witness is None else witness.hash,
        witness_state=None if witness is None else _stored(witness.state, "witness.state"),
    )


def _stored(value: dict[str, Any], name: str) -> str:
    """JSON as it is stored."""
    try:
        return canonical_json(value).decode()
    except (ValueError, RecursionError):
        raise ControlFault(
            Fault.INVALID_ARGUMENT,
            f"`{name}`: may hold no floating-point number and no invalid text",
        ) from None
