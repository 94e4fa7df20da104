"""What makes the record provable to others, in one part: this gateway's signed heads, the enrolment
of their key, and the checkpoints of the log that they end up in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.control_client.checkpoints import LogFollower, NoteEvent
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.enrolment import KeyEnrolment
from gateway.ports import Clock
from gateway.record.recorder import Recorder
from gateway.record.signed_heads import SignedHeads


class RecordProofs:
    """`open` it with the recorder, before anything is recorded. `start` begins the chain with its
    key; `follow` speaks with the control plane."""

    def __init__(self, heads: SignedHeads, gateway_id: str, clock: Clock) -> None:
        self.heads = heads
        self._gateway_id = gateway_id
        self._clock = clock
        self._enrolment: KeyEnrolment | None = None
        self._follower: LogFollower | None = None

    @classmethod
    def open(cls, recorder: Recorder, clock: Clock) -> RecordProofs:
        """See `SignedHeads.open`."""
        return cls(SignedHeads.open(recorder, clock), recorder.gateway_id, clock)

    async def start(self) -> None:
        """Begin to sign."""
        await self.heads.start()

    async def follow(
        self, client: ControlPlaneClient, folder: Path, log_key: str, note: NoteEvent
    ) -> None:
        """Begin to enrol, and to follow the log; what was seen of it is kept in `folder`."""
        self._enrolment = KeyEnrolment(client, self._gateway_id, self.heads)
        self._follower = LogFollower(client, folder, log_key, self._clock, note)
        await self._enrolment.start()
        await self._follower.start()

    async def leave(self) -> None:
        """Say nothing more to the control plane."""
        if self._enrolment is not None and self._follower is not None:
            await self._follower.stop()
            await self._enrolment.stop()

    async def stop(self) -> None:
        """Sign nothing more but the last head."""
        await self.heads.stop()

    def notes(self) -> Mapping[str, Callable[[], str | None]]:
        """What readiness tells beside the rest."""
        if self._enrolment is None or self._follower is None:
            return {}
        return {"signing_key": self._enrolment.describe, "log": self._follower.describe}
