"""A set of policies ready to decide: actions and context in, a `Decision` out.

Immutable, and the same answer for the same input for ever: time, agent and labels come in with
the context. Does no I/O; `loader.load_bundle` makes one from files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.baseline import Baseline
from gateway.decide.organisation import Organisation
from gateway.decide.risk.model import UNREADABLE_RISK, RiskModel
from gateway.decide.rules.budget import BudgetIndex
from gateway.decide.rules.engine import Engine
from gateway.decide.rules.index import Verdict, join_verdicts
from gateway.decide.rules.policy import Policy, revision_of
from gateway.model.action import Action, Canonical
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context, Decision, ReasonCode, Risk, Watched
from gateway.model.effect import Effect, Mode
from gateway.model.stop import Stop

# Reading a member of an enum costs more than the comparison.
_MONITOR: Final = Mode.MONITOR
_BLOCK: Final = Effect.BLOCK

WATCHED_NOTED_MAX: Final = 32
"""Of one decision: a record has room for so many, and a person for fewer."""

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
    risks: RiskModel
    _engine: Engine
    _budgets: BudgetIndex | None

    @classmethod
    def of(
        cls,
        policies: Sequence[Policy],
        organisation: Organisation | None = None,
        baseline: Baseline | None = None,
    ) -> Bundle:
        """Compile checked policies."""
        ordered = tuple(sorted(policies, key=lambda policy: policy.name))
        budgets = BudgetIndex(ordered)
        risks = RiskModel(organisation, baseline)
        revision = revision_of(ordered, organisation, baseline)
        return cls(ordered, revision, risks, Engine(ordered, risks), budgets or None)

    @classmethod
    def empty(cls) -> Bundle:
        """A bundle that blocks everything, with reason NO_POLICY."""
        return cls.of(())

    def decide(self, actions: tuple[Action, ...], context: Context, mode: Mode) -> Decision:
        """Decide a request. Several actions have the strictest verdict and the highest risk.

        `mode` is the gateway's own: MONITOR lets pass whatever the policies say.
        """
        if len(actions) == 1:
            verdict, standing, unresolved, watched = self._engine.rule_on(actions[0], context)
            kept = standing.monitored if mode is _MONITOR else standing.enforced
            key = (verdict, unresolved) if unresolved else verdict
            decision = kept.get(key)
            if decision is None:
                decision = kept[key] = self._decision(
                    verdict, standing.assessed.risk, unresolved, mode
                )
            if watched:
                decision = replace(decision, watched=_noted(watched, verdict))
            if self._budgets is None:
                return decision
            return self._claiming(decision, actions, context, (standing.assessed,), mode)
        if not actions:
            return self._block(ReasonCode.NO_RULE_MATCHED, "the request holds no action", mode)
        count = len(actions)
        rulings = [self._engine.rule_on(action, context, count) for action in actions]
        # `max` keeps the first of equals, so the order of the request breaks ties.
        verdict, _, unresolved, _ = max(rulings, key=lambda ruling: ruling[0].strictness)
        if verdict.effect is Effect.REQUIRE_APPROVAL:
            asking = [ruling[0] for ruling in rulings if ruling[0].terms is not None]
            verdict = _asking_all(asking)
        risk = max((ruling[1].assessed.risk for ruling in rulings), key=lambda each: each.score)
        decision = self._decision(verdict, risk, unresolved, mode)
        watched = tuple(each for ruling in rulings for each in ruling[3])
        if watched:
            decision = replace(decision, watched=_noted(watched, verdict))
        assessments = [ruling[1].assessed for ruling in rulings]
        return self._claiming(decision, actions, context, assessments, mode)

    def _claiming(
        self,
        decision: Decision,
        actions: tuple[Action, ...],
        context: Context,
        assessments: Sequence[Assessment],
        mode: Mode,
    ) -> Decision:
        """A decision with what its request takes of limits. What is blocked takes nothing."""
        if self._budgets is None or (decision.effect is _BLOCK and decision.mode is not _MONITOR):
            return decision
        claims = self._budgets.claims(actions, context, assessments, mode)
        return replace(decision, claims=claims) if claims else decision

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

    def refuse(self, canonical: Canonical) -> Decision:
        """Block what has no meaning, or more than one. In monitor mode too: nobody could say
        what was let pass."""
        assert canonical.refused is not None
        reason = _REFUSAL_REASONS.get(canonical.refused, ReasonCode.AMBIGUOUS_REQUEST)
        detail = canonical.detail or "the request can't be read in exactly one way"
        return self._block(reason, f"{canonical.refused}: {detail}", Mode.ENFORCE)

    def stopped(self, stop: Stop) -> Decision:
        """Block what the kill switch stops. In monitor mode too: somebody pulled it."""
        return self._block(ReasonCode.KILL_SWITCH, stop.message, Mode.ENFORCE)

    def fault(self) -> Decision:
        """Block because the decision itself failed. Always available."""
        return self._block(
            ReasonCode.POLICY_EVALUATION_FAILED, "the policies could not be evaluated", Mode.ENFORCE
        )

    def _block(self, reason: str, message: str, mode: Mode) -> Decision:
        return Decision(
            Effect.BLOCK, reason, message, None, None, UNREADABLE_RISK, self.revision, mode
        )


def _asking_all(verdicts: Sequence[Verdict]) -> Verdict:
    """The first of those that ask a person, on terms that are enough for all of them."""
    joined = verdicts[0]
    for verdict in verdicts[1:]:
        if joined.terms is not None:
            joined = join_verdicts(joined, verdict)
    return joined


def _noted(watched: Sequence[Verdict], done: Verdict) -> tuple[Watched, ...]:
    """What monitor mode said that is not what is done, each once, the strictest first."""
    others = dict.fromkeys(
        Watched(verdict.policy or "", verdict.rule, verdict.effect, verdict.reason)
        for verdict in watched
        if verdict.effect is not done.effect
    )
    ordered = sorted(others, key=lambda each: -each.effect.strictness)
    return tuple(ordered[:WATCHED_NOTED_MAX])
