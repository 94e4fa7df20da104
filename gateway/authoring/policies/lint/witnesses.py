"""Finds rules and limits that want a witness of what no mapper can read the state of: whatever they
ask a person about is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.authoring.listing import witnessed_of_mappers
from gateway.authoring.policies.lint.fitting import fits
from gateway.authoring.policies.lint.rules import Finding, LintWarning
from gateway.decide.rules.policy import Limit, Policy, Rule


def lint_witnesses(policies: Sequence[Policy], mappers: Sequence[Path]) -> list[LintWarning]:
    """Warnings about `witness: required`, against the witnesses that mappers have.

    Raises:
        ConfigurationError: a mapper has problems.
    """
    asked: list[tuple[Policy, Rule | Limit]] = []
    for policy in policies:
        listed: tuple[Rule | Limit, ...] = (*policy.rules, *policy.limits)
        asked += ((policy, each) for each in listed if each.enabled and _wants_one(each))
    if not asked:
        return []
    witnessed = list(witnessed_of_mappers(mappers))
    return [
        LintWarning(
            Finding.NO_WITNESS, policy.name, each.id, each.place,
            f"no mapper says how the state is read of what `{each.id}` is about: all that it asks "
            "about is refused",
            "leave `witness` out, or give the operation a `witness` in a mapper of your own",
        )
        for policy, each in asked
        if not any(fits(each.match, names) for names in witnessed)
    ]  # fmt: skip


def _wants_one(each: Rule | Limit) -> bool:
    return each.terms is not None and each.terms.witness_required
