"""The tables `api_keys` and `tenants`. A key itself never comes here, only its SHA-256."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries

_SQL = load_queries("keys")


@dataclass(frozen=True, slots=True)
class KeyRow:
    key_id: uuid.UUID
    tenant_id: uuid.UUID
    name: str
    permissions: tuple[str, ...]
    agent_id: uuid.UUID | None
    groups: tuple[str, ...]
    agent: str | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """`prefix` is the key's first characters, for people to tell keys apart."""

    tenant_id: uuid.UUID
    name: str
    prefix: str
    hash: bytes
    permissions: tuple[str, ...]
    agent_id: uuid.UUID | None = None
    groups: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as people see it."""

    key_id: uuid.UUID
    name: str
    prefix: str
    permissions: tuple[str, ...]
    groups: tuple[str, ...]
    agent: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rotated_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """`after` is the last key of the page before: when it was made, and its id."""

    after: tuple[datetime, uuid.UUID] | None = None
    is_valid: bool | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class KeyOwner:
    tenant_id: uuid.UUID
    permissions: tuple[str, ...]
    agent_id: uuid.UUID | None
    is_revoked: bool


class KeyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_hash: bytes) -> KeyRow | None:
        """A valid key, of an enabled agent where it is an agent's."""
        return _maybe(await self._database.row(_SQL["find"], key_hash))

    async def find_by_id(self, tenant_id: uuid.UUID, key_id: uuid.UUID) -> KeyRow | None:
        """The same, for who has shown the key before."""
        return _maybe(await self._database.row(_SQL["find_by_id"], tenant_id, key_id))

    async def insert(self, new: NewKey) -> uuid.UUID | None:
        """Store a key; None when this very key is already there."""
        row = await self._database.row(
            _SQL["insert"],
            uuid.uuid4(),
            new.tenant_id,
            new.name,
            new.prefix,
            new.hash,
            list(new.permissions),
            new.agent_id,
            list(new.groups),
            new.expires_at,
        )
        return None if row is None else row["key_id"]

    async def has_prefix(self, tenant_id: uuid.UUID, prefix: str) -> bool:
        """Whether a key of the tenant begins like this already."""
        row = await self._database.row(_SQL["has_prefix"], tenant_id, prefix)
        return row is not None and bool(row["has"])

    async def list(
        self, tenant_id: uuid.UUID, wanted: KeyFilter, count_max: int
    ) -> Sequence[ListedKey]:
        """Newest first, the revoked ones too."""
        at, key_id = wanted.after or (None, None)
        rows = await self._database.rows(
            _SQL["list"], tenant_id, at, key_id, wanted.is_valid, wanted.name, count_max
        )
        return [_listed(row) for row in rows]

    async def get(self, tenant_id: uuid.UUID, key_id: uuid.UUID) -> ListedKey | None:
        """A key, valid or not."""
        row = await self._database.row(_SQL["get"], tenant_id, key_id)
        return None if row is None else _listed(row)

    async def rotate(
        self,
        tenant_id: uuid.UUID,
        key_id: uuid.UUID,
        key_hash: bytes,
        prefix: str,
        grace_seconds: float,
    ) -> ListedKey | None:
        """Give a valid key another secret; those before it end after `grace_seconds` at the latest.
        None when there is no such key, or it is over."""
        row = await self._database.row(
            _SQL["rotate"], tenant_id, key_id, key_hash, prefix, grace_seconds
        )
        return None if row is None else _listed(row)

    async def revoke(self, tenant_id: uuid.UUID, key_id: uuid.UUID) -> ListedKey | None:
        """End a key for good; a second time changes nothing. None when there is none."""
        row = await self._database.row(_SQL["revoke"], tenant_id, key_id)
        return None if row is None else _listed(row)

    async def owner_of(self, key_hash: bytes) -> KeyOwner | None:
        """Whose key it is, valid or not; a secret that was rotated out counts as revoked."""
        row = await self._database.row(_SQL["owner_of_hash"], key_hash)
        if row is None:
            return None
        return KeyOwner(
            row["tenant_id"],
            tuple(row["permissions"]),
            row["agent_id"],
            row["is_revoked"],
        )

    async def touch(self, key_id: uuid.UUID) -> None:
        """Note that it was used just now."""
        await self._database.row(_SQL["touch"], key_id)

    async def ensure_tenant(self, name: str) -> uuid.UUID:
        """The first tenant, made under `name` when there is none."""
        row = await self._database.row(_SQL["first_tenant"])
        if row is None:
            await self._database.row(_SQL["insert_tenant"], uuid.uuid4(), name)
            row = await self._database.row(_SQL["first_tenant"])
        assert row is not None
        tenant_id: uuid.UUID = row["tenant_id"]
        return tenant_id

    async def ping(self) -> None:
        """Fail with UNAVAILABLE when the database does not answer."""
        await self._database.row(_SQL["alive"])


def _maybe(row: Row | None) -> KeyRow | None:
    if row is None:
        return None
    return KeyRow(
        row["key_id"],
        row["tenant_id"],
        row["name"],
        tuple(row["permissions"]),
        row["agent_id"],
        tuple(row["groups"]),
        row["agent"],
    )


def _listed(row: Row) -> ListedKey:
    return ListedKey(
        row["key_id"],
        row["name"],
        row["key_prefix"],
        tuple(row["permissions"]),
        tuple(row["groups"]),
        row["agent"],
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
        row["last_used_at"],
        row["rotated_at"],
    )
