"""Decides recorded decisions again by other policies, and tells what would have changed.

Time, labels and the readings of counters are those of the record, so the answer is the one that
would have been given then. What can't be decided exactly is counted apart. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from typing import Final

from gateway.authoring.policies.questions import InputError
from gateway.authoring.policies.replay.recorded import (
    NOT_BY_POLICY,
    Reads,
    Recorded,
    parse_recorded,
)
from gateway.authoring.policies.verdicts import Direction, Verdict, direction_of, verdict_of
from gateway.decide.bundle import Bundle
from gateway.decide.limits.verdict import with_readings
from gateway.model.dataclass import dataclass
from gateway.model.decision import Decision
from gateway.model.effect import Mode
from gateway.model.limit import LimitReading
from gateway.record.redact import redact_text

EXAMPLES_MAX: Final = 3
"""Decisions shown of each group of changes."""

GROUPS_MAX: Final = 10_000
"""Groups of changes; names of actions may come from agents. What is beyond is one group."""

BEYOND: Final = "(others)"


@dataclass(frozen=True, slots=True)
class Group:
    """Changes that are alike."""

    action: str
    before: Verdict
    after: Verdict

    @property
    def direction(self) -> Direction:
        return direction_of(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Example:
    """One decision of a group."""

    decision_id: str
    at: str
    agent: str
    target: str


@dataclass(slots=True)
class Tally:
    """What a replay found so far. Tallies of parts can be added."""

    lines: int = 0
    decisions: int = 0
    unreadable: int = 0
    not_by_policy: int = 0
    inexact: Counter[str] = field(default_factory=Counter)
    inexact_changed: int = 0
    matrix: Counter[tuple[str, str]] = field(default_factory=Counter)
    groups: Counter[Group] = field(default_factory=Counter)
    examples: dict[Group, list[Example]] = field(default_factory=dict)
    examples_max: int = EXAMPLES_MAX

    @property
    def exact(self) -> int:
        return sum(self.matrix.values())

    @property
    def changed(self) -> int:
        """Decisions with another effect, among those that are exact."""
        return sum(count for (before, after), count in self.matrix.items() if before != after)

    def count(self, direction: Direction) -> int:
        return sum(n for group, n in self.groups.items() if group.direction is direction)

    def add(self, other: Tally) -> None:
        self.lines += other.lines
        self.decisions += other.decisions
        self.unreadable += other.unreadable
        self.not_by_policy += other.not_by_policy
        self.inexact.update(other.inexact)
        self.inexact_changed += other.inexact_changed
        self.matrix.update(other.matrix)
        for group, count in other.groups.items():
            self._add_group(group, count, other.examples.get(group, []))

    def note(self, group: Group, recorded: Recorded) -> None:
        """Count one change."""
        known = self.examples.get(group)
        is_full = known is not None and len(known) >= self.examples_max
        example = [] if is_full else [_example(recorded)]
        self._add_group(group, 1, example)

    def _add_group(self, group: Group, count: int, examples: Iterable[Example]) -> None:
        if group not in self.groups and len(self.groups) >= GROUPS_MAX:
            group = Group(BEYOND, group.before, group.after)
        self.groups[group] += count
        kept = self.examples.setdefault(group, [])
        kept.extend(list(examples)[: self.examples_max - len(kept)])


def _example(recorded: Recorded) -> Example:
    question = recorded.question
    actions = question.canonical.actions
    target = f"{actions[0].target.type} {actions[0].target.id}".strip() if actions else ""
    return Example(recorded.decision_id, recorded.at, question.context.agent, target)


class Replay:
    """Decides lines of a record again. `baseline` stands for the policies of then; without it the
    recorded decisions themselves do."""

    def __init__(self, candidate: Bundle, baseline: Bundle | None = None) -> None:
        self._candidate = candidate
        self._baseline = baseline
        self._reads = [Reads(bundle) for bundle in (candidate, baseline) if bundle is not None]
        self.tally = Tally()

    def take(self, line: bytes) -> None:
        """Take the next line. Never raises for what it holds."""
        tally = self.tally
        tally.lines += 1
        try:
            recorded = parse_recorded(line)
        except InputError:
            tally.unreadable += 1
            return
        if recorded is None:
            return
        tally.decisions += 1
        if recorded.reason_code in NOT_BY_POLICY:
            tally.not_by_policy += 1
            return
        after, doubts = _decide(self._candidate, recorded)
        before = verdict_of(recorded)
        if self._baseline is not None:
            before, more_doubts = _decide(self._baseline, recorded)
            doubts = doubts or more_doubts
        if any(reads.misses(recorded.altered) for reads in self._reads):
            doubts = ", ".join(sorted(recorded.altered))
        is_change = (before.effect, before.is_watched) != (after.effect, after.is_watched)
        if doubts:
            self._count_inexact(doubts)
            tally.inexact_changed += is_change
            return
        tally.matrix[before.done, after.done] += 1
        if is_change or before.speaker != after.speaker:
            tally.note(Group(recorded.action, before, after), recorded)

    def _count_inexact(self, doubts: str) -> None:
        kinds = self.tally.inexact
        kinds[doubts if doubts in kinds or len(kinds) < GROUPS_MAX else BEYOND] += 1


def _decide(bundle: Bundle, recorded: Recorded) -> tuple[Verdict, str]:
    """The verdict, and what makes it uncertain."""
    decision = recorded.question.decide(bundle, Mode.ENFORCE)
    doubts = ""
    if decision.claims:
        decision, doubts = _with_recorded_readings(decision, recorded)
    return verdict_of(decision), doubts


def _with_recorded_readings(decision: Decision, recorded: Recorded) -> tuple[Decision, str]:
    """What the counters held then makes of a decision; a counter that nobody kept is a doubt."""
    readings = []
    unknown = ""
    for claim in decision.claims:
        used = recorded.used.get((claim.limit, redact_text(claim.key)))
        if used is None:
            unknown = "limits without a reading"
            used = 0
        readings.append(LimitReading(claim, used, claim.exceeds(used)))
    return with_readings(decision, readings), unknown
