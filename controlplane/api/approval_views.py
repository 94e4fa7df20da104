"""Approvals as they are answered: the JSON, and its declared shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from controlplane.api.contract import At, Id, Json, TargetView, View
from controlplane.api.grants import GrantView
from controlplane.api.parsing import timestamp
from controlplane.services.approvals.context import Context
from controlplane.store.approval_history import PastDecision
from controlplane.store.approvals import AnswerRow, ApprovalRow
from gateway.model.codec import JsonValue


class TermsView(View):
    groups: list[str]
    quorum: int
    timeoutSeconds: int
    witnessRequired: bool
    commentRequired: bool
    escalateTo: list[str]
    escalateAfterSeconds: int | None
    requesterLabels: list[str]


class WitnessView(View):
    """`state` is null where only the digest is known; `resourceId` is there where a program gave
    it."""

    hash: str
    state: Json | None
    resourceId: str | None = None


class EscalationView(View):
    """`by` is null where the time did it."""

    at: At
    by: str | None
    comment: str | None
    to: list[str]


class AnswerView(View):
    answeredBy: str
    answer: str
    comment: str | None
    answeredAt: At
    through: str


class ApprovalView(View):
    approvalId: Id
    status: str
    origin: str
    requestDigest: str
    agent: str
    runId: str | None
    stepIndex: int | None
    requestedBy: str | None
    requesters: list[str]
    decisionId: str
    provider: str
    operation: str
    action: str
    kind: str
    target: TargetView
    params: Json
    authority: str
    method: str
    path: str
    summary: str
    policy: str | None
    rule: str | None
    reasonCode: str
    message: str
    risk: Json
    bundleRevision: str
    mode: str
    terms: TermsView
    witness: WitnessView | None
    witnessNow: WitnessView | None
    grantId: Id | None
    createdAt: At
    expiresAt: At
    escalation: EscalationView | None
    resolvedAt: At | None
    resolvedBy: str | None
    resolvedByKey: Id | None
    comment: str | None
    consumedAt: At | None
    answers: list[AnswerView]


class ApprovalAnswer(View):
    approval: ApprovalView


class ResolvedAnswer(View):
    """`grant` is there where one was offered: null while its quorum wants more people."""

    approval: ApprovalView
    grant: GrantView | None = None


class ApprovalsAnswer(View):
    approvals: list[ApprovalView]
    nextCursor: str | None


class CountsAnswer(View):
    """`mine`: those of the pending ones that the caller's key may approve by its groups."""

    pending: int
    mine: int
    escalated: int
    approved: int


class RevalidatedAnswer(View):
    """`reasonCode` is empty where the state is the one that was asked about."""

    witnessValid: bool
    reasonCode: str


class AskingAgentView(View):
    name: str
    labels: Json
    isKnown: bool


class SeenRunView(View):
    runId: Id
    name: str
    goal: str
    status: str
    startedAt: At
    stepCount: int
    blockedCount: int


class DecidedView(View):
    """An earlier decision about the same agent."""

    decisionId: str
    at: str
    effect: str | None
    provider: str | None
    operation: str | None
    action: str | None
    target: Json | None
    reasonCode: str | None
    outcome: str | None


class HistoryView(View):
    """How questions about the same action ended, in `days`; of the newest `countedMax` of them."""

    days: int
    countedMax: int
    agent: dict[str, int]
    everyone: dict[str, int]


class DifferenceView(View):
    """A field of the state, as it was shown and as it is now. Null: it is not there."""

    field: str
    before: object
    after: object


class RequestView(View):
    """What is sent, without what is secret. `fields` are those that the mapper reads, `headers`
    those that the approval is bound to; `body` is null where none can be shown."""

    method: str
    authority: str
    path: str
    fields: Json
    headers: Json
    bodyBytes: int
    body: Any


class ContextAnswer(View):
    approval: ApprovalView
    agent: AskingAgentView
    run: SeenRunView | None
    request: RequestView
    secondsLeft: int
    mayApprove: bool
    history: HistoryView
    recent: list[DecidedView]
    changes: list[DifferenceView]


def render_approval(row: ApprovalRow, answers: Sequence[AnswerRow] = ()) -> dict[str, JsonValue]:
    asked = row.question
    return {
        "approvalId": str(row.approval_id),
        "status": row.status_now,
        "origin": asked.origin,
        "requestDigest": asked.request_digest,
        "agent": asked.agent,
        "runId": asked.run_id,
        "stepIndex": asked.step_index,
        "requestedBy": asked.requested_by,
        "requesters": list(asked.requesters),
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
            "commentRequired": asked.comment_required,
            "escalateTo": list(asked.escalate_to),
            "escalateAfterSeconds": asked.escalate_after_seconds,
            "requesterLabels": list(asked.requester_labels),
        },
        "witness": _witness(asked.witness_hash, asked.witness_state, asked.resource_id),
        "witnessNow": _witness(row.witness_now_hash, row.witness_now_state, asked.resource_id),
        "grantId": str(row.grant_id) if row.grant_id else None,
        "createdAt": timestamp(row.created_at),
        "expiresAt": timestamp(row.expires_at),
        "escalation": _escalation(row),
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


def _witness(digest: str | None, state: str | None, resource: str | None) -> JsonValue:
    if digest is None:
        return None
    seen: dict[str, JsonValue] = {"hash": digest, "state": json.loads(state or "null")}
    return seen if resource is None else {**seen, "resourceId": resource}


def _escalation(row: ApprovalRow) -> JsonValue:
    if row.escalated_at is None:
        return None
    return {
        "at": timestamp(row.escalated_at),
        "by": row.escalated_by,
        "comment": row.escalation_comment,
        "to": list(row.question.escalate_to),
    }


def render_context(context: Context) -> dict[str, JsonValue]:
    approval = render_approval(context.row, context.answers)
    run = context.run
    return {
        "approval": approval,
        "agent": {
            "name": context.row.question.agent,
            "labels": dict(context.labels or {}),
            "isKnown": context.labels is not None,
        },
        "run": None
        if run is None
        else {
            "runId": str(run.run_id),
            "name": run.name,
            "goal": run.goal,
            "status": run.status,
            "startedAt": timestamp(run.started_at),
            "stepCount": run.step_count,
            "blockedCount": run.blocked_count,
        },
        "request": {
            "method": context.row.question.method,
            "authority": context.row.question.authority,
            "path": context.row.question.path,
            "fields": approval["params"],
            **_raw(context.row.question.request),
        },
        "secondsLeft": context.seconds_left,
        "mayApprove": context.may_approve,
        "history": {
            "days": context.history_days,
            "countedMax": context.history_count_max,
            "agent": dict(context.of_agent),
            "everyone": dict(context.of_everyone),
        },
        "recent": [_decided(one) for one in context.recent],
        "changes": [
            {"field": name, "before": before, "after": after}
            for name, before, after in context.changes
        ],
    }


def _decided(past: PastDecision) -> dict[str, JsonValue]:
    return {
        "decisionId": past.decision_id,
        "at": past.at,
        "effect": past.effect,
        "provider": past.provider,
        "operation": past.operation,
        "action": past.action,
        "target": past.target,
        "reasonCode": past.reason_code,
        "outcome": past.outcome,
    }


def _raw(request: str | None) -> dict[str, JsonValue]:
    raw = json.loads(request) if request is not None else {}
    return {
        "headers": raw.get("headers", {}),
        "bodyBytes": raw.get("bodyBytes", 0),
        "body": raw.get("body"),
    }
