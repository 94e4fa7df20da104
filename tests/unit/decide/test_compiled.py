"""Generated functions beside the interpreter, over every kind of value and every lack of one."""

from __future__ import annotations

import gc
from types import MappingProxyType
from typing import Any

import pytest

from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.syntax import ConditionError, Span
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.loader import make_bundle
from gateway.decide.rules.policy import Condition
from gateway.model.action import Action
from gateway.model.decision import Context
from gateway.model.effect import Mode
from gateway.model.errors import ConfigurationError
from gateway.model.stop import Stop, StopScope
from tests.support.compiled_conditions import UNTOLD, compiled
from tests.support.policy_world import act, bundle_of, policy_text, scored, who

VALUES: dict[str, Any] = {
    "a small number": 1, "zero": 0, "a negative number": -7, "a giant": 10**400, "a decimal": 5.5,
    "a whole decimal": 1.0, "true": True, "false": False, "null": None, "text": "usd",
    "no text": "", "a list": ["usd", 1], "a tuple": ("usd",), "no list": [],
    "a map": {"x": 1, "usd": 2}, "a view of a map": MappingProxyType({"x": "usd"}), "bytes": b"usd",
    "half a character": "\ud800", "a list of lists": [[1]], "a set": frozenset({"usd"}),
}  # fmt: skip

CONDITIONS = [
    "params.v > 5", "params.v <= 1", "5 > params.v", 'params.v > "a"', "params.v > 0.5",
    "params.v == 1", "params.v != 1", "params.v == 0", "params.v != 0", "params.v == 7",
    'params.v == "usd"', 'params.v != "usd"', "params.v == null", "params.v != null",
    "params.v == true", "params.v != false", "params.v == 1.0", "params.v == 5.5",
    'params.v in ["usd"]', 'params.v in ["a", "b", "c", "usd"]', "params.v in [1, 2]",
    "params.v in [0, 1, 2, 3, 4]", 'params.v in [1, "usd"]', "params.v in params.w",
    '"usd" in params.v', "1 in params.v", "params.w in params.v",
    'params.v.startsWith("us")', 'params.v.endsWith("d")', 'params.v.contains("s")',
    "params.v.contains(params.w)", "size(params.v) > 0", "size(params.v) == 2",
    "1 < size(params.v)", "size(params.v) > params.w", "params.v", "!params.v",
    "params.v && params.v",
    "params.v == params.w", "params.v != params.w", "params.v < params.w", "params.v >= params.v",
    "params.v.x == 1", 'params["v"] == 1', "params.v[0] == 1", 'params.v["x"] == 1',
    "has(params.v)", "!has(params.v)", "has(params.v.x)", "has(params.gone)", "!has(params.gone)",
    "(params.v == 1 ? params.v : params.w) == 1", "(params.f ? params.v : params.w).x == 1",
    "has((params.f ? params.v : params.w).x)", "params.v + 1 == 2", "-params.v < 0",
    "params.v + params.w", "params.v.exists(x, x == 1)", "true", "false", "!(params.v > 5)",
    'params.v > 5 && params.w == "usd"', 'params.v > 5 || params.w == "usd"',
    "!(params.v > 5 && params.w > 5) || params.v == 1", "params.gone > 5 && params.v > 5",
    "environment == 'prod' && params.v > 5", "has(agent.labels.team) && params.v != 1",
    "size(params.v) == size(params.w)", "params.v in [params.w]", "[params.v] == [1]",
    'params.v == 1 && (params.w == "usd" || params.gone)', "reversible && params.v == 1",
    "run == null", "run != null && params.v == 1", "risk.score > 5", "params.v > risk.score",
    'target.id == "ch_1"', 'target.id.startsWith("ch") && params.v != 1', "'x' in target.labels",
    "agent.labels.nobody == 'x'", "params.v[1 - 1] == 1", "1 + params.v in [2] && params.gone == 1",
    'params.v.matches("^us")', '!params.gone.matches("us")',
]  # fmt: skip


def _subjects(condition: Condition, action: Action, context: Context) -> tuple[str, str]:
    """What could not be read, as the decision names it and as the interpreter does."""
    assessed = scored(20)
    answer = condition.holds(action, context, assessed)
    exact = answer.subject or "the condition" if isinstance(answer, Unresolved) else ""
    return condition.unread(action, context, assessed), exact


@pytest.mark.parametrize("text", CONDITIONS)
def test_compiled_is_interpreted(text: str) -> None:
    """Every condition over every value, absent ones and unreadable ones: the same answer, and
    where there is none the same field is named."""
    node = parse(text)
    assert check(node) == ()
    answer, condition = compiled(node), Condition(text, node)
    assessed = scored(20)
    plain, marked = who(), who(run="r", labels={"team": "x"}, environment="prod")
    for value in VALUES.values():
        for more, missing, context in (
            ({"w": "usd"}, (), marked),
            ({"w": value, "f": True}, (), plain),
            ({"w": 1}, ("gone", "w", "target.id"), marked),
            ({}, ("gone",), plain),
        ):
            action = act(params={"v": value, **more}, missing=missing)
            exact = condition.holds(action, context, assessed)
            expected = UNTOLD if isinstance(exact, Unresolved) else exact
            assert answer(action, context, assessed) == expected
            if exact is not False:
                named, told = _subjects(condition, action, context)
                assert named == told


def test_nothing_in_the_params_is_ever_run() -> None:
    """Names of fields are keys, whatever they are called."""
    text = "params.__class__ == 'x' && params[\"__init__\"].x == 1 && has(params.keys)"
    answer = compiled(parse(text))
    assert answer(act(), who(), scored(0)) is False
    params: dict[str, Any] = {"__class__": "x", "__init__": {"x": 1}, "keys": 1}
    assert answer(act(params=params), who(), scored(0)) is True


@pytest.mark.parametrize("text", ['a"b', "a'b", "a\\b", "{0}", "%s", "\u2028", "\x00", "é😀"])
def test_texts_of_a_policy_stay_texts(text: str) -> None:
    """No sign of a literal, of a label or of a name ends up as anything else in a function."""
    written = "".join(f"\\U{ord(sign):08x}" for sign in text)
    for condition in (
        f'params.v == "{written}"',
        f'params.v.startsWith("{written}")',
        f'params["{written}"] == "{written}"',
        f'params.v in ["{written}"]',
    ):
        answer = compiled(parse(condition))
        holding = act(params={"v": text, text: text})
        assert answer(holding, who(), scored(0)) is True


def test_a_name_that_runs_into_a_text_is_no_prefix_of_it() -> None:
    """Two words without an operator between them, wherever they touch."""
    with pytest.raises(ConditionError) as caught:
        parse('params.a == x"y"')
    assert caught.value.span == Span(13, 16)
    assert 'unexpected `"y"`' in caught.value.message


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_load_leaves_the_collector_as_it_was(is_enabled: bool) -> None:
    """Switched on or off, and after a load that fails too."""
    try:
        if not is_enabled:
            gc.disable()
        make_bundle([("p.yaml", policy_text("- {id: a, priority: 1, effect: ALLOW}"))])
        assert gc.isenabled() is is_enabled
        with pytest.raises(ConfigurationError):
            make_bundle([("p.yaml", "nothing")])
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()


STOPS = {
    "an agent": (
        Stop("s", StopScope.AGENT, "a1", "it runs wild", "ada", 1),
        "agent `a1` is stopped by ada: it runs wild",
    ),
    "everything": (
        Stop("s", StopScope.EVERYTHING, "", "now", "ada", 1), "everything is stopped by ada: now",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("stop", "message"), STOPS.values(), ids=STOPS.keys())
def test_what_is_stopped_is_blocked(stop: Stop, message: str) -> None:
    """With who did it and why, in monitor mode too."""
    decision = bundle_of(policy_text("- {id: a, priority: 1, effect: ALLOW}")).stopped(stop)
    assert (decision.effect, decision.reason_code, decision.message) == (
        "BLOCK", "KILL_SWITCH", message,
    )  # fmt: skip
    assert decision.mode is Mode.ENFORCE
