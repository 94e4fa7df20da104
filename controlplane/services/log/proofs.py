"""Roots of ranges of leaves -> proofs, out of the few rows that they need.

A root of 2^k leaves is folded out of at most 128 rows: leaves, or kept roots of the level below
it. What is read is not trusted here: whoever checks a proof holds it against a signed checkpoint.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from controlplane.faults import ControlFault, Fault
from controlplane.services.log.growth import LEVEL_BITS
from controlplane.store.log import LogStore, NodeRange
from gateway.record.log.merkle import (
    Range,
    consistency_ranges,
    inclusion_ranges,
    node_hash,
    perfect_ranges,
    range_proof,
    root_of,
)

LEVEL_MAX: Final = 7


class LogProofs:
    def __init__(self, store: LogStore) -> None:
        self._store = store

    async def inclusion(self, tenant_id: uuid.UUID, index: int, size: int) -> list[bytes]:
        """The path from a leaf to the root of `size`."""
        return await self._roots(tenant_id, inclusion_ranges(index, size))

    async def consistency(self, tenant_id: uuid.UUID, old: int, new: int) -> list[bytes]:
        """That the first `old` leaves of `new` are as they were."""
        return await self._roots(tenant_id, consistency_ranges(old, new))

    async def around(
        self, tenant_id: uuid.UUID, begin: int, end: int, size: int
    ) -> tuple[list[bytes], list[bytes]]:
        """What stands left and right of the leaves from `begin` up to, and without, `end`."""
        left, right = range_proof(begin, end, size)
        roots = await self._roots(tenant_id, [*left, *right])
        return roots[: len(left)], roots[len(left) :]

    async def frontier(self, tenant_id: uuid.UUID, size: int) -> list[bytes]:
        """The roots of the perfect subtrees of the first `size` leaves."""
        return await self._roots(tenant_id, perfect_ranges(0, size))

    async def _roots(self, tenant_id: uuid.UUID, ranges: Sequence[Range]) -> list[bytes]:
        parts = [[_rows_of(each) for each in perfect_ranges(*one)] for one in ranges]
        wanted = {row for part in parts for row in part}
        found = await self._store.hashes(tenant_id, list(wanted)) if wanted else {}
        return [root_of([_fold(row, found) for row in part]) for part in parts]


def texts(hashes: Sequence[bytes]) -> list[str]:
    """Hashes as answers and files write them."""
    return [base64.b64encode(each).decode() for each in hashes]


def _rows_of(perfect: Range) -> NodeRange:
    """The rows under the root of a perfect subtree: of the highest level that is not above it."""
    begin, end = perfect
    level = min(((end - begin).bit_length() - 1) // LEVEL_BITS, LEVEL_MAX)
    shift = level * LEVEL_BITS
    return NodeRange(level, begin >> shift, end >> shift)


def _fold(rows: NodeRange, found: Mapping[tuple[int, int], bytes]) -> bytes:
    try:
        hashes = [found[rows.level, index] for index in range(rows.first, rows.past)]
    except KeyError:
        raise ControlFault(
            Fault.LOG_BROKEN, "the log lacks hashes that it had; nothing can be proven from it"
        ) from None
    while len(hashes) > 1:
        hashes = [
            node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]
