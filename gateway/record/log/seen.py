"""What a gateway has seen of its tenant's log -> whether a checkpoint that it is shown may follow.
Pure.

Many gateways that each remember one checkpoint are witnesses: a log that shrinks, or shows two
parties two histories, contradicts what one of them holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.errors import CheckreinError
from gateway.record.log.checkpoint import LOG_ORIGIN, Checkpoint, open_checkpoint
from gateway.record.log.merkle import verify_consistency
from gateway.record.log.signed_note import NoteError, VerifierKey, decode_base64

PROOF_HASHES_MAX: Final = 128
"""A proof between two sizes below 2^63 has fewer hashes."""


class CheckpointRefused(CheckreinError):
    """A checkpoint that may not follow what was seen: `log.malformed`, `log.other_key`,
    `log.shrunk`, `log.forked`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that was accepted, with the note that proves who signed it."""

    note: str
    checkpoint: Checkpoint


def parse_log_key(text: str) -> VerifierKey:
    """The key of a log.

    Raises:
        CheckpointRefused: `log.malformed`, it is none.
    """
    try:
        key = VerifierKey.parse(text.strip())
    except NoteError as error:
        raise CheckpointRefused("log.malformed", error.message) from error
    if not key.name.startswith(LOG_ORIGIN):
        raise CheckpointRefused("log.malformed", f"the key is not one of a log: `{key.name[:64]}`")
    return key


def accept(seen: Seen | None, note: str, proof: Sequence[str], key: VerifierKey) -> Seen:
    """Accept a checkpoint that the pinned key signed and that goes on from the one before.

    `proof` is the consistency proof from the size seen to the new one, in base64.

    Raises:
        CheckpointRefused: it may not follow.
    """
    try:
        found = open_checkpoint(note, [key])
    except NoteError as error:
        is_other = error.code == "note.untrusted"
        raise CheckpointRefused(
            "log.other_key" if is_other else "log.malformed",
            "the checkpoint is not signed by the log's key" if is_other else error.message,
        ) from error
    if seen is None:
        return Seen(note, found)
    before = seen.checkpoint
    if found.size < before.size:
        raise CheckpointRefused(
            "log.shrunk", f"the log has {found.size} records and had {before.size}"
        )
    if found.size == before.size and found.root != before.root:
        raise CheckpointRefused("log.forked", f"there are two logs of {found.size} records")
    if found.size > before.size:
        path = _parse_proof(proof)
        if not verify_consistency(before.size, before.root, found.size, found.root, path):
            raise CheckpointRefused(
                "log.forked",
                f"the log of {found.size} records does not go on from the one of {before.size}",
            )
    return Seen(note, found)


def _parse_proof(proof: Sequence[str]) -> list[bytes]:
    if len(proof) > PROOF_HASHES_MAX:
        raise CheckpointRefused("log.malformed", "the proof of consistency is too long")
    try:
        return [decode_base64(each) for each in proof]
    except NoteError as error:
        raise CheckpointRefused("log.malformed", error.message) from error
