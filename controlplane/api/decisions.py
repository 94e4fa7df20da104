"""`/v1/decisions`: what was decided, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from controlplane.api.contract import Id, Query, View
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import Moment, Short, parse_query
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.services.decisions.as_json import decision_json
from controlplane.store.explorer import DecisionFilter
from gateway.model.action import Kind
from gateway.model.effect import Effect, Mode


class FilterQuery(Query):
    """All of them must fit."""

    agent: Short | None = None
    effect: Effect | None = None
    provider: Short | None = None
    operation: Short | None = None
    action: Short | None = None
    kind: Kind | None = None
    target: Short | None = None
    policy: Short | None = None
    rule: Short | None = None
    reason: Short | None = None
    run: Short | None = None
    mode: Mode | None = None
    riskMin: Annotated[int, Field(ge=0, le=100)] | None = None
    outcome: Literal["executed", "refused", "not_sent", "unknown", "open"] | None = None
    since: Moment | None = None
    until: Moment | None = None
    decision: Short | None = None
    text: Short | None = None


class ListQuery(FilterQuery):
    limit: Count = 100
    cursor: NumberCursor | None = None


class DecisionShown(View):
    """A decision and what became of it, as the gateway recorded it. Of one that was `erased` most
    fields are null."""

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
    erased: bool


class DecisionsAnswer(View):
    decisions: list[DecisionShown]
    nextCursor: str | None


async def list_(call: Call) -> web.Response:
    """List decisions, the newest first.

    A page with a filter may hold fewer than `limit` and still have a `nextCursor`: it looked
    through as many as one request may. `run` is a run's name or id; `text` stands in any word of
    a decision.
    """
    query = parse_query(call.http, ListQuery)
    wanted = wanted_by(query)
    if wanted == DecisionFilter(agent=query.agent):
        views = await call.services.decisions.list(
            call.caller, query.agent, None, query.cursor, query.limit
        )
        cursor = next_cursor(views, query.limit, lambda view: view.record_id)
    else:
        page = await call.services.explorer.search(call.caller, wanted, query.cursor, query.limit)
        views = page.decisions
        cursor = None if page.cursor is None else str(page.cursor)
    return answer({"decisions": [decision_json(view) for view in views], "nextCursor": cursor})


def wanted_by(query: FilterQuery) -> DecisionFilter:
    """Which decisions a query means."""
    return DecisionFilter(
        **{name: getattr(query, name) for name in FilterQuery.model_fields if name != "riskMin"},
        risk=query.riskMin,
    )


ROUTES = (
    route(
        "GET", "/v1/decisions", list_, Permission.RECORD_READ, Permission.ADMIN,
        query=ListQuery, answers=DecisionsAnswer,
    ),
)  # fmt: skip
