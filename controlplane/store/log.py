"""The tables of a tenant's log: leaves, the roots above them, its head, and what was signed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from controlplane.faults import ControlFault, Fault
from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from controlplane.store.tenant_series import Series, series_transaction

_SQL = load_queries("log")

HASH_BYTES: Final = 32

LEAVES: Final = 0
"""The level of the leaves themselves."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """How far a log goes: its size, the roots of its perfect subtrees, the last record in it."""

    size: int
    frontier: tuple[bytes, ...]
    through_record_id: int


EMPTY_HEAD: Final = LogHead(0, (), 0)


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """A record that has no leaf yet; `hash` is its line's, in hexadecimal."""

    record_id: int
    gateway_id: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class NewLeaf:
    index: int
    record: PendingRecord
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class NodeRange:
    """Roots of whole subtrees: those of `level` from `first` up to, and without, `past`."""

    level: int
    first: int
    past: int


@dataclass(frozen=True, slots=True)
class NewNode:
    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class LeafRow:
    index: int
    gateway_id: str
    seq: int
    line_hash: str


@dataclass(frozen=True, slots=True)
class LineRow:
    """A leaf and its record's line. `line` None: it was erased, or, where `is_there` is false, the
    record is gone, which nobody may do."""

    index: int
    gateway_id: str
    seq: int
    line_hash: str
    line: str | None
    is_there: bool


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A record's place in the log, and its line; None where that was erased."""

    index: int
    gateway_id: str
    seq: int
    line_hash: str
    line: str | None


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    seq: int
    checkpoint_id: uuid.UUID
    size: int
    root: bytes
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class ToSign:
    """A tenant's log as it stands; what was signed last is None before the first time."""

    tenant_id: uuid.UUID
    size: int
    signed_size: int | None
    signed_seconds_ago: float | None


class LogStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def growing(self, tenant_id: uuid.UUID) -> AbstractAsyncContextManager[Any]:
        """A transaction in which nobody else writes records of the tenant."""
        return series_transaction(self._database, Series.RECORDS, tenant_id)

    async def lock_head(self, connection: Any, tenant_id: uuid.UUID) -> LogHead:
        row = await connection.fetchrow(_SQL["lock_head"], tenant_id)
        if row is None:
            await connection.execute(_SQL["ensure_head"], tenant_id)
            row = await connection.fetchrow(_SQL["lock_head"], tenant_id)
        return _head(row)

    async def pending(
        self, connection: Any, tenant_id: uuid.UUID, after: int, count_max: int
    ) -> Sequence[PendingRecord]:
        rows = await connection.fetch(_SQL["pending"], tenant_id, after, count_max)
        return [PendingRecord(*row.values()) for row in rows]

    async def append(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        leaves: Sequence[NewLeaf],
        nodes: Sequence[NewNode],
        head: LogHead,
    ) -> None:
        """Store leaves that follow the head, and what the head is after them.

        Raises:
            ControlFault: UNAVAILABLE where the head does not fit what is there, as after a hand
                rewound it: nothing is taken, and those who ship keep what they have.
        """
        try:
            await self._append(connection, tenant_id, leaves, nodes)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise ControlFault(
                Fault.UNAVAILABLE, "the log can't grow: its head does not fit its leaves"
            ) from error
        await self.pass_over(connection, tenant_id, head)

    async def _append(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        leaves: Sequence[NewLeaf],
        nodes: Sequence[NewNode],
    ) -> None:
        await connection.execute(
            _SQL["append_leaves"],
            tenant_id,
            [leaf.index for leaf in leaves],
            [leaf.record.record_id for leaf in leaves],
            [leaf.record.gateway_id for leaf in leaves],
            [leaf.record.seq for leaf in leaves],
            [bytes.fromhex(leaf.record.hash) for leaf in leaves],
            [leaf.leaf_hash for leaf in leaves],
        )
        if nodes:
            await connection.execute(
                _SQL["append_nodes"],
                tenant_id,
                [node.level for node in nodes],
                [node.index for node in nodes],
                [node.hash for node in nodes],
            )

    async def pass_over(self, connection: Any, tenant_id: uuid.UUID, head: LogHead) -> None:
        """Say how far the log goes, where no leaf says it."""
        await connection.execute(
            _SQL["move_head"],
            tenant_id,
            head.size,
            b"".join(head.frontier),
            head.through_record_id,
        )

    async def tenants_behind(self, count_max: int) -> Sequence[uuid.UUID]:
        return [row[0] for row in await self._database.rows(_SQL["tenants_behind"], count_max)]

    async def head(self, tenant_id: uuid.UUID) -> LogHead:
        row = await self._database.row(_SQL["head"], tenant_id)
        return EMPTY_HEAD if row is None else _head(row)

    async def hashes(
        self, tenant_id: uuid.UUID, wanted: Sequence[NodeRange]
    ) -> Mapping[tuple[int, int], bytes]:
        """Hashes by level and index; what is not there is left out."""
        found: dict[tuple[int, int], bytes] = {}
        places = [(one.level, index) for one in wanted for index in range(one.first, one.past)]
        leaves = [index for level, index in places if level == LEAVES]
        nodes = [(level, index) for level, index in places if level != LEAVES]
        if leaves:
            rows = await self._database.rows(_SQL["leaf_hashes"], tenant_id, leaves)
            found.update({(LEAVES, row[0]): row[1] for row in rows})
        if nodes:
            levels, indexes = [place[0] for place in nodes], [place[1] for place in nodes]
            rows = await self._database.rows(_SQL["node_hashes"], tenant_id, levels, indexes)
            found.update({(row[0], row[1]): row[2] for row in rows})
        return found

    async def leaves(self, tenant_id: uuid.UUID, first: int, past: int) -> Sequence[LeafRow]:
        rows = await self._database.rows(_SQL["leaves"], tenant_id, first, past)
        return [LeafRow(row[0], row[1], row[2], row[3].hex()) for row in rows]

    async def lines(self, tenant_id: uuid.UUID, first: int, past: int) -> Sequence[LineRow]:
        rows = await self._database.rows(_SQL["lines"], tenant_id, first, past)
        return [LineRow(row[0], row[1], row[2], row[3].hex(), row[4], row[5]) for row in rows]

    async def hash_of(self, tenant_id: uuid.UUID, gateway_id: str, seq: int) -> str | None:
        """The stored hash of a record."""
        row = await self._database.row(_SQL["hash_of"], tenant_id, gateway_id, seq)
        return None if row is None else str(row[0])

    async def leaf_of_record(
        self, tenant_id: uuid.UUID, gateway_id: str, seq: int
    ) -> PlacedLine | None:
        row = await self._database.row(_SQL["leaf_of_record"], tenant_id, gateway_id, seq)
        return None if row is None else _placed(row)

    async def leaves_of_decision(
        self, tenant_id: uuid.UUID, decision_id: str, count_max: int
    ) -> Sequence[PlacedLine]:
        rows = await self._database.rows(
            _SQL["leaves_of_decision"], tenant_id, decision_id, count_max
        )
        return [_placed(row) for row in rows]

    async def insert_checkpoint(
        self, tenant_id: uuid.UUID, size: int, root: bytes, note: str
    ) -> CheckpointRow | None:
        """Store what was signed; None where a larger one is there already."""
        async with series_transaction(self._database, Series.CHECKPOINTS, tenant_id) as connection:
            row = await connection.fetchrow(
                _SQL["insert_checkpoint"], uuid.uuid4(), tenant_id, size, root, note
            )
        return None if row is None else _checkpoint(row)

    async def newest_checkpoint(self, tenant_id: uuid.UUID) -> CheckpointRow | None:
        row = await self._database.row(_SQL["newest_checkpoint"], tenant_id)
        return None if row is None else _checkpoint(row)

    async def checkpoint(
        self, tenant_id: uuid.UUID, checkpoint_id: uuid.UUID
    ) -> CheckpointRow | None:
        row = await self._database.row(_SQL["checkpoint"], tenant_id, checkpoint_id)
        return None if row is None else _checkpoint(row)

    async def checkpoints(
        self, tenant_id: uuid.UUID, before: int | None, count_max: int
    ) -> Sequence[CheckpointRow]:
        """Newest first."""
        rows = await self._database.rows(_SQL["checkpoints"], tenant_id, before, count_max)
        return [_checkpoint(row) for row in rows]

    async def to_sign(self) -> Sequence[ToSign]:
        rows = await self._database.rows(_SQL["to_sign"])
        return [
            ToSign(row[0], row[1], row[2], None if row[3] is None else float(row[3]))
            for row in rows
        ]

    async def gateways_in(
        self, tenant_id: uuid.UUID, size: int, count_max: int
    ) -> Sequence[tuple[str, int]]:
        """Gateways with a leaf below this size, and the number of the last line of each."""
        rows = await self._database.rows(_SQL["gateways_in"], tenant_id, size, count_max)
        return [(row[0], row[1]) for row in rows if row[1] is not None]


def _placed(row: Row) -> PlacedLine:
    return PlacedLine(row[0], row[1], row[2], row[3].hex(), row[4])


def _head(row: Row) -> LogHead:
    joined: bytes = row["frontier"]
    hashes = tuple(joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES))
    return LogHead(row["size"], hashes, row["through_record_id"])


def _checkpoint(row: Row) -> CheckpointRow:
    return CheckpointRow(
        row["checkpoint_seq"],
        row["checkpoint_id"],
        row["size"],
        row["root"],
        row["note"],
        row["signed_at"],
    )
