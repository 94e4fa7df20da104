"""A permitted request -> bytes upstream over verified TLS, and the answer relayed.

Opens for a `Permit` and for nothing else. It never follows a redirect, never repeats what may
have changed something, and never calls an outcome known that it doesn't know.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.enforce.destination import DestinationGuard
from gateway.model.decision import Permit
from gateway.model.exchange import Authority, Exchange
from gateway.ports import AgentChannel, Clock, Sent, Wire


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Limits of the way out; filled in below."""

    upstream_ca: str = ""


class UpstreamPool:
    """The real `ports.Upstream`. One per gateway, bound to the loop it first runs on."""

    def __init__(self, settings: UpstreamSettings, guard: DestinationGuard, clock: Clock) -> None:
        self._settings = settings
        self._guard = guard
        self._clock = clock

    async def send(self, permit: Permit, exchange: Exchange, channel: AgentChannel) -> Sent:
        raise NotImplementedError

    async def open_tunnel(self, permit: Permit, authority: Authority) -> Wire:
        raise NotImplementedError

    async def close(self) -> None:
        """End idle connections at once and cut those in use."""
        raise NotImplementedError
