"""`/v1/grants`: answers that hold for a while. They are given with `/v1/approvals/{id}/resolve`."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from controlplane.api.contract import At, Id, View
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import (
    Body,
    Line,
    Name,
    Query,
    Reason,
    Short,
    parse_body,
    parse_id,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.store.grants import GrantRow, GrantUseRow
from gateway.model.codec import INTEGER_MAX, JsonValue
from gateway.model.grant import (
    RISK_MAX,
    SECONDS_MAX,
    SECONDS_USUAL,
    USES_MAX,
    USES_MIN,
    USES_USUAL,
    AmountWish,
    GrantState,
    GrantWish,
)


class AmountBody(Body):
    """At most `max` in all, in minor units; `currency` null where the act names none."""

    param: Name = "amount"
    currency: Annotated[str, Field(pattern="^[A-Za-z]{3}$")] | None = None
    max: Annotated[int, Field(ge=0, le=INTEGER_MAX)]


class GrantBody(Body):
    """What somebody offers with their yes; the act that it answers is the first of `uses`."""

    seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] = SECONDS_USUAL
    uses: Annotated[int, Field(ge=USES_MIN, le=USES_MAX)] = USES_USUAL
    run: bool = False
    sameTarget: bool | None = None
    riskMax: Annotated[int, Field(ge=0, le=RISK_MAX)] | None = None
    amount: AmountBody | None = None

    def wish(self) -> GrantWish:
        """The same in the words of the model."""
        amount = self.amount
        return GrantWish(
            self.seconds,
            self.uses,
            self.run,
            self.sameTarget,
            self.riskMax,
            None if amount is None else AmountWish(amount.param, amount.currency, amount.max),
        )


class GrantsQuery(Query):
    status: GrantState | None = None
    agent: Short | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class RevokeBody(Body):
    reason: Reason
    by: Line | None = None


class GrantTargetView(View):
    type: str
    id: str | None


class GrantAmountView(View):
    param: str
    currency: str | None
    max: int
    eachMax: int | None
    used: int


class GrantView(View):
    """`runId` and `target.id` are null where it holds for any; `sameAct`: it covers repetitions of
    the very same act alone."""

    grantId: Id
    approvalId: Id
    status: str
    agent: str
    runId: str | None
    provider: str
    operation: str
    action: str
    kind: str
    authority: str
    method: str
    policy: str | None
    rule: str | None
    target: GrantTargetView
    sameAct: bool
    summary: str
    riskMax: int
    usesMax: int
    usesCount: int
    amount: GrantAmountView | None
    givenBy: list[str]
    createdAt: At
    expiresAt: At
    endedAt: At | None
    endedBy: str | None
    endReason: str | None


class GrantUseView(View):
    approvalId: Id
    amount: int
    usedAt: At
    givenBackAt: At | None


class GrantAnswer(View):
    grant: GrantView


class GrantWithUsesAnswer(View):
    grant: GrantView
    uses: list[GrantUseView]


class GrantsAnswer(View):
    grants: list[GrantView]
    nextCursor: str | None


async def list_(call: Call) -> web.Response:
    """List grants, the newest first."""
    query = parse_query(call.http, GrantsQuery)
    rows = await call.services.grants.list(
        call.caller, query.status, query.agent, query.cursor, query.limit
    )
    return answer(
        {
            "grants": [render_grant(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.grant_seq),
        }
    )


async def get(call: Call) -> web.Response:
    """Read a grant with its newest uses."""
    seen = await call.services.grants.get(call.caller, parse_id(call.http))
    uses: list[JsonValue] = [_render_use(use) for use in seen.uses]
    return answer({"grant": render_grant(seen.grant), "uses": uses})


async def revoke(call: Call) -> web.Response:
    """End a grant at once, and what it let through that was not sent yet."""
    body = await parse_body(call.http, RevokeBody)
    row = await call.services.grants.revoke(call.caller, parse_id(call.http), body.by, body.reason)
    return answer({"grant": render_grant(row)})


ROUTES = (
    route(
        "GET",
        "/v1/grants",
        list_,
        Permission.APPROVAL_READ,
        Permission.ADMIN,
        query=GrantsQuery,
        answers=GrantsAnswer,
    ),
    route(
        "GET",
        "/v1/grants/{id}",
        get,
        Permission.APPROVAL_READ,
        Permission.ADMIN,
        answers=GrantWithUsesAnswer,
    ),
    route(
        "POST",
        "/v1/grants/{id}/revoke",
        revoke,
        Permission.APPROVAL_WRITE,
        Permission.ADMIN,
        body=RevokeBody,
        answers=GrantAnswer,
    ),
)


def render_grant(row: GrantRow) -> dict[str, JsonValue]:
    amount = row.amount
    return {
        "grantId": str(row.grant_id),
        "approvalId": str(row.approval_id),
        "status": row.state_now,
        "agent": row.agent,
        "runId": row.run_id,
        "provider": row.provider,
        "operation": row.operation,
        "action": row.action,
        "kind": row.kind,
        "authority": row.authority,
        "method": row.method,
        "policy": row.policy,
        "rule": row.rule,
        "target": {"type": row.target_type, "id": row.target_id},
        "sameAct": row.is_same_act,
        "summary": row.summary,
        "riskMax": row.risk_max,
        "usesMax": row.uses_max,
        "usesCount": row.uses_count,
        "amount": None
        if amount is None
        else {
            "param": amount.param,
            "currency": amount.currency,
            "max": amount.amount_max,
            "eachMax": amount.each_max,
            "used": amount.used,
        },
        "givenBy": list(row.given_by),
        "createdAt": timestamp(row.made_at),
        "expiresAt": timestamp(row.expires_at),
        "endedAt": timestamp(row.ended_at),
        "endedBy": row.ended_by,
        "endReason": row.end_reason,
    }


def _render_use(use: GrantUseRow) -> dict[str, JsonValue]:
    return {
        "approvalId": str(use.approval_id),
        "amount": use.amount,
        "usedAt": timestamp(use.used_at),
        "givenBackAt": timestamp(use.given_back_at),
    }
