"""What a handler gets, and what a route is."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from controlplane.api.contract import BODY_BYTES_MAX, Answers, Body, Contract, Query, View
from controlplane.auth import Caller, Permission
from controlplane.services.joined import Services
from gateway.model.codec import JsonValue


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    http: web.Request
    caller: Caller
    services: Services

    def is_gone(self) -> bool:
        """Whether the caller hung up: nobody will read the answer."""
        transport = self.http.transport
        return transport is None or transport.is_closing()


Handler = Callable[[Call], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """`needs`: one of these permissions. The only place where a permission is asked for is
    `server.authorize`, with this."""

    method: str
    path: str
    handler: Handler
    needs: frozenset[Permission]
    contract: Contract = field(default_factory=Contract)


def route(
    method: str,
    path: str,
    handler: Handler,
    *needs: Permission,
    body: type[Body] | None = None,
    query: type[Query] | None = None,
    answers: type[View] | Answers | None = None,
    body_bytes_max: int = BODY_BYTES_MAX,
    files: tuple[str, ...] = (),
) -> Route:
    """A route and its contract. `answers` is the view of status 200, or views by status; `files`
    are the media types in which it answers 200 otherwise.

    route("POST", "/v1/things", create, Permission.ADMIN, body=CreateBody, answers={201: Thing})
    """
    if answers is None:
        answers = {}
    elif not isinstance(answers, Mapping):
        answers = {200: answers}
    contract = Contract(body, query, answers, body_bytes_max, files)
    return Route(method, path, handler, frozenset(needs), contract)


def answer(value: JsonValue, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        status=status,
        text=json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        content_type="application/json",
    )
