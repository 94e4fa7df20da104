"""Conditions: what they mean, by the compiled form and by the interpreter alike."""

from __future__ import annotations

import pytest

from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.evaluation.compiler import Writer
from gateway.decide.conditions.evaluation.runtime import Oracle
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.rules.policy import Condition
from tests.support.compiled_conditions import UNTOLD, compiled
from tests.support.policy_world import act, scored, who

PARAMS = {
    "amount": 9000, "currency": "usd", "flag": True, "off": False, "one": 1, "zero": 0,
    "none": None, "name": "Ada", "tags": ["a", "b"], "card": {"last4": "4242", "n": 7},
    "empty": "", "mixed": [1, "x", None, True], "neg": -7, "big": 2**70, "text5": "5",
    "accents": "héé", "__class__": "k", "brace": "a{0}b", "lists": [[1], [2]], "max": 2**63 - 1,
}  # fmt: skip
ACTION = act("create_refund", params=PARAMS, missing=("fee", "card.cvc"), sensitive="pii")
CONTEXT = who("billing-1", "run-7", {"team": "payments"}, "prod")

TRUE = {
    "numbers": "params.amount > 5000 && params.amount <= 9000 && params.amount != 1",
    "the literal may stand first": '5000 < params.amount && "usd" == params.currency',
    "facts": 'action == "create_refund" && provider == "stripe" && kind == "create"',
    "operation and target": 'operation == "stripe.create_refund" && target.id == "ch_1"',
    "target type": 'target.type == "charge" && target.type >= "a"',
    "agent and labels": 'agent.id == "billing-1" && agent.labels.team == "payments"',
    "run and environment": 'run == "run-7" && environment == "prod"',
    "sensitive and reversible": 'sensitive == "pii" && reversible',
    "the score": "risk.score == 20 && risk.score < 100",
    "in a list of texts": 'params.currency in ["usd", "eur"]',
    "in a long list of texts": 'params.currency in ["a", "b", "c", "d", "usd"]',
    "in a list of anything": "params.amount in [1, 9000]",
    "in a list of the request": '"a" in params.tags && "last4" in params.card',
    "a value that can't be hashed is in no list": '!(params.tags in ["a", "b", "c", "d"])',
    "not in": '!("z" in params.tags)',
    "an empty list holds nothing": "!(1 in [])",
    "or": 'params.amount < 1 || params.currency == "usd"',
    "ternary": "params.flag ? params.amount == 9000 : false",
    "ternary, other branch": "params.off ? false : params.amount == 9000",
    "a nested field": 'params.card.last4 == "4242" && params["card"]["n"] == 7',
    "an index": 'params.tags[0] == "a" && params.mixed[1] == "x"',
    "has": "has(params.amount) && !has(params.card.expiry) && has(params.card.last4)",
    "has, of labels": "has(agent.labels.team) && !has(agent.labels.nope)",
    "a present field, though another is missing": "has(params.none)",
    "texts": 'params.name.startsWith("A") && params.name.endsWith("a")',
    "contains": 'params.name.contains("d") && "abc".contains("b")',
    "text functions of texts of the request": "params.name.startsWith(params.empty)",
    "braces in a text are texts": 'params.brace.contains("{0}") && params.brace > "a{"',
    "size": 'size(params.name) == 3 && params.tags.size() == 2 && size("") == 0',
    "size counts characters": "size(params.accents) == 3 && size(params.card) == 2",
    "true is not 1": "params.flag != 1 && params.one != true && params.flag == true",
    "1 is 1": "params.one == 1 && params.zero == 0 && params.one == params.one",
    "1 equals 1.0": "params.one == 1.0 && 1.5 > params.one",
    "null": "params.none == null && params.amount != null",
    "text is not a number": 'params.text5 != 5 && params.text5 == "5"',
    "different types are not equal": "params.tags != params.card && params.none != params.zero",
    "lists and maps are equal by value": "params.lists == [[1], [2]] && params.card == params.card",
    "lists differ": "params.lists != [[1]] && params.mixed != [true, 'x', null, true]",
    "truth values have an order": "params.off < params.flag && params.flag >= true",
    "arithmetic": "params.amount / 100 * 2 - 1 + 3 == 182",
    "division goes towards zero": "params.neg / 2 == -3 && params.neg % 2 == -1 && 7 / -2 == -3",
    "remainder": "7 % -2 == 1 && params.neg % 7 == 0",
    "text is joined": 'params.name + "!" == "Ada!"',
    "lists are joined": 'params.tags + ["c"] == ["a", "b", "c"] && "c" in (["c"] + params.tags)',
    "minus": "-params.neg == 7 && -7 == params.neg",
    "a number beyond 64 bits compares truly": "params.big > 9223372036854775807",
    "all": 'params.tags.all(t, t < "c") && [1, 2].all(x, x > 0)',
    "exists": 'params.tags.exists(t, t == "b") && params.card.exists(k, k == "n")',
    "an empty list has all": "[].all(x, x > 0) && ![].exists(x, true)",
    "nested": "params.lists.all(l, l.exists(x, x > 0))",
    "a field named like a secret of Python": 'params.__class__ == "k"',
    "a number in hexadecimal": "params.amount == 0x2328",
    "false and an error is false": "!(params.nope > 5 && false)",
    "an error and false is false": "!(false && params.nope > 5)",
    "true or an error is true": "params.nope > 5 || true",
    "an error anywhere in a chain": "params.nope > 5 || params.off || params.flag",
    "all absorbs": "!params.mixed.all(x, x > 100)",
    "exists absorbs": "params.mixed.exists(x, x == 1)",
    "a number is no key of a map": "!(1 in params.card) && !(true in params.card)",
    "two literals": 'null == null && 5 != 6 && "a" == "a" && 2 > 1',
    "a comment": "true // as written",
}  # fmt: skip

UNRESOLVED = {
    "a missing field": ("params.nope > 5", "params.nope"),
    "a missing nested field": ('params.card.nope == "x"', "params.card.nope"),
    "a field of no map": ('params.name.first == "x"', "params.name.first"),
    "a key that is not there": ('params["nope"] == 1', "params['nope']"),
    "an index out of range": ('params.tags[5] == "a"', "params.tags[5]"),
    "a negative index": ('params.tags[-1] == "b"', "params.tags[-1]"),
    "an index into text": ('params.name[0] == "A"', "params.name[0]"),
    "a truth value as an index": ("params.tags[params.flag] == 'a'", "params.tags"),
    "text against a number": ("params.text5 > 3", "params.text5"),
    "a number against text": ('params.amount > "a"', "params.amount"),
    "a truth value against a number": ("params.flag > 0", "params.flag"),
    "a number against a truth value": ("params.amount > params.flag", "params.amount"),
    "null against a number": ("params.none < 5", "params.none"),
    "a list has no order": ("params.tags < params.tags", "params.tags"),
    "text that is no condition": ("params.name && true", "params.name"),
    "not, of a number": ("!params.one", "params.one"),
    "a number as a condition": ("params.one", "params.one"),
    "a number that chooses": ("params.one ? true : false", "params.one"),
    "in, of text": ('"a" in params.name', "params.name"),
    "in, of what can't be a key": ("null in params.card", "params.card"),
    "in, of a list that can't be a key": ("params.tags in params.card", "params.tags"),
    "in, of a number": ("1 in params.amount", "params.amount"),
    "a declared param that is missing": ("params.fee == 1", "params.fee"),
    "has, of a declared param that is missing": ("has(params.fee)", "params.fee"),
    "has, of a nested one that is missing": ("!has(params.card.cvc)", "params.card.cvc"),
    "has, of no map": ("has(params.name.x)", "params.name.x"),
    "has, under what is not there": ("has(params.nope.x)", "params.nope"),
    "startsWith of a number": ('params.amount.startsWith("9")', "params.amount"),
    "endsWith of a number": ("params.name.endsWith(params.amount)", "params.name"),
    "contains of a list": ('params.tags.contains("a")', "params.tags"),
    "starts with a number": ("params.name.startsWith(params.amount)", "params.name"),
    "contains a number": ("params.name.contains(params.amount)", "params.name"),
    "size of a number": ("size(params.amount) > 1", "params.amount"),
    "overflow": ("params.max + 1 > 0", "params.max"),
    "a factor beyond 64 bits": ("params.big * 0 == 0", "params.big"),
    "division by zero": ("params.amount / params.zero == 0", "params.amount"),
    "remainder of zero": ("params.amount % params.zero == 0", "params.amount"),
    "a remainder whose quotient overflows": ("(-params.max - 1) % -1 == 0", "params.max"),
    "minus of text": ("-params.name == 1", "params.name"),
    "plus of text and number": ("params.name + params.one == 'x'", "params.name"),
    "plus of text and list": ("params.name + params.tags == 'x'", "params.name"),
    "minus of a truth value": ("params.amount - params.flag == 1", "params.amount"),
    "all of a number": ("params.amount.all(x, x > 0)", "params.amount"),
    "all of text": ("params.name.all(x, x > 0)", "params.name"),
    "all, with an error and no false": ("params.mixed.all(x, x != 7 && x < 9)", "x"),
    "exists, with an error and no true": ("params.mixed.exists(x, x > 100)", "x"),
    "a predicate that is no condition": ("params.tags.all(x, x)", "x"),
    "true and an error": ("params.flag && params.nope == 1", "params.nope"),
    "an error or false": ("params.nope == 1 || params.off", "params.nope"),
    "two errors name the first": ("params.nope > 1 && params.text5 > 1", "params.nope"),
    "a sum of texts of the list": ("size(params.name + 'x' + params.one) > 1", "params.name"),
}  # fmt: skip


def _both(text: str, action=ACTION) -> tuple[object, object]:
    """The answer of the generated functions, and the interpreter's."""
    node = parse(text)
    assert check(node) == (), text
    condition = Condition(text, node)
    fast = compiled(node)(action, CONTEXT, scored(20))
    return fast, condition.holds(action, CONTEXT, scored(20))


@pytest.mark.parametrize("text", TRUE.values(), ids=TRUE.keys())
def test_what_is_true(text: str) -> None:
    """Each holds; both say so, and its opposite is false."""
    fast, exact = _both(text)
    assert exact is True
    assert fast is True
    fast, exact = _both(f"!({text.partition('//')[0]})")
    assert exact is False
    assert fast is False


@pytest.mark.parametrize(("text", "subject"), UNRESOLVED.values(), ids=UNRESOLVED.keys())
def test_what_can_not_be_told(text: str, subject: str) -> None:
    """Nobody can tell, and the interpreter names the field that it fails on."""
    fast, exact = _both(text)
    assert fast == UNTOLD
    assert isinstance(exact, Unresolved)
    assert exact.subject == subject


COMPILED = [
    "params.amount > 5000",
    'params.currency == "usd"',
    "params.amount == 9000",
    'params.currency in ["usd", "eur"]',
    'params.currency in ["a", "b", "c", "usd"]',
    'params.name.startsWith("A")',
    "has(params.amount)",
    "params.flag",
    "params.card.n == 7",
    "5000 <= params.amount && !(params.currency != 'usd')",
]


@pytest.mark.parametrize("text", COMPILED)
def test_common_conditions_ask_nobody(text: str) -> None:
    """What policies are made of is answered without the interpreter."""
    oracle = Oracle()
    Writer(oracle).condition(parse(text), lenient=False)
    assert oracle.nodes == []
    assert _both(text) == (True, True)


@pytest.mark.parametrize("target_id", ["", "ch_1"])
def test_an_unreadable_target_id_is_no_empty_id(target_id: str) -> None:
    """A declared target id that could not be read makes its conditions unresolved."""
    action = act(target=("charge", target_id), missing=("target.id",))
    for text in ('target.id == ""', 'target.id.startsWith("prod")'):
        fast, exact = _both(text, action)
        assert fast == UNTOLD
        assert isinstance(exact, Unresolved)
        assert exact.subject == "target.id"


def test_a_target_without_id_is_empty() -> None:
    """Where the request names no target, its id is the empty text, whatever else is missing."""
    assert _both('target.id == ""', act(target=("charge", ""))) == (True, True)
    assert _both('target.id == ""', act(target=("charge", ""), missing=("fee",)))[1] is True


def test_long_lists_are_bounded() -> None:
    """`all` and `exists` stop at a thousand items, nested ones counted together."""
    at_most = act(params={"items": list(range(1000))})
    assert _both("params.items.all(x, x >= 0)", at_most)[1] is True
    beyond = act(params={"items": list(range(1001))})
    assert _both("params.items.all(x, x >= 0)", beyond)[1].subject == "params.items"
    square = act(params={"items": list(range(100))})
    nested = "params.items.all(x, params.items.all(y, y >= 0))"
    assert _both(nested, square)[1].subject == "params.items"


def test_values_nested_without_end_do_not_raise() -> None:
    """Comparing two bottomless values is unresolved, not a crash."""
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    answer = _both("params.a == params.b", act(params={"a": deep, "b": [deep]}))[1]
    assert isinstance(answer, Unresolved)
    assert answer.subject == "params.a"


def test_a_condition_without_any_field_names_none() -> None:
    """An error in constants has no field to name."""
    assert _both("1 / 0 == 1")[1].subject == ""
    assert _both("1 / 0 == 1 || false")[1].subject == ""
