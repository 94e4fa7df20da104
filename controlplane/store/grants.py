"""The tables `grants`, `grant_offers` and `grant_uses`: rows as values.

What counts, and when it is enough, is decided by the functions of migration 0011 alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.store.database import Database, Row
from controlplane.store.queries import load_queries
from gateway.model.grant import Claim, GrantState, GrantTerms

_SQL = load_queries("grants")

_STORED_AS = {GrantState.EXPIRED: (GrantState.EXPIRED, GrantState.ACTIVE)}
"""What else a state that is meant may be stored as until the sweeper comes by."""


@dataclass(frozen=True, slots=True)
class GrantedAmount:
    """`used` of `amount_max`; `each_max` bounds every single use."""

    param: str
    currency: str | None
    amount_max: int
    each_max: int | None
    used: int


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A stored grant beside the act of the question that it was given with. `run_id` and
    `target_id` are None where it holds for any; with `is_same_act` it covers repetitions of the
    very same act alone; `state_now` is what its state means at the
    database's present time."""

    grant_seq: int
    grant_id: uuid.UUID
    approval_id: uuid.UUID
    state_now: GrantState
    agent: str
    run_id: str | None
    provider: str
    operation: str
    action: str
    kind: str
    authority: str
    method: str
    policy: str | None
    rule: str | None
    target_type: str
    target_id: str | None
    summary: str
    risk_max: int
    uses_max: int
    uses_count: int
    amount: GrantedAmount | None
    given_by: tuple[str, ...]
    is_same_act: bool
    made_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class GrantUseRow:
    """One use, by an approval of its own; `given_back_at` where that came to nothing."""

    approval_id: uuid.UUID
    amount: int
    used_at: datetime
    given_back_at: datetime | None


async def offer_grant(
    connection: Any,
    tenant_id: uuid.UUID,
    approval_id: uuid.UUID,
    key_id: uuid.UUID,
    terms: GrantTerms,
) -> uuid.UUID | None:
    """Note what somebody offers with their yes, in the transaction of that yes; the grant's id
    where one comes of it."""
    amount = terms.amount
    found: uuid.UUID | None = await connection.fetchval(
        _SQL["offer"],
        tenant_id,
        approval_id,
        key_id,
        terms.seconds,
        terms.uses,
        terms.this_run,
        terms.same_target,
        terms.risk_max,
        None if amount is None else amount.param,
        None if amount is None else amount.currency,
        None if amount is None else amount.amount_max,
        None if amount is None else amount.each_max,
        None if amount is None else amount.first,
        terms.same_act,
        terms.recipients,
    )
    return found


async def is_any_grant(connection: Any, tenant_id: uuid.UUID, agent: str) -> bool:
    """Whether looking for a grant of this agent could find one."""
    return bool(await connection.fetchval(_SQL["is_any"], tenant_id, agent))


async def use_grant(
    connection: Any,
    tenant_id: uuid.UUID,
    approval_id: uuid.UUID,
    claim: Claim,
    usable_seconds: float,
) -> uuid.UUID | None:
    """Answer a question, in the transaction that stored it, by a grant that covers it; that grant's
    id, None where people have to be asked."""
    found: uuid.UUID | None = await connection.fetchval(
        _SQL["use"],
        tenant_id,
        approval_id,
        claim.risk_score,
        list(claim.amounts),
        list(claim.amounts.values()),
        claim.currency,
        claim.recipients,
        usable_seconds,
    )
    return found


class GrantStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_in_force(self, tenant_id: uuid.UUID, agent: str) -> int:
        row = await self._database.row(_SQL["count_in_force"], tenant_id, agent)
        assert row is not None
        return int(row["count"])

    async def get(self, tenant_id: uuid.UUID, grant_id: uuid.UUID) -> GrantRow | None:
        row = await self._database.row(_SQL["get"], tenant_id, grant_id)
        return None if row is None else _row(row)

    async def of_approval(self, tenant_id: uuid.UUID, approval_id: uuid.UUID) -> GrantRow | None:
        """The grant that was given with the yes to this question."""
        row = await self._database.row(_SQL["of_approval"], tenant_id, approval_id)
        return None if row is None else await self.get(tenant_id, row["grant_id"])

    async def list(
        self,
        tenant_id: uuid.UUID,
        status: GrantState | None,
        agent: str | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[GrantRow]:
        """Newest first; `before` is the `grant_seq` of the last one seen."""
        stored = None if status is None else list(_STORED_AS.get(status, (status,)))
        rows = await self._database.rows(
            _SQL["list"], tenant_id, stored, status, agent, before, count_max
        )
        return [_row(row) for row in rows]

    async def uses(
        self, tenant_id: uuid.UUID, grant_id: uuid.UUID, count_max: int
    ) -> Sequence[GrantUseRow]:
        """Newest first, those that were given back too."""
        rows = await self._database.rows(_SQL["uses"], tenant_id, grant_id, count_max)
        return [
            GrantUseRow(row["approval_id"], row["amount"], row["used_at"], row["given_back_at"])
            for row in rows
        ]

    async def revoke(
        self, tenant_id: uuid.UUID, grant_id: uuid.UUID, by: str, key_id: uuid.UUID, reason: str
    ) -> bool:
        """End it, and what it let through that was not sent yet; False where it is over."""
        row = await self._database.row(_SQL["revoke"], tenant_id, grant_id, by, key_id, reason)
        assert row is not None
        return bool(row["is_revoked"])

    async def sweep(self, count_max: int) -> Sequence[uuid.UUID]:
        """Close grants whose time is over; the tenant of each."""
        rows = await self._database.rows(_SQL["sweep"], count_max)
        return [row["tenant_id"] for row in rows]


def _row(row: Row) -> GrantRow:
    return GrantRow(
        row["grant_seq"],
        row["grant_id"],
        row["approval_id"],
        GrantState(row["state_now"]),
        row["agent"],
        row["run_id"] if row["this_run"] else None,
        row["provider"],
        row["operation"],
        row["action"],
        row["kind"],
        row["authority"],
        row["method"],
        row["policy"],
        row["rule"],
        row["target_type"],
        row["target_id"] if row["same_target"] else None,
        row["summary"],
        row["risk_max"],
        row["uses_max"],
        row["uses_count"],
        _amount(row),
        tuple(row["given_by"]),
        row["same_act"],
        row["made_at"],
        row["expires_at"],
        row["ended_at"],
        row["ended_by"],
        row["end_reason"],
    )


def _amount(row: Row) -> GrantedAmount | None:
    if row["amount_param"] is None:
        return None
    return GrantedAmount(
        row["amount_param"],
        row["amount_currency"],
        row["amount_max"],
        row["each_max"],
        row["amount_used"],
    )
