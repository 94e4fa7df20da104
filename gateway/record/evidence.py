"""What a replay of a decision needs beside its actions: what it was decided with, what the counters
of limits said, what was only watched. Pure, and on the hot path.

Only what is there is written, so that the common line stays short. Redaction comes before
everything: what it changed is named in `altered`, so that a replay knows what it can't know.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.action import Action
from gateway.model.codec import JsonValue
from gateway.model.decision import Context, Decision
from gateway.record.redact import redact_params, redact_text

Fields = dict[str, JsonValue]

LIMITS_MAX = 32
"""Limits of one decision that a record spells out."""

WATCHED_MAX = 32
"""Rules in monitor mode that a record spells out."""

ALTERED_MAX = 32
"""Fields that a record names as altered; more are summed up as `params`."""


def context_json(context: Context) -> Fields:
    """What the decision depended on. Agent and run stand in the line already; `now` is
    microseconds since the Unix epoch."""
    fields: Fields = {"now": context.now}
    if context.labels:
        labels = redact_params(context.labels)
        fields["labels"] = labels
        if labels != context.labels:
            fields["altered"] = _changed("labels", context.labels, labels)
    if context.environment:
        fields["environment"] = redact_text(context.environment)
    if context.run_state:
        fields["run_state"] = context.run_state
    return fields


def verdict_json(decision: Decision) -> Fields:
    """What belongs to a decision and most decisions don't have."""
    fields: Fields = {}
    if decision.unresolved is not None:
        fields["unresolved"] = redact_text(decision.unresolved)
    if decision.watched:
        fields["watched"] = [
            {
                "policy": watched.policy,
                "rule": watched.rule,
                "effect": watched.effect,
                "reason_code": watched.reason_code,
            }
            for watched in decision.watched[:WATCHED_MAX]
        ]
    if decision.readings:
        fields["limits"] = _limits(decision)
    if decision.terms is not None or decision.claims:
        fields["obligations"] = list(decision.obligations[:LIMITS_MAX])
    return fields


def _limits(decision: Decision) -> list[JsonValue]:
    return [
        {
            "limit": reading.claim.limit,
            "key": redact_text(reading.claim.key),
            "used": reading.used,
            "amount": reading.claim.amount,
            "max": reading.claim.max,
            "exceeded": reading.is_exceeded,
        }
        for reading in decision.readings[:LIMITS_MAX]
    ]


def altered_fields(action: Action, shown: Mapping[str, JsonValue]) -> list[str]:
    """The fields of an action whose shown form is not what was decided on."""
    params = shown["params"]
    assert isinstance(params, dict)
    altered = [] if params == action.params else _changed("params", action.params, params)
    target = shown["target"]
    assert isinstance(target, dict)
    if target["id"] != action.target.id:
        altered.append("target.id")
    if target["type"] != action.target.type:
        altered.append("target.type")
    if shown["operation"] != action.operation:
        altered.append("operation")
    if shown["action"] != action.action:
        altered.append("action")
    return altered


def _changed(
    prefix: str, before: Mapping[str, object], after: Mapping[str, JsonValue]
) -> list[str]:
    """The entries that differ. Only names that are shown as they are may be named."""
    if before.keys() != after.keys():
        return [prefix]
    names = [name for name, value in before.items() if not _is_same(value, after[name])]
    return [f"{prefix}.{name}" for name in names] if len(names) <= ALTERED_MAX else [prefix]


def _is_same(before: object, after: object) -> bool:
    """Equality that takes a tuple for the list that JSON makes of it."""
    if isinstance(before, Mapping):
        return (
            isinstance(after, Mapping)
            and before.keys() == after.keys()
            and all(_is_same(value, after[key]) for key, value in before.items())
        )
    if isinstance(before, list | tuple):
        return (
            isinstance(after, list)
            and len(before) == len(after)
            and all(map(_is_same, before, after))
        )
    return before == after
