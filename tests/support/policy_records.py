"""Makes the record lines that a gateway would have written for decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.decide.bundle import Bundle
from gateway.decide.limits.verdict import with_readings
from gateway.model.action import Action, Canonical
from gateway.model.decision import Context, Decision
from gateway.model.effect import Mode
from gateway.model.limit import LimitReading
from gateway.model.record import DecisionEntry
from gateway.record.chain import ZERO_HASH, seal
from gateway.record.line import fields_of
from tests.support.entries import an_exchange


def decided(
    bundle: Bundle, actions: tuple[Action, ...], context: Context, used: Mapping[str, int]
) -> Decision:
    """The decision with readings of counters: `used` by the limit's whole name."""
    decision = bundle.decide(actions, context, Mode.ENFORCE)
    readings = [
        LimitReading(claim, used[claim.limit], used[claim.limit] + (claim.amount or 0) > claim.max)
        for claim in decision.claims
    ]
    return with_readings(decision, readings) if readings else decision


def record_fields(
    bundle: Bundle,
    actions: Action | tuple[Action, ...],
    context: Context,
    *,
    used: Mapping[str, int] | None = None,
    decision_id: str = "dec_1",
    refused: str | None = None,
) -> dict[str, Any]:
    """The fields of the line of one decision."""
    given = (actions,) if isinstance(actions, Action) else actions
    provider = given[0].provider if given else "unknown"
    canonical = Canonical(() if refused else given, provider, "problem", refused)
    decision = bundle.refuse(canonical) if refused else decided(bundle, given, context, used or {})
    exchange = an_exchange(agent=context.agent)
    entry = DecisionEntry(
        context.now, decision_id, exchange, canonical, context, decision, decision.passes, "b" * 64
    )
    fields: dict[str, Any] = fields_of(entry)
    fields["run"] = context.run
    return fields


def sealed(entries: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Lines of one gateway's chain, without their newlines."""
    lines, prev = [], ZERO_HASH
    for seq, fields in enumerate(entries, 1):
        line = seal(fields, "gw_a", seq, prev)
        lines.append(line.line)
        prev = line.hash
    return lines
