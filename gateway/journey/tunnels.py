"""Tunnels, to passthrough hosts and of WebSockets: recorded, counted, and cut by the kill switch.

Nothing inside a tunnel is read, but for the messages of a WebSocket that mappers describe. Of a
passthrough host no provider is known, so that a stop of one can't be held against its tunnel; a
WebSocket falls under the stops that its handshake falls under. Bytes are passed on elsewhere
(`intercept/splice`, `intercept/message_relay`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gateway.enforce import gate
from gateway.enforce.websocket_messages import MessageSender
from gateway.journey.case import Case
from gateway.journey.past_entries import note_past
from gateway.model.dataclass import dataclass
from gateway.model.decision import ReasonCode
from gateway.model.errors import AgentProtocolError, RecordError, UpstreamError
from gateway.model.exchange import Authority, Principal
from gateway.model.record import TunnelEntry
from gateway.model.stop import Stop
from gateway.ports import Clock, Messages, RecordSink, StopBoard, Switched, Upstream, Wire

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    entry: TunnelEntry
    find_stop: Callable[[], Stop | None]


class Tunnels:
    """Every tunnel that is open. One per gateway."""

    def __init__(
        self,
        upstream: Upstream,
        records: RecordSink,
        stops: StopBoard,
        clock: Clock,
        new_id: Callable[[str], str],
    ) -> None:
        self._upstream = upstream
        self._records = records
        self._stops = stops
        self._clock = clock
        self._new_id = new_id
        self._open: dict[Wire, _Open] = {}

    def check(self, principal: Principal) -> None:
        """Refuse a tunnel whose agent is stopped.

        Raises:
            AgentProtocolError: `KILL_SWITCH`, status 403.
        """
        stop = self._find_stop(principal)
        if stop is not None:
            raise AgentProtocolError(ReasonCode.KILL_SWITCH, stop.message, 403)

    async def open(self, principal: Principal, authority: Authority) -> Wire:
        """Record a tunnel, then connect it.

        Raises:
            UpstreamError: it could not be connected.
            RecordError: it could not be recorded, and was not opened.
            AgentProtocolError: it was stopped meanwhile.
        """
        tunnel_id = self._new_id("tun")
        entry = TunnelEntry(self._clock.now(), tunnel_id, principal.agent, authority)
        await self._records.append_durably(entry)
        try:
            wire = await self._upstream.open_tunnel(gate.pass_through(tunnel_id), authority)
        except UpstreamError:
            self._note_end(entry, 0, 0)
            raise
        try:
            self.check(principal)
        except AgentProtocolError:
            wire.abort()
            self._note_end(entry, 0, 0)
            raise
        self._open[wire] = _Open(entry, lambda: self._find_stop(principal))
        return wire

    async def carry(
        self, case: Case, switched: Switched, find_stop: Callable[[], Stop | None]
    ) -> None:
        """Record that a WebSocket is open, under the id of the decision that opened it; pass its
        bytes until it ends, or have its messages governed, and record that. What can't be recorded
        is not opened."""
        principal, authority = case.exchange.principal, case.exchange.request.authority
        entry = TunnelEntry(self._clock.now(), case.decision_id, principal.agent, authority)
        wire = switched.wire
        try:
            await self._records.append_durably(entry)
        except RecordError as error:
            log.error("record unavailable", extra={"code": error.code})
            wire.abort()
            case.tell_refused(gate.Refuse(ReasonCode.RECORD_UNAVAILABLE, error.message))
            return
        except BaseException:
            wire.abort()
            raise
        stop = find_stop()
        if stop is not None:
            wire.abort()
            self._note_end(entry, 0, 0)
            case.tell_refused(gate.stopped(stop))
            return
        self._open[wire] = _Open(entry, find_stop)
        if not case.opens_messages:
            await case.channel.carry(switched, partial(self.note_closed, wire))
            return
        sender = MessageSender(wire)
        switched = replace(switched, messages=Messages(case.exchange, sender))
        await case.channel.carry(
            switched,
            lambda sent, received: self.note_closed(wire, sent + sender.sent_bytes, received),
        )

    def note_closed(self, wire: Wire, sent_bytes: int, received_bytes: int) -> None:
        """Record that a tunnel which `open` connected has ended, and what went through."""
        self._note_end(self._open.pop(wire).entry, sent_bytes, received_bytes)

    def cut_stopped(self) -> None:
        """Cut every tunnel that falls under a stop. Its session notes the end, as of any other."""
        for wire, tunnel in list(self._open.items()):
            if tunnel.find_stop() is not None:
                wire.abort()

    def _find_stop(self, principal: Principal) -> Stop | None:
        return self._stops.find(principal.agent, principal.run, ())

    def _note_end(self, entry: TunnelEntry, sent_bytes: int, received_bytes: int) -> None:
        ended = replace(
            entry,
            at=self._clock.now(),
            closed=True,
            sent_bytes=sent_bytes,
            received_bytes=received_bytes,
        )
        note_past(self._records, ended)
