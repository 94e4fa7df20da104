"""Warnings: what of a policy can never happen, and what is left alone because it may."""

from __future__ import annotations

import pytest

from gateway.authoring.policies.lint.names import lint_names
from gateway.authoring.policies.lint.rules import Finding, lint
from gateway.content import mappers_dir
from tests.support.policy_world import policies_of, policy_text

Row = tuple[str, list[tuple[Finding, str | None]]]

RULES: dict[str, Row] = {
    "a wider rule goes before": (
        ("- {id: a, priority: 1, effect: BLOCK, match: {kind: delete}}\n"
        "- {id: b, priority: 2, effect: ALLOW, match: {kind: delete, action: delete_x}}"),
        [(Finding.UNREACHABLE, "b")],
    ),
    "a rule for everything goes before": (
        "- {id: a, priority: 1, effect: ALLOW}\n- {id: b, priority: 2, effect: BLOCK}",
        [(Finding.UNREACHABLE, "b")],
    ),
    "a glob goes before": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {action: 'create_*'}}\n"
        "- {id: b, priority: 2, effect: BLOCK, match: {action: ['create_re*', create_x]}}"),
        [(Finding.UNREACHABLE, "b")],
    ),
    "a glob that only meets another": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {action: 'create_*'}}\n"
        "- {id: b, priority: 2, effect: BLOCK, match: {action: '*_x'}, message: m}"),
        [],
    ),
    "two rules together go before": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {kind: read}}\n"
        "- {id: b, priority: 1, effect: REQUIRE_APPROVAL, match: {kind: send}}\n"
        "- {id: c, priority: 2, effect: BLOCK, match: {kind: [read, send], provider: aws}}"),
        [(Finding.UNREACHABLE, "c")],
    ),
    "a weaker condition goes before": (
        ("- {id: a, priority: 1, effect: BLOCK, when: params.n > 5, message: m}\n"
        "- {id: b, priority: 2, effect: ALLOW, when: params.n > 7 && params.c == \"x\"}"),
        [(Finding.UNREACHABLE, "b")],
    ),
    "a weaker condition that needs to be read goes before": (
        ("- {id: a, priority: 1, effect: ALLOW, when: params.n > 5}\n"
        "- {id: b, priority: 2, effect: BLOCK, when: params.n > 7, message: m}"),
        [],  # where `n` is missing, the second one blocks
    ),
    "a list that holds more": (
        ("- {id: a, priority: 1, effect: ALLOW, when: 'params.c in [\"usd\", \"eur\"]'}\n"
        "- {id: b, priority: 2, effect: ALLOW, when: 'params.c == \"eur\"', reason: X}"),
        [(Finding.UNREACHABLE, "b")],
    ),
    "a shorter beginning": (
        ("- {id: a, priority: 1, effect: BLOCK, when: 'params.c.startsWith(\"a\")'}\n"
        "- {id: b, priority: 2, effect: ALLOW, when: 'params.c.startsWith(\"ab\")'}"),
        [(Finding.UNREACHABLE, "b")],
    ),
    "the same of what is not understood": (
        ("- {id: a, priority: 1, effect: BLOCK, message: m, when: 'params.l.exists(x, x > 1)'}\n"
        "- {id: b, priority: 2, effect: ALLOW, match: {kind: read}, "
        "when: 'params.l.exists(x,  x > 1)'}"),
        [(Finding.UNREACHABLE, "b")],
    ),
    "a rule that is switched off goes before": (
        ("- {id: a, priority: 1, effect: BLOCK, enabled: false}\n"
        "- {id: b, priority: 2, effect: ALLOW}"),
        [],
    ),
    "an unreadable target fits a BLOCK and no ALLOW": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {target.id: '*'}}\n"
        "- {id: b, priority: 2, effect: REQUIRE_APPROVAL}"),
        [],
    ),
    "two effects for the same at one priority": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {kind: read}}\n"
        "- {id: b, priority: 1, effect: BLOCK, match: {kind: read}, message: no}"),
        [(Finding.CONTRADICTION, "a")],
    ),
    "a name of a list that is taken": (
        ("- {id: a, priority: 1, effect: BLOCK, match: {action: a}, message: m}\n"
        "- {id: b, priority: 2, effect: ALLOW, match: {action: [a, b]}}"),
        [(Finding.SHADOWED, "b")],
    ),
    "a condition within no range": (
        "- {id: a, priority: 1, effect: ALLOW, when: params.x > 5 && params.x < 3}",
        [(Finding.NEVER_MATCHES, "a"), (Finding.NEVER_TRUE, "a")],
    ),
    "the same blocks what it can't read": (
        "- {id: a, priority: 1, effect: BLOCK, when: params.x > 5 && params.x < 3, message: m}",
        [(Finding.NEVER_TRUE, "a")],
    ),
    "two kinds at once": (
        "- {id: a, priority: 1, effect: BLOCK, when: 'kind == \"read\" && kind == \"delete\"'}",
        [(Finding.NEVER_MATCHES, "a"), (Finding.NEVER_TRUE, "a")],
    ),
    "a condition against its own match": (
        "- {id: a, priority: 1, effect: ALLOW, match: {kind: read}, when: 'kind != \"read\"'}",
        [(Finding.NEVER_MATCHES, "a")],
    ),
    "a condition that is always true": (
        "- {id: a, priority: 1, effect: ALLOW, when: params.x > 5 || params.x <= 5}",
        [(Finding.ALWAYS_TRUE, "a")],
    ),
    "a score that does not exist": (
        "- {id: a, priority: 1, effect: ALLOW, when: risk.score > 100}",
        [(Finding.NEVER_MATCHES, "a"), (Finding.NEVER_TRUE, "a")],
    ),
    "every kind there is": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {kind: read}}\n"
        "- {id: b, priority: 2, effect: REQUIRE_APPROVAL, "
        "match: {kind: [create, update, delete, execute, send, admin, unknown]}}\n"
        "- {id: c, priority: 3, effect: BLOCK, message: m}"),
        [(Finding.UNREACHABLE, "c")],
    ),
    "what is said anyway": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {kind: read, provider: aws}}\n"
        "- {id: b, priority: 2, effect: ALLOW, match: {kind: read}}"),
        [(Finding.REDUNDANT, "a")],
    ),
    "what is said anyway, in words of its own": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {kind: read, provider: aws}, reason: AWS}\n"
        "- {id: b, priority: 2, effect: ALLOW, match: {kind: read}}"),
        [],
    ),
    "what keeps a later rule away": (
        ("- {id: a, priority: 1, effect: ALLOW, match: {kind: read, provider: aws}}\n"
        "- {id: b, priority: 2, effect: BLOCK, match: {provider: aws}, message: m}\n"
        "- {id: c, priority: 3, effect: ALLOW, match: {kind: read}}"),
        [],
    ),
    "what is blocked anyway": (
        "- {id: a, priority: 1, effect: BLOCK, match: {kind: read}}", [(Finding.REDUNDANT, "a")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), RULES.values(), ids=RULES.keys())
def test_what_is_warned_of(rules: str, expected: list[tuple[Finding, str | None]]) -> None:
    """Each finding at its rule, and nothing more."""
    found = lint(policies_of(policy_text(rules)))
    assert sorted((each.finding, each.rule) for each in found) == sorted(expected)


def test_a_warning_stands_at_its_place() -> None:
    """File, line, column, both rules, and what to do."""
    text = policy_text(RULES["a wider rule goes before"][0])
    (warning,) = lint(policies_of(text))
    assert str(warning) == (
        "0.yaml:9:7: rule `b` never decides: `a` (line 8) takes all that it is about [unreachable]"
    )
    assert warning.help == "give it a lower priority number, or remove it"


def test_a_policy_that_allows_the_rest() -> None:
    """And a scope that no rule of it can meet."""
    rules = "- {id: a, priority: 1, effect: ALLOW, match: {agent: other}}"
    found = lint(policies_of(policy_text(rules, default="ALLOW", scope="me")))
    assert {each.finding for each in found} == {Finding.DEFAULT_ALLOW, Finding.NEVER_MATCHES}


SUMS = {
    "an amount": ("sum: params.amount", True),
    "a total below something": ("sum: params.order.total_price", True),
    "an amount of one currency": (
        "sum: params.amount, when: 'params.currency == \"usd\"'", False,
    ),
    "an amount with another condition": ("sum: params.amount, when: 'params.a == 1'", True),
    "a number of recipients": ("sum: params.recipients_count", False),
    "a count": ("effect: BLOCK", False),
    "an amount that is not counted": ("sum: params.amount, enabled: false", False),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "mixes"), SUMS.values(), ids=SUMS)
def test_sum_of_mixed_currencies(fields: str, mixes: bool) -> None:
    """Five dollars and five yen are no ten of anything."""
    limits = f"  limits:\n    - {{id: a, per: agent, window: 1d, max: 5, {fields}}}\n"
    policies = policies_of(
        policy_text("- {id: r, priority: 1, effect: BLOCK, message: m}") + limits
    )

    found = [each.finding for each in lint(policies)]

    assert found == ([Finding.MIXED_CURRENCIES] if mixes else [])


def test_limits_and_approvers() -> None:
    """Amounts of all currencies in one sum; approvals that anybody may answer."""
    rules = policy_text("- {id: a, priority: 1, effect: REQUIRE_APPROVAL, match: {kind: send}}")
    limits = (
        "  limits:\n"
        "    - {id: mixed, sum: params.amount, per: agent, window: 1d, max: 5, effect: BLOCK}\n"
        "    - {id: usd, sum: params.amount, when: 'params.currency == \"usd\"', per: agent,"
        " window: 1d, max: 5, effect: BLOCK}\n"
    )
    found = lint(policies_of(rules + limits), frozenset({"finance"}))
    assert {(each.finding, each.rule) for each in found} == {
        (Finding.MIXED_CURRENCIES, "mixed"), (Finding.ANYBODY_MAY_APPROVE, "a"),
    }  # fmt: skip


NAMES: dict[str, tuple[str, Finding | None]] = {
    "an operation that is read as another": ("{operation: neptune.DeleteDBCluster}", Finding.ALIAS),
    "the operation that it is read as": ("{operation: rds.DeleteDBCluster}", None),
    "both of them": ("{operation: [neptune.DeleteDBCluster, rds.DeleteDBCluster]}", None),
    "an operation that no other shares": ("{operation: iam.CreateUser}", None),
}


@pytest.mark.parametrize(("match", "finding"), NAMES.values(), ids=NAMES.keys())
def test_names_that_never_come(match: str, finding: Finding | None) -> None:
    """Services of AWS that nothing tells apart have the name of the first."""
    rules = policy_text(f"- {{id: a, priority: 1, effect: BLOCK, match: {match}}}")
    found = lint_names(policies_of(rules), [mappers_dir() / "aws.yaml"])
    assert [each.finding for each in found] == ([finding] if finding else [])


def test_a_kind_that_never_comes() -> None:
    """An action whose operations are all of another kind."""
    rules = policy_text(
        "- {id: a, priority: 1, effect: BLOCK, match: {action: create_refund, kind: read}}\n"
        "- {id: b, priority: 2, effect: BLOCK, match: {action: create_refund, kind: create}}"
    )
    (found,) = lint_names(policies_of(rules), [mappers_dir() / "stripe.yaml"])
    assert (found.finding, found.rule) == (Finding.KIND_NEVER_COMES, "a")
    assert "of kind create, never `read`" in found.message
