"""The answer of the policy engine, and the permit that alone opens the way upstream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.limit import LimitClaim, LimitReading
from gateway.model.quick import quick


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
    KILL_SWITCH = "KILL_SWITCH"
    APPROVERS_DIFFER = "APPROVERS_DIFFER"
    APPROVAL_TERMS_CHANGED = "APPROVAL_TERMS_CHANGED"
    POLICY_CHANGED = "POLICY_CHANGED"
    WITNESS_HASH_MISMATCH = "WITNESS_HASH_MISMATCH"
    WITNESS_UNAVAILABLE = "WITNESS_UNAVAILABLE"
    BUNDLE_STALE = "BUNDLE_STALE"
    LIMIT_STORE_UNAVAILABLE = "LIMIT_STORE_UNAVAILABLE"


APPROVERS_DIFFER: Final = "this needs approval by groups of people that have nobody in common"
"""The sentence of that reason code."""


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
class Watched:
    """What a rule or policy in monitor mode would have done, where that is not what was done.

    `rule` is None where the policy's default speaks.
    """

    policy: str
    rule: str | None
    effect: Effect
    reason_code: str


# Looking up a member on its enum costs as much as a call in Python 3.11.
_ALLOW, _MONITOR = Effect.ALLOW, Mode.MONITOR


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Effect and why. `policy` and `rule` are None where no rule decided.

    `unresolved` names the field that a condition could not read, where that made the rule match.
    `revision` is the digest of the policy bundle that decided. `claims` are what the action takes
    of limits, to be reserved before it is sent; `readings` what the counters said to them, once
    they were asked. A limit that is exceeded has its id in `rule`.
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
    watched: tuple[Watched, ...] = ()
    claims: tuple[LimitClaim, ...] = ()
    readings: tuple[LimitReading, ...] = ()

    @property
    def obligations(self) -> tuple[str, ...]:
        """What must be done before the request may go upstream, in that order: `approval`,
        `witness`, and `limit:POLICY/ID` for each limit that it counts towards."""
        terms = self.terms
        return (
            *(("approval",) if self.effect is Effect.REQUIRE_APPROVAL else ()),
            *(("witness",) if terms is not None and terms.witness_required else ()),
            *(f"limit:{claim.limit}" for claim in self.claims),
        )

    @property
    def passes(self) -> bool:
        """Whether the request may go upstream without a person: ALLOW, or anything in monitor."""
        return self.effect is _ALLOW or self.mode is _MONITOR


@quick
@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may depend on beside the actions; recorded, so that it can be replayed.

    `now` is microseconds since the Unix epoch, UTC. `labels` are the agent's. `run_state` is a word
    of `RUN_STATES`, "" where there is no run.
    """

    agent: str
    run: str | None
    now: int
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    environment: str = ""
    run_state: str = ""


RUN_STATES = frozenset({"pending", "running", "completed", "failed", "cancelled"})
"""States of a run; a run that nobody registered is `running`."""


@quick
@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send one request upstream, once.

    INVARIANT(permit): only `enforce/gate.py` makes one, from a decision that passes or from an
    approval that the database has just consumed; only `Upstream.send` takes one. A test holds both.
    """

    request_id: str
    decision_id: str
    approval_id: str | None = None
