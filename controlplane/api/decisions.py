"""`/v1/decisions`: what was decided, and what became of it."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from controlplane.api.parsing import Query, Short, parse_query
from controlplane.api.routing import Call, answer, cursor_after, route
from controlplane.auth import Permission
from controlplane.services.decisions import DecisionView
from gateway.model.codec import JsonValue
from gateway.model.effect import Effect

LIST_COUNT_MAX = 500


class ListQuery(Query):
    agent: Short | None = None
    effect: Effect | None = None
    limit: Annotated[int, Field(ge=1, le=LIST_COUNT_MAX)] = 100
    cursor: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None


async def list_(call: Call) -> web.Response:
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


ROUTES = (route("GET", "/v1/decisions", list_, Permission.RECORD_READ, Permission.ADMIN),)


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
