"""Promise: a WebSocket opens only where policy lets it, is recorded, and ends with a stop.

Real client and real server of the `websockets` library; the client knows its proxy from the URL
that an operator would set, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.support.live_websocket import LiveWebSocket, live_gateway
from tests.support.stack import Stack

pytestmark = pytest.mark.slow

HOST = "warehouse.example.test"
SECONDS_MAX = 20.0
LARGE_BYTES = 3_000_000

MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: live-warehouse}
spec:
  provider: warehouse
  hosts: [warehouse.example.test]
  errors: problem
  operations:
    GET /v1/orders/{order}:
      operation: warehouse.orders.get
      action: get_order
      kind: read
      target: {type: order, id: path.order}
    WEBSOCKET /live/{room}:
      operation: warehouse.rooms.join
      action: join_room
      kind: execute
      target: {type: room, id: path.room}
"""
POLICY = """
apiVersion: checkrein/v1
kind: Policy
metadata: {name: live}
spec:
  mode: enforce
  defaultEffect: BLOCK
  rules:
    - {id: reads, priority: 10, match: {kind: read}, effect: ALLOW, reason: SAFE_READ}
    - id: rooms
      priority: 10
      match: {action: join_room, target.id: "open*"}
      effect: ALLOW
      reason: OPEN_ROOM
    - id: feed
      priority: 10
      match: {action: open_websocket, target.id: "*/feed"}
      effect: ALLOW
      reason: KNOWN_FEED
    - id: others
      priority: 20
      match: {action: join_room}
      effect: REQUIRE_APPROVAL
      reason: ASK
      message: a person lets in
"""


@dataclass
class Echo:
    """What the upstream saw."""

    paths: list[str] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        try:
            async for message in connection:
                await connection.send(message)
        finally:
            self.closed.set()


class Live(LiveWebSocket):
    """With messages larger than any buffer."""

    @asynccontextmanager
    async def upstream(self) -> AsyncIterator[Echo]:
        echo = Echo()
        async with self.serving(echo.serve, max_size=2 * LARGE_BYTES):
            yield echo

    def connect(self, path: str) -> connect:
        return self.dial(path, SECONDS_MAX, max_size=2 * LARGE_BYTES)


@pytest.fixture(scope="module")
def live(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A gateway with a mapper and a policy that know of WebSockets."""
    folder = tmp_path_factory.mktemp("live")
    with live_gateway(stack, folder, "live", HOST, (MAPPER, POLICY)) as (gateway, files):
        yield Live(gateway, stack, files, HOST)


async def _echoes(client: ClientConnection) -> None:
    """Text, bytes, fragments, a ping and more than any buffer holds."""
    await client.send("hello")
    assert await client.recv() == "hello"
    await client.send(["in ", "three ", "parts"])
    assert await client.recv() == "in three parts"
    await asyncio.wait_for(await client.ping(), SECONDS_MAX)
    large = bytes(range(256)) * (LARGE_BYTES // 256)
    await client.send(large)
    assert await client.recv() == large


ALLOWED = {
    "T6 a mapper's own entry": ("/live/open-1", "OPEN_ROOM"),
    "T6 by the name of what no entry describes": ("/feed", "KNOWN_FEED"),
}


@pytest.mark.parametrize("case", ALLOWED)
async def test_an_allowed_one_is_carried_and_recorded(live: Live, case: str) -> None:
    """Compression and all; its opening, its end and its bytes stand under the decision's id."""
    path, reason = ALLOWED[case]
    async with live.upstream() as echo:
        async with live.connect(path) as client:
            await _echoes(client)
        assert echo.paths == [path]
    intent = await live.record({"kind": "intent", "reason_code": reason}, path)
    decision_id = str(intent["decision_id"])
    outcome = await live.record({"kind": "outcome"}, decision_id)
    assert (outcome["outcome"], outcome["status"]) == ("executed", 101)
    opened = await live.record({"kind": "tunnel", "closed": False}, decision_id)
    closed = await live.record({"kind": "tunnel", "closed": True}, decision_id)
    assert opened["agent"] == closed["agent"] == "agent"
    assert int(str(closed["sent_bytes"])) > 1_000
    assert int(str(closed["received_bytes"])) > 1_000


BLOCKED = {
    "T6 a WebSocket that policy does not name": "/else",
    "T6 a handshake at the path of a read": "/v1/orders/1",
}


@pytest.mark.parametrize("case", BLOCKED)
async def test_a_blocked_one_is_never_seen(live: Live, case: str) -> None:
    """The agent's library raises with our answer; a read's rule opens no WebSocket."""
    async with live.upstream() as echo:
        with pytest.raises(InvalidStatus) as caught:
            await live.connect(BLOCKED[case])
        assert caught.value.response.status_code == 403
        assert echo.paths == []
    decision = await live.record({"kind": "decision", "effect": "BLOCK"}, BLOCKED[case])
    assert decision is not None


async def test_a_held_one_opens_when_a_person_says_so(live: Live) -> None:
    """The handshake waits, and is sent once."""
    api = live.stack.api
    known = await asyncio.to_thread(api.approval_ids)
    async with live.upstream() as echo:
        opening = asyncio.create_task(_open(live, "/live/closed"), name="opening")
        approval = await asyncio.to_thread(api.wait_pending, known)
        assert echo.paths == []
        await asyncio.to_thread(api.resolve, approval["approvalId"], "APPROVE")
        client = await opening
        await _echoes(client)
        await client.close()
        assert echo.paths == ["/live/closed"]


async def test_a_stop_of_its_provider_cuts_it(live: Live) -> None:
    """Within seconds both sides see the end, and no other one opens."""
    api = live.stack.api
    async with live.upstream() as echo, live.connect("/live/open-2") as client:
        await client.send("before")
        assert await client.recv() == "before"
        body = {"scope": "provider", "name": "warehouse", "reason": "it runs wild"}
        stop = (await asyncio.to_thread(api.call, "POST", "/v1/stops", body))["stop"]
        try:
            async with asyncio.timeout(SECONDS_MAX):
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                await echo.closed.wait()
            with pytest.raises(InvalidStatus):
                await live.connect("/live/open-3")
        finally:
            path = f"/v1/stops/{stop['stopId']}/lift"
            await asyncio.to_thread(api.call, "POST", path, {"reason": "over"})
            wanted = {"event": "stop_lifted", "gateway": live.gateway.gateway_id}
            await live.record(wanted, stop["stopId"])


async def test_a_gateway_that_stops_records_its_end(live: Live) -> None:
    """Cut when the time to drain is over, with the bytes that went through."""
    async with live.upstream(), live.connect("/live/open-4") as client:
        await client.send("before")
        assert await client.recv() == "before"
        assert await asyncio.to_thread(live.gateway.process.stop) == 0
        with pytest.raises(ConnectionClosed):
            await client.recv()
    intent = await live.record({"kind": "intent"}, "/live/open-4")
    # What is not shipped when it stops is at its next start.
    await asyncio.to_thread(live.gateway.start)
    closed = await live.record({"kind": "tunnel", "closed": True}, str(intent["decision_id"]))
    assert int(str(closed["sent_bytes"])) > len("before")


async def _open(live: Live, path: str) -> ClientConnection:
    return await live.connect(path)
