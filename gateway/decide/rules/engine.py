"""Decides actions by indexed rules: action and context in, verdict and risk out.

The lowest priority number that matches decides within a policy; across policies and across the
actions of one request the strictest verdict does. INVARIANT(unresolved): a condition that can't
be evaluated makes a BLOCK or REQUIRE_APPROVAL rule match and an ALLOW rule not match.

Everything an agent can name (operations, target types) lands in caches of bounded size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from gateway.decide.assessment import Assessment
from gateway.decide.risk.model import Key, RiskModel
from gateway.decide.rules.index import (
    RANK_MAX,
    PolicyIndex,
    Section,
    Verdict,
    no_policy_verdict,
)
from gateway.decide.rules.policy import Policy
from gateway.model.action import Action
from gateway.model.decision import Context, Decision
from gateway.model.effect import Effect

# Reading a member of an enum costs more than the rest of a comparison.
_ALLOW: Final = Effect.ALLOW

_Key = TypeVar("_Key")

OPERATIONS_CACHED_MAX: Final = 4_096
"""Operations whose rules are kept gathered, for each set of policies. Names of operations may come
from agents (tools of an MCP server): the oldest entry makes room. One takes about 2 KB."""

AGENTS_CACHED_MAX: Final = 10_000
"""Agents whose set of policies is kept. Names come from the directory, not from requests."""

STANDINGS_KEPT_MAX: Final = 256
"""Of one operation: the bands of its risk, of which few combinations come up."""

_OperationKey = tuple[str, str, str, str, str, bool, str | None]

Ruling = tuple[Verdict, "Standing", str]
"""The verdict on one action, with what is kept for calls like it, and the field that made the rule
match unread ("" when none did). A plain tuple: one is made for every decision."""


class Standing:
    """The risk of calls of one operation in one band, and the decisions made on them so far: at
    most one for each rule and each field that the rule's condition reads."""

    __slots__ = ("assessed", "enforced", "monitored")

    def __init__(self, assessed: Assessment) -> None:
        self.assessed = assessed
        self.enforced: dict[tuple[Verdict, str], Decision] = {}
        self.monitored: dict[tuple[Verdict, str], Decision] = {}


class Operation:
    """All that is known beforehand about the calls of one operation."""

    __slots__ = ("_like", "_profile", "_standings", "sections")

    def __init__(self, like: Action, sections: tuple[Section, ...], risks: RiskModel) -> None:
        self._like = like
        self.sections = sections
        self._profile = risks.profile(like)
        self._standings: dict[Key, Standing] = {}

    def standing(self, action: Action, context: Context, actions: int) -> Standing:
        key = self._profile.key(action, context, actions)
        standing = self._standings.get(key)
        if standing is None:
            standing = Standing(self._profile.assess(key))
            if len(self._standings) < STANDINGS_KEPT_MAX:
                self._standings[key] = standing
        return standing

    def covers(self, action: Action) -> bool:
        """Whether all that rules are indexed by is the same for this call."""
        like = self._like
        return (
            action.kind is like.kind
            and action.action == like.action
            and action.provider == like.provider
            and action.target.type == like.target.type
            and action.reversible is like.reversible
            and action.sensitive == like.sensitive
        )


class _View:
    """The policies that one agent, or several alike, is under."""

    def __init__(self, indexes: Sequence[PolicyIndex], risks: RiskModel) -> None:
        self._indexes = indexes
        self._risks = risks
        self._by_name: dict[str, Operation] = {}
        self._by_key: dict[_OperationKey, Operation] = {}

    def operation(self, action: Action) -> Operation:
        # One operation nearly always has one kind, target type and so on; the whole key, which
        # takes longer to build, is for those that haven't.
        operation = self._by_name.get(action.operation)
        if operation is not None and operation.covers(action):
            return operation
        key = _key_of(action)
        operation = self._by_key.get(key)
        if operation is None:
            operation = self._gather(action)
            _make_room(self._by_key)
            self._by_key[key] = operation
        if action.operation not in self._by_name:
            _make_room(self._by_name)
            self._by_name[action.operation] = operation
        return operation

    def _gather(self, action: Action) -> Operation:
        sections = tuple(index.section_for(action) for index in self._indexes)
        return Operation(action, sections or (Section((), no_policy_verdict()),), self._risks)


def _key_of(action: Action) -> _OperationKey:
    return (
        action.operation,
        action.action,
        action.provider,
        action.kind.value,
        action.target.type,
        action.reversible,
        action.sensitive,
    )


def _make_room(cache: dict[_Key, Operation]) -> None:
    if len(cache) >= OPERATIONS_CACHED_MAX:
        del cache[next(iter(cache))]


class Engine:
    """Policies, compiled. Its answers depend on its arguments and on nothing else."""

    def __init__(self, policies: Sequence[Policy], risks: RiskModel) -> None:
        self._risks = risks
        ordered = sorted(policies, key=lambda policy: policy.name)
        self._indexes = tuple(PolicyIndex(policy) for policy in ordered)
        self._views: dict[tuple[str, ...], _View] = {}
        self._views_by_agent: dict[str, _View] = {}

    def rule_on(self, action: Action, context: Context, actions: int = 1) -> Ruling:
        """Decide one action of a request that has so many."""
        view = self._views_by_agent.get(context.agent)
        if view is None:
            view = self._view(context.agent)
        operation = view.operation(action)
        standing = operation.standing(action, context, actions)
        assessed = standing.assessed
        best: Verdict | None = None
        best_unresolved = ""
        for section in operation.sections:
            verdict, unresolved = _decide_section(section, action, context, assessed)
            if best is None or verdict.rank > best.rank:
                best, best_unresolved = verdict, unresolved
                if verdict.rank == RANK_MAX:
                    break
        assert best is not None, "a view has a section, if only to say that no policy applies"
        return best, standing, best_unresolved

    def _view(self, agent: str) -> _View:
        indexes = tuple(index for index in self._indexes if index.policy.applies_to(agent))
        names = tuple(index.policy.name for index in indexes)
        # Only the agents can grow without end: sets of policies can't outnumber them.
        if len(self._views_by_agent) >= AGENTS_CACHED_MAX:
            self._views_by_agent.clear()
            self._views.clear()
        view = self._views.get(names)
        if view is None:
            view = self._views[names] = _View(indexes, self._risks)
        self._views_by_agent[agent] = view
        return view


def _decide_section(
    section: Section, action: Action, context: Context, assessed: Assessment
) -> tuple[Verdict, str]:
    """The verdict, and the field that made its rule match unread ("" when none did)."""
    params = action.params
    for guard, compiled, condition, verdict in section.candidates:
        subject = ""
        if guard is not None:
            unread = guard(action, context)
            if unread is None or (unread and verdict.effect is _ALLOW):
                continue
            subject = unread
        if compiled is None:
            return verdict, subject
        try:
            if compiled(params, action, context, assessed):
                return verdict, subject
        except Exception:
            # INVARIANT(slow path): the compiled form gave up; the interpreter knows.
            assert condition is not None
            answer = condition.holds(action, context, assessed)
            if answer is True:
                return verdict, subject
            if answer is not False and verdict.effect is not _ALLOW:
                return verdict, subject or answer.subject or "the condition"
    return section.default, ""
