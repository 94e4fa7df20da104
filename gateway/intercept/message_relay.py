"""A WebSocket whose messages are governed: what the agent sends is decided on message by message,
what the upstream sends is passed as it comes.

One message at a time, in their order: those behind one that waits for a person wait too, in bounded
memory; pings and pongs pass by, so that the connection lives. What is refused ends the WebSocket
towards both sides with a close frame that says why, since a client that got no answer would wait
for ever.

An agent that is not read can't be seen to ping, to answer pings, or to leave. So it is left unread
for moments alone, until its messages are decided on. Where one of them waits for a person and more
come behind it than there is memory for, the WebSocket is ended, and 1013 says to come again: else
either side would soon take the other one for dead and end it without a reason, and what is approved
meanwhile would go out for an agent that has left. The approval stays for the same message.

INVARIANT(message): no byte of a message leaves before the whole of it was decided on, and what
leaves is written anew from what was decided on. Only `Messages.sender` sends one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from gateway import telemetry
from gateway.intercept.deadline import Deadline
from gateway.intercept.message_channel import MessageChannel, message_request
from gateway.model.dataclass import dataclass
from gateway.model.decision import ReasonCode
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Exchange, HttpRequest, Message, Principal
from gateway.ports import AgentChannel, Messages, Sender, Switched, Wire
from gateway.wire.websocket_frames import (
    CloseCode,
    FrameEnds,
    FrameError,
    MessageReader,
    Opcode,
    client_frame,
    close_data,
    server_frame,
)
from gateway.wire.websocket_frames import Message as Framed

log = logging.getLogger(__name__)

QUEUE_COUNT_MAX: Final = 1_024
QUEUE_BYTES_MAX: Final = 262_144
"""Whole messages that wait behind the one that is decided on, before the agent is read no further:
one read of the wire, and so many that their objects weigh no more than their bytes."""

UNREAD_SECONDS_MAX: Final = 5.0
"""How long one message may leave the agent unread. Far longer than a decision takes, and shorter
than keepalives wait for a pong: usually 20 seconds, seldom less than ten."""

CLOSE_SECONDS_MAX: Final = 2.0
"""How long the upstream may take for the frame that it is in when the WebSocket is refused: a close
frame can't stand within another."""

_MESSAGES: Final = {Opcode.TEXT: Message.TEXT, Opcode.BINARY: Message.BINARY}
_FAULT: Final = f"checkrein: {ReasonCode.GATEWAY_FAULT}"
_STOPPED: Final = f"checkrein: {ReasonCode.KILL_SWITCH}"


@dataclass(frozen=True, slots=True, eq=False)
class RelayTerms:
    """What a relay asks of its session. `message_bytes_max`: longer ones are refused;
    `idle_seconds_max`: without a byte either way, unless a message is being decided on."""

    govern: Callable[[Exchange, AgentChannel, Sender], Awaitable[None]]
    recognize: Callable[[], Awaitable[Principal]]
    note_refusal: Callable[[AgentProtocolError], None]
    make_exchange: Callable[[Principal, HttpRequest], Exchange]
    message_bytes_max: int
    idle_seconds_max: float


class _AgentEnd:
    """The `WireReceiver` of the agent's side."""

    def __init__(self, relay: MessageRelay) -> None:
        self._relay = relay

    def wire_data(self, data: bytes) -> None:
        self._relay.take(data)

    def wire_eof(self) -> None:
        self._relay.end_agent()

    def wire_full(self) -> None:
        self._relay.upstream.pause_reading()

    def wire_drained(self) -> None:
        self._relay.touch()
        self._relay.upstream.resume_reading()

    def wire_lost(self, error: Exception | None) -> None:
        self._relay.lose_agent()


class _UpstreamEnd:
    """The `WireReceiver` of the upstream's side."""

    def __init__(self, relay: MessageRelay) -> None:
        self._relay = relay

    def wire_data(self, data: bytes) -> None:
        self._relay.pass_back(data)

    def wire_eof(self) -> None:
        self._relay.lose_upstream(is_cut=False)

    def wire_full(self) -> None:
        self._relay.hold_back(is_full=True)

    def wire_drained(self) -> None:
        self._relay.hold_back(is_full=False)

    def wire_lost(self, error: Exception | None) -> None:
        # None without an end before it: we have cut it ourselves, for a stop.
        self._relay.lose_upstream(is_cut=error is None)


class MessageRelay:
    """One open WebSocket. `run` is its whole life."""

    def __init__(
        self, agent: Wire, switched: Switched, messages: Messages, terms: RelayTerms
    ) -> None:
        self.agent, self.upstream = agent, switched.wire
        self._messages, self._terms = messages, terms
        self._loop = asyncio.get_running_loop()
        self._reader = MessageReader(terms.message_bytes_max)
        self._queue: deque[Framed] = deque()
        self._queued_bytes = 0
        self._error: FrameError | None = None
        self._ends = FrameEnds()
        self._news = asyncio.Event()
        self._in_flight: MessageChannel | None = None
        self._has_ended_input = False
        self._has_agent_ended = False
        self._drops = False
        self._is_over = False
        self._is_upstream_gone = False
        self._is_upstream_full = False
        self._is_agent_paused = True
        self._close: tuple[CloseCode, str] | None = None
        self._may_close = asyncio.Event()
        self._sent_bytes = 0
        self._received_bytes = len(switched.early)
        self._deadline = Deadline(self._loop, self._expire)
        self._unread = Deadline(self._loop, self._give_up)
        self._ends.follow(switched.early)
        agent.receiver, self.upstream.receiver = _AgentEnd(self), _UpstreamEnd(self)

    async def run(self, note_end: Callable[[int, int], None]) -> None:
        """Govern what comes until either side ends, nothing moves or a message is refused. Both
        wires are closed afterwards. `note_end` is told the bytes of control frames that were sent
        upstream, and all that were received."""
        try:
            self.touch()
            if self.agent.is_closing or self.upstream.is_closing:
                return
            self.upstream.resume_reading()
            self._steer()
            await self._govern_all()
            if self._close is not None:
                await self._say_close(*self._close)
        finally:
            self._is_over = True
            self._leave()
            self._deadline.end()
            self._unread.end()
            for wire in (self.agent, self.upstream):
                wire.close()
            note_end(self._sent_bytes, self._received_bytes)

    # --- message by message -----------------------------------------------------------------------

    async def _govern_all(self) -> None:
        while (framed := await self._next()) is not None:
            if framed.opcode is Opcode.CLOSE:
                self._write(framed)
            else:
                await self._govern(framed)
            while self._is_upstream_full and not self._has_ended:
                await self._wait()

    @property
    def _has_ended(self) -> bool:
        return self._is_over or self._is_upstream_gone or self._close is not None

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _next(self) -> Framed | None:
        """The next message or close frame; None when there is nothing to wait for."""
        while not self._has_ended:
            if self._queue:
                framed = self._queue.popleft()
                self._queued_bytes -= len(framed.data)
                self._read()
                if self._drops and framed.opcode is not Opcode.CLOSE:
                    continue
                return framed
            if self._error is not None:
                error = AgentProtocolError(self._error.code, self._error.message)
                self._refuse_all(error, self._error.close_code)
            elif self._has_agent_ended:
                return None
            else:
                await self._wait()
        return None

    async def _govern(self, framed: Framed) -> None:
        channel = self._in_flight = MessageChannel(self._refuse)
        if self._has_ended_input:
            channel.end_input()
        self._watch()
        try:
            principal = await self._terms.recognize()
            handshake = self._messages.handshake.request
            request = message_request(handshake, _MESSAGES[framed.opcode], framed.data)
            exchange = self._terms.make_exchange(principal, request)
            await self._terms.govern(exchange, channel, self._messages.sender)
        except AgentProtocolError as error:
            self._refuse_all(error, CloseCode.REFUSED)
        except Exception:
            log.exception("a message failed")
            telemetry.BUGS.inc()
            self._refuse(_FAULT)
        finally:
            self._in_flight = None
            # It was not sent, so that nothing behind it may be either.
            self._drops = channel.is_gone
            self._watch()
            self.touch()

    # --- the end ----------------------------------------------------------------------------------

    def _refuse(self, reason: str) -> None:
        self._close = self._close or (CloseCode.REFUSED, reason)

    def _refuse_all(self, error: AgentProtocolError, code: CloseCode) -> None:
        """Refuse what never became an exchange, and all behind it."""
        self._terms.note_refusal(error)
        self._close = self._close or (code, f"checkrein: {error.code}")

    async def _say_close(self, code: CloseCode, reason: str) -> None:
        data = close_data(code, reason)
        self._write(Framed(Opcode.CLOSE, data))
        if not self._ends.is_between and not self._is_upstream_gone:
            try:
                async with asyncio.timeout(CLOSE_SECONDS_MAX):
                    await self._may_close.wait()
            except TimeoutError:
                return
        if self._ends.is_between:
            self.agent.write(server_frame(Opcode.CLOSE, data))

    def _expire(self) -> None:
        if self._in_flight is not None:
            self.touch()  # what waits for a person has a limit of its own
            return
        self._is_over = True
        self._news.set()

    def _watch(self) -> None:
        """Reckon from now on how long the message in flight leaves the agent unread."""
        if self._is_agent_paused and self._in_flight is not None:
            self._unread.set(self._loop.time() + UNREAD_SECONDS_MAX)
        else:
            self._unread.clear()

    def _give_up(self) -> None:
        """The agent was not read for too long: it may have left, for all that is known."""
        error = AgentProtocolError(
            "websocket.backlog", "more came behind a message that waits than is kept"
        )
        self._refuse_all(error, CloseCode.TRY_AGAIN_LATER)
        self._end_input()
        self._news.set()

    def touch(self) -> None:
        """Something moved."""
        if not self._is_over:
            self._deadline.set(self._loop.time() + self._terms.idle_seconds_max)

    # --- from the agent ---------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Bytes of the agent."""
        self.touch()
        self._reader.feed(data)
        self._read()

    def _read(self) -> None:
        """Take out of the reader what there is room for; pings and pongs are passed at once."""
        try:
            while self._has_room and (framed := self._reader.next()) is not None:
                if framed.opcode in (Opcode.PING, Opcode.PONG):
                    self._write(framed)
                    continue
                self._queue.append(framed)
                self._queued_bytes += len(framed.data)
                if framed.opcode is Opcode.CLOSE:
                    self._end_input()
        except FrameError as error:
            self._error = error
            self._end_input()
        self._news.set()
        self._steer()

    @property
    def _has_room(self) -> bool:
        return len(self._queue) < QUEUE_COUNT_MAX and self._queued_bytes < QUEUE_BYTES_MAX

    def _steer(self) -> None:
        """Read the agent as fast as its messages are decided on and taken."""
        must_pause = not self._has_room or self._is_upstream_full
        if must_pause == self._is_agent_paused:
            return
        self._is_agent_paused = must_pause
        self._watch()
        if must_pause:
            self.agent.pause_reading()
        else:
            self.agent.resume_reading()

    def _write(self, framed: Framed) -> None:
        """Pass a control frame."""
        frame = client_frame(framed.opcode, framed.data)
        self._sent_bytes += len(frame)
        self.upstream.write(frame)

    def _end_input(self) -> None:
        """The agent sends no more messages."""
        self._has_ended_input = True
        if self._in_flight is not None:
            self._in_flight.end_input()

    def end_agent(self) -> None:
        """The agent's side of the connection has ended."""
        self._has_agent_ended = True
        self._end_input()
        self._news.set()

    def lose_agent(self) -> None:
        """The agent is gone."""
        self._is_over = True
        self._leave()
        self._news.set()

    def _leave(self) -> None:
        if self._in_flight is not None:
            self._in_flight.leave()

    # --- from the upstream ------------------------------------------------------------------------

    def pass_back(self, data: bytes) -> None:
        """Bytes of the upstream, as they are; once the WebSocket is refused, up to the end of the
        frame that has begun."""
        self.touch()
        end = self._ends.follow(data, to_end=self._close is not None)
        if end:
            self._received_bytes += end
            self.agent.write(data[:end])
        if self._close is not None and self._ends.is_between:
            self._may_close.set()

    def hold_back(self, *, is_full: bool) -> None:
        """The upstream takes no more now, or takes more again."""
        self.touch()
        self._is_upstream_full = is_full
        self._news.set()
        self._steer()

    def lose_upstream(self, *, is_cut: bool) -> None:
        """The upstream has ended, or was cut by us: then whoever waits for a person is told so by
        whoever has cut it."""
        if self._is_upstream_gone:
            return
        self._is_upstream_gone = True
        if self._in_flight is not None and not is_cut:
            self._in_flight.end_input()
        elif is_cut and self._in_flight is None and not self._is_over:
            self._refuse(_STOPPED)
        self._may_close.set()
        self._news.set()
