"""Decisions for the explorer, put together from the records that tell of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controlplane.auth import Caller
from controlplane.store.decisions import DecisionRow, DecisionStore
from gateway.model.codec import JsonValue


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One decision and what became of it. `outcome` is None while that is open. Where a request
    had several actions, the first one stands in the flat fields and all are in `actions`.
    `watched` is what rules in monitor mode would have done, `limits` what the counters said. Of one
    that `is_erased` nothing else is left than who, when and with which effect."""

    record_id: int
    decision_id: str
    at: str
    agent: JsonValue
    run_id: JsonValue
    request_id: JsonValue
    provider: JsonValue
    operation: JsonValue
    action: JsonValue
    kind: JsonValue
    target: JsonValue
    params: JsonValue
    actions: JsonValue
    effect: JsonValue
    mode: JsonValue
    policy: JsonValue
    rule: JsonValue
    reason_code: JsonValue
    message: JsonValue
    risk: JsonValue
    unresolved: JsonValue
    watched: JsonValue
    limits: JsonValue
    obligations: JsonValue
    approval_id: str | None
    approval_status: str | None
    outcome: JsonValue
    status: JsonValue
    gateway_id: str
    is_erased: bool = False


class DecisionService:
    def __init__(self, store: DecisionStore) -> None:
        self._store = store

    async def list(
        self,
        caller: Caller,
        agent: str | None,
        effect: str | None,
        before: int | None,
        count_max: int,
    ) -> Sequence[DecisionView]:
        """Newest first."""
        rows = await self._store.list(caller.tenant_id, agent, effect, before, count_max)
        return await self._views(caller, rows)

    async def of_records(self, caller: Caller, record_ids: Sequence[int]) -> Sequence[DecisionView]:
        """The decisions that these records are the first of, newest first."""
        rows = await self._store.of_records(caller.tenant_id, record_ids)
        return await self._views(caller, rows)

    async def _views(self, caller: Caller, rows: Sequence[DecisionRow]) -> Sequence[DecisionView]:
        views = [_view(row) for row in rows]
        unknown = [
            uuid.UUID(view.approval_id)
            for view in views
            if view.approval_id is not None and view.approval_status is None
        ]
        statuses = await self._store.approval_statuses(caller.tenant_id, unknown)
        return [_with_status(view, statuses) for view in views]


def _view(row: DecisionRow) -> DecisionView:
    line = json.loads(row.line)
    outcome = json.loads(row.outcome_line) if row.outcome_line else {}
    sent = json.loads(row.sent_line) if row.sent_line else {}
    actions = line.get("actions") or []
    first = actions[0] if isinstance(actions, list) and actions else {}
    first = first if isinstance(first, dict) else {}
    asked = str(row.approval_id) if row.approval_id else None
    approval_id = _approval_id(outcome) or _approval_id(sent) or _approval_id(line) or asked
    return DecisionView(
        record_id=row.record_id,
        decision_id=str(line.get("decision_id")),
        at=str(line.get("at")),
        agent=line.get("agent"),
        run_id=line.get("run"),
        request_id=line.get("request_id"),
        provider=line.get("provider"),
        operation=first.get("operation"),
        action=first.get("action"),
        kind=first.get("kind"),
        target=first.get("target"),
        params=first.get("params"),
        actions=actions,
        effect=line.get("effect"),
        mode=line.get("mode"),
        policy=line.get("policy"),
        rule=line.get("rule"),
        reason_code=line.get("reason_code"),
        message=line.get("message"),
        risk=line.get("risk"),
        unresolved=line.get("unresolved"),
        watched=line.get("watched") or [],
        limits=line.get("limits") or [],
        obligations=line.get("obligations") or [],
        approval_id=approval_id,
        approval_status=row.approval_status if approval_id == asked else None,
        outcome=outcome.get("outcome"),
        status=outcome.get("status"),
        gateway_id=row.gateway_id,
        is_erased=row.is_erased,
    )


def _approval_id(fields: Mapping[str, Any]) -> str | None:
    """The approval that a record names, if it is the id of one at all."""
    approval = fields.get("approval")
    try:
        return str(uuid.UUID(approval["id"])) if isinstance(approval, dict) else None
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def _with_status(view: DecisionView, statuses: Mapping[str, str]) -> DecisionView:
    if view.approval_id is None or view.approval_status is not None:
        return view
    return replace(view, approval_status=statuses.get(view.approval_id))
