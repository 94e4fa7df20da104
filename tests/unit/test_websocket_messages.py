"""A message of a WebSocket on its way through the pipeline: decided and recorded like a request,
and sent into the connection that its handshake opened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.enforce.gate import pass_through
from gateway.enforce.websocket_messages import MessageSender, without_extensions
from gateway.enforce.witness import witness_exchange
from gateway.intercept.message_channel import message_request
from gateway.model.action import Canonical, WitnessRead
from gateway.model.approval import ApprovalEvent
from gateway.model.exchange import Exchange, Message, ResponseHead
from gateway.model.record import Outcome, TunnelEntry
from gateway.model.stop import Stop, StopScope
from gateway.ports import Sent, Switched
from tests.support.entries import an_exchange
from tests.support.fake_channel import FakeChannel
from tests.support.fake_world import FakeWorld, told
from tests.support.fakes import FakeWire
from tests.support.policy_world import act
from tests.support.websocket_frames import Opcode, taken_elsewhere

SAY = Canonical((act("send_message", "send"),), "stripe", "stripe")
LOOK = Canonical((act("get_charge", "read"),), "stripe", "stripe")
STOP = Stop("stop-1", StopScope.AGENT, "agent", "it runs wild", "ada", 0)
HEAD = ResponseHead(101, b"Switching Protocols", (), None, False)
OFFERS = ((b"Sec-WebSocket-Extensions", b"permessage-deflate"), (b"X-Tenant", b"t-1"))
ASK = "- {id: ask, priority: 1, effect: REQUIRE_APPROVAL}"
NEVER = "- {id: never, priority: 1, effect: BLOCK}"


def handshake() -> Exchange:
    exchange = an_exchange(b"/live", b"", headers=OFFERS)
    return replace(exchange, request=replace(exchange.request, is_websocket=True))


def message(data: bytes = b"{}", how: Message = Message.TEXT) -> Exchange:
    exchange = handshake()
    return replace(exchange, request=message_request(exchange.request, how, data))


class Wire(FakeWire):
    """Writes down when something is written."""

    def __init__(self, world: FakeWorld) -> None:
        super().__init__()
        self._world = world

    def write(self, data: bytes) -> None:
        self._world.events.append("write")
        super().write(data)


async def send(world: FakeWorld, wire: FakeWire, channel: FakeChannel | None = None) -> FakeChannel:
    channel = channel or FakeChannel()
    await world.pipeline.govern(message(), channel, MessageSender(wire))
    return channel


async def test_an_intent_is_on_disk_before_the_first_byte() -> None:
    """Of what may change something; then it is written whole, and its outcome recorded."""
    world = FakeWorld(SAY)
    wire = Wire(world)
    channel = await send(world, wire)
    assert world.events == ["intent durably", "write", "outcome"]
    assert world.outcomes == [("executed", None)]
    assert taken_elsewhere(wire.written) == [(Opcode.TEXT, b"{}")]
    assert channel.response is None
    assert world.upstream.permits == []


async def test_a_message_that_reads_waits_for_no_disk() -> None:
    """As a request that reads."""
    world = FakeWorld(LOOK)
    await send(world, Wire(world))
    assert world.events == ["intent", "write", "outcome"]


async def test_what_can_not_be_recorded_is_not_sent() -> None:
    """The agent is told why."""
    world = FakeWorld(SAY)
    world.records.refuses = {"intent"}
    wire = Wire(world)
    assert "RECORD_UNAVAILABLE" in told(await send(world, wire))
    assert wire.written == b""


@pytest.mark.parametrize("rules", [NEVER, ASK])
async def test_what_rules_do_not_let_pass_is_not_sent(rules: str) -> None:
    """Blocked, or denied by a person."""
    world = FakeWorld(SAY, rules=rules)
    world.desk.on_ask = lambda approval: world.desk.answer(
        approval.approval_id, ApprovalEvent.REJECT
    )
    wire = Wire(world)
    assert told(await send(world, wire))
    assert wire.written == b""
    assert world.outcomes[-1][0] == "refused"


async def test_what_a_person_approves_is_sent_once() -> None:
    """Under an intent that names the approval, which the same message can't use again."""
    world = FakeWorld(SAY, rules=ASK)
    world.desk.on_ask = lambda approval: world.desk.answer(
        approval.approval_id, ApprovalEvent.APPROVE
    )
    wire = Wire(world)
    await send(world, wire)
    assert world.events.index("consume") < world.events.index("intent durably")
    assert world.events.index("intent durably") < world.events.index("write")
    assert len(wire.writes) == 1


async def test_a_stop_is_asked_just_before_the_first_byte() -> None:
    """One that comes while the intent is written still holds."""
    world = FakeWorld(SAY)
    append = world.records.append_durably

    async def append_and_stop(entry: object) -> None:
        await append(entry)  # type: ignore[arg-type]
        world.stops.stop = STOP

    world.records.append_durably = append_and_stop  # type: ignore[assignment,method-assign]
    wire = Wire(world)
    assert "it runs wild" in told(await send(world, wire))
    assert wire.written == b""
    assert world.outcomes == [("not_sent", "KILL_SWITCH")]


async def test_an_upstream_that_has_ended_gets_nothing() -> None:
    """It is known that nothing was sent."""
    world = FakeWorld(SAY)
    wire = Wire(world)
    wire.close()
    assert told(await send(world, wire))
    assert world.outcomes == [("not_sent", "upstream.closed")]


async def test_a_connection_that_breaks_under_it_leaves_it_unknown() -> None:
    """Nobody knows what has arrived."""

    class Breaking(FakeWire):
        def write(self, data: bytes) -> None:
            super().write(data)
            self.abort()

    world = FakeWorld(SAY)
    assert told(await send(world, Breaking()))
    assert world.outcomes == [("unknown", "upstream.closed")]


async def test_a_permit_is_for_one_message() -> None:
    """Another's is a bug, and sends nothing."""
    wire = FakeWire()
    with pytest.raises(AssertionError):
        await MessageSender(wire).send(
            pass_through("other"), message(), FakeChannel(), lambda: None
        )
    assert wire.written == b""


async def test_text_and_bytes_go_out_as_what_they_were() -> None:
    """And are counted."""
    wire = FakeWire()
    sender = MessageSender(wire)
    for how in (Message.TEXT, Message.BINARY):
        exchange = message(b"ab", how)
        permit = pass_through(exchange.request_id)
        sent = await sender.send(permit, exchange, FakeChannel(), lambda: None)
        assert sent.outcome is Outcome.EXECUTED
    assert taken_elsewhere(wire.written) == [(Opcode.TEXT, b"ab"), (Opcode.BINARY, b"ab")]
    assert sender.sent_bytes == len(wire.written)


def test_a_handshake_without_extensions() -> None:
    """All else stays, in its place."""
    request = without_extensions(handshake()).request
    assert request.headers == OFFERS[1:]
    assert dict(request.fields) == {b"x-tenant": b"t-1"}


def test_the_target_of_a_message_is_looked_at_by_a_plain_request() -> None:
    """With the credentials of the handshake, and nothing of the message."""
    looks = WitnessRead("GET /v1/charges/ch_1", ("status",))
    meant = Canonical((replace(SAY.actions[0], witness=looks),), "stripe", "stripe")
    read = witness_exchange(message(), meant, "wit-1").request
    assert (read.method, read.target, read.body) == ("GET", b"/v1/charges/ch_1", b"")
    assert read.message is None
    assert read.headers == OFFERS[1:]


@pytest.mark.parametrize("is_read", [True, False])
async def test_compression_is_offered_where_nobody_reads(is_read: bool) -> None:
    """And only there; the channel is told by whom messages are sent."""
    world, wire = FakeWorld(SAY), FakeWire()
    world.canonicalizer.describes_messages = is_read
    offered: list[Exchange] = []

    async def switch(_permit: object, exchange: Exchange, *_rest: object) -> Sent:
        offered.append(exchange)
        switched = Switched(HEAD, wire, b"")
        return Sent(Outcome.EXECUTED, 101, False, switched=switched)

    world.upstream.send = switch  # type: ignore[assignment,method-assign]
    channel = FakeChannel()
    asked = handshake()
    await world.pipeline.govern(asked, channel)
    assert (b"sec-websocket-extensions" in offered[0].request.fields) is not is_read
    assert channel.switched is not None
    assert (channel.switched.messages is not None) is is_read
    if channel.switched.messages is not None:
        assert channel.switched.messages.handshake is asked
        assert isinstance(channel.switched.messages.sender, MessageSender)
    (_, closed) = [entry for entry in world.records.entries if isinstance(entry, TunnelEntry)]
    assert (closed.sent_bytes, closed.received_bytes) == (3, 5)
