"""What is no condition at all: each text is refused at its place, with the way out."""

from __future__ import annotations

import pytest

from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.syntax import ConditionError
from tests.support.compiled_conditions import compiled
from tests.support.policy_world import act, scored, who

SYNTAX = {
    "nothing": ("", 0, "the condition is empty", "leave `when` out"),
    "only a comment": ("// x", 4, "the condition is empty", "leave `when` out"),
    "grouped digits": ("a > 50_000", 4, "`50_000` is not a number", "write `50000`"),
    "an unsigned number": ("a > 5u", 4, "`5u` is not a number", "write `5`"),
    "a number run into a word": ("a > 5k", 4, "`5k` is not a number", "write `5`: a number has no"),
    "an amount with its currency": ("a > 5usd", 4, "`5usd` is not a number", "in minor units"),
    "a number without its decimals": ("a > 1.", 4, "`1.` is not a number", "write `1.0`"),
    "two points": ("a > 1..2", 4, "`1.` is not a number", "there are no ranges"),
    "three numbers in one": ("a > 1.2.3", 4, "`1.2.` is not a number", "into quotes"),
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
    "a line feed in a text": ('"a\nb"', 0, "text is not closed", "close it with"),
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
    "a number beyond 64 bits": ("9223372036854775808", 0, "not fit into 64 bits", "whole numbers"),
    "a number far beyond 64 bits": ("1" * 400, 0, "does not fit into 64 bits", "whole numbers"),
    "a negative one beyond": (
        "-9223372036854775809",
        1,
        "not fit into 64 bits",
        "whole numbers go",
    ),
    "a hexadecimal beyond": ("0xffffffffffffffff1", 0, "not fit into 64 bits", "whole numbers"),
    "a decimal beyond": ("1e999", 0, "`1e999` is too large", ""),
    "an unknown function": ("a.startswith('x')", 2, "no function `startswith`", "`startsWith`?"),
    "an unknown global function": ("length(a)", 0, "no function `length`", "`has`, `int`, `size`"),
    "a function of CEL that is left out": ("a.split(',')", 2, "`split` of CEL is not", "lists"),
    "an unsigned conversion": ("uint(a)", 0, "`uint` of CEL is not part", "lists"),
    "a function called as a method": ("a.int()", 2, "`int` is written before its value", "int("),
    "contains between its values": (
        "a contains 'b'",
        2,
        "unexpected `contains`",
        "behind its value",
    ),
    "matches between its values": ("a matches 'b'", 2, "unexpected `matches`", 'name.matches("x")'),
    "not in": ("a not in [1]", 2, "unexpected `not`", "write `!`, as in `!(x in y)`"),
    "other signs of inequality": ("a <> b", 3, "unexpected `>`", "write `!=`"),
    "three equals signs": ("a === b", 4, "unexpected `=`", "write `==`"),
    "true in capitals": ("a == True", 5, "`True` is not a value", "write `true`"),
    "none": ("a == None", 5, "`None` is not a value", "write `null`"),
    "if": ("if a then b", 0, "`if` is not a value", "write `condition ? a : b`"),
    "a chain of comparisons": (
        "1 < a < 5",
        6,
        "`<` and `<` are in one row",
        "join two comparisons",
    ),
    "a chain of equals": ("a == b == c", 7, "`==` and `==` are in one row", "parentheses"),
    "a chain with in": ("a in b == true", 7, "`in` and `==` are in one row", "parentheses"),
    "a semicolon": ("a; b", 1, "unexpected `;`", "join two with `&&`"),
    "quotes of a word processor": (
        "a == \u201cx\u201d",
        5,
        "unexpected `\u201c`",
        "double or single",
    ),
    "a time's part with two zones": ("a.getHours('x', 'y')", 2, "takes at most one argument", ""),
    "a conversion of nothing": ("duration()", 0, "`duration` takes one argument", ""),
    "a quantifier over a literal": ("a.all(true, true)", 6, "unexpected `true`", ""),
    "too many quantifiers": (
        " || ".join(["a.all(x, x)"] * 9),
        120,
        "goes through more than 8 lists",
        "split the rule",
    ),
    "map with too much": ("a.map(x, x, x, x)", 13, "unexpected `,` where `)`", ""),
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
    "a long chain of sums": ("1+" * 40 + "1", 0, "nested deeper than 32", "split"),
    "a long path": ("a" + ".b" * 40, 0, "nested deeper than 32", "split"),
    "a ternary without end": ("a ? b : " * 40 + "c", 252, "nested deeper than 32", "split"),
    "a list too long": (f"1 in [{'1,' * 1001}]", 2006, "a list has at most 1000 items", ""),
    "a condition too long": ("a" * 4097, 0, "longer than 4096 characters", "split the rule"),
}


@pytest.mark.parametrize(("text", "at", "message", "help_text"), SYNTAX.values(), ids=SYNTAX.keys())
def test_what_is_no_condition(text: str, at: int, message: str, help_text: str) -> None:
    """Refused, at its place, and told what to write."""
    with pytest.raises(ConditionError) as caught:
        parse(text)
    error = caught.value
    assert message in error.message
    assert error.span.start == at
    assert help_text in error.help if help_text else not error.help


def test_chains_of_logic_are_not_deep() -> None:
    """A row of a hundred alternatives is one level."""
    node = parse(" || ".join(["params.a == 1"] * 100))
    assert check(node) == ()
    assert compiled(node)(act(params={"a": 1}), who(), scored(0)) is True


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
