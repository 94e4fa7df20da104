"""Conditions that can't be used: each is refused at its place, with the way out."""

from __future__ import annotations

import pytest

from gateway.decide.conditions.checker import check
from gateway.decide.conditions.compiler import can_compile, compile_condition
from gateway.decide.conditions.parser import parse
from gateway.decide.conditions.syntax import ConditionError
from gateway.model.vocabulary import Vocabulary

SYNTAX = {
    "nothing": ("", 0, "the condition is empty", "leave `when` out"),
    "only a comment": ("// x", 4, "the condition is empty", "leave `when` out"),
    "grouped digits": ("a > 50_000", 4, "`50_000` is not a number", "write `50000`"),
    "an unsigned number": ("a > 5u", 4, "`5u` is not a number", "write `5`"),
    "a number run into a word": ("a > 5k", 4, "`5k` is not a number", "put a space"),
    "digits of another script": ("a > ٣", 4, "`٣` is not a number", "put a space"),
    "an empty hexadecimal": ("0x", 0, "`0x` is not a number", "put a space"),
    "a single equals sign": ("a = 5", 2, "unexpected `=`", "write `==`"),
    "a single ampersand": ("a & b", 2, "unexpected `&`", "write `&&`"),
    "a single bar": ("a | b", 2, "unexpected `|`", "write `||`"),
    "and": ("a and b", 2, "unexpected `and` where an operator or the end was", "write `&&`"),
    "OR": ("a OR b", 2, "unexpected `OR`", "write `||`"),
    "not": ("not a", 0, "`not` is not a value", "write `!`"),
    "something left over": ("a == 1 b", 7, "unexpected `b`", ""),
    "a second expression": ("(a)(b)", 3, "unexpected `(`", ""),
    "a reserved word": ("for == 1", 0, "`for` is not a value", ""),
    "a reserved field": ("a.in == 1", 2, "`in` can't be written as a field", 'write `["in"]`'),
    "a word as a field": ("a.true", 2, "`true` can't be written as a field", 'write `["true"]`'),
    "a missing field": ("a.", 2, "the condition ends where a field name was", ""),
    "a number as a field": ("a.(b)", 2, "unexpected `(` where a field name", ""),
    "a missing operand": ("a ==", 4, "the condition ends where a value was", ""),
    "an operand too few": ("a == )", 5, "unexpected `)` where a value was", ""),
    "an open parenthesis": ("(a", 2, "the condition ends where `)` was", ""),
    "an open bracket": ("a[0", 3, "the condition ends where `]` was", ""),
    "an open list": ("[1, 2", 5, "the condition ends where `]` was", ""),
    "half a ternary": ("a ? b", 5, "the condition ends where `:` was", ""),
    "an open text": ('a == "b', 5, "text is not closed", 'close it with `"`'),
    "a line feed in a text": ('"a\nb"', 0, "text is not closed", ""),
    "an unknown escape": (r'"a\d"', 2, r"unknown escape `\d`", "put `r`"),
    "an escape cut short": (r'"\x4"', 1, r"unknown escape `\x`", "put `r`"),
    "a surrogate": (r'"\ud800"', 1, "this escape names no character", ""),
    "beyond Unicode": (r'"\U00110000"', 1, "this escape names no character", ""),
    "bytes": ('b"x"', 0, "bytes are not part of the language", "leave the `b` out"),
    "raw bytes": ('rb"x"', 0, "bytes are not part of the language", "leave the `b` out"),
    "raw, twice": ('rr"x"', 0, "unexpected `rr`", ""),
    "a map": ("{1: 2}", 0, "unexpected `{`", "maps and blocks"),
    "a dollar": ("$.amount", 0, "unexpected `$`", "write `params.amount`"),
    "a backtick": ("`a`", 0, "unexpected ```", "quotes"),
    "a control character": ("a \x00", 2, "unexpected", ""),
    "a number beyond 64 bits": ("9223372036854775808", 0, "does not fit into 64 bits", ""),
    "a number far beyond 64 bits": ("1" * 400, 0, "does not fit into 64 bits", "whole numbers"),
    "a negative one beyond": ("-9223372036854775809", 1, "does not fit into 64 bits", ""),
    "a hexadecimal beyond": ("0xffffffffffffffff1", 0, "does not fit into 64 bits", ""),
    "a decimal beyond": ("1e999", 0, "`1e999` is too large", ""),
    "an unknown function": ("a.startswith('x')", 2, "no function `startswith`", "`startsWith`?"),
    "an unknown global function": ("length(a)", 0, "no function `length`", "`has`, `size`"),
    "a function of CEL that is left out": ("a.matches('x')", 2, "`matches` of CEL is not", "lists"),
    "a conversion": ("int(a)", 0, "`int` of CEL is not part", "lists"),
    "a method called as a function": ("contains(a, 'b')", 0, "written behind its value", "as in"),
    "has without a field": ("has(a)", 4, "`has` takes a field", "has(params.amount)"),
    "has of two": ("has(a.b, a.c)", 0, "`has` takes one argument", ""),
    "size of none": ("size()", 0, "`size` takes one argument", ""),
    "size of a value, with an argument": ("a.size(1)", 2, "`size` takes no argument", ""),
    "contains of nothing": ("a.contains()", 2, "`contains` takes one argument", ""),
    "a comma too many": ("size(a,)", 6, "a value is missing behind the comma", ""),
    "a quantifier without a variable": ("a.all(1, true)", 6, "unexpected `1` where a variable", ""),
    "a quantifier over a reserved word": ("a.all(in, true)", 6, "unexpected `in`", ""),
    "a quantifier without a predicate": ("a.all(x)", 7, "unexpected `)` where `,`", ""),
    "parentheses without end": ("(" * 33 + "1" + ")" * 33, 32, "nested deeper than 32", "split"),
    "nots without end": ("!" * 40 + "a", 32, "nested deeper than 32", "split"),
    "minuses without end": ("- " * 40 + "a", 64, "nested deeper than 32", "split"),
    "a long chain of sums": ("1+" * 40 + "1", 18, "nested deeper than 32", "split"),
    "a long path": ("a" + ".b" * 40, 0, "nested deeper than 32", "split"),
    "a ternary without end": ("a ? b : " * 40 + "c", 252, "nested deeper than 32", "split"),
    "a list too long": (f"1 in [{'1,' * 1001}]", 2006, "a list has at most 1000 items", ""),
    "a condition too long": ("a" * 4097, 0, "longer than 4096 characters", "split the rule"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "at", "message", "help_text"), SYNTAX.values(), ids=SYNTAX.keys())
def test_what_is_no_condition(text: str, at: int, message: str, help_text: str) -> None:
    """Refused, at its place, and told what to write."""
    with pytest.raises(ConditionError) as caught:
        parse(text)
    error = caught.value
    assert message in error.message
    assert error.span.start == at
    assert help_text in error.help


def test_chains_of_logic_are_not_deep() -> None:
    """A row of a hundred alternatives is one level."""
    node = parse(" || ".join(["params.a == 1"] * 100))
    assert check(node) == ()
    compile_condition(node)


TYPES = {
    "text against a number": ('action == 5', 0, "text is compared with a whole number"),
    "a number against text": ('risk.score > "5"', 0, "a whole number is compared with text"),
    "a score against a truth value": ("risk.score == true", 0, "is compared with"),
    "a text in numbers": ("action in [1, 2]", 11, "text is compared with a whole number"),
    "no condition": ("risk.score", 0, "a condition is wanted here, and this is a whole number"),
    "text as a condition": ("!action", 1, "a condition is wanted here, and this is text"),
    "a negation is a condition": ("!params.x == 5", 0, "is compared with a whole number"),
    "a joined number": ("risk.score && true", 0, "`&&` joins conditions"),
    "a joined text": ("true || action", 8, "`||` joins conditions"),
    "an unknown root": ("parms.amount > 1", 0, "there is no `parms` to read"),
    "a bare param": ("amount > 5", 0, "there is no `amount` to read"),
    "a group": ('target == "x"', 0, "`target` is no value itself"),
    "an unknown part": ('agent.name == "x"', 0, "there is no `agent.name` to read"),
    "an unknown part of risk": ("has(risk.level)", 0, "there is no `risk.level` to read"),
    "a field of text": ('action.name == "x"', 0, "`.name` reads a field of a map"),
    "has, of a fact": ("has(agent.id)", 0, "`agent.id` is always there"),
    "an index of a number": ("risk.score[0] == 1", 0, "`[...]` reads a list or a map"),
    "a list by name": ('[1]["a"] == 1', 4, "an index is a position"),
    "a map by position": ("params[0] == 1", 7, "an index is a position"),
    "anything by a truth value": ("params.x[true] == 1", 9, "an index is a position"),
    "in text": ('"a" in action', 7, "`in` looks into a list or a map"),
    "a list has no order": ("[1] < [2]", 0, "`<` has no order for a list"),
    "null has no order": ("params.x >= null", 12, "`>=` has no order for null"),
    "decimals are not computed": ("params.amount * 1.5 > 1", 16, "`*` takes whole numbers only"),
    "truth is not computed": ("true - 1 == 0", 0, "`-` takes whole numbers, and this is"),
    "text is not taken away": ('action - "a" == "b"', 0, "`-` takes whole numbers, and this is"),
    "text plus a number": ('action + 1 == "x"', 0, "text is compared with a whole number"),
    "minus of text": ('-action == "x"', 1, "`-` takes a whole number"),
    "branches of two kinds": ('(true ? 1 : "a") == 1', 1, "one branch is a whole number"),
    "a choice by text": ("action ? true : false", 0, "`?` follows a condition"),
    "size of a number": ("size(risk.score) > 1", 5, "`size` takes text, a list or a map"),
    "startsWith of a number": ('risk.score.startsWith("1")', 0, "`startsWith` takes text"),
    "contains a number": ("action.contains(1)", 16, "`contains` takes text"),
    "all of text": ("action.all(x, true)", 0, "`all` goes through a list or a map"),
    "a variable named as a root": ("[1].all(params, true)", 0, "has the name of something else"),
    "a variable twice": ("[1].all(x, [1].all(x, true))", 11, "has the name of something else"),
    "a predicate that is none": ("[1].exists(x, 1)", 14, "a condition is wanted here"),
    "a key of a map is text": ("params.all(k, k == 1)", 14, "text is compared with a whole"),
    "a label is text": ("agent.labels.team == 1", 0, "text is compared with a whole number"),
    "a label by index is text": ('agent.labels["team"] > 1', 0, "text is compared with"),
    "an unknown name in a list": ("[x] == [1]", 1, "there is no `x` to read"),
    "two in one": ("foo == 1 && bar == 2", 0, "there is no `foo` to read"),
    "an unknown kind": ('kind == "reed"', 8, "no mapper makes the kind `reed`"),
    "an unknown kind in a list": ('kind in ["read", "wirte"]', 17, "no mapper makes the kind"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "at", "message"), TYPES.values(), ids=TYPES.keys())
def test_what_can_only_be_a_mistake(text: str, at: int, message: str) -> None:
    """A condition that parses and can't be meant is refused when it is loaded."""
    errors = check(parse(text))
    assert errors
    assert message in errors[0].message
    assert errors[0].span.start == at


WELL_TYPED = [
    "params.x == null && run == null",
    'params.x + "a" == "b" && params.x + params.y == 3 && 1 + params.x > 1',
    "(params.flag ? params.x : 1) > 0",
    "(params.flag ? 1 : 2) > 0",
    '"a" + "b" == "ab"',
    "1 < 1.5 && 1.5 != 1",
    "params.x in params && params.list.exists(x, x > 1 && params.flag)",
    'params.card["a"][0] == 1',
]


@pytest.mark.parametrize("text", WELL_TYPED)
def test_what_only_the_request_can_tell_is_left_to_it(text: str) -> None:
    """The checker refuses nothing that could be right."""
    assert check(parse(text)) == ()


VOCABULARY = Vocabulary(frozenset({"create_refund"}), frozenset({"s.r"}), frozenset({"stripe"}))

NAMES = {
    "an action": ('action == "create_refnd"', "did you mean `create_refund`?"),
    "an action on the left": ('"create_refnd" != action', "did you mean `create_refund`?"),
    "an operation": ('operation in ["s.x"]', "did you mean `s.r`?"),
    "a provider": ('provider == "stripes"', "did you mean `stripe`?"),
    "far from all": ('provider == "qqq"', "there is `stripe`, `unknown`"),
}


@pytest.mark.parametrize(("text", "help_text"), NAMES.values(), ids=NAMES.keys())
def test_names_are_held_against_the_mappers(text: str, help_text: str) -> None:
    """A name that no mapper makes is a mistake, once mappers are known."""
    assert check(parse(text)) == ()
    errors = check(parse(text), VOCABULARY)
    assert [error.help for error in errors] == [help_text]


def test_known_names_and_the_unknown_are_names() -> None:
    """What no mapper knows is called `unknown`, and rules may be about it."""
    text = 'action in ["create_refund", "unknown"] && provider == params.p && target.id == "x"'
    assert check(parse(text), VOCABULARY) == ()


def test_a_long_list_of_names_is_not_listed() -> None:
    """A help that nobody reads is none."""
    many = Vocabulary(actions=frozenset(f"action_{number}" for number in range(50)))
    (error,) = check(parse('action == "qqq"'), many)
    assert error.help == ""


def test_quantifiers_are_interpreted() -> None:
    """They are the one part that isn't compiled, at whatever depth."""
    assert not can_compile(parse("true && !(params.a.all(x, true))"))
    with pytest.raises(AssertionError):
        compile_condition(parse("params.a.all(x, true)"))


ESCAPES = {
    r'"\a\b\f\n\r\t\v"': "\a\b\f\n\r\t\v",
    r'"\\\?\"\'\`"': "\\?\"'`",
    r"'\x41\X42\103'": "ABC",
    r'"\u00e9\U0001F600"': "é😀",
    r'r"\n\x"': r"\n\x",
    "R'\\'": "\\",
    "'''a'b\n\"'''": "a'b\n\"",
    '"""a"b\\n"""': 'a"b\n',
    '""': "",
}


@pytest.mark.parametrize(("written", "meant"), ESCAPES.items())
def test_texts_are_read_as_cel_reads_them(written: str, meant: str) -> None:
    """Every way of writing text in CEL."""
    assert parse(written).value == meant  # type: ignore[union-attr]
