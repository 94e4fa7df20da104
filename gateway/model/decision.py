"""The answer of the policy engine, and the permit that alone opens the way upstream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


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


class ReasonCode:
    """Reason codes of our own. Policies add theirs; a code is an API and never changes meaning."""

    NO_RULE_MATCHED = "NO_RULE_MATCHED"
    NO_POLICY = "NO_POLICY"
    POLICY_EVALUATION_FAILED = "POLICY_EVALUATION_FAILED"
    AMBIGUOUS_REQUEST = "AMBIGUOUS_REQUEST"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    APPROVAL_PENDING = "APPROVAL_PENDING"
    APPROVAL_DENIED = "APPROVAL_DENIED"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVAL_CANCELLED = "APPROVAL_CANCELLED"
    APPROVAL_ALREADY_USED = "APPROVAL_ALREADY_USED"
    APPROVAL_UNAVAILABLE = "APPROVAL_UNAVAILABLE"
    HOLDS_FULL = "HOLDS_FULL"
    RECORD_UNAVAILABLE = "RECORD_UNAVAILABLE"
    DESTINATION_FORBIDDEN = "DESTINATION_FORBIDDEN"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    GATEWAY_FAULT = "GATEWAY_FAULT"


@dataclass(frozen=True, slots=True)
class RiskFactor:
    """One named addend of the score and the value it was read from, as text."""

    name: str
    points: int
    observed: str


@dataclass(frozen=True, slots=True)
class Risk:
    """0 to 100, the sum of its ordered factors. `vector` is the compact form, scheme first."""

    score: int
    factors: tuple[RiskFactor, ...]
    vector: str


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """Who may answer, how many, and for how long the question stands."""

    groups: tuple[str, ...] = ()
    quorum: int = 1
    timeout_seconds: int = 1800
    witness_required: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Effect and why. `policy` and `rule` are None where no rule decided.

    `unresolved` names the field that a condition could not read, where that made the rule match.
    `revision` is the digest of the policy bundle that decided.
    """

    effect: Effect
    reason_code: str
    message: str
    policy: str | None
    rule: str | None
    risk: Risk
    revision: str
    mode: Mode = Mode.ENFORCE
    terms: ApprovalTerms | None = None
    unresolved: str | None = None

    @property
    def passes(self) -> bool:
        """Whether the request may go upstream without a person: ALLOW, or anything in monitor."""
        return self.effect is Effect.ALLOW or self.mode is Mode.MONITOR


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may depend on beside the actions; recorded, so that it can be replayed.

    `now` is microseconds since the Unix epoch, UTC.
    """

    agent: str
    run: str | None
    now: int
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send one request upstream, once.

    INVARIANT(permit): only `enforce/gate.py` makes one, from a decision that passes or from an
    approval that the database has just consumed; only `Upstream.send` takes one. A test holds both.
    """

    request_id: str
    decision_id: str
    approval_id: str | None = None
