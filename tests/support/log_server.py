"""A tenant's log as a fake control plane shows it: honest, or as a test makes it lie."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from gateway.record.log.checkpoint import Checkpoint, log_origin, sign_checkpoint
from gateway.record.log.merkle import Frontier, consistency_ranges, leaf_hash
from gateway.record.log.signed_note import Signer


class LogServer:
    """A log of leaves named by text; `fork` makes one that shares a beginning."""

    def __init__(self, tenant: str = "ten_a", seed: bytes = b"\1" * 32) -> None:
        self.signer = Signer.from_private_bytes(log_origin(tenant), seed)
        self.leaves: list[bytes] = []

    @property
    def key(self) -> str:
        return self.signer.verifier_key

    def grow(self, count: int, name: str = "leaf") -> LogServer:
        start = len(self.leaves)
        self.leaves += [leaf_hash(f"{name}{start + n}".encode()) for n in range(count)]
        return self

    def fork(self, size: int) -> LogServer:
        """Another log of the same key, with the first `size` leaves of this one."""
        other = LogServer()
        other.signer, other.leaves = self.signer, self.leaves[:size]
        return other

    def note(self, *extensions: str) -> str:
        """The signed checkpoint of all of it."""
        root = _root(self.leaves)
        return sign_checkpoint(
            Checkpoint(self.signer.name, len(self.leaves), root, extensions), self.signer
        )

    def answer(self, since: int, *extensions: str) -> dict[str, object]:
        """What `/v1/log/checkpoint` says to one who has seen `since` leaves."""
        size = len(self.leaves)
        ranges = consistency_ranges(since, size) if since <= size else []
        proof = [base64.b64encode(_root(self.leaves[a:b])).decode() for a, b in ranges]
        return {"checkpoint": self.note(*extensions), "consistency": proof}


def _root(leaves: Sequence[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()
