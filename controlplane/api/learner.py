"""`/v1/learner/mode`: whether what agents do is only observed, or acted upon."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from controlplane.api.contract import At, Body, Id, View
from controlplane.api.parsing import parse_body, parse_query, timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.api.scopes import ScopeBody, ScopedQuery, check_scope
from controlplane.auth import Permission
from controlplane.services.learner import LearnerMode, ModeInForce


class ModeBody(Body):
    scope: ScopeBody
    mode: LearnerMode


class ScopeView(View):
    scopeType: Literal["ORG"]
    scopeId: Id


class ModeAnswer(View):
    """The mode in force; `setBy` null before anybody set it."""

    scope: ScopeView
    mode: LearnerMode
    setBy: str | None
    setAt: At | None


async def read(call: Call) -> web.Response:
    """Read the learner's mode."""
    query = parse_query(call.http, ScopedQuery)
    check_scope(call.caller, query.scopeId)
    return _render(call, await call.services.learner.mode(call.caller))


async def write(call: Call) -> web.Response:
    """Set the learner's mode."""
    body = await parse_body(call.http, ModeBody)
    check_scope(call.caller, body.scope.scopeId)
    return _render(call, await call.services.learner.set_mode(call.caller, body.mode))


ROUTES = (
    route(
        "GET", "/v1/learner/mode", read,
        Permission.LEARNER_READ, Permission.LEARNER_WRITE, Permission.ADMIN,
        query=ScopedQuery, answers=ModeAnswer,
    ),
    route(
        "PUT", "/v1/learner/mode", write, Permission.LEARNER_WRITE, Permission.ADMIN,
        body=ModeBody, answers=ModeAnswer,
    ),
)  # fmt: skip


def _render(call: Call, found: ModeInForce) -> web.Response:
    return answer(
        {
            "scope": {"scopeType": "ORG", "scopeId": str(call.caller.tenant_id)},
            "mode": found.mode.value,
            "setBy": found.set_by,
            "setAt": timestamp(found.set_at),
        }
    )
