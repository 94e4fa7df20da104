"""Warnings about what the shipped mappers never give: params that none reads, where another is
almost it, and witnesses of what has none."""

from __future__ import annotations

import pytest

from gateway.authoring.policies.lint.params import lint_params
from gateway.authoring.policies.lint.rules import Finding
from gateway.authoring.policies.lint.witnesses import lint_witnesses
from gateway.content import mappers_dir, policies_dir
from gateway.decide.loader import load_bundle
from tests.support.policy_world import policies_of, policy_text

STRIPE = mappers_dir() / "stripe.yaml"
REFUNDS = "match: {action: create_refund}"
LIMIT = "id: l, per: agent, window: 1d, max: 5"

RULES = {
    "a slip in a comparison": (f"{REFUNDS}, when: params.amont > 5", "amount"),
    "one in has()": (f"{REFUNDS}, when: has(params.currncy)", "currency"),
    "one in brackets": (f"{REFUNDS}, when: 'params[\"amuont\"] > 5'", "amount"),
    "one deep inside": (
        f"{REFUNDS}, when: 'true && [1].exists(x, x == params.amounts)'", "amount",
    ),
    "one of an operation": (
        "match: {operation: stripe.refunds.create}, when: params.amont > 5", "amount",
    ),
    "one of operations by their beginning": (
        "match: {operation: stripe.refunds.*}, when: params.amont > 5", "amount",
    ),
    "what is read": (f"{REFUNDS}, when: params.amount > 5", None),
    "a name that is like no other": (f"{REFUNDS}, when: params.tip > 5", None),
    "a rule that does not say of what": ("match: {kind: create}, when: params.amont > 5", None),
    "a rule that is switched off": (
        f"enabled: false, {REFUNDS}, when: params.amont > 5", None,
    ),
    "what is read of SQL": (
        "match: {action: create_refund}, when: 'params.statement == \"select\"'", None,
    ),
    "an action that these mappers don't make": (
        "match: {action: read_file}, when: params.amont > 5", None,
    ),
    "all params at once": (f"{REFUNDS}, when: size(params) > 5", None),
}  # fmt: skip

LIMITS = {
    "a slip in a sum": (f"{LIMIT}, {REFUNDS}, sum: params.amont", "amount"),
    "a sum of what is read": (f"{LIMIT}, {REFUNDS}, sum: params.amount", None),
    "a count": (f"{LIMIT}, {REFUNDS}", None),
}


def found_in(text: str) -> list[tuple[Finding, str | None, str]]:
    found = lint_params(policies_of(text), [STRIPE])
    return [(each.finding, each.rule, each.help) for each in found]


@pytest.mark.parametrize(("rule", "meant"), RULES.values(), ids=RULES)
def test_params_of_rules(rule: str, meant: str | None) -> None:
    """A name that nothing reads, where another is almost it."""
    text = policy_text(f"- {{id: r, priority: 1, effect: BLOCK, {rule}}}")
    wanted = [(Finding.UNREAD_PARAM, "r", f"did you mean `params.{meant}`?")] if meant else []
    assert found_in(text) == wanted


@pytest.mark.parametrize(("limit", "meant"), LIMITS.values(), ids=LIMITS)
def test_params_of_limits(limit: str, meant: str | None) -> None:
    """A sum of what nothing reads would always be too much."""
    rule = policy_text("- {id: r, priority: 1, effect: ALLOW}")
    wanted = [(Finding.UNREAD_PARAM, "l", f"did you mean `params.{meant}`?")] if meant else []
    assert found_in(f"{rule}\n  limits:\n    - {{{limit}}}\n") == wanted


WANTED = "effect: REQUIRE_APPROVAL, approval: {witness: required}"

WITNESSES = {
    "a refund of Stripe's": (f"{WANTED}, match: {{action: create_refund}}", True),
    "by its operation": (f"{WANTED}, match: {{operation: stripe.refunds.create}}", True),
    "among others": (f"{WANTED}, match: {{action: [create_payout, create_refund]}}", True),
    "everything": (WANTED, True),
    "a charge": (f"{WANTED}, match: {{action: create_charge}}", False),
    "a refund of another provider's": (
        f"{WANTED}, match: {{action: create_refund, provider: paypal}}", False,
    ),
    "a charge without a witness": (
        "effect: REQUIRE_APPROVAL, match: {action: create_charge}", True,
    ),
    "a rule that is switched off": (
        f"{WANTED}, enabled: false, match: {{action: create_charge}}", True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "is_there"), WITNESSES.values(), ids=WITNESSES)
def test_witnesses_that_rules_want(rule: str, is_there: bool) -> None:
    """What no mapper can read the state of is refused by such a rule, whatever a person says."""
    text = policy_text(f"- {{id: r, priority: 1, {rule}}}")
    found = lint_witnesses(policies_of(text), [mappers_dir()])
    assert [(each.finding, each.rule) for each in found] == (
        [] if is_there else [(Finding.NO_WITNESS, "r")]
    )


def test_witnesses_that_limits_want() -> None:
    """As for rules."""
    rule = policy_text("- {id: r, priority: 1, effect: ALLOW}")
    limit = f"{LIMIT}, {WANTED}, match: {{action: create_charge}}"
    found = lint_witnesses(policies_of(f"{rule}\n  limits:\n    - {{{limit}}}\n"), [STRIPE])
    assert [(each.finding, each.rule) for each in found] == [(Finding.NO_WITNESS, "l")]


def test_shipped_policies_read_what_is_read() -> None:
    """All of them, against all mappers."""
    files = [policies_dir() / "starter.yaml", *(policies_dir() / "guardrails").glob("*.yaml")]
    bundles = [load_bundle([file]) for file in files if not file.name.endswith(".cases.yaml")]
    policies = [policy for bundle in bundles for policy in bundle.policies]
    assert [str(each) for each in lint_params(policies, [mappers_dir()])] == []
