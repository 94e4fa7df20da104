"""`/v1/decisions`: what was decided, and what became of it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from controlplane.api.contract import Id, Query, View
from controlplane.api.pages import Count, NumberCursor
from controlplane.api.parsing import Short, parse_query
from controlplane.api.routing import Call, answer, cursor_after, route
from controlplane.auth import Permission
from controlplane.services.decisions import DecisionView
from gateway.model.codec import JsonValue
from gateway.model.effect import Effect


class ListQuery(Query):
    agent: Short | None = None
    effect: Effect | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class DecisionShown(View):
    """A decision and what became of it, as the gateway recorded it."""

    decisionId: str
    at: str
    agent: Any
    runId: Any
    requestId: Any
    provider: Any
    operation: Any
    action: Any
    kind: Any
    target: Any
    params: Any
    actions: Any
    effect: Any
    mode: Any
    policy: Any
    rule: Any
    reasonCode: Any
    message: Any
    risk: Any
    unresolved: Any
    watched: Any
    limits: Any
    obligations: Any
    approvalId: Id | None
    approvalStatus: str | None
    outcome: Any
    status: Any
    gatewayId: str


class DecisionsAnswer(View):
    decisions: list[DecisionShown]
    nextCursor: str | None


async def list_(call: Call) -> web.Response:
    """List decisions, the newest first."""
    query = parse_query(call.http, ListQuery)
    views = await call.services.decisions.list(
        call.caller, query.agent, query.effect, query.cursor, query.limit
    )
    last = views[-1].record_id if views else None
    return answer(
        {
            "decisions": [_render(view) for view in views],
            "nextCursor": cursor_after(len(views), query.limit, last),
        }
    )


ROUTES = (
    route(
        "GET", "/v1/decisions", list_, Permission.RECORD_READ, Permission.ADMIN,
        query=ListQuery, answers=DecisionsAnswer,
    ),
)  # fmt: skip


def _render(view: DecisionView) -> dict[str, JsonValue]:
    return {
        "decisionId": view.decision_id,
        "at": view.at,
        "agent": view.agent,
        "runId": view.run_id,
        "requestId": view.request_id,
        "provider": view.provider,
        "operation": view.operation,
        "action": view.action,
        "kind": view.kind,
        "target": view.target,
        "params": view.params,
        "actions": view.actions,
        "effect": view.effect,
        "mode": view.mode,
        "policy": view.policy,
        "rule": view.rule,
        "reasonCode": view.reason_code,
        "message": view.message,
        "risk": view.risk,
        "unresolved": view.unresolved,
        "watched": view.watched,
        "limits": view.limits,
        "obligations": view.obligations,
        "approvalId": view.approval_id,
        "approvalStatus": view.approval_status,
        "outcome": view.outcome,
        "status": view.status,
        "gatewayId": view.gateway_id,
    }
