"""What is signed of a log or a chain: origin, size and root, as C2SP `tlog-checkpoint`. Pure.

Two things are signed in this form. A tenant's log: the size is its number of leaves, the root
that of RFC 6962. And a gateway's head: the size is the seq of its last line, the root that line's
hash. Each has the name of its key as its origin, so that no signature serves for another.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.record.log.signed_note import (
    NoteError,
    Signer,
    VerifierKey,
    decode_base64,
    open_note,
    sign,
    split_note,
)

LOG_ORIGIN: Final = "checkrein/log/"
GATEWAY_ORIGIN: Final = "checkrein/gateway/"
CONTROL_PLANE: Final = "control-plane"
"""The id under which the control plane itself has records: what people did there. No gateway may
have it."""

ROOT_BYTES: Final = 32
SIZE_MAX: Final = 2**63 - 1
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


def log_origin(tenant_id: str) -> str:
    """The origin, and the key's name, of a tenant's log."""
    return LOG_ORIGIN + tenant_id


def gateway_origin(gateway_id: str) -> str:
    """The origin, and the key's name, of a gateway's heads."""
    return GATEWAY_ORIGIN + gateway_id


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log was at one size. `extensions` are further lines, signed but not proven."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX or len(self.root) != ROOT_BYTES:
            raise NoteError.malformed("a checkpoint has a size from 0 and a root of 32 bytes")
        for line in (self.origin, *self.extensions):
            if not line or "\n" in line:
                raise NoteError.malformed("a checkpoint's origin and extensions are lines")

    def text(self) -> str:
        """The text that is signed."""
        root = base64.b64encode(self.root).decode("ascii")
        return "\n".join((self.origin, str(self.size), root, *self.extensions, ""))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint: the lines of a note whose signature was verified.

    Raises:
        NoteError: `note.malformed`.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:
        raise NoteError.malformed("a checkpoint is an origin, a size and a root, each on its line")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise NoteError.malformed("a checkpoint's size is a decimal number")
    return Checkpoint(origin, int(size), decode_base64(root), tuple(lines[3:-1]))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The note of a checkpoint. The signer's name must be its origin."""
    if signer.name != checkpoint.origin:
        raise NoteError.malformed("a checkpoint is signed by the key of its own origin")
    return sign(checkpoint.text(), signer)


def open_checkpoint(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint of a note that a key of the checkpoint's own origin signed.

    Raises:
        NoteError: `note.malformed`, `note.untrusted` or `note.forged`.
    """
    claimed, _ = split_note(note)
    origin = claimed.partition("\n")[0]
    return parse_checkpoint(open_note(note, [key for key in keys if key.name == origin]))
