"""The tables `policies`, `policy_versions` and `policy_rules`.

INVARIANT(one-truth): which versions are active is changed only within the transaction that writes
the bundle made of them; those methods take its `connection`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from gateway.model.codec import JsonValue
from gateway.model.policy_version import VersionState

_SQL = load_queries("policies")


@dataclass(frozen=True, slots=True)
class RuleRow:
    rule_id: str
    priority: int
    effect: str
    mode: str
    enabled: bool
    reason_code: str
    message: str
    match: Mapping[str, JsonValue]
    condition: str | None
    target_type: str | None
    target_selector: str | None


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a version says. `scope_id` None stands for the whole tenant."""

    document: str
    digest: str
    scope_type: str
    scope_id: str | None
    mode: str
    default_effect: str
    rules: tuple[RuleRow, ...]


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy as its active version has it, or else its newest: `version` and what follows.
    `revision` is the etag; `draft_version` is its newest draft."""

    policy_seq: int
    policy_id: uuid.UUID
    name: str
    description: str
    revision: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    version: int
    status: VersionState
    scope_type: str
    scope_id: str | None
    mode: str
    default_effect: str
    newest_version: int
    draft_version: int | None


@dataclass(frozen=True, slots=True)
class VersionRow:
    """`document` is None in lists."""

    version: int
    status: VersionState
    digest: str
    scope_type: str
    scope_id: str | None
    mode: str
    default_effect: str
    comment: str | None
    created_by: str
    created_at: datetime
    activated_by: str | None
    activated_at: datetime | None
    archived_by: str | None
    archived_at: datetime | None
    document: str | None


@dataclass(frozen=True, slots=True)
class ActiveRow:
    """A version that is in force."""

    policy_id: uuid.UUID
    name: str
    version: int
    digest: str
    document: str


@dataclass(frozen=True, slots=True)
class PolicyFilter:
    status: VersionState | None = None
    name: str | None = None
    scope_type: str | None = None
    scope_id: str | None = None


class PolicyStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    # --- within a transaction ---------------------------------------------------------------------

    async def create_within(
        self, connection: Any, tenant_id: uuid.UUID, name: str, description: str, author: str
    ) -> uuid.UUID | None:
        """A policy without a version yet; None when the name is taken."""
        found: uuid.UUID | None = await connection.fetchval(
            _SQL["insert"], uuid.uuid4(), tenant_id, name, description, author
        )
        return found

    async def find_within(
        self, connection: Any, tenant_id: uuid.UUID, name: str
    ) -> uuid.UUID | None:
        found: uuid.UUID | None = await connection.fetchval(_SQL["find_by_name"], tenant_id, name)
        return found

    async def touch_within(
        self, connection: Any, tenant_id: uuid.UUID, policy_id: uuid.UUID, revision: int | None
    ) -> bool:
        """Give the policy its next etag, and hold its row; False where `revision` is not its
        present one, or there is no such policy."""
        return (
            await connection.fetchval(_SQL["touch"], tenant_id, policy_id, revision)
        ) is not None

    async def add_version_within(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        policy_id: uuid.UUID,
        new: NewVersion,
        comment: str | None,
        author: str,
        count_max: int,
    ) -> int | None:
        """The number of a new draft; None where the policy has so many versions."""
        number: int | None = await connection.fetchval(
            _SQL["insert_version"], tenant_id, policy_id, new.document, new.digest, new.scope_type,
            new.scope_id, new.mode, new.default_effect, comment, author, count_max,
        )  # fmt: skip
        if number is None:
            return None
        rules = new.rules
        await connection.execute(
            _SQL["insert_rules"], tenant_id, policy_id, number,
            [rule.rule_id for rule in rules],
            [rule.priority for rule in rules],
            [rule.effect for rule in rules],
            [rule.mode for rule in rules],
            [rule.enabled for rule in rules],
            [rule.reason_code for rule in rules],
            [rule.message for rule in rules],
            [json.dumps(rule.match) for rule in rules],
            [rule.condition for rule in rules],
            [rule.target_type for rule in rules],
            [rule.target_selector for rule in rules],
        )  # fmt: skip
        return number

    async def archive_active_within(
        self, connection: Any, tenant_id: uuid.UUID, policy_id: uuid.UUID, by: str
    ) -> int | None:
        """The number of the version that was active; None when none was."""
        number: int | None = await connection.fetchval(
            _SQL["archive_active"], tenant_id, policy_id, by
        )
        return number

    async def activate_within(
        self, connection: Any, tenant_id: uuid.UUID, policy_id: uuid.UUID, version: int, by: str
    ) -> bool:
        """Make a draft the active version; False when it is no draft."""
        return (
            await connection.fetchval(_SQL["activate"], tenant_id, policy_id, version, by)
        ) is not None

    async def active_within(self, connection: Any, tenant_id: uuid.UUID) -> Sequence[ActiveRow]:
        return [_active(row) for row in await connection.fetch(_SQL["active"], tenant_id)]

    # --- reading ----------------------------------------------------------------------------------

    async def count(self, tenant_id: uuid.UUID) -> int:
        row = await self._database.row(_SQL["count"], tenant_id)
        assert row is not None
        return int(row["count"])

    async def active(self, tenant_id: uuid.UUID) -> Sequence[ActiveRow]:
        """Every version in force, by name."""
        return [_active(row) for row in await self._database.rows(_SQL["active"], tenant_id)]

    async def get(self, tenant_id: uuid.UUID, policy_id: uuid.UUID) -> PolicyRow | None:
        row = await self._database.row(_SQL["get"], tenant_id, policy_id)
        return None if row is None else _policy(row)

    async def list(
        self, tenant_id: uuid.UUID, wanted: PolicyFilter, before: int | None, count_max: int
    ) -> Sequence[PolicyRow]:
        """Newest first; `before` is the `policy_seq` of the last one seen."""
        status = None if wanted.status is None else wanted.status.value
        rows = await self._database.rows(
            _SQL["list"], tenant_id, before, status, wanted.name, wanted.scope_type,
            wanted.scope_id, count_max,
        )  # fmt: skip
        return [_policy(row) for row in rows]

    async def versions(
        self, tenant_id: uuid.UUID, policy_id: uuid.UUID, before: int | None, count_max: int
    ) -> Sequence[VersionRow]:
        """Newest first, without their documents."""
        rows = await self._database.rows(_SQL["versions"], tenant_id, policy_id, before, count_max)
        return [_version(row) for row in rows]

    async def version(
        self, tenant_id: uuid.UUID, policy_id: uuid.UUID, version: int
    ) -> VersionRow | None:
        row = await self._database.row(_SQL["version"], tenant_id, policy_id, version)
        return None if row is None else _version(row)

    async def rules(
        self, tenant_id: uuid.UUID, policy_id: uuid.UUID, version: int
    ) -> Sequence[RuleRow]:
        rows = await self._database.rows(_SQL["rules"], tenant_id, policy_id, version)
        return [RuleRow(**{**row, "match": json.loads(row["match"])}) for row in rows]

    async def recent_decisions(
        self, tenant_id: uuid.UUID, before: int | None, count_max: int
    ) -> Sequence[tuple[int, str]]:
        """Record ids and lines of decisions, newest first, below a record's id."""
        rows = await self._database.rows(_SQL["recent_decisions"], tenant_id, before, count_max)
        return [(row["record_id"], row["line"]) for row in rows]


def _active(row: Row) -> ActiveRow:
    return ActiveRow(**row)


def _policy(row: Row) -> PolicyRow:
    return PolicyRow(**{**row, "status": VersionState(row["status"])})


def _version(row: Row) -> VersionRow:
    return VersionRow(**{**row, "status": VersionState(row["status"])})
