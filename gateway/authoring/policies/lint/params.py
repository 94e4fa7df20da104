"""Finds params that nothing reads, where one of nearly the same name is read: a slip of the pen.

An ALLOW on such a condition never decides, a BLOCK always does, and a sum of it exceeds its limit.
Acts inside a body (SQL, tools of MCP) may have params that no mapper lists, so a name that is like
no other is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from gateway.authoring.listing import Act, acts_of_mappers
from gateway.authoring.policies.lint.fitting import fits
from gateway.authoring.policies.lint.rules import Finding, LintWarning
from gateway.decide.conditions.syntax import Node, children, path_of
from gateway.decide.rules.policy import Limit, MatchField, Policy, Rule

ALIKE: Final = 0.8

_FIRST_NAME: Final = re.compile(r"""params(?:\.|\[['"])([^.\['"]+)""")

_OF_STATEMENTS: Final = frozenset({"statement", "statements", "tables", "has_where"})
"""What is read of SQL, whatever the operation that carries it."""


def lint_params(policies: Sequence[Policy], mappers: Sequence[Path]) -> list[LintWarning]:
    """Warnings about the params that rules and limits read, against those that mappers read of
    the actions and operations that they name.

    Raises:
        ConfigurationError: a mapper has problems.
        CatalogError: a catalog can't be used.
    """
    asked: list[tuple[Policy, Rule | Limit, set[str]]] = []
    for policy in policies:
        listed: tuple[Rule | Limit, ...] = (*policy.rules, *policy.limits)
        for each in listed:
            names = set(_params_of(each)) - _OF_STATEMENTS
            if each.enabled and names and _says_which(each):
                asked.append((policy, each, names))
    if not asked:
        return []
    acts = list(acts_of_mappers(mappers))
    return [
        warning
        for policy, each, names in asked
        for warning in _unread(policy, each, names, _read_of(each, acts))
    ]


def _says_which(each: Rule | Limit) -> bool:
    fields = (MatchField.ACTION, MatchField.OPERATION)
    return any(each.match.pattern_of(field) is not None for field in fields)


def _params_of(each: Rule | Limit) -> Iterator[str]:
    if each.condition is not None:
        yield from _params_in(each.condition.node)
    if isinstance(each, Limit) and each.sum:
        yield each.sum[0]


def _params_in(node: Node) -> Iterator[str]:
    path = path_of(node)
    if path is None:
        for child in children(node):
            yield from _params_in(child)
    elif found := _FIRST_NAME.match(path):
        yield found[1]


def _read_of(each: Rule | Limit, acts: Iterable[Act]) -> set[str]:
    return {
        name
        for act in acts
        if act.params and fits(each.match, (act.operation, act.action, act.provider))
        for name in act.params
    }


def _unread(
    policy: Policy, each: Rule | Limit, names: Iterable[str], read: set[str]
) -> Iterator[LintWarning]:
    what = "limit" if isinstance(each, Limit) else "rule"
    for name in sorted(set(names) - read):
        near = get_close_matches(name, sorted(read), n=1, cutoff=ALIKE)
        if near:
            yield LintWarning(
                Finding.UNREAD_PARAM, policy.name, each.id, each.place,
                f"no mapper reads `params.{name}` of what {what} `{each.id}` is about",
                f"did you mean `params.{near[0]}`?",
            )  # fmt: skip
