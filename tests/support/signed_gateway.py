"""A gateway that signs: its key, its chain, what it ships; made apart from the gateway itself."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlplane.services.log.anchoring import AnchoringLimits
from controlplane.services.log.checkpointing import CheckpointSettings
from controlplane.services.log.proving import ProvingLimits
from gateway.record.log.checkpoint import Checkpoint, gateway_origin, sign_checkpoint
from gateway.record.log.signed_note import Signer, sign
from tests.support.chains import chain
from tests.support.control_plane import LIMITS, Answer, Client

SIGNING_SOON = replace(
    LIMITS,
    proving=ProvingLimits(
        CheckpointSettings(growth_seconds=0, poll_seconds=0.02),
        AnchoringLimits(poll_seconds=0.02, pause_seconds=0.02),
    ),
)
"""A checkpoint after every growth, and kept elsewhere at once."""

_numbers = itertools.count(1)


class SignedGateway:
    """Ships lines with signed heads. Its key is made of its number, so that a run repeats."""

    def __init__(self, client: Client, gateway_id: str | None = None) -> None:
        number = next(_numbers)
        self.client = client
        self.id = gateway_id or f"signed-{number}"
        self.signer = self.signer_of(f"key {number}")
        self.lines: list[str] = []

    def signer_of(self, seed: str) -> Signer:
        """A key of this gateway's name."""
        name = gateway_origin(self.id)
        return Signer.from_private_bytes(name, hashlib.sha256(seed.encode()).digest())

    async def enrol(
        self, *vouching: Signer, signer: Signer | None = None, key: str = "gateway"
    ) -> Answer:
        """Enrol a key (its own one), which it and `vouching` sign, with the credential `key`."""
        enrolled = signer or self.signer
        text = enrolled.verifier_key
        body = {"key": text, "proof": sign(text + "\n", enrolled, *vouching)}
        return await self.client.call("PUT", f"/v1/gateways/{self.id}/key", body, key)

    def write(self, entries: Sequence[Mapping[str, Any]]) -> list[str]:
        """Grow the chain; the new lines."""
        prev = self.hash_of(self.lines[-1]) if self.lines else "0" * 64
        new = chain(self.id, entries, first=len(self.lines) + 1, prev=prev)
        self.lines += new
        return new

    def head(self, lines: Sequence[str], first: int, signer: Signer | None = None) -> str:
        """The signed head of a batch that begins with number `first`."""
        root = bytes.fromhex(self.hash_of(lines[-1]))
        made = Checkpoint(gateway_origin(self.id), first + len(lines) - 1, root)
        return sign_checkpoint(made, signer or self.signer)

    async def ship(self, entries: Sequence[Mapping[str, Any]], **more: Any) -> Answer:
        """Write and ship; `head` replaces the right one."""
        first = len(self.lines) + 1
        new = self.write(entries)
        body = {"gatewayId": self.id, "records": new, "head": self.head(new, first), **more}
        return await self.client.call("POST", "/v1/records", body, "gateway")

    @staticmethod
    def hash_of(line: str) -> str:
        return hashlib.sha256(line.encode()).hexdigest()


async def log_size(client: Client, key: str = "admin") -> int:
    """How far the log goes, with a record of everything that was done until now."""
    assert (await client.call("GET", "/v1/log/acts", key=key)).status == 200
    return int((await client.call("GET", "/v1/log", key=key)).body["size"])


async def signed_log(client: Client, size: int | None = None) -> dict[str, Any]:
    """The log, once everything in it (or `size`) is under a checkpoint."""
    async with asyncio.timeout(20):
        while True:
            view = dict((await client.call("GET", "/v1/log")).body)
            if view["checkpointSize"] is not None and view["checkpointSize"] >= (
                view["size"] if size is None else size
            ):
                return view
            await asyncio.sleep(0.02)


async def exported(client: Client, query: str = "") -> str:
    """An export of the log."""
    return str((await client.call("GET", f"/v1/log/export{query}")).body)
