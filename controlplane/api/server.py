"""The aiohttp application: every request gets an id, a caller, an answer, a metric and a log line.

INVARIANT(one-gate): no handler of `ROUTES` runs before `authorize` let its caller through.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine

from aiohttp import web

from controlplane.api import (
    agents,
    answered,
    approval_status,
    approvals,
    bundles,
    callbacks,
    channels,
    decisions,
    exports,
    grants,
    health,
    incidents,
    keys,
    learner,
    limits,
    me,
    policies,
    policy_drafts,
    records,
    retention,
    runs,
    stops,
    streams,
)
from controlplane.api import log as log_routes
from controlplane.api.contract import CONTRACT, Contract
from controlplane.api.idempotency import answer_once
from controlplane.api.openapi import document
from controlplane.api.parsing import NoBody, NoQuery, parse_body, parse_query
from controlplane.api.problems import problem_response
from controlplane.api.routing import Call, Handler, Route
from controlplane.auth import KEY_START, Caller, Permission, key_prefix, may, read_key
from controlplane.faults import ControlFault, Fault
from controlplane.services.joined import Services
from controlplane.store.tenancy import Actor, acting_for
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

ROUTES: tuple[Route, ...] = (
    *approvals.ROUTES,
    *approval_status.ROUTES,
    *answered.ROUTES,
    *records.ROUTES,
    *decisions.ROUTES,
    *exports.ROUTES,
    *log_routes.ROUTES,
    *retention.ROUTES,
    *agents.ROUTES,
    *keys.ROUTES,
    *me.ROUTES,
    *learner.ROUTES,
    *limits.ROUTES,
    *stops.ROUTES,
    *runs.ROUTES,
    *incidents.ROUTES,
    *grants.ROUTES,
    *bundles.ROUTES,
    *channels.ROUTES,
    *streams.ROUTES,
    *policy_drafts.ROUTES,
    *policies.ROUTES,
)

NO_ROUTE = "(none)"
"""The route label of requests that match none: their paths are a caller's words."""

WAIT_PARAMETER = "waitSeconds"
"""Of every route that may answer late."""

WATCH_AFTER_SECONDS = 0.2
"""Most answers are there sooner, and need no watch."""

ID_PLACE = "{id:[0-9a-fA-F-]{32,36}}"
"""A word in the place of an id is no id: it names another route, or none."""

METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})

_REQUEST_ID = web.RequestKey("request_id", str)
_KEY_PREFIX = web.RequestKey("key_prefix", str)

Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_application(services: Services) -> web.Application:
    """Join routes and services."""

    @web.middleware
    async def observe(request: web.Request, handler: Next) -> web.StreamResponse:
        return await _observe(services, request, handler)

    application = web.Application(middlewares=[observe])
    for one in ROUTES:
        path = one.path.replace("{id}", ID_PLACE)
        application.router.add_route(one.method, path, _guarded(services, one))
    for path, handler in (*health.OPEN_ROUTES, ("/v1/openapi.json", describe)):
        application.router.add_get(path, _open(services, handler), allow_head=False)
    for proven in callbacks.OPEN_ROUTES:
        handle = _proven(services, proven.handler)
        application.router.add_route(proven.method, proven.path, handle)
    return application


def _proven(
    services: Services, handler: callbacks.OpenHandler
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A route whose request proves itself by something else than a key."""

    async def handle(request: web.Request) -> web.Response:
        return await handler(services, request)

    return handle


async def describe(_: Services) -> web.Response:
    """What every route reads and answers. Made at the first call: few ever ask."""
    return web.Response(text=_document(), content_type="application/json")


@functools.cache
def _document() -> str:
    return json.dumps(document(ROUTES), separators=(",", ":"))


async def authorize(
    services: Services, request: web.Request, needs: frozenset[Permission]
) -> Caller:
    """Who calls, if they may.

    Raises:
        ControlFault: UNAUTHENTICATED, FORBIDDEN.
    """
    key = read_key(request.headers)
    if key.startswith(KEY_START):
        # What is no key of ours may be somebody's password, sent here by mistake.
        request[_KEY_PREFIX] = key_prefix(key)
    caller = await services.keys.authenticate(key)
    if not may(caller, needs):
        raise ControlFault(Fault.FORBIDDEN, "this key does not have the needed permission")
    return caller


def _guarded(services: Services, one: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
    handler: Handler = one.handler

    async def handle(request: web.Request) -> web.Response:
        caller = await authorize(services, request, one.needs)
        if one.contract.is_declared:
            await _hold_to(one.contract, request)

        async def proceed() -> web.Response:
            return await handler(Call(request, caller, services))

        with acting_for(caller.tenant_id, Actor(caller.key_name, caller.key_id)):
            if WAIT_PARAMETER in request.query:
                return await _while_valid(services, request, caller, proceed)
            return await answer_once(services.idempotency, request, one, caller, proceed)

    return handle


async def _while_valid(
    services: Services,
    request: web.Request,
    caller: Caller,
    proceed: Callable[[], Coroutine[None, None, web.Response]],
) -> web.Response:
    """Let a handler wait, as long as the caller's key is what it was when they called.

    Raises:
        ControlFault: UNAUTHENTICATED, as soon as it is over.
    """
    key = read_key(request.headers)
    answering = asyncio.create_task(proceed(), name="answer")
    try:
        done, _ = await asyncio.wait([answering], timeout=WATCH_AFTER_SECONDS)
        if done:
            return answering.result()
        watching = asyncio.create_task(services.keys.wait_until_over(caller, key), name="key-watch")
        try:
            await asyncio.wait([answering, watching], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks([watching])
        # Whatever was waited for, it is not for a key that ended meanwhile.
        await services.keys.authenticate(key)
        return await answering
    finally:
        await end_tasks([answering])


async def _hold_to(contract: Contract, request: web.Request) -> None:
    """Let the handler read by its contract alone, and refuse what a route without a body or a query
    would not even look at."""
    request[CONTRACT] = contract
    if contract.query is None:
        parse_query(request, NoQuery)
    if contract.body is NoBody:
        await parse_body(request, NoBody)


def _open(
    services: Services, handler: Callable[[Services], Awaitable[web.Response]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        return await handler(services)

    return handle


async def _observe(services: Services, request: web.Request, proceed: Next) -> web.StreamResponse:
    started = time.monotonic()
    request_id = request[_REQUEST_ID] = str(uuid.uuid4())
    response = await _answer(services, request, proceed, request_id)
    response.headers["X-Request-Id"] = request_id
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "checkrein"
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else NO_ROUTE
    method = request.method if request.method in METHODS else "OTHER"
    seconds = time.monotonic() - started
    services.metrics.requests.labels(method, route, response.status).inc()
    services.metrics.requests_counted.labels(method, route, response.status).inc()
    services.metrics.seconds.labels(route).observe(seconds)
    log.info(
        "request",
        extra={
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": response.status,
            "duration_ms": round(seconds * 1000, 1),
            "key_prefix": request.get(_KEY_PREFIX),
        },
    )
    return response


async def _answer(
    services: Services, request: web.Request, proceed: Next, request_id: str
) -> web.StreamResponse:
    """The handler's answer, or the envelope of what went wrong."""
    try:
        return await proceed(request)
    except ControlFault as fault:
        return problem_response(fault, request_id)
    except web.HTTPException as error:
        refused = problem_response(_routing_fault(error), request_id)
        if "Allow" in error.headers:
            refused.headers["Allow"] = error.headers["Allow"]
        return refused
    except Exception:
        services.metrics.bugs.inc()
        log.exception("unhandled fault", extra={"request_id": request_id})
        bug = ControlFault(Fault.INTERNAL, "an internal fault; see the log by this request id")
        return problem_response(bug, request_id)


def _routing_fault(error: web.HTTPException) -> ControlFault:
    match error.status:
        case 404:
            return ControlFault(Fault.NO_SUCH_ROUTE, "there is no such route")
        case 405:
            return ControlFault(Fault.METHOD_NOT_ALLOWED, "this route does not take that method")
        case 413:
            return ControlFault(Fault.BODY_TOO_LARGE, "the body is too long")
        case _:
            return ControlFault(Fault.BAD_REQUEST, "the request is not well-formed")
