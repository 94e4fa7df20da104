"""What a request takes of limits: actions and context in, claims on counters out.

INVARIANT(counted): what can't be told counts. A condition that can't be evaluated makes a limit
apply, and an amount that can't be read exceeds it.

The limits that can concern an operation are gathered once, into a cache of bounded size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, assert_never

from gateway.decide.assessment import Assessment
from gateway.decide.rules.groups import Find, compile_groups
from gateway.decide.rules.index import mismatch_static, unread_subject
from gateway.decide.rules.policy import Limit, Per, Policy, Rule
from gateway.model.action import Action, Target
from gateway.model.codec import INTEGER_MAX
from gateway.model.decision import Context
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitClaim

AMOUNT_MAX: Final = INTEGER_MAX
"""Larger amounts are counted as this one, which is beyond the maximum of any limit."""

OPERATIONS_CACHED_MAX: Final = 4_096
"""Operations whose limits are kept gathered. Their names may come from agents: the oldest entry
makes room."""

KEY_CHARS_MAX: Final = 120
"""Longer keys are digested: target ids come from agents."""

KEYS_CACHED_MAX: Final = 1_024

_NOTHING: Final = 2
"""What a limit's function gives where it does not count: behind the only rule that it has."""


class _Budget:
    """One limit, made ready for asking. Whether it counts is asked as if it were a rule that
    blocks: such a rule matches where it can't be told."""

    __slots__ = ("_find", "_rule", "limit", "mode", "name", "scope")

    def __init__(self, policy: Policy, limit: Limit, find: Find) -> None:
        self.limit = limit
        self.scope = policy.scope
        self.name = f"{policy.name}/{limit.id}"
        is_watched = Mode.MONITOR in (policy.mode, limit.mode)
        self.mode = Mode.MONITOR if is_watched else Mode.ENFORCE
        self._rule = _as_rule(limit)
        self._find = find

    def may_concern(self, action: Action) -> bool:
        """Whether what is the same for every call of an operation fits."""
        return mismatch_static(self._rule, action) is None

    def unread_when_it_counts(
        self, action: Action, context: Context, assessed: Assessment
    ) -> str | None:
        """None where the action does not count; else the field that could not be read, or ""."""
        if self.scope is not None and not self.scope.matches(context.agent):
            return None
        code = self._find(action.params, action, context, assessed)
        if code == _NOTHING:
            return None
        return unread_subject(self._rule, action, context, assessed) if code else ""

    def claim(self, action: Action, context: Context, unread: str, mode: Mode) -> LimitClaim:
        """What an action that counts takes."""
        limit = self.limit
        amount: int | None = 1
        if limit.sum is not None:
            amount = amount_at(limit.sum, action.params)
            if amount is None:
                unread = limit.sum_text
        return LimitClaim(
            self.name,
            _key(limit.per, action, context),
            amount,
            limit.max,
            limit.window.since(context.now),
            limit.window.longest_seconds,
            limit.effect,
            Mode.MONITOR if mode is Mode.MONITOR else self.mode,
            limit.reason,
            limit.message,
            limit.terms,
            unread,
        )


class BudgetIndex:
    """All enabled limits of a set of policies."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        limits = [
            (policy, limit)
            for policy in sorted(policies, key=lambda policy: policy.name)
            for limit in sorted(policy.limits, key=lambda limit: limit.id)
            if limit.enabled
        ]
        finds = compile_groups([[(0, _as_rule(limit))] for _, limit in limits], _NOTHING)
        self._budgets = tuple(
            _Budget(policy, limit, find)
            for (policy, limit), find in zip(limits, finds, strict=True)
        )
        self._near: dict[tuple[object, ...], tuple[_Budget, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._budgets)

    def claims(
        self,
        actions: Sequence[Action],
        context: Context,
        assessments: Sequence[Assessment],
        mode: Mode,
    ) -> tuple[LimitClaim, ...]:
        """Everything that a request takes: one claim for each limit and key, in the order of the
        limits' names. `mode` is the gateway's own."""
        if len(actions) == 1:
            return tuple(self._claims_of(actions[0], context, assessments[0], mode))
        claims: dict[tuple[str, str], LimitClaim] = {}
        for action, assessed in zip(actions, assessments, strict=True):
            for claim in self._claims_of(action, context, assessed, mode):
                place = (claim.limit, claim.key)
                before = claims.get(place)
                claims[place] = claim if before is None else _added(before, claim)
        return tuple(claims[place] for place in sorted(claims))

    def _claims_of(
        self, action: Action, context: Context, assessed: Assessment, mode: Mode
    ) -> Iterator[LimitClaim]:
        for budget in self._gathered(action):
            unread = budget.unread_when_it_counts(action, context, assessed)
            if unread is not None:
                yield budget.claim(action, context, unread, mode)

    def _gathered(self, action: Action) -> tuple[_Budget, ...]:
        key = (
            action.operation, action.action, action.provider, action.kind, action.target.type,
            action.reversible, action.sensitive,
        )  # fmt: skip
        near = self._near.get(key)
        if near is None:
            near = tuple(budget for budget in self._budgets if budget.may_concern(action))
            if len(self._near) >= OPERATIONS_CACHED_MAX:
                del self._near[next(iter(self._near))]
            self._near[key] = near
        return near


def _as_rule(limit: Limit) -> Rule:
    return Rule(
        limit.id, 0, limit.match, limit.condition, Effect.BLOCK, limit.reason, limit.message, None,
        True, limit.place,
    )  # fmt: skip


def amount_at(path: Sequence[str], params: Mapping[str, object]) -> int | None:
    """The amount at a path below `params`; None where it is not a whole number of at least 0."""
    value: object = params
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    return min(value, AMOUNT_MAX)


def _added(one: LimitClaim, other: LimitClaim) -> LimitClaim:
    """Two actions of one request, as one claim."""
    amount = None
    if one.amount is not None and other.amount is not None:
        amount = min(one.amount + other.amount, AMOUNT_MAX)
    return LimitClaim(
        one.limit,
        one.key,
        amount,
        one.max,
        one.since,
        one.window_seconds,
        one.effect,
        one.mode,
        one.reason_code,
        one.message,
        one.terms,
        one.unread or other.unread,
    )


def _key(per: Per, action: Action, context: Context) -> str:
    """Whose counter it is. All that an agent does outside any run counts as one run of it, and
    all that names no target as one target."""
    match per:
        case Per.AGENT:
            return _bounded("agent", context.agent)
        case Per.RUN:
            return _bounded("run", context.agent, context.run or "")
        case Per.TARGET:
            return _target_key(action.provider, action.target)
        case Per.ORGANISATION:
            return "organisation"
        case _:
            assert_never(per)


def _target_key(provider: str, target: Target) -> str:
    if not target.id:
        return "target"
    return _bounded("target", provider, target.type, target.id)


@lru_cache(maxsize=KEYS_CACHED_MAX)
def _bounded(kind: str, *parts: str) -> str:
    """A readable key, or its digest where it could be mistaken for another or is not short and
    plain. `+` stands in no readable part but the last, so no two are spelt alike."""
    text = "+".join(parts)
    is_plain = text.isascii() and text.isprintable() and len(text) <= KEY_CHARS_MAX
    if is_plain and not any("+" in part for part in parts[:-1]):
        return f"{kind}:{text}"
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return f"{kind}#{digest.hexdigest()}"
