"""What a handler gets, what a route is, and the services behind the API."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from controlplane.auth import Caller, Permission
from controlplane.services.agents import AgentService
from controlplane.services.approvals import ApprovalService
from controlplane.services.bundles import BundleService
from controlplane.services.decisions import DecisionService
from controlplane.services.gateways import GatewayService
from controlplane.services.health import HealthService
from controlplane.services.keys import KeyService
from controlplane.services.limits import LimitService
from controlplane.services.records import RecordService
from controlplane.services.stops import StopService
from controlplane.telemetry import Metrics
from gateway.model.codec import JsonValue


@dataclass(frozen=True, slots=True)
class Services:
    keys: KeyService
    approvals: ApprovalService
    records: RecordService
    decisions: DecisionService
    agents: AgentService
    limits: LimitService
    stops: StopService
    bundles: BundleService
    gateways: GatewayService
    health: HealthService
    metrics: Metrics


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


def route(method: str, path: str, handler: Handler, *needs: Permission) -> Route:
    return Route(method, path, handler, frozenset(needs))


def answer(value: JsonValue, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        status=status,
        text=json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        content_type="application/json",
    )


def cursor_after(count: int, count_max: int, last: int | None) -> str | None:
    """`nextCursor`: where the next page begins; None when this one was not full."""
    return str(last) if last is not None and count >= count_max else None
