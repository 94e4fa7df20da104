"""The table `sessions`: who is signed in to the dashboard. A cookie itself never comes here."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("sessions")


class SignedInBy(StrEnum):
    KEY = "key"
    OIDC = "oidc"


@dataclass(frozen=True, slots=True)
class SessionRow:
    session_id: uuid.UUID
    tenant_id: uuid.UUID
    key_id: uuid.UUID
    signed_in_by: SignedInBy
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that is open now, and whose it is."""

    session_id: uuid.UUID
    key_id: uuid.UUID
    name: str
    signed_in_by: SignedInBy
    created_at: datetime
    last_seen_at: datetime


class SessionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(
        self,
        tenant_id: uuid.UUID,
        key_id: uuid.UUID,
        token_hash: bytes,
        by: SignedInBy,
        key_hash: bytes | None,
    ) -> uuid.UUID | None:
        """Open a session. `key_hash` is that of the secret that was shown for it; None comes back
        where that is not the key's newest."""
        row = await self._database.row(
            _SQL["insert"], uuid.uuid4(), tenant_id, key_id, token_hash, by.value, key_hash
        )
        return None if row is None else row["session_id"]

    async def find(
        self, token_hash: bytes, idle_seconds_max: float, seconds_max: float
    ) -> SessionRow | None:
        """An open session that is neither idle for too long nor too old."""
        row = await self._database.row(_SQL["find"], token_hash, idle_seconds_max, seconds_max)
        if row is None:
            return None
        return SessionRow(
            row["session_id"],
            row["tenant_id"],
            row["key_id"],
            SignedInBy(row["signed_in_by"]),
            row["created_at"],
            row["last_seen_at"],
        )

    async def people_named(self, name: str) -> Sequence[tuple[uuid.UUID, uuid.UUID]]:
        """Tenant and key of people's valid keys of a name, the newest first."""
        rows = await self._database.rows(_SQL["people_named"], name)
        return [(row["tenant_id"], row["key_id"]) for row in rows]

    async def touch(self, session_id: uuid.UUID) -> None:
        """Note that its person was here just now."""
        await self._database.row(_SQL["touch"], session_id)

    async def end(self, session_id: uuid.UUID) -> None:
        """End it for good; a second time changes nothing."""
        await self._database.row(_SQL["end"], session_id)

    async def open(
        self,
        tenant_id: uuid.UUID,
        key_id: uuid.UUID | None,
        idle_seconds_max: float,
        seconds_max: float,
        count_max: int,
    ) -> Sequence[OpenSession]:
        """Open sessions of a key, or of all, the last seen first."""
        rows = await self._database.rows(
            _SQL["open"], tenant_id, key_id, idle_seconds_max, seconds_max, count_max
        )
        return [
            OpenSession(**{**row, "signed_in_by": SignedInBy(row["signed_in_by"])}) for row in rows
        ]

    async def end_one(
        self, tenant_id: uuid.UUID, session_id: uuid.UUID, key_id: uuid.UUID | None
    ) -> bool:
        """End a session of a key, or of anybody's; False when there is none open."""
        row = await self._database.row(_SQL["end_one"], tenant_id, session_id, key_id)
        return row is not None

    async def end_others(self, key_id: uuid.UUID, session_id: uuid.UUID) -> int:
        """End all sessions of a key but this one; how many there were."""
        return len(await self._database.rows(_SQL["end_others"], key_id, session_id))

    async def end_surplus(self, key_id: uuid.UUID, count_max: int) -> None:
        """End the oldest sessions of a key beyond `count_max`."""
        await self._database.row(_SQL["end_surplus"], key_id, count_max)

    async def forget(self, seconds_max: float, count_max: int) -> None:
        """Delete sessions that can't be used any more."""
        await self._database.rows(_SQL["forget"], seconds_max, count_max)
