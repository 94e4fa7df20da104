"""`/v1/limits`: gateways reserve, start, settle and release; people look at the counters.

Times of the gateways' side are microseconds since the Unix epoch, as in the gateway itself.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Self

from aiohttp import web
from pydantic import Field, model_validator

from controlplane.api.contract import At, Body, Query, View
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import Name, NoBody, Short, parse_body, parse_query, timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.store.limits import MICROSECONDS, Claim, CounterRow, Demand
from gateway.model.codec import INTEGER_MAX, JsonValue
from gateway.model.effect import Effect, Mode
from gateway.model.moment import moment_of

CLAIM_COUNT_MAX = 100
"""A batch of actions claims together; more limits than this apply to none."""

KEPT_SECONDS = 3600
"""For so long uses are kept beyond their windows."""

WINDOW_SECONDS_MAX = 400 * 24 * 3600
"""A year and some days: what is counted is kept for so long."""

HOLD_SECONDS_MAX = 31 * 24 * 3600
"""An approval stands for a month at most, and what is held for it no longer."""

Whole = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Moment = Annotated[int, Field(ge=-INTEGER_MAX, le=INTEGER_MAX)]


class ClaimBody(Body):
    limit: Name
    key: Name
    amount: Whole | None
    max: Whole
    since: Moment
    windowSeconds: Annotated[int, Field(ge=1, le=WINDOW_SECONDS_MAX)]
    effect: Effect
    mode: Mode


class ReserveBody(Body):
    owner: Name
    now: Moment
    lapsesAt: Moment | None = None
    claims: Annotated[list[ClaimBody], Field(min_length=1, max_length=CLAIM_COUNT_MAX)]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.lapsesAt is not None and self.lapsesAt - self.now > HOLD_SECONDS_MAX * MICROSECONDS:
            raise ValueError("`lapsesAt` is too far away")
        counters = {(claim.limit, claim.key) for claim in self.claims}
        if len(counters) != len(self.claims):
            raise ValueError("two claims are on one counter; one with their sum says the same")
        for claim in self.claims:
            kept_seconds = claim.windowSeconds + KEPT_SECONDS
            if not 0 <= self.now - claim.since <= kept_seconds * MICROSECONDS:
                # What lies further back than a window's length may have been removed.
                raise ValueError("`since` lies after `now`, or longer ago than `windowSeconds`")
        return self


class ListQuery(Query):
    limitName: Short | None = None
    key: Short | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class ReadingView(View):
    limit: str
    key: str
    used: int
    isExceeded: bool


class ReservedAnswer(View):
    """`token` is empty when nothing was reserved."""

    token: str
    readings: list[ReadingView]


class StartedAnswer(View):
    """`started`: whether the reservation stands, and the act may go on."""

    started: bool


class DoneAnswer(View):
    """Done, or nothing was there to do."""


class CounterView(View):
    """`used` of the limit's own unit since `since`, `held` of it for acts that wait."""

    limit: str
    key: str
    used: int
    held: int
    since: At | None
    changedAt: At | None


class CountersAnswer(View):
    limits: list[CounterView]
    nextCursor: str | None


async def reserve(call: Call) -> web.Response:
    """Take a share of limits for one act, all of them or none."""
    body = await parse_body(call.http, ReserveBody)
    claims = tuple(
        Claim(
            claim.limit,
            claim.key,
            claim.amount,
            claim.max,
            claim.since,
            claim.windowSeconds,
            claim.effect is Effect.BLOCK and claim.mode is Mode.ENFORCE,
        )
        for claim in body.claims
    )
    made = await call.services.limits.reserve(
        Demand(call.caller.tenant_id, body.owner, body.now, body.lapsesAt, claims)
    )
    readings: list[JsonValue] = [
        {
            "limit": reading.limit,
            "key": reading.key,
            "used": reading.used,
            "isExceeded": reading.is_exceeded,
        }
        for reading in made.readings
    ]
    return answer({"token": "" if made.token is None else str(made.token), "readings": readings})


async def start(call: Call) -> web.Response:
    """Say that the act of a reservation begins now."""
    token = _token(call)
    started = token is not None and await call.services.limits.start(call.caller, token)
    return answer({"started": started})


async def settle(call: Call) -> web.Response:
    """Count what was reserved for good."""
    if (token := _token(call)) is not None:
        await call.services.limits.settle(call.caller, token)
    return answer({})


async def release(call: Call) -> web.Response:
    """Give back what was reserved."""
    if (token := _token(call)) is not None:
        await call.services.limits.release(call.caller, token)
    return answer({})


async def list_(call: Call) -> web.Response:
    """List counters, the newest first."""
    query = parse_query(call.http, ListQuery)
    rows = await call.services.limits.list(
        call.caller, query.limitName, query.key, query.cursor, query.limit
    )
    return answer(
        {
            "limits": [_render(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.counter_id),
        }
    )


ROUTES = (
    route(
        "POST", "/v1/limits/reservations", reserve, Permission.GATEWAY,
        body=ReserveBody, answers=ReservedAnswer,
    ),
    route(
        "POST", "/v1/limits/reservations/{token}/start", start, Permission.GATEWAY,
        body=NoBody, answers=StartedAnswer,
    ),
    route(
        "POST", "/v1/limits/reservations/{token}/settle", settle, Permission.GATEWAY,
        body=NoBody, answers=DoneAnswer,
    ),
    route(
        "POST", "/v1/limits/reservations/{token}/release", release, Permission.GATEWAY,
        body=NoBody, answers=DoneAnswer,
    ),
    route(
        "GET", "/v1/limits", list_, Permission.RECORD_READ, Permission.ADMIN,
        query=ListQuery, answers=CountersAnswer,
    ),
)  # fmt: skip


def _token(call: Call) -> uuid.UUID | None:
    """The token in the path; what is none names nothing, like one that is unknown: a gateway may
    show one of counters of its own, from before it had a control plane."""
    try:
        return uuid.UUID(call.http.match_info["token"])
    except ValueError:
        return None


def _render(row: CounterRow) -> dict[str, JsonValue]:
    return {
        "limit": row.limit,
        "key": row.key,
        "used": row.used,
        "held": row.held,
        "since": _moment(row.since),
        "changedAt": _moment(row.changed_at),
    }


def _moment(microseconds: int) -> str | None:
    return timestamp(moment_of(microseconds))
