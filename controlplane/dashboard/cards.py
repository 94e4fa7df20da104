"""An approval as its card shows it: JSON texts read, what an answer does put into words. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from controlplane.dashboard.wording import shown
from controlplane.store.approvals import ApprovalRow
from gateway.model.approval import ApprovalState

FIELDS_MAX: Final = 100
"""Of params and witness; the record has all of them."""


@dataclass(frozen=True, slots=True)
class Card:
    """`values` are the params as JSON; `params`, `witness` and `headers` pair a field with its
    value as text; `body` is the whole redacted one as JSON, None where it can't be shown.
    `total_seconds` is what `seconds_left` counts down from."""

    row: ApprovalRow
    title: str
    params: Sequence[tuple[str, str]]
    values: Mapping[str, Any]
    score: int | None
    factors: Sequence[Mapping[str, Any]]
    witness: Sequence[tuple[str, str]]
    headers: Sequence[tuple[str, str]]
    body: object
    body_bytes: int
    seconds_left: float
    total_seconds: float
    consequence: str

    @property
    def is_open(self) -> bool:
        return self.row.status_now is ApprovalState.PENDING


def make_card(row: ApprovalRow, now: datetime) -> Card:
    asked = row.question
    params, risk, raw = _read(asked.params), _read(asked.risk), _read(asked.request)
    headers, body_bytes = raw.get("headers"), raw.get("bodyBytes")
    factors = risk.get("factors")
    score = risk.get("score")
    host = asked.authority.removesuffix(":443")
    return Card(
        row=row,
        title=title_of(asked.summary or asked.action.replace("_", " ")),
        params=_pairs(params),
        values=params,
        score=score if isinstance(score, int) else None,
        factors=[one for one in factors if isinstance(one, dict)]
        if isinstance(factors, list)
        else [],
        witness=_pairs(_read(asked.witness_state)),
        headers=_pairs(headers) if isinstance(headers, dict) else [],
        body=raw.get("body"),
        body_bytes=body_bytes if isinstance(body_bytes, int) else 0,
        seconds_left=max(0.0, (row.expires_at - now).total_seconds()),
        total_seconds=max(1.0, _total(row).total_seconds()),
        consequence=f"sends this one request to {host}"
        if host
        else "lets this one request through",
    )


def title_of(summary: str) -> str:
    """A sentence of its own: `refund 90.00 USD of charge ch_1` with its first letter large."""
    return summary[:1].upper() + summary[1:]


def _total(row: ApprovalRow) -> timedelta:
    return timedelta(seconds=row.question.timeout_seconds)


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, shown(value)) for name, value in list(values.items())[:FIELDS_MAX]]


def _read(text: str | None) -> dict[str, Any]:
    """A JSON object; empty for anything else."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
