"""Passthrough tunnels: recorded, opened, counted, and cut by the kill switch.

Nothing inside a tunnel is read, so that a stop of a provider can't be held against it: stops of its
agent, of its run and of everything are. Bytes are passed on elsewhere (`intercept/tunnel`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.enforce import gate
from gateway.model.decision import ReasonCode
from gateway.model.errors import AgentProtocolError, UpstreamError
from gateway.model.exchange import Authority, Principal
from gateway.model.record import TunnelEntry
from gateway.past_entries import note_past
from gateway.ports import Clock, RecordSink, StopBoard, Upstream, Wire


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    entry: TunnelEntry
    principal: Principal


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
        stop = self._stops.find(principal.agent, principal.run, ())
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
        self._open[wire] = _Open(entry, principal)
        return wire

    def note_closed(self, wire: Wire, sent_bytes: int, received_bytes: int) -> None:
        """Record that a tunnel which `open` connected has ended, and what went through."""
        self._note_end(self._open.pop(wire).entry, sent_bytes, received_bytes)

    def cut_stopped(self) -> None:
        """Cut every tunnel that falls under a stop. Its session notes the end, as of any other."""
        for wire, tunnel in list(self._open.items()):
            principal = tunnel.principal
            if self._stops.find(principal.agent, principal.run, ()) is not None:
                wire.abort()

    def _note_end(self, entry: TunnelEntry, sent_bytes: int, received_bytes: int) -> None:
        ended = replace(
            entry,
            at=self._clock.now(),
            closed=True,
            sent_bytes=sent_bytes,
            received_bytes=received_bytes,
        )
        note_past(self._records, ended)
