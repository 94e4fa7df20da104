"""What makes this gateway's record provable to others, in one part: its signed heads and the
enrolment of their key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.enrolment import KeyEnrolment
from gateway.ports import Clock
from gateway.record.recorder import Recorder
from gateway.record.signed_heads import SignedHeads


class RecordProofs:
    """`open` it with the recorder, before anything is recorded. `start` begins the chain with its
    key; `follow` speaks with the control plane."""

    def __init__(self, heads: SignedHeads) -> None:
        self.heads = heads
        self._enrolment: KeyEnrolment | None = None

    @classmethod
    def open(cls, recorder: Recorder, clock: Clock) -> RecordProofs:
        """See `SignedHeads.open`."""
        return cls(SignedHeads.open(recorder, clock))

    async def start(self) -> None:
        """Begin to sign."""
        await self.heads.start()

    async def follow(self, client: ControlPlaneClient, gateway_id: str) -> None:
        """Begin to enrol."""
        self._enrolment = KeyEnrolment(client, gateway_id, self.heads)
        await self._enrolment.start()

    async def leave(self) -> None:
        """Say nothing more to the control plane."""
        if self._enrolment is not None:
            await self._enrolment.stop()

    async def stop(self) -> None:
        """Sign nothing more but the last head."""
        await self.heads.stop()

    def notes(self) -> Mapping[str, Callable[[], str | None]]:
        """What readiness tells beside the rest."""
        return {} if self._enrolment is None else {"signing_key": self._enrolment.describe}
