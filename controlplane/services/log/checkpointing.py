"""Has each tenant's log signed as it grows, and at least every ten minutes: silence is an alarm.

Reads the leaves that came since the last time, adds them to the signer's own tree, and holds that
against what the database says. INVARIANT(refuse-forks): where they differ nothing is signed, an
incident is opened, and readiness says so, until the database is again what was signed.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from controlplane.faults import ControlFault
from controlplane.services.log.proofs import LogProofs
from controlplane.services.log.signer import LogForked, LogSigner, Signed
from controlplane.services.runs import sightings
from controlplane.services.sweeping import sweep_forever
from controlplane.store.incidents import IncidentStore
from controlplane.store.log import CheckpointRow, LeafRow, LogHead, LogStore, ToSign
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics
from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import Frontier, leaf_hash

log = logging.getLogger(__name__)

LEAVES_AT_ONCE: Final = 5_000
"""Read and hashed together, in some tens of milliseconds of a thread."""


@dataclass(frozen=True, slots=True)
class CheckpointSettings:
    """A checkpoint is signed after `growth_count` records or `growth_seconds` with growth, and
    after `silence_seconds` without. `poll_seconds`: how late a look may be.
    `told_again_seconds`: how often one fork is counted on its incident.
    `last_seconds_max` is for the last ones, when the control plane stops."""

    growth_count: int = 1_000
    growth_seconds: float = 10.0
    silence_seconds: float = 600.0
    poll_seconds: float = 1.0
    told_again_seconds: float = 60.0
    last_seconds_max: float = 0.5


class Checkpointing:
    """`signer` None: there is no key, and nothing is signed."""

    def __init__(
        self,
        store: LogStore,
        incidents: IncidentStore,
        signer: LogSigner | None,
        metrics: Metrics,
        settings: CheckpointSettings,
    ) -> None:
        self._store = store
        self._proofs = LogProofs(store)
        self._incidents = incidents
        self._signer = signer
        self._metrics = metrics
        self._settings = settings
        self._refused: dict[uuid.UUID, tuple[str, float]] = {}
        self._signing = asyncio.Lock()

    @property
    def signer(self) -> LogSigner | None:
        return self._signer

    def problem(self, tenant_id: uuid.UUID) -> str | None:
        """Why nothing is signed of this tenant's log; None when all is well."""
        refused = self._refused.get(tenant_id)
        return None if refused is None else refused[0]

    @property
    def is_refusing(self) -> bool:
        """Whether some tenant's log is not what was signed."""
        return bool(self._refused)

    async def sign_forever(self) -> None:
        """Sign what is due, for as long as the control plane runs, and what grew at its end."""
        if self._signer is None:
            return

        async def sweep() -> float:
            await self.sign_due()
            return self._settings.poll_seconds

        try:
            await sweep_forever(sweep, self._settings.poll_seconds, self._metrics)
        finally:
            try:
                async with asyncio.timeout(self._settings.last_seconds_max):
                    await self.sign_due(is_last=True)
            except (TimeoutError, ControlFault):
                log.warning("the last checkpoints were not signed")

    async def sign_due(self, *, is_last: bool = False) -> None:
        """Sign every log that is due; at the end, every one that grew."""
        with acting_for_everybody():
            found = await self._store.to_sign()
        for each in found:
            if self._is_due(each, is_last=is_last):
                await self.sign(each.tenant_id)

    def _is_due(self, each: ToSign, *, is_last: bool) -> bool:
        settings = self._settings
        if each.signed_size is None or each.signed_seconds_ago is None:
            return True
        if each.tenant_id in self._refused:
            return each.signed_seconds_ago >= settings.growth_seconds
        growth, age = each.size - each.signed_size, each.signed_seconds_ago
        return (
            growth >= settings.growth_count
            or growth < 0
            or (growth > 0 and (is_last or age >= settings.growth_seconds))
            or age >= settings.silence_seconds
        )

    async def sign(self, tenant_id: uuid.UUID) -> CheckpointRow | None:
        """Sign a tenant's log as it stands; None where that is refused, or another replica was
        faster."""
        assert self._signer is not None
        async with self._signing:
            with acting_for(tenant_id):
                try:
                    row = await self._sign(self._signer, tenant_id)
                except LogForked as fork:
                    await self._refuse(tenant_id, fork)
                    return None
        self._refused.pop(tenant_id, None)
        self._metrics.checkpoints.labels("signed").inc()
        return row

    async def _sign(self, signer: LogSigner, tenant_id: uuid.UUID) -> CheckpointRow | None:
        newest = await self._store.newest_checkpoint(tenant_id)
        # Read after it: a checkpoint is never ahead of the log that it was signed of.
        head = await self._store.head(tenant_id)
        memory = await asyncio.to_thread(signer.state.load, tenant_id)
        if memory is None:
            memory, newest = await self._first_memory(signer, tenant_id, head, newest)
        _check_stored(signer, tenant_id, memory, head, newest)
        tree = await self._grown(tenant_id, memory, head.size, newest)
        if tree.hashes != head.frontier:
            raise LogForked(f"the head of the log does not follow from its {head.size} records")
        signed, note = await asyncio.to_thread(signer.sign, tenant_id, tree, datetime.now(UTC))
        row = await self._store.insert_checkpoint(tenant_id, tree.size, tree.root(), note)
        if row is None:
            return None
        stored = replace(signed, stored_size=tree.size)
        await asyncio.to_thread(signer.state.keep, tenant_id, stored)
        return row

    async def _first_memory(
        self,
        signer: LogSigner,
        tenant_id: uuid.UUID,
        head: LogHead,
        newest: CheckpointRow | None,
    ) -> tuple[Signed, CheckpointRow | None]:
        """What a signer without a memory begins with: what its own key signed, as another replica
        or before its files were lost; else the empty tree. A checkpoint of another key counts for
        nothing: then the whole log is looked at."""
        if newest is None or not signer.is_own(tenant_id, newest.note, newest.size, newest.root):
            return Signed(0, ()), None
        if newest.size > head.size:
            raise LogForked(f"a log of {newest.size} records was signed, now it has {head.size}")
        try:
            subtrees = tuple(await self._proofs.frontier(tenant_id, newest.size))
        except ControlFault as fault:
            raise LogForked(fault.message) from None
        signed = Signed(newest.size, subtrees, newest.size)
        if signed.tree().root() != newest.root:
            raise LogForked(f"the first {newest.size} records are not those that were signed")
        return signed, newest

    async def _grown(
        self, tenant_id: uuid.UUID, memory: Signed, size: int, newest: CheckpointRow | None
    ) -> Frontier:
        """The signer's tree with the leaves that came since."""
        tree = memory.tree()
        while True:
            if newest is not None and newest.size == tree.size and newest.root != tree.root():
                raise LogForked(f"the newest checkpoint is of another log of {tree.size} records")
            if tree.size >= size:
                return tree
            past = min(tree.size + LEAVES_AT_ONCE, size)
            if newest is not None and tree.size < newest.size < past:
                past = newest.size
            rows = await self._store.leaves(tenant_id, tree.size, past)
            await asyncio.to_thread(_add, tree, rows, past)

    async def _refuse(self, tenant_id: uuid.UUID, fork: LogForked) -> None:
        before = self._refused.get(tenant_id)
        now = time.monotonic()
        self._metrics.checkpoints.labels("refused").inc()
        if (
            before is not None
            and before[0] == fork.message
            and now - before[1] < self._settings.told_again_seconds
        ):
            return
        self._refused[tenant_id] = (fork.message, now)
        log.error("a log is not signed: %s", fork.message, extra={"code": fork.code})
        sighting = sightings.of_forked_log(tenant_id, fork.message, datetime.now(UTC))
        await self._incidents.note(sighting)


def _check_stored(
    signer: LogSigner,
    tenant_id: uuid.UUID,
    memory: Signed,
    head: LogHead,
    newest: CheckpointRow | None,
) -> None:
    """The stored checkpoints must be those that were signed, and the log not smaller than they."""
    if head.size < memory.size:
        raise LogForked(f"a log of {memory.size} records was signed, now it has {head.size}")
    stored_size = -1 if newest is None else newest.size
    if stored_size < memory.stored_size:
        raise LogForked(f"the checkpoint of {memory.stored_size} records is gone")
    if newest is None:
        return
    if newest.size > head.size:
        raise LogForked(f"a log of {newest.size} records was signed, now it has {head.size}")
    if not signer.is_own(tenant_id, newest.note, newest.size, newest.root):
        raise LogForked("the newest checkpoint is not signed by the key of this log")


def _add(tree: Frontier, rows: Sequence[LeafRow], past: int) -> None:
    """Add leaves up to `past`, each made anew of what it stands for."""
    for row in rows:
        if row.index != tree.size:
            raise LogForked(f"record {tree.size} of the log is gone")
        try:
            data = leaf_data(row.gateway_id, row.seq, row.line_hash)
        except ValueError:
            raise LogForked(f"record {row.index} of the log is no record") from None
        tree.append(leaf_hash(data))
    if tree.size != past:
        raise LogForked(f"record {tree.size} of the log is gone")
