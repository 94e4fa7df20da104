"""`/v1/approvals/answered`: what was answered, for gateways that hold many requests."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator

from controlplane.api.contract import Id, Query, View
from controlplane.api.parsing import WaitSeconds, parse_query
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.store.events import EventCursor


def _cursor(text: str) -> str:
    if EventCursor.parse(text) is None:
        raise ValueError("must be a cursor that an answer of this route gave")
    return text


class AnsweredQuery(Query):
    """`cursor` is that of the last answer; without one the answer says where to begin. With
    `waitSeconds` it comes as soon as there is something."""

    cursor: Annotated[str, AfterValidator(_cursor)] | None = None
    waitSeconds: WaitSeconds = 0


class AnsweredAnswer(View):
    """Approvals that are no longer pending, or that were used or ended since."""

    answered: list[Id]
    nextCursor: str


async def answered(call: Call) -> web.Response:
    """Read, or await, which approvals are no longer open to an answer."""
    query = parse_query(call.http, AnsweredQuery)
    cursor = None if query.cursor is None else EventCursor.parse(query.cursor)
    found = await call.services.answered.after(call.caller, cursor, query.waitSeconds, call.is_gone)
    return answer({"answered": list(found.approval_ids), "nextCursor": str(found.cursor)})


ROUTES = (
    route(
        "GET", "/v1/approvals/answered", answered, Permission.GATEWAY, Permission.ADMIN,
        query=AnsweredQuery, answers=AnsweredAnswer,
    ),
)  # fmt: skip
