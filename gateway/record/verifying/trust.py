"""What who verifies brings along: the keys that are trusted, and checkpoints kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.dataclass import dataclass
from gateway.record.log.checkpoint import LOG_ORIGIN, Checkpoint, open_checkpoint
from gateway.record.log.merkle import HASH_BYTES
from gateway.record.log.signed_note import NoteError, VerifierKey, decode_base64


@dataclass(frozen=True, slots=True)
class Trust:
    """Nothing that a file says of itself is trust. `checkpoints` are notes, not yet opened."""

    log_keys: tuple[VerifierKey, ...] = ()
    gateway_keys: tuple[VerifierKey, ...] = ()
    checkpoints: tuple[str, ...] = ()
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class LogKey:
    """The key that a log's checkpoints are opened with, and whether it was brought along."""

    keys: tuple[VerifierKey, ...]
    is_pinned: bool

    def open(self, note: str) -> Checkpoint:
        """Open a checkpoint.

        Raises:
            NoteError: none of the keys signed it, or it is of no log.
        """
        checkpoint = open_checkpoint(note, self.keys)
        if not checkpoint.origin.startswith(LOG_ORIGIN):
            raise NoteError.malformed("the checkpoint is not one of a tenant's log")
        return checkpoint


def log_key(trust: Trust, hint: str | None) -> LogKey | None:
    """The key to use: what was brought along, else what the file says; None without either.

    Raises:
        NoteError: the file's key is not one, or not the one that was brought along.
    """
    hinted = None if hint is None else VerifierKey.parse(hint)
    if trust.log_keys:
        if hinted is not None and hinted not in trust.log_keys:
            raise NoteError("note.untrusted", "the file names another key than the one given")
        return LogKey(trust.log_keys, True)
    return None if hinted is None else LogKey((hinted,), False)


UNPINNED_LOG = (
    "the log's key was taken from the file itself, so whoever made the file vouches for it: "
    "compare the key with the one you were given, or pass it with `--key`"
)


def decode_hashes(values: object, what: str) -> Sequence[bytes]:
    """Hashes as files write them: a list of base64.

    Raises:
        NoteError: it is none.
    """
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise NoteError.malformed(f"`{what}` is not a list of hashes")
    hashes = [decode_base64(each) for each in values]
    if any(len(each) != HASH_BYTES for each in hashes):
        raise NoteError.malformed(f"`{what}` holds what is no SHA-256")
    return hashes
