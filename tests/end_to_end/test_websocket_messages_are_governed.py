"""Promise: where a mapper describes the messages of a WebSocket, each is decided on before a byte
of it leaves, and what the record says was sent is what the upstream received.

Real client and real server of the `websockets` library; raw frames where a library sends none.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.support.live_websocket import LiveWebSocket, live_gateway
from tests.support.stack import Stack
from tests.support.websocket_frames import frame

pytestmark = pytest.mark.slow

HOST = "live.example.test"
SECONDS_MAX = 30.0
INSPECTED_BYTES = 200_000

MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: live}
spec:
  provider: live
  hosts: [live.example.test]
  errors: problem
  volatile: [event_id]
  defaults: {params: body}
  operations:
    WEBSOCKET /rooms/{room}: {action: join_room, kind: execute, target: {type: room, id: path.room}}
    MESSAGE /rooms/{room}:
      - when: {body.type: say}
        action: send_message
        target: {type: room, id: path.room}
        params: {text: text}
      - when: {body.type: look}
        action: get_room
        kind: read
        target: {type: room, id: path.room}
      - when: {body.type: ban}
        action: remove_member
        target: {type: member, id: member}
      - when: {body.type: close}
        action: delete_room
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
    - {id: rooms, priority: 10, match: {action: join_room}, effect: ALLOW, reason: JOIN}
    - {id: reads, priority: 10, match: {kind: read}, effect: ALLOW, reason: LOOK}
    - {id: say, priority: 10, match: {action: send_message}, effect: ALLOW, reason: SAY}
    - {id: ban, priority: 10, match: {action: remove_member}, effect: REQUIRE_APPROVAL, reason: ASK}
    - {id: close, priority: 10, match: {action: delete_room}, effect: BLOCK, reason: NEVER}
    - id: beacons
      priority: 10
      match: {action: send_websocket_message, target.id: "*/rooms/beacons"}
      effect: ALLOW
      reason: BEACON
"""


def say(text: str) -> str:
    return json.dumps({"type": "say", "text": text}, ensure_ascii=False)


def ban(member: str) -> str:
    return json.dumps({"event_id": "e-1", "type": "ban", "member": member})


@dataclass
class Room:
    """What the upstream saw."""

    extensions: list[str | None] = field(default_factory=list)
    received: list[str | bytes] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    close_code: int | None = None
    connection: ServerConnection | None = None

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connection = connection
        self.extensions.append(connection.request.headers.get("Sec-WebSocket-Extensions"))
        try:
            async for message in connection:
                self.received.append(message)
                await connection.send(message)
        finally:
            self.close_code = connection.close_code
            self.closed.set()


class Live(LiveWebSocket):
    """With a client that pings all the time."""

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Room]:
        room = Room()
        async with self.serving(room.serve):
            yield room

    def connect(self, path: str) -> connect:
        return self.dial(path, SECONDS_MAX, ping_interval=0.2, ping_timeout=SECONDS_MAX)

    async def outcome(self, decision: Mapping[str, Any]) -> dict[str, Any]:
        return await self.record({"kind": "outcome"}, str(decision["decision_id"]))


@pytest.fixture(scope="module")
def live(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A gateway with a mapper that describes messages."""
    folder = tmp_path_factory.mktemp("messages")
    limits = {"CHECKREIN_BODY_BYTES_MAX": str(INSPECTED_BYTES)}
    opened = live_gateway(stack, folder, "messages", HOST, (MAPPER, POLICY), limits)
    with opened as (gateway, files):
        yield Live(gateway, stack, files, HOST)


async def _end(client: ClientConnection) -> tuple[int | None, str]:
    """Code and reason of the close frame that the agent gets."""
    async with asyncio.timeout(SECONDS_MAX):
        await client.wait_closed()
    return client.close_code, client.close_reason or ""


async def test_allowed_messages_arrive_and_are_recorded(live: Live) -> None:
    """In order, joined, uncompressed; the record's digest of each is that of what arrived."""
    sent = [say("one"), json.dumps({"type": "look"}), say("two, in parts"), say("ä" * 60_000)]
    async with live.room() as room:
        async with live.connect("/rooms/a") as client:
            await client.send(sent[0])
            await client.send(sent[1])
            await client.send([sent[2][:5], sent[2][5:9], sent[2][9:]])
            await client.send(sent[3])
            assert [await client.recv() for _ in sent] == sent
            await asyncio.wait_for(await client.ping(), SECONDS_MAX)
        assert room.received == sent
        assert room.extensions == [None]
        await asyncio.wait_for(room.closed.wait(), SECONDS_MAX)
        assert room.close_code == 1000
    for message in room.received:
        assert isinstance(message, str)
        digest = live.gateway.content_digest(message.encode())
        intent = await live.record({"kind": "intent", "method": "MESSAGE"}, digest)
        assert intent["path"] == "/rooms/a"
        assert (await live.outcome(intent))["outcome"] == "executed"
    handshake = await live.record({"kind": "intent", "reason_code": "JOIN"}, "/rooms/a")
    closed = await live.record({"kind": "tunnel", "closed": True}, str(handshake["decision_id"]))
    assert int(closed["sent_bytes"]) > sum(len(message) for message in sent)


REFUSED: dict[str, tuple[str | bytes, int, str]] = {
    "a rule blocks it": (json.dumps({"type": "close"}), 1008, "NEVER"),
    "no entry describes it": (json.dumps({"type": "else"}), 1008, "NO_RULE_MATCHED"),
    "bytes": (b'{"type": "say"}', 1008, "NO_RULE_MATCHED"),
    "a key that is there twice": ('{"type": "say", "type": "close"}', 1008, "AMBIGUOUS_REQUEST"),
    "no JSON": ("say hello", 1008, "AMBIGUOUS_REQUEST"),
    "more than is inspected": (say("x" * INSPECTED_BYTES), 1009, "websocket.too_long"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_message_never_arrives(live: Live, case: str) -> None:
    """Nor does any behind it: both sides are told by a close frame, the agent with the reason."""
    message, code, reason = REFUSED[case]
    async with live.room() as room, live.connect("/rooms/b") as client:
        await client.send(say("before"))
        await client.send(message)
        with suppress(ConnectionClosed):  # it may be told before
            await client.send(say("behind"))
        close_code, told = await _end(client)
        assert close_code == code
        assert reason in told
        await asyncio.wait_for(room.closed.wait(), SECONDS_MAX)
        assert room.received == [say("before")]
        assert room.close_code == code
    if code == 1008:
        decision_id = told.rpartition("; ")[2]
        decision = await live.record({"kind": "decision", "effect": "BLOCK"}, decision_id)
        assert decision["method"] == "MESSAGE"
    else:
        assert await live.record({"kind": "refusal", "code": reason}, HOST) is not None


async def test_a_message_of_no_type_passes_where_a_rule_says_so(live: Live) -> None:
    """As `send_websocket_message`; text and bytes arrive as what they were."""
    async with live.room() as room, live.connect("/rooms/beacons") as client:
        await client.send("{}")
        await client.send(b"\x00\xff")
        assert [await client.recv(), await client.recv()] == ["{}", b"\x00\xff"]
        assert room.received == ["{}", b"\x00\xff"]


MALFORMED = {
    "no mask": frame(1, say("x").encode(), key=None),
    "a reserved bit": frame(1, say("x").encode(), first=0xC0),
    "a message within another": frame(1, b"{", first=0) + frame(1, b"{}"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_malformed_frames_end_it(live: Live, case: str) -> None:
    """Nothing of them arrives, and the record says why."""
    async with live.room() as room, live.connect("/rooms/c") as client:
        client.transport.write(MALFORMED[case])
        assert await _end(client) == (1002, "checkrein: websocket.malformed")
        await asyncio.wait_for(room.closed.wait(), SECONDS_MAX)
        assert room.received == []
    assert await live.record({"kind": "refusal", "code": "websocket.malformed"}, HOST) is not None


@asynccontextmanager
async def _held(live: Live, client: ClientConnection, member: str) -> AsyncIterator[str]:
    """A message that waits for a person, with one behind it. Yields the approval's id."""
    known = await asyncio.to_thread(live.stack.api.approval_ids)
    await client.send(ban(member))
    await client.send(say("behind"))
    approval = await asyncio.to_thread(live.stack.api.wait_pending, known)
    yield str(approval["approvalId"])


async def test_a_held_message_is_released_once(live: Live) -> None:
    """Those behind it wait, pings are answered meanwhile, and the order stays."""
    async with live.room() as room, live.connect("/rooms/d") as client:
        async with _held(live, client, "mallory") as approval_id:
            await asyncio.wait_for(await client.ping(), SECONDS_MAX)
            assert room.received == []
            await asyncio.to_thread(live.stack.api.resolve, approval_id, "APPROVE")
        assert [await client.recv(), await client.recv()] == [ban("mallory"), say("behind")]
        assert room.received == [ban("mallory"), say("behind")]
    consumed = await asyncio.to_thread(live.stack.api.wait_status, approval_id, "CONSUMED")
    assert consumed["method"] == "MESSAGE"
    digest = live.gateway.content_digest(ban("mallory").encode())
    intent = await live.record({"kind": "intent", "body_digest": digest}, approval_id)
    assert (await live.outcome(intent))["outcome"] == "executed"


async def test_pings_pass_behind_hundreds_that_wait(live: Live) -> None:
    """Each side sees that the other one lives while a person thinks; then all goes out in order."""
    behind = [say(f"line {number}") for number in range(300)]
    async with live.room() as room, live.connect("/rooms/p") as client:
        async with _held(live, client, "oscar") as approval_id:
            for message in behind:
                await client.send(message)
            await asyncio.wait_for(await client.ping(), SECONDS_MAX)
            assert room.connection is not None
            await asyncio.wait_for(await room.connection.ping(), SECONDS_MAX)
            assert room.received == []
            await asyncio.to_thread(live.stack.api.resolve, approval_id, "APPROVE")
        sent = [ban("oscar"), say("behind"), *behind]
        async with asyncio.timeout(2 * SECONDS_MAX):
            assert [await client.recv() for _ in sent] == sent
        assert room.received == sent


async def test_an_agent_that_floods_behind_a_held_message_is_told_to_come_again(
    live: Live,
) -> None:
    """Before either side takes it for dead, and in memory that doesn't grow. Nothing is sent; the
    approval stays for the same message."""
    async with live.room() as room:
        async with live.dial("/rooms/q", SECONDS_MAX) as client:
            async with _held(live, client, "victor") as approval_id:
                with suppress(ConnectionClosed):
                    while True:
                        await client.send(say("x" * 1_000))
            assert await _end(client) == (1013, "checkrein: websocket.backlog")
            await asyncio.wait_for(room.closed.wait(), SECONDS_MAX)
            assert (room.received, room.close_code) == ([], 1013)
        assert await live.record({"kind": "refusal", "code": "websocket.backlog"}, HOST) is not None
        await asyncio.to_thread(live.stack.api.resolve, approval_id, "APPROVE")
        async with live.connect("/rooms/q") as client:
            await client.send(ban("victor"))
            assert await client.recv() == ban("victor")
        assert room.received == [ban("victor")]


async def test_a_denied_message_ends_it(live: Live) -> None:
    """Neither it nor what waits behind it arrives."""
    async with live.room() as room, live.connect("/rooms/e") as client:
        async with _held(live, client, "bob") as approval_id:
            await asyncio.to_thread(live.stack.api.resolve, approval_id, "DENY")
        code, reason = await _end(client)
        assert (code, reason.split("; ")[:2]) == (
            1008, ["checkrein: APPROVAL_DENIED", approval_id],
        )  # fmt: skip
        await asyncio.wait_for(room.closed.wait(), SECONDS_MAX)
        assert room.received == []


async def test_an_agent_that_leaves_has_nothing_released(live: Live) -> None:
    """Its approval stays for the same message sent again, and is then used once."""
    async with live.room() as room:
        async with live.connect("/rooms/f") as client, _held(live, client, "eve") as approval_id:
            pass
        await asyncio.wait_for(room.closed.wait(), SECONDS_MAX)
        assert room.received == []
        await asyncio.to_thread(live.stack.api.resolve, approval_id, "APPROVE")
        again = json.dumps({"event_id": "e-2", "type": "ban", "member": "eve"})
        async with live.connect("/rooms/f") as client:
            await client.send(again)
            assert await client.recv() == again
        assert room.received == [again]


async def test_a_stop_ends_it_while_a_message_waits(live: Live) -> None:
    """Within seconds: the agent reads why, the upstream sees the end and no message."""
    api = live.stack.api
    async with live.room() as room, live.connect("/rooms/g") as client:
        async with _held(live, client, "trent"):
            body = {"scope": "provider", "name": "live", "reason": "it runs wild"}
            stop = (await asyncio.to_thread(api.call, "POST", "/v1/stops", body))["stop"]
        try:
            code, reason = await _end(client)
            assert code == 1008
            assert reason.startswith("checkrein: KILL_SWITCH; ")
            await asyncio.wait_for(room.closed.wait(), SECONDS_MAX)
            assert room.received == []
        finally:
            path = f"/v1/stops/{stop['stopId']}/lift"
            await asyncio.to_thread(api.call, "POST", path, {"reason": "over"})
            wanted = {"event": "stop_lifted", "gateway": live.gateway.gateway_id}
            await live.record(wanted, stop["stopId"])


async def test_a_gateway_that_stops_sends_nothing_that_waits(live: Live) -> None:
    """The agent is told to ask again, and the same message then waits for the same approval."""
    async with live.room() as room:
        async with live.connect("/rooms/h") as client:
            async with _held(live, client, "peggy") as approval_id:
                assert await asyncio.to_thread(live.gateway.process.stop) == 0
            code, reason = await _end(client)
            assert (code, reason.split("; ")[:2]) == (
                1008, ["checkrein: APPROVAL_PENDING", approval_id],
            )  # fmt: skip
        await asyncio.to_thread(live.gateway.start)
        await asyncio.to_thread(live.stack.api.resolve, approval_id, "APPROVE")
        async with live.connect("/rooms/h") as client:
            await client.send(ban("peggy"))
            assert await client.recv() == ban("peggy")
        assert room.received == [ban("peggy")]
    await asyncio.to_thread(live.stack.api.wait_status, approval_id, "CONSUMED")
