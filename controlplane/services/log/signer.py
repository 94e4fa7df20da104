"""Signs what a tenant's log is, and remembers what it signed, in files outside of the database.

INVARIANT(one-history): of each tenant it signs ever larger trees, each of which holds the one
before it; never a smaller one, and never another tree of the same size. It does not take anybody's
word for that: it adds the new leaves to its own memory of the tree. So whoever rewrites the
database, with whatever rights, gets no signature for the other history.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from controlplane.services.signing_keys import SigningKey
from gateway.model.errors import CheckreinError
from gateway.model.moment import rfc3339
from gateway.record.log.checkpoint import (
    CONTROL_PLANE,
    Checkpoint,
    gateway_origin,
    log_origin,
    open_checkpoint,
    sign_checkpoint,
)
from gateway.record.log.merkle import Frontier
from gateway.record.log.signed_note import NoteError, Signer, VerifierKey

STATE_FOLDER: Final = "log-signer"
STATE_BYTES_MAX: Final = 16 * 1024
"""Of one tenant: 63 hashes at most."""


class LogForked(CheckreinError):
    """The log in the database is not the one that was signed. Nothing is signed."""

    def __init__(self, message: str) -> None:
        super().__init__("log.forked", message)


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed last: the tree, and the largest size whose checkpoint is known to be stored;
    -1 before the first one."""

    size: int
    subtrees: tuple[bytes, ...] = field(repr=False)
    stored_size: int = -1

    def tree(self) -> Frontier:
        return Frontier(self.size, self.subtrees)


class SignerState:
    """The memory: a small file for each tenant, replaced as a whole and synced. Without a folder
    it lasts as long as the process."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[uuid.UUID, Signed] = {}

    def load(self, tenant_id: uuid.UUID) -> Signed | None:
        """What was signed last; None before the first time.

        Raises:
            LogForked: the file is there and can't be read: it does not count as none.
        """
        if self._folder is None:
            return self._kept.get(tenant_id)
        try:
            with self._path(self._folder, tenant_id).open("rb") as file:
                data = file.read(STATE_BYTES_MAX)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LogForked(f"the signer's memory can't be read: {error.strerror}") from None
        try:
            kept = json.loads(data)
            subtrees = tuple(bytes.fromhex(each) for each in kept["subtrees"])
            tree = Frontier(kept["size"], subtrees)
            return Signed(tree.size, subtrees, int(kept["stored_size"]))
        except (ValueError, KeyError, TypeError):
            raise LogForked("the signer's memory is damaged") from None

    def keep(self, tenant_id: uuid.UUID, signed: Signed) -> None:
        """Remember, durably, before anybody sees the signature.

        Raises:
            LogForked: it can't be written, so nothing may be signed.
        """
        if self._folder is None:
            self._kept[tenant_id] = signed
            return
        text = json.dumps(
            {
                "size": signed.size,
                "stored_size": signed.stored_size,
                "subtrees": [each.hex() for each in signed.subtrees],
            }
        )
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
            try:
                with os.fdopen(number, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._path(self._folder, tenant_id))
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise LogForked(f"the signer's memory can't be written: {error.strerror}") from None

    @staticmethod
    def _path(folder: Path, tenant_id: uuid.UUID) -> Path:
        return folder / f"{tenant_id}.json"


class LogSigner:
    """The installation's key for logs. Its name binds each signature to one tenant."""

    def __init__(self, key: SigningKey, state: SignerState) -> None:
        self._seed = key.private.private_bytes_raw()
        self.state = state

    def verifier_key(self, tenant_id: uuid.UUID) -> str:
        """The public half, as gateways and auditors pin it."""
        return self._signer(tenant_id).verifier_key

    def is_own(self, tenant_id: uuid.UUID, note: str, size: int, root: bytes) -> bool:
        """Whether this key signed exactly that of the tenant's log."""
        try:
            key = VerifierKey.parse(self.verifier_key(tenant_id))
            found = open_checkpoint(note, [key])
        except NoteError:
            return False
        return (found.size, found.root) == (size, root)

    def sign(self, tenant_id: uuid.UUID, tree: Frontier, now: datetime) -> tuple[Signed, str]:
        """Sign a tree that grew out of the one that was signed last; what is remembered, and the
        note.

        Raises:
            LogForked: it did not, or that can't be remembered.
        """
        before = self.state.load(tenant_id)
        if before is not None:
            if tree.size < before.size:
                raise LogForked(
                    f"a log of {before.size} records was signed, now it has {tree.size}"
                )
            if tree.size == before.size and tree.hashes != before.subtrees:
                raise LogForked(f"another log of {tree.size} records was signed before")
        signed = Signed(tree.size, tree.hashes, before.stored_size if before else -1)
        self.state.keep(tenant_id, signed)
        signer = self._signer(tenant_id)
        checkpoint = Checkpoint(signer.name, tree.size, tree.root(), (f"at {rfc3339(now)}",))
        return signed, sign_checkpoint(checkpoint, signer)

    def acts_signer(self, tenant_id: uuid.UUID) -> Signer:
        """What signs the control plane's own chain: a key of its own, made of the log's, so that
        no signature over a chain could ever be one over a log."""
        name = gateway_origin(CONTROL_PLANE)
        purpose = f"{name}\n{tenant_id}".encode()
        return Signer.from_private_bytes(name, hmac.digest(self._seed, purpose, hashlib.sha256))

    def _signer(self, tenant_id: uuid.UUID) -> Signer:
        return Signer.from_private_bytes(log_origin(str(tenant_id)), self._seed)
