"""The tables `mail_links` and `callbacks_seen`: what may come back from a channel, and has."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from controlplane.store.database import Database
from controlplane.store.queries import load_queries

_SQL = load_queries("callbacks")


@dataclass(frozen=True, slots=True)
class MailLink:
    """Whom a mailed link lets answer what. `is_open`: neither used nor over."""

    tenant_id: uuid.UUID
    channel_id: uuid.UUID
    approval_id: uuid.UUID
    key_id: uuid.UUID
    is_open: bool


class CallbackStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert_link(self, link_hash: bytes, link: MailLink, expires_at: datetime) -> None:
        await self._database.rows(
            _SQL["insert_link"],
            link_hash,
            link.tenant_id,
            link.channel_id,
            link.approval_id,
            link.key_id,
            expires_at,
        )

    async def link(self, link_hash: bytes) -> MailLink | None:
        row = await self._database.row(_SQL["link"], link_hash)
        if row is None:
            return None
        return MailLink(
            row["tenant_id"],
            row["channel_id"],
            row["approval_id"],
            row["key_id"],
            row["used_at"] is None and not row["is_over"],
        )

    async def use_link(self, link_hash: bytes) -> bool:
        """Use it up; False when it was used or is over."""
        return await self._database.row(_SQL["use_link"], link_hash) is not None

    async def give_back_link(self, link_hash: bytes) -> None:
        """Make a link usable again whose answer did not count."""
        await self._database.rows(_SQL["give_back_link"], link_hash)

    async def see(self, tenant_id: uuid.UUID, channel_id: uuid.UUID, signature: str) -> bool:
        """Remember a callback; False when it came before."""
        row = await self._database.row(_SQL["see"], channel_id, tenant_id, signature)
        return row is not None

    async def forget(self, seen_seconds: float, link_days: int, count_max: int) -> None:
        """Delete what would be refused anyway."""
        await self._database.rows(_SQL["forget_callbacks"], seen_seconds)
        await self._database.rows(_SQL["forget_links"], link_days, count_max)
