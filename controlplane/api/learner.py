"""`/v1/learner/mode`: whether what agents do is only observed, or acted upon."""

from __future__ import annotations

import uuid
from typing import Literal

from aiohttp import web

from controlplane.api.contract import At, Body, Id, Query, View
from controlplane.api.parsing import parse_body, parse_query, timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.services.learner import LearnerMode, ModeInForce


class ScopeBody(Body):
    scopeType: Literal["ORG"]
    scopeId: uuid.UUID


class ModeBody(Body):
    scope: ScopeBody
    mode: LearnerMode


class ModeQuery(Query):
    """Without a scope: the caller's organisation, which is the only one that they may ask for."""

    scopeType: Literal["ORG"] = "ORG"
    scopeId: uuid.UUID | None = None


class ScopeView(View):
    scopeType: Literal["ORG"]
    scopeId: Id


class ModeView(View):
    """The mode in force; `setBy` null before anybody set it."""

    scope: ScopeView
    mode: LearnerMode
    setBy: str | None
    setAt: At | None


async def read(call: Call) -> web.Response:
    """Read the learner's mode."""
    query = parse_query(call.http, ModeQuery)
    scope_id = query.scopeId or call.caller.tenant_id
    return _render(scope_id, await call.services.learner.mode(call.caller, scope_id))


async def write(call: Call) -> web.Response:
    """Set the learner's mode."""
    body = await parse_body(call.http, ModeBody)
    scope_id = body.scope.scopeId
    return _render(scope_id, await call.services.learner.set_mode(call.caller, scope_id, body.mode))


ROUTES = (
    route(
        "GET", "/v1/learner/mode", read,
        Permission.LEARNER_READ, Permission.LEARNER_WRITE, Permission.ADMIN,
        query=ModeQuery, answers=ModeView,
    ),
    route(
        "PUT", "/v1/learner/mode", write, Permission.LEARNER_WRITE, Permission.ADMIN,
        body=ModeBody, answers=ModeView,
    ),
)  # fmt: skip


def _render(scope_id: uuid.UUID, found: ModeInForce) -> web.Response:
    return answer(
        {
            "scope": {"scopeType": "ORG", "scopeId": str(scope_id)},
            "mode": found.mode.value,
            "setBy": found.set_by,
            "setAt": timestamp(found.set_at),
        }
    )
