"""Makes leaves of records: brings a tenant's log up to its newest record, in order.

INVARIANT(nothing-beside-the-log): there is one way in, for what has just come, for what an older
release stored, and for what a hand put into the table: whatever is in `records` and has no leaf yet
is taken in, in the order of `record_id`. It runs in the transaction that stores records.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final

from controlplane.services.sweeping import sweep_forever
from controlplane.store.log import LogHead, LogStore, NewLeaf, NewNode, PendingRecord
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics
from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import leaf_hash, node_hash

log = logging.getLogger(__name__)

LEVEL_BITS: Final = 8
"""A level holds the roots of 256 of the level below."""

TAKEN_AT_ONCE: Final = 2_000
"""Beside a batch: some tenths of a second, in which nobody else writes for the tenant."""

APART_MIN: Final = 100
"""From so many on they are hashed in a thread: a turn of the loop stays below some milliseconds."""

LOOK_SECONDS: Final = 60.0
TENANTS_AT_ONCE: Final = 100


class LogGrowth:
    def __init__(self, store: LogStore, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def take_in(
        self, connection: Any, tenant_id: uuid.UUID, count_max: int = TAKEN_AT_ONCE
    ) -> int:
        """Give the next records of a tenant their leaves; how many. The connection is in a
        transaction of the tenant's records."""
        store = self._store
        head = await store.lock_head(connection, tenant_id)
        pending = await store.pending(connection, tenant_id, head.through_record_id, count_max)
        if not pending:
            return 0
        if len(pending) >= APART_MIN:
            grown = await asyncio.to_thread(grow, head, pending)
        else:
            grown = grow(head, pending)
        leaves, nodes, after = grown
        if leaves:
            await store.append(connection, tenant_id, leaves, nodes, after)
        else:
            await store.pass_over(connection, tenant_id, after)
        return len(pending)

    async def catch_up_forever(self) -> None:
        """Take in what an older release stored; every minute a look whether there is more."""

        async def sweep() -> float:
            for tenant_id in await self._store.tenants_behind(TENANTS_AT_ONCE):
                await self.catch_up(tenant_id)
            return LOOK_SECONDS

        await sweep_forever(sweep, LOOK_SECONDS, self._metrics)

    async def catch_up(self, tenant_id: uuid.UUID) -> int:
        """Take in all records of a tenant that have no leaf, some at a time, and tell of it."""
        total = 0
        with acting_for(tenant_id):
            while True:
                async with self._store.growing(tenant_id) as connection:
                    count = await self.take_in(connection, tenant_id)
                total += count
                if count < TAKEN_AT_ONCE:
                    break
                if total % (50 * TAKEN_AT_ONCE) == 0:
                    log.info("records are taken into the log", extra={"count": total})
        if total:
            log.info("records were taken into the log", extra={"count": total})
        return total

    async def catch_up_at_start(self) -> None:
        """The same for every tenant, before anything new comes."""
        with acting_for_everybody():
            behind = await self._store.tenants_behind(TENANTS_AT_ONCE)
        for tenant_id in behind:
            await self.catch_up(tenant_id)


def grow(
    head: LogHead, pending: Sequence[PendingRecord]
) -> tuple[list[NewLeaf], list[NewNode], LogHead]:
    """The leaves of records that follow a head, the roots that they complete, and the new head."""
    leaves: list[NewLeaf] = []
    index = head.size
    for record in pending:
        try:
            data = leaf_data(record.gateway_id, record.seq, record.hash)
        except ValueError:
            # Of a release that let gateways be called anything; no proof could name it.
            log.warning("a record has no place in the log", extra={"count": record.record_id})
            continue
        leaves.append(NewLeaf(index, record, leaf_hash(data)))
        index += 1
    nodes, frontier = add_leaves(head.size, head.frontier, (leaf.leaf_hash for leaf in leaves))
    return leaves, nodes, LogHead(index, frontier, pending[-1].record_id)


def add_leaves(
    size: int, frontier: Sequence[bytes], leaf_hashes: Iterable[bytes]
) -> tuple[list[NewNode], tuple[bytes, ...]]:
    """Add leaves to a tree. Gives the roots that are kept (those of whole levels), and the roots
    of its perfect subtrees afterwards."""
    nodes: list[NewNode] = []
    subtrees = list(frontier)
    for each in leaf_hashes:
        root, level, filled = each, 0, size
        while filled & 1:
            root = node_hash(subtrees.pop(), root)
            level += 1
            filled >>= 1
            if level % LEVEL_BITS == 0:
                nodes.append(NewNode(level // LEVEL_BITS, filled, root))
        subtrees.append(root)
        size += 1
    return nodes, tuple(subtrees)
