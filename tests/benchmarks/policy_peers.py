"""Other engines on the same rules, each in the form that suits it best.

Each gives a function that answers a request with whether it may pass. What an engine has no words
for is left out where that makes it faster, and its row says so.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from tests.benchmarks.policy_rules import (
    AGENT,
    ENVIRONMENT,
    RequestSpec,
    RuleSpec,
    Test,
    cel_of,
)

Ask = Callable[[RequestSpec], Callable[[], bool]]
"""Takes a request and makes what the engine takes; gives the call that decides it."""


class Unavailable(Exception):
    """The engine is not installed; the text says what is missing."""


def make_cedar(rules: Sequence[RuleSpec]) -> Ask:
    """Cedar through cedarpy: policies and entities parsed beforehand. It has neither priorities
    nor approvals: what asks or blocks forbids."""
    try:
        import cedarpy
    except ImportError as error:
        raise Unavailable("cedarpy is not installed (extra `bench`)") from error
    policies = cedarpy.PolicySet.from_str("\n".join(map(_cedar_rule, rules)))
    entities = cedarpy.Entities.from_json_str("[]")

    def ask(request: RequestSpec) -> Callable[[], bool]:
        context: dict[str, Any] = {
            "provider": request.provider, "action": request.action, "environment": ENVIRONMENT,
        }  # fmt: skip
        if request.amount is not None:
            context |= {"amount": request.amount, "currency": "usd"}
        question = {
            "principal": f'Agent::"{AGENT}"',
            "action": f'Action::"{request.provider}/{request.action}"',
            "resource": 'Target::"ch_1"',
            "context": context,
        }
        return lambda: cedarpy.is_authorized(question, policies, entities).allowed

    return ask


def _cedar_rule(rule: RuleSpec) -> str:
    action, tests = "action", [_cedar_test(test) for test in rule.tests]
    if rule.is_glob:
        tests.insert(0, f'context.action like "{rule.action}"')
    elif rule.action is not None:
        action = f'action == Action::"{rule.provider}/{rule.action}"'
    if rule.provider is not None and (rule.action is None or rule.is_glob):
        tests.insert(0, f'context.provider == "{rule.provider}"')
    effect = "permit" if rule.effect == "ALLOW" else "forbid"
    when = f" when {{ {' && '.join(tests)} }}" if tests else ""
    return f'@id("{rule.id}") {effect} (principal, {action}, resource){when};'


def _cedar_test(test: Test) -> str:
    if test.field == "agent":
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        same = " || ".join(f'principal == Agent::"{value}"' for value in values)
        return f"!({same})" if test.operator == "not in" else f"({same})"
    value = json.dumps(test.value)
    has = f"context has {test.field} && " if test.field in ("amount", "currency") else ""
    return f"({has}context.{test.field} {test.operator} {value})"


def make_agent_os(rules: Sequence[RuleSpec]) -> Ask:
    """agent-os-kernel's PolicyEvaluator. A rule of it has one comparison: each is cut to its
    most selective one, so it does less than is asked."""
    try:
        from agent_os.policies.evaluator import PolicyEvaluator
        from agent_os.policies.schema import (
            PolicyAction,
            PolicyCondition,
            PolicyDefaults,
            PolicyDocument,
            PolicyOperator,
            PolicyRule,
        )
    except ImportError as error:
        raise Unavailable("agent-os-kernel is not installed (extra `bench`)") from error

    def condition(rule: RuleSpec) -> Any:
        if rule.is_glob:
            pattern = f"^{rule.provider}/{(rule.action or '')[:-1]}"
            return PolicyCondition(field="call", operator=PolicyOperator.MATCHES, value=pattern)
        if rule.action is not None:
            value = f"{rule.provider}/{rule.action}"
            return PolicyCondition(field="call", operator=PolicyOperator.EQ, value=value)
        if rule.provider is not None:
            operator = PolicyOperator.EQ
            return PolicyCondition(field="provider", operator=operator, value=rule.provider)
        return PolicyCondition(
            field="agent", operator=PolicyOperator.EQ, value=str(rule.tests[0].value)
        )

    document = PolicyDocument(
        name="p",
        rules=[
            PolicyRule(
                name=rule.id,
                condition=condition(rule),
                action=PolicyAction.ALLOW if rule.effect == "ALLOW" else PolicyAction.DENY,
                priority=-rule.priority,
            )
            for rule in rules
        ],
        defaults=PolicyDefaults(action=PolicyAction.DENY),
    )
    evaluator = PolicyEvaluator([document])

    def ask(request: RequestSpec) -> Callable[[], bool]:
        context = {
            "call": f"{request.provider}/{request.action}", "provider": request.provider,
            "agent": AGENT, "environment": ENVIRONMENT, "amount": request.amount,
        }  # fmt: skip
        return lambda: bool(evaluator.evaluate(context).allowed)

    return ask


def make_cel(rules: Sequence[RuleSpec]) -> Ask:
    """cel-expr-python for the conditions alone, behind an index by provider and action that we
    lend it: without one it would evaluate every condition."""
    try:
        from cel_expr_python import cel
    except ImportError as error:
        raise Unavailable("cel-expr-python is not installed (extra `test`)") from error
    fields = {name: f"r.{name}" for name in ("amount", "currency", "agent", "environment")}
    environment = cel.NewEnv(variables={"r": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
    exact: dict[tuple[str | None, str | None], list[tuple[RuleSpec, Any]]] = defaultdict(list)
    globs: dict[str | None, list[tuple[RuleSpec, Any]]] = defaultdict(list)
    strictest = {"BLOCK": 0, "REQUIRE_APPROVAL": 1, "ALLOW": 2}
    for rule in sorted(rules, key=lambda each: (each.priority, strictest[each.effect], each.id)):
        compiled = environment.compile(cel_of(rule.tests, fields)) if rule.tests else None
        if rule.is_glob:
            globs[rule.provider].append((rule, compiled))
        else:
            exact[rule.provider, rule.action].append((rule, compiled))

    def ask(request: RequestSpec) -> Callable[[], bool]:
        provider, action = request.provider, request.action
        near = [
            *exact[provider, action], *exact[provider, None], *exact[None, None],
            *(each for each in globs[provider] if action.startswith((each[0].action or "")[:-1])),
        ]  # fmt: skip
        near.sort(key=lambda each: (each[0].priority, strictest[each[0].effect], each[0].id))
        data: dict[str, Any] = {"r": {"agent": AGENT, "environment": ENVIRONMENT}}
        if request.amount is not None:
            data["r"] |= {"amount": request.amount, "currency": "usd"}

        def decide() -> bool:
            for rule, compiled in near:
                if compiled is None:
                    return rule.effect == "ALLOW"
                # An error is a text here, and texts are true: only `is False` is false.
                answer = compiled.eval(data=data).value()
                if answer is True or (answer is not False and rule.effect != "ALLOW"):
                    return rule.effect == "ALLOW"
            return False

        return decide

    return ask
