"""The admin listener: alive is not ready, and other metrics come along."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gateway.admin import AdminListener, AdminSettings
from gateway.model.errors import ConfigurationError


@pytest.fixture
async def other_metrics() -> AsyncIterator[str]:
    """Another process's metrics."""
    app = web.Application()
    app.router.add_get("/metrics", _answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    await runner.cleanup()


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(text="other_total 1\n")


async def _get(listener: AdminListener, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{listener.port}{path}") as response,
    ):
        return response.status, await response.text()


async def test_alive_though_not_ready() -> None:
    """A gateway that can't record must not be restarted, but must get no traffic."""
    listener = AdminListener(AdminSettings(metrics_port=0), {"record": lambda: "disk full"})
    await listener.start()
    try:
        alive, ready = await _get(listener, "/healthz"), await _get(listener, "/readyz")
    finally:
        await listener.stop()

    assert alive[0] == 200
    assert ready[0] == 503
    assert "disk full" in ready[1]


async def test_ready_when_no_check_objects() -> None:
    """All checks are silent: 200."""
    listener = AdminListener(AdminSettings(metrics_port=0), {"record": lambda: None})
    await listener.start()
    try:
        status, _ = await _get(listener, "/readyz")
    finally:
        await listener.stop()

    assert status == 200


async def test_a_note_is_told_and_takes_no_readiness_away() -> None:
    """A stop in force, or rules that could not be taken: the gateway does its work."""
    notes = {"stops": lambda: "agent `bot` stopped by ada", "rules": lambda: None}
    listener = AdminListener(AdminSettings(metrics_port=0), {"record": lambda: None}, notes)
    await listener.start()
    try:
        status, body = await _get(listener, "/readyz")
    finally:
        await listener.stop()

    assert status == 200
    assert json.loads(body) == {
        "status": "ready",
        "failing": {},
        "notes": {"stops": "agent `bot` stopped by ada"},
    }


async def test_metrics_of_another_process_are_appended(other_metrics: str) -> None:
    """`checkrein up` has one address for all metrics."""
    settings = AdminSettings(metrics_port=0, metrics_also=other_metrics)
    listener = AdminListener(settings, {})
    await listener.start()
    try:
        _, text = await _get(listener, "/metrics")
    finally:
        await listener.stop()

    assert "checkrein_gateway_held" in text
    assert "other_total 1" in text


async def test_metrics_without_the_other_process() -> None:
    """Its absence hides none of ours."""
    settings = AdminSettings(metrics_port=0, metrics_also="http://127.0.0.1:1/metrics")
    listener = AdminListener(settings, {})
    await listener.start()
    try:
        status, text = await _get(listener, "/metrics")
    finally:
        await listener.stop()

    assert status == 200
    assert "checkrein_gateway_held" in text


async def test_a_taken_port_says_what_to_do() -> None:
    """The message names the port and the variable."""
    first = AdminListener(AdminSettings(metrics_port=0), {})
    await first.start()
    second = AdminListener(AdminSettings(metrics_port=first.port), {})
    try:
        with pytest.raises(ConfigurationError) as caught:
            await second.start()
    finally:
        await second.stop()
        await first.stop()

    assert str(first.port) in caught.value.problems[0].message
    assert "CHECKREIN_METRICS_PORT" in caught.value.problems[0].help
