"""Keeps checkpoints where whoever administers the database can't reach them.

Beside signing, and never in its way: a place that is away is tried again with longer and longer
pauses, for ever, and readiness says so after an hour. At least once: a control plane that dies in
between keeps a checkpoint a second time, which changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from controlplane.notify.anchor_file import FilePlace, keep_in_file
from controlplane.notify.anchor_s3 import S3Place, keep_in_s3
from controlplane.notify.notice import CHECKPOINT_EVENT, NotSent, Outcome
from controlplane.services.sweeping import sweep_forever
from controlplane.settings import AnchorSettings
from controlplane.store.log import CheckpointRow, LogStore
from controlplane.store.log_anchors import AnchorRow, AnchorStatus, AnchorStore, Place
from controlplane.telemetry import Metrics

log = logging.getLogger(__name__)

CLAIMED_AT_ONCE: Final = 20
LEASE_SECONDS: Final = 60.0
"""Longer than any keeping takes: the file or the storage answers within ten seconds, or fails."""


@dataclass(frozen=True, slots=True)
class AnchoringLimits:
    """`silence_seconds`: how often a log is anchored that does not grow. A failed place is tried
    again after `pause_seconds`, doubled each time up to `pause_seconds_max`. After `late_seconds`
    readiness says that checkpoints are not kept."""

    poll_seconds: float = 5.0
    silence_seconds: float = 86_400.0
    pause_seconds: float = 10.0
    pause_seconds_max: float = 600.0
    late_seconds: float = 3_600.0


class Anchoring:
    def __init__(
        self,
        store: AnchorStore,
        logs: LogStore,
        settings: AnchorSettings,
        limits: AnchoringLimits,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._logs = logs
        self._file = None if settings.file is None else FilePlace(settings.file)
        self._s3 = _s3_place(settings)
        self._seconds = settings.seconds
        self._limits = limits
        self._metrics = metrics
        self.is_late = False

    async def anchor_forever(self) -> None:
        """Plan and keep what is due, for as long as the control plane runs."""

        async def sweep() -> float:
            await self.plan()
            await self.keep_due()
            return self._limits.poll_seconds

        await sweep_forever(sweep, self._limits.poll_seconds, self._metrics)

    async def plan(self) -> None:
        """Write down which checkpoints are to be kept where. Webhooks are told by the outbox."""
        places = [(Place.WEBHOOK, AnchorStatus.TOLD)]
        if self._file is not None:
            places.append((Place.FILE, AnchorStatus.PENDING))
        if self._s3 is not None:
            places.append((Place.S3, AnchorStatus.PENDING))
        silence = self._limits.silence_seconds
        for place, status in places:
            await self._store.make(place, status, self._seconds, silence, CHECKPOINT_EVENT)

    async def keep_due(self) -> None:
        """Keep what is due, and look whether something has waited for long."""
        while claimed := await self._store.claim(CLAIMED_AT_ONCE, LEASE_SECONDS):
            for anchor in claimed:
                await self._keep(anchor)
        self.is_late = await self._store.late_count(self._limits.late_seconds) > 0

    async def _keep(self, anchor: AnchorRow) -> None:
        checkpoint = await self._logs.checkpoint(anchor.tenant_id, anchor.checkpoint_id)
        outcome: Outcome = NotSent("the checkpoint is gone from the database")
        if checkpoint is not None:
            outcome = await self._keep_in_place(anchor, checkpoint)
        if not isinstance(outcome, NotSent):
            await self._store.settle(anchor, outcome.reference or "")
            self._metrics.anchors.labels(anchor.place, "anchored").inc()
            return
        limits = self._limits
        doublings = min(anchor.attempts - 1, 16)
        pause = min(limits.pause_seconds * 2**doublings, limits.pause_seconds_max)
        await self._store.put_off(anchor, pause, outcome.problem)
        self._metrics.anchors.labels(anchor.place, "failed").inc()
        log.warning(
            "a checkpoint is not kept", extra={"detail": f"{anchor.place}: {outcome.problem}"}
        )

    async def _keep_in_place(self, anchor: AnchorRow, checkpoint: CheckpointRow) -> Outcome:
        tenant_id, size, note = str(anchor.tenant_id), checkpoint.size, checkpoint.note
        if anchor.place is Place.FILE and self._file is not None:
            return await keep_in_file(self._file, tenant_id, size, note)
        if anchor.place is Place.S3 and self._s3 is not None:
            return await keep_in_s3(self._s3, tenant_id, size, note, datetime.now(UTC))
        return NotSent("this place is not set up any more")


def _s3_place(settings: AnchorSettings) -> S3Place | None:
    found = settings.s3
    if found is None:
        return None
    endpoint = found.endpoint or f"https://s3.{found.region}.amazonaws.com"
    return S3Place(
        endpoint, found.region, found.bucket, found.prefix, found.keys, found.retain_days
    )
