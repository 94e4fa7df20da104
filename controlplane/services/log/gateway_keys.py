"""The keys that gateways sign their chains with: taken once, replaced only with the old key's word.

The first key of an id is taken from whose credential first used the id, for as long as that one is
valid. From then on, a batch of records is taken only with a head that this key signed. So whoever
has a gateway's credentials and not its key can neither write records in its name nor end its chain
early; and an export shows what the gateway itself signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.services.runs.incidents import IncidentService
from controlplane.store.gateway_keys import GatewayKeyRow, GatewayKeyStore
from controlplane.store.records import NewRecord
from gateway.record.log.checkpoint import CONTROL_PLANE, gateway_origin, open_checkpoint
from gateway.record.log.signed_note import NoteError, VerifierKey, open_note

GATEWAYS_MAX: Final = 5_000
"""With keys, of one tenant: their ids are a caller's words."""

KEYS_MAX: Final = 1_000
"""Of one gateway. One that changes its key each day is done in three years."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head that was verified, with the key that signed it."""

    seq: int
    key_seq: int
    note: str


class GatewayKeyService:
    def __init__(self, store: GatewayKeyStore, incidents: IncidentService) -> None:
        self._store = store
        self._incidents = incidents

    async def enrol(self, caller: Caller, gateway_id: str, text: str, proof: str) -> GatewayKeyRow:
        """Take a gateway's key. The same key again changes nothing.

        Raises:
            ControlFault: RECORD_KEY_INVALID, RECORD_KEY_CONFLICT, RECORD_KEYS_FULL;
                GATEWAY_TAKEN for the first key of an id that another credential uses.
        """
        key = _parse_key(gateway_id, text)
        try:
            return await self._enrol(caller, gateway_id, key, proof)
        except ControlFault as fault:
            if fault.fault in {Fault.RECORD_KEY_CONFLICT, Fault.GATEWAY_TAKEN}:
                await self._incidents.note_refused_records(caller, gateway_id, fault)
            raise

    async def _enrol(
        self, caller: Caller, gateway_id: str, key: VerifierKey, proof: str
    ) -> GatewayKeyRow:
        text, tenant_id, store = str(key), caller.tenant_id, self._store
        _check_proof(text, key, proof, "the new key did not sign the proof")
        async with store.enrolling(tenant_id) as connection:
            before = await store.newest(connection, tenant_id, gateway_id)
            if before is not None and before.key == text:
                return before
            if before is not None:
                try:
                    _check_proof(text, VerifierKey.parse(before.key), proof, "")
                except (ControlFault, NoteError):
                    raise ControlFault(
                        Fault.RECORD_KEY_CONFLICT,
                        "this gateway has another key, which did not sign the new one",
                    ) from None
            elif await store.is_anothers(connection, tenant_id, gateway_id, caller.key_id):
                raise ControlFault(
                    Fault.GATEWAY_TAKEN,
                    "this gateway's id was first used with another credential: use that one, "
                    "revoke it, or choose another id",
                )
            counts = await store.counts(connection, tenant_id, gateway_id)
            if counts.own >= KEYS_MAX or (before is None and counts.gateways >= GATEWAYS_MAX):
                raise ControlFault(
                    Fault.RECORD_KEYS_FULL, "too many keys are enrolled; use fewer gateways"
                )
            return await store.insert(connection, tenant_id, gateway_id, text, proof)

    async def verify_head(
        self, connection: Any, caller: Caller, gateway_id: str, last: NewRecord, head: str | None
    ) -> SignedHead | None:
        """Hold a batch's signed head against its last record; None for a gateway without a key.

        Raises:
            ControlFault: RECORD_UNSIGNED.
        """
        row = await self._store.newest(connection, caller.tenant_id, gateway_id)
        if row is None:
            return None
        if head is None:
            raise _unsigned("this gateway has a key, and the batch has no signed head")
        try:
            found = open_checkpoint(head, [VerifierKey.parse(row.key)])
        except NoteError:
            raise _unsigned("the batch's head is not signed by this gateway's key") from None
        if found.origin != gateway_origin(gateway_id):
            raise _unsigned("the batch's head is of another gateway")
        if (found.size, found.root.hex()) != (last.seq, last.hash):
            raise _unsigned("the batch's head is not of its last record")
        return SignedHead(last.seq, row.key_seq, head)

    async def keep_head(
        self, connection: Any, caller: Caller, gateway_id: str, head: SignedHead
    ) -> None:
        """Keep a verified head for exports."""
        await self._store.insert_head(
            connection, caller.tenant_id, gateway_id, head.seq, head.key_seq, head.note
        )


def _parse_key(gateway_id: str, text: str) -> VerifierKey:
    if gateway_id == CONTROL_PLANE:
        raise ControlFault(
            Fault.RECORD_KEY_INVALID, f"`{CONTROL_PLANE}` is the control plane's own id"
        )
    try:
        key = VerifierKey.parse(text)
    except NoteError as error:
        raise ControlFault(Fault.RECORD_KEY_INVALID, f"`key`: {error.message}") from None
    if key.name != gateway_origin(gateway_id):
        raise ControlFault(
            Fault.RECORD_KEY_INVALID, f"`key`: its name must be `{gateway_origin(gateway_id)}`"
        )
    return key


def _check_proof(text: str, key: VerifierKey, proof: str, why: str) -> None:
    try:
        signed = open_note(proof, [key])
    except NoteError:
        raise ControlFault(Fault.RECORD_KEY_INVALID, f"`proof`: {why}") from None
    if signed != text + "\n":
        raise ControlFault(Fault.RECORD_KEY_INVALID, "`proof`: it is of another key")


def _unsigned(why: str) -> ControlFault:
    return ControlFault(Fault.RECORD_UNSIGNED, why)
