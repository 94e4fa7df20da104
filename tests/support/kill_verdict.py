"""Holds what an upstream wrote down against what gateways recorded and people answered.

Pure: lists in, a verdict out. Each number of a `Verdict` that is not `counted` must be nought.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.effects import Effect

Fields = Mapping[str, Any]

SHOWN_MAX = 20


@dataclass
class Verdict:
    """`counted`: how much there was. `breaches`: by promise, each case that breaks it."""

    counted: dict[str, int] = field(default_factory=dict)
    breaches: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        return not any(self.breaches.values())

    def shown(self) -> list[str]:
        """The first breaches in words."""
        return [f"{name}: {case}" for name, cases in self.breaches.items() for case in cases][
            :SHOWN_MAX
        ]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known after a run. `acts` are the last words that agents read about refunds that
    needed a person, `ok` the tags that were answered with success, `unknown` the decisions that a
    person is asked about."""

    effects: Sequence[Effect]
    records: Sequence[Fields]
    approvals: Sequence[Fields]
    acts: Mapping[str, str]
    ok: Collection[str]
    unknown: Collection[str]
    budget: int


def judge(evidence: Evidence) -> Verdict:
    """Say which promises hold."""
    changes = Counter(effect.tag for effect in evidence.effects if effect.is_change)
    reads = Counter(effect.tag for effect in evidence.effects if not effect.is_change)
    intents = [fields for fields in evidence.records if fields["kind"] == "intent"]
    intended = Counter(tag_of(fields["path"]) for fields in intents)
    consumed = Counter(
        approval["target"]["id"]
        for approval in evidence.approvals
        if approval["status"] == "CONSUMED"
    )
    open_now = _open(intents, evidence.records)
    verdict = Verdict()
    verdict.counted = {
        "changes at the upstream": changes.total(),
        "of them approved by a person": sum(changes[tag] for tag in evidence.acts),
        "of them out of a budget": sum(n for tag, n in changes.items() if tag.startswith("spend")),
        "reads at the upstream": reads.total(),
        "records": len(evidence.records),
        "intents": len(intents),
        "approvals": len(evidence.approvals),
        "intents without outcome, shown to a person": len(open_now),
        # A read is recorded with others that follow, and may be lost with the process.
        "reads that a kill took out of the record": sum(
            max(0, count - intended[tag]) for tag, count in reads.items()
        ),
    }
    verdict.breaches = {
        "effect without an intent record": [
            f"{tag} was done {count} times and recorded {intended[tag]} times"
            for tag, count in changes.items()
            if count > intended[tag]
        ],
        "approved act executed twice": _doubled(changes, consumed, evidence),
        "approval used by two intents": _reused(intents),
        "act sent again by nobody": [
            f"{tag} was done {count} times"
            for tag, count in changes.items()
            if count > 1 and tag not in evidence.acts
        ],
        "approved act lost": [
            f"{tag} was never done; its agent read `{told}`"
            for tag, told in evidence.acts.items()
            if tag.startswith("yes") and not changes[tag]
        ],
        "denied act done": [tag for tag in evidence.acts if tag.startswith("no") and changes[tag]],
        "success told of what was not done": [
            tag for tag in evidence.ok if not changes[tag] and not reads[tag]
        ],
        "budget exceeded": _overspent(evidence.effects, evidence.budget),
        "open intent shown to nobody": sorted(set(open_now) - set(evidence.unknown)),
    }
    return verdict


def tag_of(path: str) -> str:
    """The word that an agent gave its request."""
    parts = path.split("/")
    return parts[3] if len(parts) > 3 else path


def _doubled(
    changes: Mapping[str, int], consumed: Mapping[str, int], evidence: Evidence
) -> list[str]:
    return [
        f"{tag} was done {changes[tag]} times on {consumed[tag]} approvals"
        for tag in evidence.acts
        if changes[tag] > min(consumed[tag], 1)
    ]


def _reused(intents: Iterable[Fields]) -> list[str]:
    used = Counter(
        fields["approval"]["id"]
        for fields in intents
        if fields.get("approval") and fields["approval"].get("id")
    )
    return [f"{approval} {count} times" for approval, count in used.items() if count > 1]


def _overspent(effects: Iterable[Effect], budget: int) -> list[str]:
    spent: Counter[str] = Counter()
    for effect in effects:
        if effect.tag.startswith("spend"):
            spent[effect.tag.partition("x")[0]] += effect.amount
    return [
        f"{spender} spent {total} of {budget}" for spender, total in spent.items() if total > budget
    ]


def _open(intents: Iterable[Fields], records: Iterable[Fields]) -> list[str]:
    """Decisions on changes that have an intent and no outcome."""
    ended = {fields["decision_id"] for fields in records if fields["kind"] == "outcome"}
    changing = (
        fields for fields in intents if any(each["kind"] != "read" for each in fields["actions"])
    )
    return [fields["decision_id"] for fields in changing if fields["decision_id"] not in ended]
