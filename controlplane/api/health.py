"""`/healthz`, `/readyz`, `/metrics`: for probes and scrapers, without a key."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from controlplane.api.routing import answer
from controlplane.services.joined import Services


async def alive(_: Services) -> web.Response:
    """The process answers: all that a liveness probe may ask."""
    return answer({"status": "ok"})


async def ready(services: Services) -> web.Response:
    """The database answers too. What else is wrong is noted, and takes no replica out of service:
    another one would note the same."""
    await services.health.check()
    return answer({"status": "ready", "checks": {"database": "ok", **services.health.notes()}})


async def metrics(services: Services) -> web.Response:
    services.health.measure()
    return web.Response(
        body=generate_latest(services.metrics.registry),
        headers={"Content-Type": CONTENT_TYPE_LATEST},
    )


OPEN_ROUTES = (("/healthz", alive), ("/readyz", ready), ("/metrics", metrics))
"""The only routes that need no key. They tell nothing of any tenant."""
