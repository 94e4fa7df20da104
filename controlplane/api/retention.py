"""`/v1/retention`: for how long bodies are kept. `/v1/erasures`: what was erased."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from controlplane.api.contract import At, Body, Id, Query, View
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import Line, Short, parse_body, parse_query, storable, timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.services.record.retention import RetentionInForce
from controlplane.store.retention import ErasureRow
from gateway.model.codec import JsonValue

REASON_LENGTH_MAX = 2_000

Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=REASON_LENGTH_MAX), AfterValidator(storable)
]

Days = Annotated[int, Field(ge=0, le=36_500)]


class RetentionBody(Body):
    """`days` null: as the installation has it; 0: for ever. `legalHold` stops every erasure."""

    days: Days | None
    legalHold: bool
    reason: Reason
    setBy: Line | None = None


class RetentionAnswer(View):
    """`days` is the tenant's own wish, null without one; `defaultDays` the installation's. 0 is for
    ever. `setBy` is null before anybody said anything."""

    days: int | None
    defaultDays: int
    legalHold: bool
    reason: str | None
    setBy: str | None
    setAt: At | None


class EraseBody(Body):
    """`reason`: whoever asks why something is missing has nothing else."""

    reason: Reason
    erasedBy: Line | None = None


class ErasureView(View):
    """`AGE`: what came before `before`; `REQUEST`: one decision. Counts are of what was there
    still."""

    erasureId: Id
    cause: Literal["AGE", "REQUEST"]
    decisionId: str | None
    firstRecordId: int | None
    lastRecordId: int | None
    records: int
    approvals: int
    incidents: int
    before: At | None
    reason: str
    erasedBy: str
    erasedAt: At


class ErasureAnswer(View):
    erasure: ErasureView


class ErasuresQuery(Query):
    decision: Short | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class ErasuresAnswer(View):
    erasures: list[ErasureView]
    nextCursor: str | None


async def read(call: Call) -> web.Response:
    """Read for how long bodies are kept."""
    return answer(render_rule(await call.services.retention.rule(call.caller)))


async def write(call: Call) -> web.Response:
    """Say for how long bodies are kept, and whether a legal hold stops every erasure.

    What is older is erased within minutes: lines, and what repeats them. Hashes and leaves stay, so
    that the log verifies as before.
    """
    body = await parse_body(call.http, RetentionBody)
    found = await call.services.retention.set_rule(
        call.caller, body.days, body.legalHold, body.reason, body.setBy
    )
    return answer(render_rule(found))


async def erase(call: Call) -> web.Response:
    """Erase the bodies of one decision for good. Who, when, with which effect, and hashes stay."""
    body = await parse_body(call.http, EraseBody)
    done = await call.services.retention.erase_decision(
        call.caller, call.http.match_info["decision"], body.reason, body.erasedBy
    )
    return answer({"erasure": render_erasure(done)})


async def erasures(call: Call) -> web.Response:
    """List what was erased, the newest first."""
    query = parse_query(call.http, ErasuresQuery)
    rows = await call.services.retention.erasures(
        call.caller, query.cursor, query.decision, query.limit
    )
    cursor = next_cursor(rows, query.limit, lambda row: row.erasure_seq)
    return answer({"erasures": [render_erasure(row) for row in rows], "nextCursor": cursor})


ROUTES = (
    route(
        "GET", "/v1/retention", read, Permission.RECORD_READ, Permission.ADMIN,
        answers=RetentionAnswer,
    ),
    route(
        "PUT", "/v1/retention", write, Permission.ADMIN,
        body=RetentionBody, answers=RetentionAnswer,
    ),
    route(
        "POST", "/v1/decisions/{decision}/erase", erase, Permission.ADMIN,
        body=EraseBody, answers=ErasureAnswer,
    ),
    route(
        "GET", "/v1/erasures", erasures, Permission.RECORD_READ, Permission.ADMIN,
        query=ErasuresQuery, answers=ErasuresAnswer,
    ),
)  # fmt: skip


def render_rule(found: RetentionInForce) -> dict[str, JsonValue]:
    """For how long, and who said so."""
    return {
        "days": found.days,
        "defaultDays": found.default_days,
        "legalHold": found.legal_hold,
        "reason": found.reason,
        "setBy": found.set_by,
        "setAt": timestamp(found.set_at),
    }


def render_erasure(row: ErasureRow) -> dict[str, JsonValue]:
    """What was erased, and why."""
    return {
        "erasureId": str(row.erasure_id),
        "cause": row.cause,
        "decisionId": row.decision_id,
        "firstRecordId": row.first_record_id,
        "lastRecordId": row.last_record_id,
        "records": row.record_count,
        "approvals": row.approval_count,
        "incidents": row.incident_count,
        "before": timestamp(row.before),
        "reason": row.reason,
        "erasedBy": row.erased_by,
        "erasedAt": timestamp(row.erased_at),
    }
