"""Decides actions by indexed rules: action and context in, verdict and risk out.

The lowest priority number that matches decides within a policy; across policies the strictest
verdict does. INVARIANT(unresolved): a condition that can't be evaluated makes a BLOCK or
REQUIRE_APPROVAL rule match and an ALLOW rule not match. INVARIANT(monitor): a rule in monitor mode
decides nothing, and a policy in monitor mode decides only where no other policy applies.

Everything an agent can name (operations, target types) lands in caches of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from gateway.decide.assessment import Assessment
from gateway.decide.risk.model import Key, RiskModel
from gateway.decide.rules.index import (
    NO_POLICY,
    STRICTNESS_MAX,
    PolicyIndex,
    Section,
    Verdict,
    join_verdicts,
)
from gateway.decide.rules.policy import Policy
from gateway.model.action import Action
from gateway.model.decision import Context, Decision
from gateway.model.effect import Mode

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")

OPERATIONS_CACHED_MAX: Final = 1_024
"""Operations whose rules are kept gathered, for each set of policies: more than a gateway meets.
Names of operations may come from agents (tools of an MCP server): the oldest entry makes room."""

AGENTS_CACHED_MAX: Final = 10_000
"""Agents whose set of policies is kept. Names come from the directory, not from requests."""

STANDINGS_KEPT_MAX: Final = 64
"""Of one operation: the bands of its risk, of which few combinations come up. One takes 2 KB, so
that an agent who tries them all, under names of its own making, comes to 130 MB."""

_OperationKey = tuple[str, str, str, str, str, bool, str | None]

Ruling = tuple[Verdict, "Standing", str, tuple[Verdict, ...]]
"""The verdict on one action, what is kept for calls like it, the field that made the rule match
unread ("" when none did), and what was said in monitor mode. A plain tuple: one is made for every
decision."""


class Standing:
    """The risk of calls of one operation in one band, and the decisions made on them so far: at
    most one for each rule and each field that the rule's condition reads."""

    __slots__ = ("assessed", "enforced", "monitored")

    def __init__(self, assessed: Assessment) -> None:
        self.assessed = assessed
        self.enforced: dict[Verdict | tuple[Verdict, str], Decision] = {}
        self.monitored: dict[Verdict | tuple[Verdict, str], Decision] = {}


class Operation:
    """All that is known beforehand about the calls of one operation. `sections` are of the policies
    that decide, `shadows` of those that are only watched. `is_watched` says whether anything can
    be noted."""

    __slots__ = ("_like", "_profile", "_standings", "is_watched", "sections", "shadows")

    def __init__(
        self,
        like: Action,
        sections: tuple[Section, ...],
        shadows: tuple[Section, ...],
        risks: RiskModel,
    ) -> None:
        self._like = like
        self.sections = sections
        self.shadows = shadows
        self.is_watched = bool(shadows) or any(section.watched for section in sections)
        self._profile = risks.profile(like)
        self._standings: dict[Key, Standing] = {}

    def standing(self, action: Action, context: Context, actions: int) -> Standing:
        key = self._profile.key(action, context, actions)
        standing = self._standings.get(key)
        if standing is None:
            standing = Standing(self._profile.assess(key))
            _keep(self._standings, key, standing, STANDINGS_KEPT_MAX)
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
        self._risks = risks
        enforced = [index for index in indexes if index.policy.mode is Mode.ENFORCE]
        self._deciding = enforced or indexes
        self._shadows = [index for index in indexes if index not in self._deciding]
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
            operation = Operation(
                action,
                tuple(index.section_for(action) for index in self._deciding),
                tuple(index.section_for(action) for index in self._shadows),
                self._risks,
            )
            _keep(self._by_key, key, operation, OPERATIONS_CACHED_MAX)
        if action.operation not in self._by_name:
            _keep(self._by_name, action.operation, operation, OPERATIONS_CACHED_MAX)
        return operation


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


def _keep(cache: dict[_Key, _Kept], key: _Key, value: _Kept, entries_max: int) -> None:
    if len(cache) >= entries_max:
        del cache[next(iter(cache))]
    cache[key] = value


class Engine:
    """Policies, compiled. Its answers depend on its arguments and on nothing else."""

    def __init__(self, policies: Sequence[Policy], risks: RiskModel) -> None:
        self._risks = risks
        ordered = sorted(policies, key=lambda policy: policy.name)
        self._indexes = tuple(PolicyIndex(policy) for policy in ordered)
        self._views: dict[tuple[str, ...], _View] = {}
        self._views_by_agent: dict[str, _View] = {}
        # No more than combinations of rules that ask on different terms.
        self._joins: dict[tuple[Verdict, Verdict], Verdict] = {}

    def rule_on(self, action: Action, context: Context, actions: int = 1) -> Ruling:
        """Decide one action of a request that has so many."""
        view = self._views_by_agent.get(context.agent)
        if view is None:
            view = self._view(context.agent)
        operation = view.operation(action)
        standing = operation.standing(action, context, actions)
        assessed = standing.assessed
        best, unresolved, strictness = NO_POLICY, "", -1
        for section in operation.sections:
            code = _decide_section(section, action, context, assessed)
            verdict = section.index.verdicts[code >> 1]
            if verdict.strictness > strictness:
                best, strictness, unresolved = verdict, verdict.strictness, ""
                if code & 1:
                    unresolved = section.index.subject_of(code >> 1, action, context, assessed)
                if strictness == STRICTNESS_MAX:
                    break
            elif verdict.terms is not None and verdict.terms != best.terms:
                # Both ask a person, since a BLOCK ends the walk.
                best = self._joined(best, verdict)
                strictness = best.strictness
                if strictness == STRICTNESS_MAX:
                    break
        if operation.is_watched:
            return best, standing, unresolved, tuple(_watch(operation, action, context, assessed))
        return best, standing, unresolved, ()

    def _joined(self, one: Verdict, other: Verdict) -> Verdict:
        """Kept, because decisions are kept by the verdict that they were made from."""
        joined = self._joins.get((one, other))
        if joined is None:
            joined = self._joins[one, other] = join_verdicts(one, other)
        return joined

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
) -> int:
    """The least of what the functions give: the position that decides, twice."""
    code = section.index.nothing
    params = action.params
    for first, find in section.finds:
        if first > code:
            break
        found = find(params, action, context, assessed)
        if found < code:
            code = found
    return code


def _watch(
    operation: Operation, action: Action, context: Context, assessed: Assessment
) -> Iterator[Verdict]:
    """What is said in monitor mode: by each rule that would have been the first to match of those
    that were left, and by each policy that is only watched."""
    params = action.params
    for section in operation.sections:
        if section.watched:
            code = _decide_section(section, action, context, assessed)
            nothing = section.index.nothing
            for first, find in section.watched:
                if first > code:
                    break
                if find(params, action, context, assessed) != nothing:
                    yield section.index.verdicts[first >> 1]
    for section in operation.shadows:
        code = _decide_section(section, action, context, assessed)
        yield section.index.verdicts[code >> 1]
