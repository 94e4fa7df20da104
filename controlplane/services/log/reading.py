"""What can be known of a tenant's log: its checkpoints, and proofs against them.

Only what the log's own key signed is shown as a checkpoint: a row that was put into the table by
other means proves nothing, and is refused instead of shown.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.services.log.acts import ActRecords
from controlplane.services.log.checkpointing import Checkpointing
from controlplane.services.log.proofs import LogProofs, texts
from controlplane.services.log.signer import LogSigner
from controlplane.store.acts import Difference
from controlplane.store.gateway_keys import GatewayKeyStore
from controlplane.store.log import CheckpointRow, LogStore, PlacedLine
from controlplane.store.log_anchors import AnchorRow, AnchorStore
from gateway.record.log.checkpoint import log_origin

PROOFS_MAX: Final = 100
"""Of one decision: its records are few."""

UNSIGNED_SHOWN_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class LogView:
    """A log as it is now. `key` None: this installation has none, and signs nothing. `problem`:
    why nothing is signed."""

    origin: str
    key: str | None
    size: int
    newest: CheckpointRow | None
    problem: str | None
    anchors: Sequence[AnchorRow]
    unsigned_gateways: Sequence[str]


@dataclass(frozen=True, slots=True)
class RecordProof:
    """That a record is in the log; `line` None where it was erased, which leaves its hash."""

    gateway_id: str
    seq: int
    line_hash: str
    line: str | None
    tlog_proof: str


class LogService:
    def __init__(
        self,
        store: LogStore,
        keys: GatewayKeyStore,
        anchors: AnchorStore,
        checkpointing: Checkpointing,
        acts: ActRecords,
    ) -> None:
        self._store = store
        self._keys = keys
        self._anchors = anchors
        self._checkpointing = checkpointing
        self._acts = acts
        self._proofs = LogProofs(store)

    async def about(self, caller: Caller) -> LogView:
        """The log, its newest checkpoint, and where checkpoints are kept."""
        tenant_id, signer = caller.tenant_id, self._checkpointing.signer
        head = await self._store.head(tenant_id)
        newest, problem = None, self._checkpointing.problem(tenant_id)
        if signer is None:
            problem = "there is no key to sign with: set CHECKREIN_LOG_KEY_FILE"
        else:
            try:
                newest = await self._newest(signer, tenant_id)
            except ControlFault as fault:
                problem = problem or fault.message
        return LogView(
            log_origin(str(tenant_id)),
            None if signer is None else signer.verifier_key(tenant_id),
            head.size,
            newest,
            problem,
            await self._anchors.newest(tenant_id),
            await self._keys.unsigned(tenant_id, UNSIGNED_SHOWN_MAX),
        )

    async def checkpoint(
        self, caller: Caller, since: int | None
    ) -> tuple[CheckpointRow, Sequence[bytes]]:
        """The newest checkpoint, and that the log of size `since` is the beginning of it.

        Raises:
            ControlFault: LOG_UNSIGNED, LOG_BROKEN; INVALID_ARGUMENT for a `since` beyond it.
        """
        newest = await self.newest(caller)
        if since is None:
            return newest, ()
        if since > newest.size:
            raise ControlFault(
                Fault.INVALID_ARGUMENT,
                f"`since`: the newest checkpoint is of {newest.size} records",
            )
        return newest, await self._proofs.consistency(caller.tenant_id, since, newest.size)

    async def checkpoints(
        self, caller: Caller, before: int | None, count_max: int
    ) -> Sequence[CheckpointRow]:
        """What was signed, newest first."""
        return await self._store.checkpoints(caller.tenant_id, before, count_max)

    async def get_checkpoint(self, caller: Caller, checkpoint_id: uuid.UUID) -> CheckpointRow:
        """Read what was signed.

        Raises:
            ControlFault: NOT_FOUND.
        """
        row = await self._store.checkpoint(caller.tenant_id, checkpoint_id)
        if row is None:
            raise not_found("checkpoint")
        return row

    async def anchors(
        self, caller: Caller, before: int | None, count_max: int
    ) -> Sequence[AnchorRow]:
        """Where checkpoints are kept, newest first."""
        return await self._anchors.list(caller.tenant_id, before, count_max)

    async def consistency(self, caller: Caller, old: int, new: int) -> Sequence[bytes]:
        """That the log of size `old` is the beginning of that of size `new`.

        Raises:
            ControlFault: INVALID_ARGUMENT for sizes that it never had, LOG_BROKEN.
        """
        head = await self._store.head(caller.tenant_id)
        if not old <= new <= head.size:
            raise ControlFault(Fault.INVALID_ARGUMENT, f"give sizes with old <= new <= {head.size}")
        return await self._proofs.consistency(caller.tenant_id, old, new)

    async def prove_record(self, caller: Caller, gateway_id: str, seq: int) -> RecordProof:
        """Prove one record.

        Raises:
            ControlFault: NOT_FOUND, LOG_UNSIGNED where no checkpoint covers it yet, LOG_BROKEN.
        """
        placed = await self._store.leaf_of_record(caller.tenant_id, gateway_id, seq)
        if placed is None:
            raise not_found("record in the log")
        return await self._prove(caller, placed, await self.freshest(caller))

    async def prove_decision(self, caller: Caller, decision_id: str) -> Sequence[RecordProof]:
        """Prove the records of a decision, in the order of the log.

        Raises:
            ControlFault: NOT_FOUND, LOG_UNSIGNED where no checkpoint covers one yet, LOG_BROKEN.
        """
        placed = await self._store.leaves_of_decision(caller.tenant_id, decision_id, PROOFS_MAX)
        if not placed:
            raise not_found("decision in the log")
        newest = await self.freshest(caller)
        return [await self._prove(caller, each, newest) for each in placed]

    async def newest(self, caller: Caller) -> CheckpointRow:
        """The newest checkpoint.

        Raises:
            ControlFault: LOG_UNSIGNED, LOG_BROKEN.
        """
        signer = self._checkpointing.signer
        newest = None if signer is None else await self._newest(signer, caller.tenant_id)
        if newest is None:
            raise ControlFault(
                Fault.LOG_UNSIGNED,
                "this log is not signed: there is no key to sign with; set CHECKREIN_LOG_KEY_FILE"
                if signer is None
                else "this log is not signed yet; ask again in some seconds",
            )
        return newest

    async def freshest(self, caller: Caller) -> CheckpointRow:
        """The newest checkpoint; where the log grew since, or something was done that has no
        record yet, that is signed first, so that what just happened can be exported and proven.

        Raises:
            ControlFault: LOG_UNSIGNED, LOG_BROKEN.
        """
        await self._acts.seal_before_showing(caller.tenant_id)
        if self._checkpointing.signer is not None:
            head = await self._store.head(caller.tenant_id)
            newest = await self._store.newest_checkpoint(caller.tenant_id)
            if newest is None or newest.size < head.size:
                await self._checkpointing.sign(caller.tenant_id)
        return await self.newest(caller)

    async def rewritten(self, caller: Caller) -> Sequence[Difference]:
        """Where tables say otherwise than the records of what was done."""
        return await self._acts.differences(caller)

    def verifier_key(self, caller: Caller) -> str | None:
        """The key of the tenant's log; None where there is none."""
        signer = self._checkpointing.signer
        return None if signer is None else signer.verifier_key(caller.tenant_id)

    async def _newest(self, signer: LogSigner, tenant_id: uuid.UUID) -> CheckpointRow | None:
        newest = await self._store.newest_checkpoint(tenant_id)
        if newest is not None and not signer.is_own(
            tenant_id, newest.note, newest.size, newest.root
        ):
            raise ControlFault(
                Fault.LOG_BROKEN, "the newest checkpoint is not signed by the key of this log"
            )
        return newest

    async def _prove(
        self, caller: Caller, placed: PlacedLine, newest: CheckpointRow
    ) -> RecordProof:
        if placed.index >= newest.size:
            raise ControlFault(
                Fault.LOG_UNSIGNED,
                "no checkpoint covers this record yet; ask again in some seconds",
            )
        path = await self._proofs.inclusion(caller.tenant_id, placed.index, newest.size)
        proof = tlog_proof(placed.index, path, newest.note)
        return RecordProof(placed.gateway_id, placed.seq, placed.line_hash, placed.line, proof)


def tlog_proof(index: int, path: Sequence[bytes], note: str) -> str:
    """A proof as C2SP `tlog-proof` writes it."""
    return "\n".join(("c2sp.org/tlog-proof@v1", f"index {index}", *texts(path), "", note))
