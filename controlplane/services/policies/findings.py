"""What trying a policy found, in the control plane's own values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.authoring.policies.cases import Report
    from gateway.authoring.policies.lint.rules import LintWarning
    from gateway.authoring.policies.replay.tally import Tally

EXAMPLES_MAX = 100


@dataclass(frozen=True, slots=True)
class Warned:
    """What loads and can't be meant. `rule` is None where it is about the policy."""

    finding: str
    rule: str | None
    line: int
    column: int
    message: str
    help: str


@dataclass(frozen=True, slots=True)
class FailedCase:
    """`wrong` says field by field what came and what was expected."""

    name: str
    line: int
    wrong: Sequence[str]


@dataclass(frozen=True, slots=True)
class Tried:
    """`untried` are the rules and limits that no case brings to speak, of `rules` in all."""

    cases: int
    failed: Sequence[FailedCase]
    rules: int
    untried: Sequence[str]


@dataclass(frozen=True, slots=True)
class Move:
    """How many decisions were `before` and become `after`; a `(monitor)` behind an effect is one
    that is only watched."""

    before: str
    after: str
    count: int

    @property
    def is_change(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Example:
    """A decision that becomes another one, and by which rule it was and would be."""

    decision_id: str
    at: str
    agent: str
    action: str
    target: str
    direction: str
    before: str
    before_by: str
    after: str
    after_by: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Of the decisions that were looked at: those that can be decided again exactly, what becomes
    of them, and those that can't, by what their records do not show."""

    decisions: int
    exact: int
    changed: int
    looser: int
    tighter: int
    moves: Sequence[Move]
    examples: Sequence[Example]
    not_by_policy: int
    unreadable: int
    inexact: int
    inexact_changed: int
    inexact_because: Sequence[tuple[str, int]]


BECAUSE_SHOWN_MAX = 20


def warned_of(warnings: Sequence[LintWarning]) -> list[Warned]:
    return [
        Warned(one.finding.value, one.rule, one.place.line, one.place.column, one.message, one.help)
        for one in warnings
    ]


def tried_of(report: Report) -> Tried:
    failed = [FailedCase(one.name, one.line, one.wrong) for one in report.results if not one.holds]
    untried = [one.name for one in report.untried]
    return Tried(len(report.results), failed, report.speakers, untried)


def changes_of(tally: Tally) -> Changes:
    from gateway.authoring.policies.verdicts import Direction

    return Changes(
        tally.decisions,
        tally.exact,
        tally.changed,
        tally.count(Direction.LOOSER),
        tally.count(Direction.TIGHTER),
        [Move(before, after, count) for (before, after), count in tally.matrix.most_common()],
        _examples(tally),
        tally.not_by_policy,
        tally.unreadable,
        sum(tally.inexact.values()),
        tally.inexact_changed,
        tally.inexact.most_common(BECAUSE_SHOWN_MAX),
    )


def _examples(tally: Tally) -> list[Example]:
    """What lets more pass first."""
    from gateway.authoring.policies.verdicts import Direction

    order = (Direction.LOOSER, Direction.TIGHTER, Direction.SAME)
    groups = sorted(tally.examples, key=lambda group: order.index(group.direction))
    found = [
        Example(
            one.decision_id,
            one.at,
            one.agent,
            group.action,
            one.target,
            group.direction.value,
            group.before.done,
            group.before.speaker,
            group.after.done,
            group.after.speaker,
        )
        for group in groups
        if group.before.done != group.after.done
        for one in tally.examples[group]
    ]
    return found[:EXAMPLES_MAX]
