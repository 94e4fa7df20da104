"""Looking for warnings ends where it is told to, and says so."""

from __future__ import annotations

import pytest

from gateway.authoring.policies.lint.rules import lint, lint_within
from gateway.content import shipped_policies
from gateway.decide.loader import load_bundle

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize("name", sorted(shipped_policies()))
def test_with_work_to_spare_all_is_found(name: str) -> None:
    """The same as without a bound."""
    policies = load_bundle([shipped_policies()[name]]).policies
    assert lint_within(policies, NOBODY, 10**9) == (lint(policies), True)


def test_without_any_work_nothing_is_proven() -> None:
    """And the bound is gone behind it."""
    policies = load_bundle([shipped_policies()["payments"]]).policies
    found, is_complete = lint_within(policies, NOBODY, 0)
    assert (found, is_complete) == ([], False)
    assert lint_within(policies, NOBODY, 10**9)[1]
