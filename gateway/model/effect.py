"""What a rule can say, whether it is done or only written down, and on which terms a person is
asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
class ApprovalTerms:
    """Who may answer, how many, and for how long the question stands."""

    groups: tuple[str, ...] = ()
    quorum: int = 1
    timeout_seconds: int = 1800
    witness_required: bool = False

    def satisfies(self, wanted: ApprovalTerms) -> bool:
        """Whether an answer on these terms is one on the wanted terms too. The witness is held
        against the state of the world, not against terms."""
        groups = set(self.groups)
        is_asked_of_them = not wanted.groups or (bool(groups) and groups <= set(wanted.groups))
        return is_asked_of_them and self.quorum >= wanted.quorum

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
        )
