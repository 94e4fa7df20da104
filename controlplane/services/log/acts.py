"""What the control plane itself did -> records of its own in the tenant's log, chained and signed.

Triggers write each act into an outbox in the transaction that acts (migration 0020). Here the
outbox becomes lines of one more chain, that of `control-plane`, a moment later and before anything
is exported. INVARIANT(acts-once): an act gets its record and its number in one transaction.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Any, Final

from controlplane.auth import Caller
from controlplane.faults import ControlFault
from controlplane.notify.bus import Bus, Topic
from controlplane.services.log.growth import TAKEN_AT_ONCE, LogGrowth
from controlplane.services.log.signer import LogSigner
from controlplane.services.sweeping import sweep_forever
from controlplane.store.acts import ActRow, ActStore, Difference, fitting
from controlplane.store.gateway_keys import GatewayKeyStore
from controlplane.store.records import Head, NewRecord, RecordStore
from controlplane.store.tenancy import OURSELVES, acting_for
from controlplane.telemetry import Metrics
from gateway.model.codec import JsonValue
from gateway.model.moment import rfc3339
from gateway.model.record import EntryKind
from gateway.record.chain import ZERO_HASH, Sealed, seal
from gateway.record.log.checkpoint import CONTROL_PLANE, Checkpoint, sign_checkpoint
from gateway.record.log.signed_note import Signer, sign
from gateway.record.verifying.chain import SIGNING_KEY_EVENT

log = logging.getLogger(__name__)

ACTS_AT_ONCE: Final = 500
LOOK_SECONDS: Final = 1.0
"""How late an act has its record where nobody asks: what is done in between can still be rewritten
unseen."""

RETRY_SECONDS: Final = 5.0
TENANTS_AT_ONCE: Final = 100
DIFFERENCES_MAX: Final = 100


class ActRecords:
    """`signer` None: there is no key of the log, and this chain is not signed either."""

    def __init__(
        self,
        store: ActStore,
        records: RecordStore,
        growth: LogGrowth,
        keys: GatewayKeyStore,
        signer: LogSigner | None,
        bus: Bus,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._records = records
        self._growth = growth
        self._keys = keys
        self._signer = signer
        self._bus = bus
        self._metrics = metrics

    async def seal_forever(self) -> None:
        """Give acts their records, for as long as the control plane runs."""

        async def sweep() -> float:
            for tenant_id in await self._store.tenants_behind(TENANTS_AT_ONCE):
                await self.seal(tenant_id)
            return LOOK_SECONDS

        await sweep_forever(sweep, RETRY_SECONDS, self._metrics)

    async def seal(self, tenant_id: uuid.UUID) -> int:
        """Give a tenant's acts their records and leaves; how many."""
        total = 0
        # Whoever is shown the log makes neither its records nor the key that signs them.
        with acting_for(tenant_id, OURSELVES):
            while count := await self._seal_some(tenant_id):
                total += count
        if total:
            await self._bus.publish(Topic.RECORDS, str(tenant_id))
        return total

    async def seal_before_showing(self, tenant_id: uuid.UUID) -> None:
        """The same; where these records can't grow, what there is has to be shown all the more."""
        try:
            await self.seal(tenant_id)
        except ControlFault as fault:
            log.warning("what was done has no record yet: %s", fault.message)

    async def differences(self, caller: Caller) -> Sequence[Difference]:
        """Where the tables say otherwise than the records of what was done."""
        await self.seal_before_showing(caller.tenant_id)
        return await self._store.differing(caller.tenant_id, CONTROL_PLANE, DIFFERENCES_MAX)

    async def _seal_some(self, tenant_id: uuid.UUID) -> int:
        async with self._records.writing(tenant_id) as connection:
            acts = await self._store.pending(connection, tenant_id, ACTS_AT_ONCE)
            if not acts:
                return 0
            head = await self._records.head(connection, tenant_id, CONTROL_PLANE)
            chain = _Chain(head or Head(0, ZERO_HASH))
            key_seq, signer = await self._enrolled(connection, tenant_id, chain, acts[0])
            places: dict[int, int] = {}
            for act in acts:
                chain.add(_act_fields(act))
                places[act.act_seq] = chain.seq
            with fitting():
                await self._records.append(connection, tenant_id, CONTROL_PLANE, chain.records)
            await self._store.place(connection, tenant_id, places)
            await self._growth.take_in(connection, tenant_id, len(chain.records) + TAKEN_AT_ONCE)
            if signer is not None:
                note = sign_checkpoint(
                    Checkpoint(signer.name, chain.seq, bytes.fromhex(chain.hash)), signer
                )
                await self._keys.insert_head(
                    connection, tenant_id, CONTROL_PLANE, chain.seq, key_seq, note
                )
            return len(acts)

    async def _enrolled(
        self, connection: Any, tenant_id: uuid.UUID, chain: _Chain, first: ActRow
    ) -> tuple[int, Signer | None]:
        """The key that signs the chain, which the chain names before it is used."""
        if self._signer is None:
            return 0, None
        signer = self._signer.acts_signer(tenant_id)
        key = signer.verifier_key
        row = await self._keys.newest(connection, tenant_id, CONTROL_PLANE)
        if row is None:
            proof = sign(key + "\n", signer)
            row = await self._keys.insert(connection, tenant_id, CONTROL_PLANE, key, proof)
            chain.add(
                {
                    "at": rfc3339(first.at),
                    "detail": key,
                    "event": SIGNING_KEY_EVENT,
                    "key_proof": proof,
                    "kind": EntryKind.GATEWAY.value,
                }
            )
        if row.key != key:
            log.warning("what is done is not signed: the log's key is another than it was")
            return 0, None
        return row.key_seq, signer


class _Chain:
    """Lines that follow a head."""

    def __init__(self, head: Head) -> None:
        self.seq, self.hash = head.seq, head.hash
        self.records: list[NewRecord] = []

    def add(self, fields: dict[str, JsonValue]) -> None:
        kind, at = str(fields["kind"]), str(fields["at"])
        sealed: Sealed = seal(fields, CONTROL_PLANE, self.seq + 1, self.hash)
        self.seq, self.hash = self.seq + 1, sealed.hash
        self.records.append(
            NewRecord(self.seq, sealed.hash, sealed.line.decode(), kind, at, None, None, None)
        )


def _act_fields(act: ActRow) -> dict[str, JsonValue]:
    """What a line says of an act. `act` sorts before all names that a reader of lines goes by."""
    return {
        "act": act.act,
        "at": rfc3339(act.at),
        "detail": f"by {act.act.get('by') or 'checkrein'}",
        "event": act.event,
        "kind": EntryKind.GATEWAY.value,
    }
