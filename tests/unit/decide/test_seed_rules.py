"""Rules in the form of the first API: what they come to, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.decide.bundle import Bundle
from gateway.decide.loader import load_bundle, parse_sources
from gateway.model.effect import Mode
from gateway.model.errors import Problem
from tests.support.policy_world import act, bundle_of, who

GUARDRAILS: dict[str, Any] = {
    "scope": {"scopeType": "ORG", "scopeId": "0b7ac4b2-7d3a-4a55-8f4e-3a0d3f6f0001"},
    "name": "code-agent-guardrails",
    "description": "Allow reads, require approval for writes, deny shell",
    "defaultAction": "DENY",
    "rules": [
        {"ruleId": "00000000-0000-0000-0000-000000000010", "priority": 10,
         "targetType": "TOOL", "targetSelector": "read_file",
         "action": "ALLOW", "reasonCode": "SAFE_READ", "enabled": True},
        {"ruleId": "00000000-0000-0000-0000-000000000030", "priority": 30,
         "targetType": "WRITE_ACTION", "targetSelector": "*",
         "action": "REQUIRE_APPROVAL", "reasonCode": "WRITE_NEEDS_REVIEW", "enabled": True},
        {"ruleId": "00000000-0000-0000-0000-000000000040", "priority": 40,
         "targetType": "TOOL", "targetSelector": "execute_shell",
         "action": "DENY", "reasonCode": "SHELL_BLOCKED", "enabled": True},
    ],
}  # fmt: skip
"""The example of the documents that the product is built from, word for word."""

WALK: dict[str, tuple[Any, str, str]] = {
    "the agent reads a file": (act("read_file", "read"), "ALLOW", "SAFE_READ"),
    "the same by its tool's name": (
        act("read", "unknown", operation="mcp.read_file", provider="mcp"), "ALLOW", "SAFE_READ",
    ),
    "it writes a file": (act("write_file", "update"), "REQUIRE_APPROVAL", "WRITE_NEEDS_REVIEW"),
    "it does what nobody knows": (
        act("frobnicate", "unknown"), "REQUIRE_APPROVAL", "WRITE_NEEDS_REVIEW",
    ),
    "it tries the shell": (act("execute_shell", "execute"), "BLOCK", "SHELL_BLOCKED"),
    "the shell by its tool's name": (
        act("run", "unknown", operation="mcp.execute_shell"), "BLOCK", "SHELL_BLOCKED",
    ),
    "it reads something else": (act("list_directory", "read"), "BLOCK", "NO_RULE_MATCHED"),
}  # fmt: skip


def decided(bundle: Bundle, action: Any, agent: str = "agent") -> tuple[str, str]:
    decision = bundle.decide((action,), who(agent), Mode.ENFORCE)
    return decision.effect.value, decision.reason_code


def problems_of(value: object) -> list[str]:
    problems: list[Problem] = []
    parse_sources([("rules.json", json.dumps(value, indent=1))], None, problems)
    return [problem.message for problem in sorted(problems)]


@pytest.mark.parametrize(("action", "effect", "reason"), WALK.values(), ids=WALK.keys())
def test_the_example_is_decided_as_it_is_told(action: Any, effect: str, reason: str) -> None:
    """Every step of the walk-through that a policy decides."""
    assert decided(bundle_of(json.dumps(GUARDRAILS)), action) == (effect, reason)


def rule(target_type: str, selector: str, effect: str = "ALLOW", priority: int = 1) -> Any:
    return {
        "ruleId": f"{target_type}.{priority}", "priority": priority, "targetType": target_type,
        "targetSelector": selector, "action": effect, "reasonCode": "R",
    }  # fmt: skip


SELECTED: dict[str, tuple[Any, Any, bool]] = {
    "a tool by its beginning": (rule("TOOL", "git_*"), act("git_push"), True),
    "a tool by its beginning, on a server": (
        rule("TOOL", "git_*"), act("x", operation="mcp.git_push"), True,
    ),
    "a tool with another beginning": (rule("TOOL", "git_*"), act("push_git"), False),
    "a tool by its end": (rule("TOOL", "*_file"), act("x", operation="mcp.read_file"), True),
    "a tool by its middle": (rule("TOOL", "*le_s*"), act("file_secrets"), True),
    "a tool by both ends": (rule("TOOL", "a*b"), act("axb"), True),
    "both ends may not lie over each other": (rule("TOOL", "aba*aba"), act("aba"), False),
    "any tool": (rule("TOOL", "*"), act("anything"), True),
    "quotes are only text": (rule("TOOL", 'a"b'), act('a"b'), True),
    "a read": (rule("READ_ACTION", "*"), act("get_x", "read"), True),
    "a write is no read": (rule("READ_ACTION", "*"), act("get_x", "create"), False),
    "a write of one name": (rule("WRITE_ACTION", "create_*"), act("create_x", "create"), True),
    "what is unknown is a write": (rule("WRITE_ACTION", "*"), act("x", "unknown"), True),
    "a read is no write": (rule("WRITE_ACTION", "*"), act("x", "read"), False),
    "a deletion": (rule("DELETE_ACTION", "*"), act("x", "delete"), True),
    "an action of any kind": (rule("ACTION", "x"), act("x", "admin"), True),
    "an operation": (rule("OPERATION", "stripe.x"), act("y", operation="stripe.x"), True),
    "a provider": (rule("PROVIDER", "aws"), act("y", provider="stripe"), False),
    "a resource": (rule("RESOURCE", "ch_*"), act("y", target=("charge", "ch_1")), True),
    "a type of resource": (rule("RESOURCE_TYPE", "charge"), act("y"), True),
    "an agent": (rule("AGENT", "agent"), act("y"), True),
    "what is switched off": (rule("TOOL", "*") | {"enabled": False}, act("y"), False),
}  # fmt: skip


@pytest.mark.parametrize(("given", "action", "fits"), SELECTED.values(), ids=SELECTED.keys())
def test_what_a_rule_selects(given: Any, action: Any, fits: bool) -> None:
    """A bare list of rules is a policy that blocks the rest."""
    expected = ("ALLOW", "R") if fits else ("BLOCK", "NO_RULE_MATCHED")
    assert decided(bundle_of(json.dumps([given])), action) == expected


ORDERS: dict[str, tuple[list[Any], str]] = {
    "the lowest number decides": ([rule("TOOL", "x"), rule("TOOL", "x", "DENY", 2)], "ALLOW"),
    "at equal numbers the strictest": (
        [rule("TOOL", "x"), rule("ACTION", "x", "DENY")], "BLOCK",
    ),
    "a tool forbidden by name goes before a class that asks": (
        [rule("WRITE_ACTION", "*", "REQUIRE_APPROVAL"), rule("TOOL", "x", "DENY", 9)], "BLOCK",
    ),
    "a tool allowed by name does not go before a class that asks": (
        [rule("WRITE_ACTION", "*", "REQUIRE_APPROVAL"), rule("TOOL", "x", "ALLOW", 9)],
        "REQUIRE_APPROVAL",
    ),
    "all tools together go before no class": (
        [rule("WRITE_ACTION", "*", "REQUIRE_APPROVAL"), rule("TOOL", "*", "DENY", 9)],
        "REQUIRE_APPROVAL",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "effect"), ORDERS.values(), ids=ORDERS.keys())
def test_which_rule_decides(rules: list[Any], effect: str) -> None:
    """As everywhere, and never weaker than either reading of tools and classes."""
    assert decided(bundle_of(json.dumps(rules)), act("x"))[0] == effect


def test_a_scope_of_an_agent() -> None:
    """Another agent is under no policy."""
    scoped = GUARDRAILS | {"scope": {"scopeType": "AGENT", "scopeId": "coder-*"}}
    bundle = bundle_of(json.dumps(scoped))
    assert decided(bundle, act("read_file", "read"), "coder-1") == ("ALLOW", "SAFE_READ")
    assert decided(bundle, act("read_file", "read"), "other") == ("BLOCK", "NO_POLICY")


def test_a_default_that_allows() -> None:
    """`defaultAction` is what no rule says."""
    assert decided(
        bundle_of(json.dumps(GUARDRAILS | {"defaultAction": "ALLOW"})), act("list", "read")
    ) == ("ALLOW", "NO_RULE_MATCHED")


WRONG: dict[str, tuple[object, str]] = {
    "an unknown target type": ([rule("TOOLS", "x")], "`targetType` can't be `TOOLS`"),
    "an unknown effect": ([rule("TOOL", "x", "PERMIT")], "`action` can't be `PERMIT`"),
    "an unknown field": ([rule("TOOL", "x") | {"when": "true"}], "a rule has no field `when`"),
    "no id": ([{"targetType": "TOOL", "priority": 1, "action": "DENY"}], "a rule needs `ruleId`"),
    "a priority that is text": ([rule("TOOL", "x") | {"priority": "1"}], "`priority` must be"),
    "terms of nothing": (
        [rule("TOOL", "x") | {"approval": {"quorum": 2}}], "`approval` has no meaning",
    ),
    "a reason that is none": ([rule("TOOL", "x") | {"reasonCode": "no way"}], "`reason` must be"),
    "a list of something else": ([1, 2], "a policy must be a map of fields"),
    "rules twice over": ({"rules": {}, "name": "a"}, "`rules` must be a list"),
    "two rules of one id": ([rule("TOOL", "x")] * 2, "the id `TOOL.1` is taken"),
    "many stars": ([rule("TOOL", "a*b*c")], "has more stars than a tool's name needs"),
    "a scope of something else": (
        GUARDRAILS | {"scope": {"scopeType": "REGION"}}, "`scopeType` can't be `REGION`",
    ),
    "a scope of no agent": (
        GUARDRAILS | {"scope": {"scopeType": "AGENT"}}, "a scope of an agent needs `scopeId`",
    ),
    "a scope of no type": (GUARDRAILS | {"scope": {"scopeId": "x"}}, "`scope` needs `scopeType`"),
    "no name": ({"rules": [rule("TOOL", "x")]}, "a policy needs `name`"),
    "an unknown default": (GUARDRAILS | {"defaultAction": "X"}, "`defaultAction` can't be `X`"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_told(value: object, message: str) -> None:
    """Nothing is read and then not acted on."""
    assert any(message in found for found in problems_of(value)), problems_of(value)


def test_a_file_of_rules_is_loaded(tmp_path: Path) -> None:
    """By its name or with its folder; a bare list is called like its file."""
    (tmp_path / "Team Rules.json").write_text(json.dumps([rule("TOOL", "x")]))
    (policy,) = load_bundle([tmp_path]).policies
    assert policy.name == "team-rules"
    problems: list[Problem] = []
    parse_sources([("r.json", '[{"ruleId":"a"}]')], None, problems)
    assert {(problem.line, problem.column) for problem in problems} == {(1, 2)}
