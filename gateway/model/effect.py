"""What a rule can say, whether it is done or only written down, and on which terms a person is
asked."""

from __future__ import annotations

from enum import StrEnum

from gateway.model.dataclass import dataclass


class Effect(StrEnum):
    ALLOW = "ALLOW"
    BLOCK = "BLOCK"
    REQUIRE_APPROVAL = "REQUIRE_APPROVAL"

    @property
    def strictness(self) -> int:
        """Order in which effects win where several apply: BLOCK over REQUIRE_APPROVAL over
        ALLOW."""
        return _STRICTNESS[self]


_STRICTNESS = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.BLOCK: 2}


class Mode(StrEnum):
    """MONITOR decides and records what would have happened, and lets the request pass."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


@dataclass(frozen=True, slots=True)
class Escalation:
    """The groups that a question is put to as well when nobody answers: so long after it was asked,
    or as soon as a person says so. None: only when a person says so."""

    groups: tuple[str, ...]
    after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """Who may answer, how many, in which words, and for how long the question stands. No groups:
    whoever answers approvals. `requester_labels` are the agent's labels that name the people who
    ask through it, and can't approve."""

    groups: tuple[str, ...] = ()
    quorum: int = 1
    timeout_seconds: int = 1800
    witness_required: bool = False
    comment_required: bool = False
    escalation: Escalation | None = None
    requester_labels: tuple[str, ...] = ()

    def satisfies(self, wanted: ApprovalTerms) -> bool:
        """Whether an answer on these terms is one on the wanted terms too. The witness is held
        against the state of the world, not against terms."""
        groups = set(self.groups)
        is_asked_of_them = not wanted.groups or (bool(groups) and groups <= set(wanted.groups))
        return (
            is_asked_of_them
            and self._escalates_within(wanted)
            and self.quorum >= wanted.quorum
            and self.comment_required >= wanted.comment_required
            and set(self.requester_labels) >= set(wanted.requester_labels)
        )

    def joined(self, other: ApprovalTerms) -> ApprovalTerms | None:
        """Terms on which an answer is one on both; None where the groups of both have nothing in
        common, so that no question could be put."""
        if self == other:
            return self
        groups = self.groups or other.groups
        if self.groups and other.groups:
            groups = tuple(group for group in self.groups if group in other.groups)
            if not groups:
                return None
        return ApprovalTerms(
            groups,
            max(self.quorum, other.quorum),
            min(self.timeout_seconds, other.timeout_seconds),
            self.witness_required or other.witness_required,
            self.comment_required or other.comment_required,
            self._joined_escalation(other, groups),
            tuple(sorted({*self.requester_labels, *other.requester_labels})),
        )

    def _escalates_within(self, wanted: ApprovalTerms) -> bool:
        """Whether nobody comes to answer whom the wanted terms don't ask by then."""
        if self.escalation is None or not wanted.groups:
            return True
        late = set(self.escalation.groups) - set(wanted.groups)
        if not late or wanted.escalation is None or not late <= set(wanted.escalation.groups):
            return not late
        mine, theirs = self.escalation.after_seconds, wanted.escalation.after_seconds
        return mine is None or (theirs is not None and mine >= theirs)

    def _joined_escalation(
        self, other: ApprovalTerms, groups: tuple[str, ...]
    ) -> Escalation | None:
        """To whom both let a question go in the end, once the later of them does."""
        sides = [side for side in (self, other) if side.groups]
        named = [_asked_at_last(side) for side in sides or (self, other)]
        to = set.intersection(*named) if sides else set.union(*named)
        to -= set(groups)
        if not to:
            return None
        times = [side.escalation.after_seconds for side in (self, other) if side.escalation]
        known = [time for time in times if time is not None]
        return Escalation(tuple(sorted(to)), max(known) if len(known) == len(times) else None)


def _asked_at_last(terms: ApprovalTerms) -> set[str]:
    """The groups that may answer in the end, of terms that name any."""
    return {*terms.groups, *(terms.escalation.groups if terms.escalation else ())}
