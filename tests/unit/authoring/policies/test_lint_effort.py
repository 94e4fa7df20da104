"""Looking for warnings ends where it is told to, and says so."""

from __future__ import annotations

import pytest

from gateway.authoring.policies.lint.rules import lint, lint_within
from gateway.content import shipped_policies
from gateway.decide.loader import load_bundle
from tests.support.policy_world import policies_of, policy_text

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize("name", sorted(shipped_policies()))
def test_the_shipped_policies_are_meant_as_they_are(name: str) -> None:
    """No warning in what travels with the product, and nothing left unproven."""
    policies = load_bundle([shipped_policies()[name]]).policies
    assert lint_within(policies, NOBODY, 10**9) == ([], True)


def test_with_work_to_spare_all_is_found() -> None:
    """The same as without a bound."""
    policies = policies_of(
        policy_text(
            "- {id: a, priority: 1, effect: BLOCK}\n"
            "- {id: b, priority: 2, effect: ALLOW, match: {kind: read}}"
        )
    )
    found = lint(policies)
    assert found
    assert lint_within(policies, NOBODY, 10**9) == (found, True)


def test_without_any_work_nothing_is_proven() -> None:
    """And the bound is gone behind it."""
    policies = load_bundle([shipped_policies()["starter"]]).policies
    found, is_complete = lint_within(policies, NOBODY, 0)
    assert (found, is_complete) == ([], False)
    assert lint_within(policies, NOBODY, 10**9)[1]
