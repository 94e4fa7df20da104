"""The tables `channels` and `channel_people`: where people are reached, and who they are there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import asyncpg

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from gateway.model.codec import JsonValue, canonical_json

_SQL = load_queries("channels")


class ChannelKind(StrEnum):
    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """What a channel is to be. `settings` is public; `secrets` is sealed. `groups` and `severity`
    narrow what is sent; empty and None don't."""

    name: str
    kind: ChannelKind
    settings: Mapping[str, JsonValue]
    secrets: bytes | None = field(repr=False)
    events: tuple[str, ...]
    groups: tuple[str, ...]
    severity: str | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class ChannelRow:
    channel_id: uuid.UUID
    tenant_id: uuid.UUID
    plan: ChannelPlan
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Who is meant by an address of a channel: a key that is valid now."""

    address: str
    key_id: uuid.UUID
    name: str
    groups: frozenset[str]


class ChannelStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, tenant_id: uuid.UUID) -> int:
        row = await self._database.row(_SQL["count"], tenant_id)
        assert row is not None
        return int(row["count"])

    async def insert(
        self, tenant_id: uuid.UUID, channel_id: uuid.UUID, plan: ChannelPlan
    ) -> ChannelRow | None:
        """Add a channel that hears what happens from now on; None when the name is taken."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                _SQL["insert"],
                channel_id,
                tenant_id,
                plan.name,
                plan.kind,
                canonical_json(plan.settings).decode(),
                plan.secrets,
                list(plan.events),
                list(plan.groups),
                plan.severity,
                plan.enabled,
            )
            await connection.execute(_SQL["begin_cursor"], tenant_id)
        return _maybe(row)

    async def update(
        self, tenant_id: uuid.UUID, channel_id: uuid.UUID, plan: ChannelPlan
    ) -> ChannelRow | None:
        """Change all but the kind; None when it is not there or the name is taken."""
        try:
            row = await self._database.row(
                _SQL["update"],
                tenant_id,
                channel_id,
                plan.name,
                canonical_json(plan.settings).decode(),
                plan.secrets,
                list(plan.events),
                list(plan.groups),
                plan.severity,
                plan.enabled,
            )
        except asyncpg.UniqueViolationError:
            return None  # another channel took the name at the same moment
        return _maybe(row)

    async def remove(self, tenant_id: uuid.UUID, channel_id: uuid.UUID) -> ChannelRow | None:
        return _maybe(await self._database.row(_SQL["remove"], tenant_id, channel_id))

    async def get(self, tenant_id: uuid.UUID, channel_id: uuid.UUID) -> ChannelRow | None:
        return _maybe(await self._database.row(_SQL["get"], tenant_id, channel_id))

    async def find(self, channel_id: uuid.UUID) -> ChannelRow | None:
        """A channel of whichever tenant: for callbacks, which bring no key."""
        return _maybe(await self._database.row(_SQL["find"], channel_id))

    async def list(self, tenant_id: uuid.UUID) -> Sequence[ChannelRow]:
        """By name."""
        return [_row(row) for row in await self._database.rows(_SQL["list"], tenant_id)]

    async def people(self, tenant_id: uuid.UUID, channel_id: uuid.UUID) -> Sequence[PersonRow]:
        """Those whose keys are valid now."""
        rows = await self._database.rows(_SQL["people"], tenant_id, channel_id)
        return [
            PersonRow(row["address"], row["key_id"], row["name"], frozenset(row["groups"]))
            for row in rows
        ]

    async def set_people(
        self, tenant_id: uuid.UUID, channel_id: uuid.UUID, people: Mapping[str, uuid.UUID]
    ) -> bool:
        """Say anew who is meant by which address; False, and nothing changes, when a key is not a
        person's of this tenant."""
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(_SQL["forget_people"], tenant_id, channel_id)
            stored = await connection.fetch(
                _SQL["insert_people"], tenant_id, channel_id, list(people), list(people.values())
            )
            if len(stored) != len(people):
                await transaction.rollback()
                return False
            await transaction.commit()
            return True

    async def person_at(
        self, tenant_id: uuid.UUID, channel_id: uuid.UUID, address: str
    ) -> uuid.UUID | None:
        """The key of the person at an address."""
        row = await self._database.row(_SQL["person_at"], tenant_id, channel_id, address)
        return None if row is None else row["key_id"]


def _maybe(row: Row | None) -> ChannelRow | None:
    return None if row is None else _row(row)


def _row(row: Row) -> ChannelRow:
    return ChannelRow(
        row["channel_id"],
        row["tenant_id"],
        ChannelPlan(
            row["name"],
            ChannelKind(row["kind"]),
            json.loads(row["settings"]),
            row["secrets"],
            tuple(row["events"]),
            tuple(row["groups"]),
            row["severity"],
            row["enabled"],
        ),
        row["created_at"],
        row["changed_at"],
    )
