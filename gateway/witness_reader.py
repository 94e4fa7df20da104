"""Reads the state of a held request's target, with the request's own credentials.

One read goes out for each asking, at the address that the request has, and is noted in the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from gateway.enforce import gate
from gateway.enforce.witness import (
    READ_SECONDS_MAX,
    STATE_BYTES_MAX,
    WitnessError,
    witness_exchange,
    witness_of,
)
from gateway.model.action import Canonical
from gateway.model.approval import Witness
from gateway.model.errors import RecordError
from gateway.model.exchange import Exchange, Response, ResponseHead
from gateway.model.record import GatewayEntry, Outcome
from gateway.model.stop import Stop
from gateway.ports import Clock, Flow, RecordSink, Upstream


class WitnessReader:
    """Reads witnesses through the gateway's one way out."""

    def __init__(
        self, upstream: Upstream, records: RecordSink, clock: Clock, new_id: Callable[[str], str]
    ) -> None:
        self._upstream = upstream
        self._records = records
        self._clock = clock
        self._new_id = new_id

    async def read(
        self,
        exchange: Exchange,
        canonical: Canonical,
        decision_id: str,
        find_stop: Callable[[], Stop | None],
    ) -> Witness:
        """The target's state now. `find_stop` as in `Upstream.send`.

        Raises:
            WitnessError: it can't be told.
        """
        read = witness_exchange(exchange, canonical, self._new_id("wit"))
        try:
            self._records.append(GatewayEntry(self._clock.now(), "witness_read", decision_id))
        except RecordError as error:
            raise WitnessError("witness.unrecorded", error.message) from error
        collected = _Collected()
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                permit = gate.read_witness(read, decision_id)
                sent = await self._upstream.send(permit, read, collected, find_stop)
        except TimeoutError as error:
            raise WitnessError(
                "witness.timed_out", "the target's state was not told in time"
            ) from error
        if sent.outcome is not Outcome.EXECUTED or not collected.is_whole:
            raise WitnessError("witness.unreachable", "the target's state could not be read")
        assert collected.head is not None
        fields = {name.lower(): value for name, value in collected.head.headers}
        encoding = fields.get(b"content-encoding", b"")
        return witness_of(canonical, collected.head.status, encoding, bytes(collected.body))


class _Collected:
    """`ports.AgentChannel` that keeps an answer, up to a limit, instead of relaying it."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.body = bytearray()
        self.is_whole = False
        self._gone = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def wait_gone(self) -> None:
        await self._gone.wait()

    def respond(self, response: Response) -> None:
        raise AssertionError("an upstream's answer is relayed")

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        self.head = head

    def write(self, data: bytes) -> None:
        if len(self.body) + len(data) > STATE_BYTES_MAX:
            self._gone.set()
        else:
            self.body += data

    def finish(self) -> None:
        self.is_whole = not self.is_gone

    def cut(self) -> None:
        self._gone.set()

    def body_rest(self) -> AsyncIterator[bytes]:
        raise AssertionError("a read has no body")
