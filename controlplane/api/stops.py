"""`/v1/stops`: the kill switch, and what gateways have to know of it."""

from __future__ import annotations

from typing import Self

from aiohttp import web
from pydantic import model_validator

from controlplane.api.contract import At, Body, Id, Query, View
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import (
    Line,
    Reason,
    Short,
    WaitSeconds,
    parse_body,
    parse_id,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.store.stops import StopRow
from gateway.model.codec import JsonValue
from gateway.model.stop import StopScope


class StopBody(Body):
    scope: StopScope
    name: Line | None = None
    reason: Reason
    by: Line | None = None

    @model_validator(mode="after")
    def _names_what_it_stops(self) -> Self:
        if (self.scope is StopScope.EVERYTHING) != (self.name is None):
            raise ValueError("`name` says what is stopped, and `everything` has none")
        return self


class LiftBody(Body):
    reason: Reason
    by: Line | None = None


class StopsQuery(Query):
    """`limit` and `cursor` are for `all`; `waitSeconds` and `revision` for those in force."""

    all: bool = False
    limit: Count = 100
    cursor: NumberCursor | None = None
    revision: Short | None = None
    waitSeconds: WaitSeconds = 0


class StopView(View):
    """`name` is empty where everything is stopped."""

    stopId: Id
    scope: StopScope
    name: str
    reason: str
    by: str
    at: At
    liftedAt: At | None
    liftedBy: str | None
    liftReason: str | None


class StopAnswer(View):
    stop: StopView


class StopsAnswer(View):
    """Those in force come all at once, with a `revision`; all that ever were come in pages."""

    stops: list[StopView]
    revision: str | None = None
    nextCursor: str | None = None


async def stop(call: Call) -> web.Response:
    """Stop an agent, a run, a provider or everything, at once."""
    body = await parse_body(call.http, StopBody)
    row = await call.services.stops.stop(
        call.caller, body.scope, body.name or "", body.by, body.reason
    )
    return answer({"stop": render_stop(row)}, 201)


async def lift(call: Call) -> web.Response:
    """Let go on what was stopped."""
    body = await parse_body(call.http, LiftBody)
    row = await call.services.stops.lift(call.caller, parse_id(call.http), body.by, body.reason)
    return answer({"stop": render_stop(row)})


async def list_(call: Call) -> web.Response:
    """List, or await, the stops in force; or all that ever were."""
    query = parse_query(call.http, StopsQuery)
    if query.all:
        rows = await call.services.stops.history(call.caller, query.cursor, query.limit)
        return answer(
            {
                "stops": [render_stop(row) for row in rows],
                "nextCursor": next_cursor(rows, query.limit, lambda row: row.stop_seq),
            }
        )
    standing = await call.services.stops.in_force(
        call.caller, query.revision, query.waitSeconds, call.is_gone
    )
    stops: list[JsonValue] = [render_stop(row) for row in standing.stops]
    return answer({"stops": stops, "revision": standing.revision})


ROUTES = (
    route(
        "POST",
        "/v1/stops",
        stop,
        Permission.POLICY_WRITE,
        Permission.ADMIN,
        body=StopBody,
        answers={201: StopAnswer},
    ),
    route(
        "GET",
        "/v1/stops",
        list_,
        Permission.POLICY_READ,
        Permission.POLICY_WRITE,
        Permission.GATEWAY,
        Permission.ADMIN,
        query=StopsQuery,
        answers=StopsAnswer,
    ),
    route(
        "POST",
        "/v1/stops/{id}/lift",
        lift,
        Permission.POLICY_WRITE,
        Permission.ADMIN,
        body=LiftBody,
        answers=StopAnswer,
    ),
)


def render_stop(row: StopRow) -> dict[str, JsonValue]:
    return {
        "stopId": str(row.stop_id),
        "scope": row.scope.value,
        "name": row.name,
        "reason": row.reason,
        "by": row.by,
        "at": timestamp(row.at),
        "liftedAt": timestamp(row.lifted_at),
        "liftedBy": row.lifted_by,
        "liftReason": row.lift_reason,
    }
