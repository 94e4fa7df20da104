"""A set of policies ready to decide: actions and context in, a `Decision` out.

Immutable, and the same answer for the same input for ever: time, agent and labels come in with
the context. Does no I/O; `loader.load_bundle` makes one from files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.decide.risk import UNREADABLE_RISK
from gateway.decide.rules.engine import Engine
from gateway.decide.rules.index import Verdict
from gateway.decide.rules.policy import Policy, revision_of
from gateway.model.action import Action, Canonical
from gateway.model.decision import Context, Decision, ReasonCode, Risk
from gateway.model.effect import Effect, Mode
from gateway.model.stop import Stop

# Reading a member of an enum costs more than the comparison.
_MONITOR: Final = Mode.MONITOR

_REFUSAL_REASONS: Final[Mapping[str, str]] = {
    "body_too_large": ReasonCode.BODY_TOO_LARGE,
    "mapper_fault": ReasonCode.GATEWAY_FAULT,
}
"""What is refused for another reason than having more than one reading."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Policies with their digest. `revision` changes when, and only when, their meaning may."""

    policies: tuple[Policy, ...]
    revision: str
    _engine: Engine

    @classmethod
    def of(cls, policies: Sequence[Policy]) -> Bundle:
        """Compile checked policies."""
        ordered = tuple(sorted(policies, key=lambda policy: policy.name))
        return cls(ordered, revision_of(ordered), Engine(ordered))

    @classmethod
    def empty(cls) -> Bundle:
        """A bundle that blocks everything, with reason NO_POLICY."""
        return cls.of(())

    def decide(self, actions: tuple[Action, ...], context: Context, mode: Mode) -> Decision:
        """Decide a request. Several actions have the strictest verdict and the highest risk.

        `mode` is the gateway's own: MONITOR lets pass whatever the policies say.
        """
        if len(actions) == 1:
            verdict, standing, unresolved = self._engine.rule_on(actions[0], context)
            kept = standing.monitored if mode is _MONITOR else standing.enforced
            key = (verdict, unresolved)
            decision = kept.get(key)
            if decision is None:
                decision = kept[key] = self._decision(
                    verdict, standing.assessed.risk, unresolved, mode
                )
            return decision
        if not actions:
            return self._block(ReasonCode.NO_RULE_MATCHED, "the request holds no action", mode)
        rulings = [self._engine.rule_on(action, context) for action in actions]
        # `max` keeps the first of equals, so the order of the request breaks ties.
        verdict, _, unresolved = max(rulings, key=lambda ruling: ruling[0].rank)
        risk = max((ruling[1].assessed.risk for ruling in rulings), key=lambda each: each.score)
        return self._decision(verdict, risk, unresolved, mode)

    def _decision(self, verdict: Verdict, risk: Risk, unresolved: str, mode: Mode) -> Decision:
        message = verdict.message
        if unresolved:
            message = f"{message} (`{unresolved}` could not be read)"
        return Decision(
            verdict.effect,
            verdict.reason,
            message,
            verdict.policy,
            verdict.rule,
            risk,
            self.revision,
            mode if mode is Mode.MONITOR else verdict.mode,
            verdict.terms,
            unresolved or None,
        )

    def refuse(self, canonical: Canonical, context: Context) -> Decision:
        """Block what has no meaning, or more than one. In monitor mode too: nobody could say
        what was let pass."""
        assert canonical.refused is not None
        reason = _REFUSAL_REASONS.get(canonical.refused, ReasonCode.AMBIGUOUS_REQUEST)
        detail = canonical.detail or "the request can't be read in exactly one way"
        return self._block(reason, f"{canonical.refused}: {detail}", Mode.ENFORCE)

    def stopped(self, stop: Stop) -> Decision:
        """Block what the kill switch stops. In monitor mode too: somebody pulled it."""
        whose = stop.scope.value if not stop.name else f"{stop.scope.value} `{stop.name}`"
        message = f"{whose} is stopped by {stop.by}: {stop.reason}"
        return self._block(ReasonCode.KILL_SWITCH, message, Mode.ENFORCE)

    def fault(self) -> Decision:
        """Block because the decision itself failed. Always available."""
        return self._block(
            ReasonCode.POLICY_EVALUATION_FAILED, "the policies could not be evaluated", Mode.ENFORCE
        )

    def _block(self, reason: str, message: str, mode: Mode) -> Decision:
        return Decision(
            Effect.BLOCK, reason, message, None, None, UNREADABLE_RISK, self.revision, mode
        )
