"""The rules and requests that policy engines are compared on, in no engine's own words.

About one rule for each action of each provider, one in twenty with a glob, a few for a whole
provider, ten for everything. No two conditions are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.model.action import Action, Kind, ParamValue, Target
from gateway.model.decision import Context

RULES_PER_PROVIDER: Final = 50
AGENT: Final = "billing-bot"
ENVIRONMENT: Final = "prod"

CONTEXT: Final = Context(AGENT, "run_1", 1_795_000_000_000_000, {}, ENVIRONMENT, "running")


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: a name of `FIELDS`, `==`, `>` or `not in`, and a value."""

    field: str
    operator: str
    value: str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """`action` may end in a star; `provider` and `action` None take every one. Lower priority
    numbers decide first."""

    id: str
    priority: int
    provider: str | None
    action: str | None
    tests: tuple[Test, ...]
    effect: str

    @property
    def is_glob(self) -> bool:
        return self.action is not None and self.action.endswith("*")


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """One question of the five. `params` beyond the amount and the currency are never read."""

    name: str
    provider: str
    action: str
    kind: str
    amount: int | None

    def action_value(self) -> Action:
        params: dict[str, ParamValue] = {"description": "order 17", "metadata": {"a": "b"}}
        if self.amount is not None:
            params |= {"amount": self.amount, "currency": "usd"}
        operation = f"{self.provider}.{self.action}"
        target = Target("charge", "ch_1")
        return Action(self.provider, operation, self.action, Kind(self.kind), target, params)


REQUESTS: Final = (
    RequestSpec("a large charge", "provider0", "create_thing_0", "create", 90_000_000),
    RequestSpec("a small charge", "provider0", "create_thing_0", "create", 900),
    RequestSpec("a read", "provider0", "get_thing_2", "read", None),
    RequestSpec("a delete in production", "provider0", "delete_thing_1", "delete", None),
    RequestSpec("an unknown provider", "nobody", "unknown", "unknown", None),
)

_VERBS: Final = ("create", "delete", "get", "update", "send")
_EFFECTS: Final = ("REQUIRE_APPROVAL", "BLOCK", "ALLOW")


def make_rules(count: int) -> list[RuleSpec]:
    """The set of so many rules."""
    providers = max(1, count // RULES_PER_PROVIDER)
    rules = []
    for number in range(count):
        provider = f"provider{number % providers}"
        nth = number // providers
        rule_id = f"rule-{number}"
        tests = _tests(number)
        action: str | None = f"{_VERBS[nth % len(_VERBS)]}_thing_{nth}"
        effect = _EFFECTS[nth % len(_EFFECTS)]
        if number % max(count // 10, 2) == 1:
            tests = (Test("agent", "==", f"crawler-{number}"),)
            rules.append(RuleSpec(rule_id, 5, None, None, tests, "BLOCK"))
        elif nth % 20 == 19:
            action = f"{_VERBS[nth % len(_VERBS)]}_other_{nth}*"
            rules.append(RuleSpec(rule_id, 20, provider, action, tests, effect))
        elif nth % 25 == 24:
            rules.append(RuleSpec(rule_id, 40, provider, None, tests, "BLOCK"))
        else:
            rules.append(RuleSpec(rule_id, 10, provider, action, tests, effect))
    return rules


def _tests(number: int) -> tuple[Test, ...]:
    amount = Test("amount", ">", 50_000 + number)
    return (
        (
            amount,
            Test("currency", "==", "usd"),
            Test("agent", "not in", (f"trusted-{number}", "finance-bot")),
        ),
        (Test("environment", "==", f"staging-{number}"),),
        (amount,),
        (Test("agent", "==", f"bot-{number}"),),
        (Test("environment", "==", "prod"), amount),
        (),
    )[number % 6]


def make_crowd(count: int) -> list[RuleSpec]:
    """All rules on one action, and none of them true of `CROWDED`."""
    return [
        RuleSpec(
            f"rule-{number}", 10, "provider0", "create_thing_0",
            (
                Test("amount", ">", 1_000_000 + number),
                Test("currency", "==", "usd"),
                Test("agent", "not in", (f"trusted-{number}", "finance-bot")),
            ),
            "ALLOW",
        )
        for number in range(count)
    ]  # fmt: skip


def make_late_crowd(count: int) -> list[RuleSpec]:
    """The same, but each rule is false in its last test alone."""
    return [
        RuleSpec(
            f"rule-{number}", 10, "provider0", "create_thing_0",
            (
                Test("amount", ">", number % 500),
                Test("currency", "==", "usd"),
                Test("agent", "==", f"trusted-{number}"),
            ),
            _EFFECTS[number % len(_EFFECTS)],
        )
        for number in range(count)
    ]  # fmt: skip


CROWDED: Final = RequestSpec("a small charge", "provider0", "create_thing_0", "create", 900)
CROWDED_WITHOUT: Final = RequestSpec("no amount", "provider0", "create_thing_0", "create", None)

_OUR_FIELDS: Final = {
    "amount": "params.amount",
    "currency": "params.currency",
    "agent": "agent.id",
    "environment": "environment",
}


def cel_of(tests: Sequence[Test], fields: dict[str, str] | None = None) -> str:
    """The tests as a condition of CEL."""
    names = fields or _OUR_FIELDS
    return " && ".join(_cel_test(names[test.field], test) for test in tests)


def _cel_test(name: str, test: Test) -> str:
    if isinstance(test.value, tuple):
        listed = ", ".join(f'"{item}"' for item in test.value)
        return f"!({name} in [{listed}])"
    value = test.value if isinstance(test.value, int) else f'"{test.value}"'
    return f"{name} {test.operator} {value}"


def policy_of(rules: Sequence[RuleSpec]) -> str:
    """The rules as a policy file of ours."""
    lines = ["apiVersion: checkrein/v1", "kind: Policy", "metadata: {name: p}", "spec:", "  rules:"]
    for rule in rules:
        lines.append(f"    - id: {rule.id}")
        lines.append(f"      priority: {rule.priority}")
        match = []
        if rule.provider is not None:
            match.append(f"provider: {rule.provider}")
        if rule.action is not None:
            match.append(f"action: {rule.action}")
        if match:
            lines.append(f"      match: {{{', '.join(match)}}}")
        if rule.tests:
            lines.append(f"      when: {cel_of(rule.tests)!r}")
        lines.append(f"      effect: {rule.effect}")
        lines.append(f"      message: rule {rule.id} has something to say")
    return "\n".join(lines) + "\n"
