"""Decides actions by indexed rules: action and context in, verdict and risk out.

The lowest priority number that matches decides within a policy; across policies and across the
actions of one request the strictest verdict does. INVARIANT(unresolved): a condition that can't
be evaluated makes a BLOCK or REQUIRE_APPROVAL rule match and an ALLOW rule not match.

Everything an agent can name (operations, target types) lands in caches of bounded size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.decide.index import (
    RANK_MAX,
    PolicyIndex,
    Section,
    Verdict,
    no_policy_verdict,
)
from gateway.decide.policy import Policy
from gateway.decide.risk import Profile
from gateway.model.action import Action
from gateway.model.decision import Context, Effect, Risk

OPERATIONS_CACHED_MAX: Final = 4_096
"""Operations whose rules are kept gathered, for each set of policies. Names of operations may come
from agents (tools of an MCP server): the oldest entry makes room. One takes about 2 KB."""

AGENTS_CACHED_MAX: Final = 10_000
"""Agents whose set of policies is kept. Names come from the directory, not from requests."""

_OperationKey = tuple[str, str, str, str, str, bool, str | None]


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict on one action. `unresolved` names the field that made the rule match."""

    verdict: Verdict
    risk: Risk
    unresolved: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Operation:
    """All that is known beforehand about the calls of one operation."""

    sections: tuple[Section, ...]
    profile: Profile


class _View:
    """The policies that one agent, or several alike, is under."""

    def __init__(self, indexes: Sequence[PolicyIndex]) -> None:
        self._indexes = indexes
        self._operations: dict[_OperationKey, _Operation] = {}

    def operation(self, action: Action) -> _Operation:
        key = (
            action.operation,
            action.action,
            action.provider,
            action.kind.value,
            action.target.type,
            action.reversible,
            action.sensitive,
        )
        operation = self._operations.get(key)
        return operation if operation is not None else self._gather(key, action)

    def _gather(self, key: _OperationKey, action: Action) -> _Operation:
        sections = tuple(index.section_for(action) for index in self._indexes)
        if not sections:
            sections = (Section((), no_policy_verdict()),)
        operation = _Operation(sections, Profile(action))
        if len(self._operations) >= OPERATIONS_CACHED_MAX:
            del self._operations[next(iter(self._operations))]
        self._operations[key] = operation
        return operation


class Engine:
    """Policies, compiled. Its answers depend on its arguments and on nothing else."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        ordered = sorted(policies, key=lambda policy: policy.name)
        self._indexes = tuple(PolicyIndex(policy) for policy in ordered)
        self._views: dict[tuple[str, ...], _View] = {}
        self._views_by_agent: dict[str, _View] = {}

    def rule_on(self, action: Action, context: Context) -> Ruling:
        """Decide one action."""
        view = self._views_by_agent.get(context.agent)
        if view is None:
            view = self._view(context.agent)
        operation = view.operation(action)
        risk = operation.profile.assess(action, context)
        best: Verdict | None = None
        best_unresolved = ""
        for section in operation.sections:
            verdict, unresolved = _decide_section(section, action, context, risk.score)
            if best is None or verdict.rank > best.rank:
                best, best_unresolved = verdict, unresolved
                if verdict.rank == RANK_MAX:
                    break
        assert best is not None, "a view has a section, if only to say that no policy applies"
        return Ruling(best, risk, best_unresolved or None)

    def _view(self, agent: str) -> _View:
        indexes = tuple(index for index in self._indexes if index.policy.applies_to(agent))
        names = tuple(index.policy.name for index in indexes)
        # Only the agents can grow without end: sets of policies can't outnumber them.
        if len(self._views_by_agent) >= AGENTS_CACHED_MAX:
            self._views_by_agent.clear()
            self._views.clear()
        view = self._views.get(names)
        if view is None:
            view = self._views[names] = _View(indexes)
        self._views_by_agent[agent] = view
        return view


def _decide_section(
    section: Section, action: Action, context: Context, score: int
) -> tuple[Verdict, str]:
    """The verdict, and the field that made its rule match unread ("" when none did)."""
    params = action.params
    for guard, compiled, condition, verdict in section.candidates:
        subject = ""
        if guard is not None:
            unread = guard(action, context)
            if unread is None or (unread and verdict.effect is Effect.ALLOW):
                continue
            subject = unread
        if compiled is None:
            return verdict, subject
        try:
            if compiled(params, action, context, score):
                return verdict, subject
        except Exception:
            # INVARIANT(slow path): the compiled form gave up; the interpreter knows.
            assert condition is not None
            answer = condition.holds(action, context, score)
            if answer is True:
                return verdict, subject
            if answer is not False and verdict.effect is not Effect.ALLOW:
                return verdict, subject or answer.subject or "the condition"
    return section.default, ""
