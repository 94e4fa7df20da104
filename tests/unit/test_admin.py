"""The admin listener: alive is not ready, and other metrics come along."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gateway.admin import CONNECTIONS_MAX, AdminListener, AdminSettings
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


STRANGE = {
    "another path": (b"GET /v1/agents HTTP/1.1\r\n\r\n", b"404"),
    "a path with a query": (b"GET /healthz?full=1 HTTP/1.0\r\n\r\n", b"200"),
    "only the head": (b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"200"),
    "a method that changes something": (b"POST /healthz HTTP/1.1\r\n\r\n", b"405"),
    "a whole URL": (b"GET http://a.test/healthz HTTP/1.1\r\n\r\n", b"400"),
    "a connection to elsewhere": (b"CONNECT a.test:443 HTTP/1.1\r\n\r\n", b"400"),
    "another protocol": (b"GET /healthz HTTP/9\r\n\r\n", b"400"),
    "no HTTP": (b"\x16\x03\x01\r\n\r\n", b"400"),
    "a head without an end": (b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 4_000, b"400"),
    "half a head": (b"GET /healthz HTTP/1.1\r\n", b""),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("what", STRANGE)
async def test_strange_questions_are_answered_and_hung_up_on(what: str) -> None:
    """Whoever reaches the port may send anything."""
    sent, status = STRANGE[what]
    listener = AdminListener(AdminSettings(metrics_port=0), {})
    await listener.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(sent)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
    finally:
        await listener.stop()

    assert answer[9:12] == status
    assert not (what == "only the head" and b"ok" in answer.partition(b"\r\n\r\n")[2])


async def test_a_check_that_fails_is_an_answer_of_its_own() -> None:
    """A bug in a check is no silence, in which a gateway would seem gone."""

    def fail() -> str:
        raise RuntimeError("planted")

    listener = AdminListener(AdminSettings(metrics_port=0), {"record": fail})
    await listener.start()
    try:
        ready, alive = await _get(listener, "/readyz"), await _get(listener, "/healthz")
    finally:
        await listener.stop()

    assert (ready[0], alive[0]) == (500, 200)
    assert "planted" not in ready[1]


async def test_silent_connections_are_bounded() -> None:
    """Who only connects takes a place for seconds at most, and others never take them all."""
    listener = AdminListener(AdminSettings(metrics_port=0), {})
    await listener.start()
    silent = []
    try:
        for _ in range(CONNECTIONS_MAX):
            silent.append(await asyncio.open_connection("127.0.0.1", listener.port))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        silent.pop()[1].close()
        async with asyncio.timeout(10):
            while not await _is_alive(listener):
                await asyncio.sleep(0)
    finally:
        for _reader, each in silent:
            each.close()
        await listener.stop()


async def _is_alive(listener: AdminListener) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        return (await _get(listener, "/healthz"))[0] == 200
    return False
