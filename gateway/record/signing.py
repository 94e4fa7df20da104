"""The gateway's signing key: a seed on disk -> signed heads, and proofs of the key itself.

A head is a checkpoint of the gateway's own chain: the number of its last line and that line's
hash. Who has one signed head can hold the whole chain before it against it, so that no line can be
taken out, changed or cut off unseen. The key stays in the spool's directory and is never shown.

INVARIANT(announced): the verifier key is in the chain, durably, before `signing_key.pub` names it.
INVARIANT(handed over): a new key is vouched for by the old one, in the chain and at enrolment;
until the control plane took it, heads carry the signatures of both.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.errors import RecordError
from gateway.record.log.checkpoint import Checkpoint, gateway_origin, open_checkpoint
from gateway.record.log.signed_note import NoteError, Signer, VerifierKey, sign
from gateway.record.segments import FILE_MODE

log = logging.getLogger(__name__)

SIGNING_KEY_EVENT: Final = "signing_key"
"""The entry by which a chain names the key that signs it."""

SEED_BYTES: Final = 32
_KEY: Final = "signing_key"
_PUBLIC: Final = "signing_key.pub"
_NEXT: Final = "signing_key.next"
_OLD: Final = "signing_key.old"
_ROTATE: Final = "rotate_signing_key"
_HEAD: Final = "signed_head"
_HEAD_BYTES_MAX: Final = 16_384


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The key in use, and the one before it while the control plane knows only that one."""

    current: Signer
    old: Signer | None = None

    @property
    def verifier_key(self) -> str:
        return self.current.verifier_key

    def vouch(self, text: str) -> str:
        """`text`, which ends in a newline, as a note signed by the key, and by the old one."""
        return sign(text, *(each for each in (self.current, self.old) if each is not None))

    def key_proof(self) -> str:
        """The verifier key as a note: signed by itself, and by the key before it."""
        return self.vouch(self.verifier_key + "\n")

    def sign_head(self, gateway_id: str, seq: int, line_hash: str) -> str:
        """The signed head of a chain that ends in line `seq`."""
        head = Checkpoint(gateway_origin(gateway_id), seq, bytes.fromhex(line_hash))
        return self.vouch(head.text())


class KeyFolder:
    """The files of one gateway's key, in the directory of its spool. One process at a time."""

    def __init__(self, directory: Path, gateway_id: str) -> None:
        self._directory = directory
        self._gateway_id = gateway_id

    def load_or_make(self) -> SigningKeys:
        """The keys; one is made on first use.

        Raises:
            RecordError: `record.key_unreadable`, a file is there and is no key;
                `record.unwritable`.
        """
        try:
            if not self._path(_KEY).exists():
                # A stop in the middle of a rotation leaves the new key under its first name.
                if self._path(_NEXT).exists():
                    self._path(_NEXT).replace(self._path(_KEY))
                else:
                    self._write(_KEY, os.urandom(SEED_BYTES))
            current = self._load(_KEY)
            old = self._load(_OLD) if self._path(_OLD).exists() else None
        except OSError as error:
            raise RecordError(
                "record.unwritable", f"the signing key can't be used: {error.strerror}"
            ) from error
        return SigningKeys(current, old)

    def is_announced(self, keys: SigningKeys) -> bool:
        """Whether the chain names this key already."""
        with suppress(OSError, UnicodeDecodeError):
            return self._path(_PUBLIC).read_text("ascii").strip() == keys.verifier_key
        return False

    def note_announced(self, keys: SigningKeys) -> None:
        """Remember that the chain names this key, and show it to people."""
        self._write(_PUBLIC, (keys.verifier_key + "\n").encode("ascii"))

    def is_rotation_asked(self) -> bool:
        """Whether somebody asked for another key, by a file named `rotate_signing_key`."""
        return self._path(_ROTATE).exists() or self._path(_NEXT).exists()

    def make_next(self, keys: SigningKeys) -> SigningKeys:
        """The keys as they will be, once the chain names the new one. It is made only once,
        whatever stops us meanwhile."""
        if not self._path(_NEXT).exists():
            self._write(_NEXT, os.urandom(SEED_BYTES))
        self._path(_ROTATE).unlink(missing_ok=True)
        return SigningKeys(self._load(_NEXT), keys.current)

    def take_next(self) -> None:
        """Put the new key in the place of the old one, which stays beside it for now."""
        self._path(_KEY).replace(self._path(_OLD))
        self._path(_NEXT).replace(self._path(_KEY))

    def forget_old(self, keys: SigningKeys) -> SigningKeys:
        """The control plane took the new key: the old one signs nothing more."""
        self._path(_OLD).unlink(missing_ok=True)
        return replace(keys, old=None)

    def keep_head(self, note: str) -> None:
        """Put a newer signed head beside the spool. Not synced: after a crash an older one only
        proves less."""
        self._write(_HEAD, note.encode("utf-8"), must_sync=False)

    def load_head(self, keys: SigningKeys) -> Checkpoint | None:
        """The head that was kept last; None without one that this gateway signed."""
        try:
            with self._path(_HEAD).open("rb") as file:
                note = file.read(_HEAD_BYTES_MAX).decode("utf-8")
            trusted = [VerifierKey.parse(keys.verifier_key)]
            if keys.old is not None:
                trusted.append(VerifierKey.parse(keys.old.verifier_key))
            return open_checkpoint(note, trusted)
        except (OSError, UnicodeDecodeError, NoteError):
            return None

    def _path(self, name: str) -> Path:
        return self._directory / name

    def _load(self, name: str) -> Signer:
        path = self._path(name)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            seed = file.read(SEED_BYTES + 1)
        if len(seed) != SEED_BYTES:
            raise _unreadable(name, f"it must hold {SEED_BYTES} bytes")
        if stat.S_IMODE(mode) & 0o077:
            # Volumes of clusters open files to a group at every mount, which must stop nobody.
            path.chmod(FILE_MODE)
            log.warning("others could read the signing key; rotate it if they may have done so")
        return Signer.from_private_bytes(gateway_origin(self._gateway_id), seed)

    def _write(self, name: str, data: bytes, *, must_sync: bool = True) -> None:
        path = self._path(name)
        temporary = path.with_name(path.name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as file:
            file.write(data)
            file.flush()
            if must_sync:
                os.fsync(file.fileno())
        temporary.replace(path)


def _unreadable(name: str, why: str) -> RecordError:
    return RecordError(
        "record.key_unreadable", f"the spool's `{name}` is no usable key: {why}", retryable=False
    )
