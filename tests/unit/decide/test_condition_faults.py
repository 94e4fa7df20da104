"""Conditions that can only be mistakes: each is refused at its place, with the way out."""

from __future__ import annotations

import pytest

from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.parsing.parser import parse
from gateway.model.vocabulary import Vocabulary

TYPES = {
    "text against a number": ("action == 5", 0, "text is compared with a whole number"),
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
    "a request holds no decimals": (
        "params.amount * 1.5 > 1.0",
        0,
        "`*` can't be used on a value of the request and a decimal",
    ),
    "a whole number times a decimal": (
        "risk.score * 1.5 > 1.0",
        0,
        "on a whole number and a decimal",
    ),
    "a remainder of decimals": (
        "5.0 % 2.0 == 1.0",
        0,
        "`%` takes whole numbers, and this is a dec",
    ),
    "a decimal as a position": ("params.x[1.0] == 1", 9, "an index is a position"),
    "a request holds no times": (
        "params.at > now",
        0,
        "a value of the request is compared with a p",
    ),
    "a time against text": ('now > "2026-01-01"', 0, "a point in time is compared with text"),
    "a time against a number": ("now > 1767225600", 0, "a point in time is compared with a whole"),
    "a span against a number": (
        "now - now > 5",
        0,
        "a span of time is compared with a whole number",
    ),
    "a span against a point in time": (
        'duration("1h") < now',
        0,
        "a span of time is compared with",
    ),
    "times are not added": ("now + now == now", 0, "`+` can't be used on a point in time and a p"),
    "a span less a time": ('duration("1h") - now == now', 0, "`-` can't be used on a span of time"),
    "a span is not multiplied": (
        'duration("1h") * 2 == now',
        0,
        "`*` takes numbers, and this is a sp",
    ),
    "minus of a span": ('-duration("1h") < now', 1, "`-` takes a number, and this is a span"),
    "a part of a text": ("action.getHours() == 1", 0, "`getHours` takes a point in time or a span"),
    "a part of a value of the request": (
        "params.at.getDate() == 1",
        0,
        "`getDate` takes a point in",
    ),
    "a date of a span": ('duration("1h").getDate() == 1', 0, "`getDate` takes a point in time"),
    "a span in a zone": (
        'duration("1h").getHours("UTC") == 1',
        24,
        "a span of time has no time zone",
    ),
    "an unknown zone": (
        'now.getHours("Europe/Berlyn") == 1',
        13,
        "there is no time zone `Europe/Be",
    ),
    "a zone of the request": (
        "now.getHours(params.zone) == 1",
        13,
        "the time zone must be written out",
    ),
    "a zone that is a number": ("now.getHours(1) == 1", 13, "`getHours` takes text"),
    "a path as a zone": ('now.getHours("../x") == 1', 13, "there is no time zone `../x`"),
    "a pattern of the request": (
        "action.matches(params.p)",
        15,
        "the pattern of `matches` must be",
    ),
    "a broken pattern": ('action.matches("(")', 15, "the pattern can't be used: missing )"),
    "a pattern with look-ahead": (
        'action.matches("(?=a)")',
        15,
        "can't be used: invalid perl oper",
    ),
    "a pattern that is too large": (
        'action.matches("(\\\\pL{100}){10}")',
        15,
        "the pattern can't be used",
    ),
    "a span without a unit": ('duration("5") > duration("1s")', 9, "`5` is not a span of time"),
    "a span that is only a unit": ('duration("h") > now - now', 9, "`h` is not a span of time"),
    "a span of no digits": ('duration(".s") > now - now', 9, "`.s` is not a span of time"),
    "a span of days": ('duration("1d") > duration("1s")', 9, "`1d` is not a span of time"),
    "a day that is none": ('timestamp("2026-02-30T00:00:00Z") < now', 10, "is not a point in time"),
    "a time without a zone": (
        'timestamp("2026-02-03T00:00:00") < now',
        10,
        "is not a point in time",
    ),
    "seconds beyond the calendar": ("timestamp(999999999999) < now", 10, "is not a point in time"),
    "a text that is no number": ('int("5k") == 5', 4, "`5k` is not a whole number"),
    "a decimal that is none": ('double("NaN") == 5.0', 7, "`NaN` is not a decimal"),
    "a truth value that is none": ('bool("yes")', 5, "`yes` is not true or false"),
    "a number of a truth value": (
        "int(reversible) == 1",
        4,
        "`int` takes a number, text or a point",
    ),
    "text of a decimal": ('string(1.5) == "1.5"', 7, "`string` takes a whole number, text"),
    "text of null": ('string(null) == "null"', 7, "`string` takes a whole number, text"),
    "filter is no condition": (
        "params.x.filter(x, true)",
        0,
        "a condition is wanted here, and this",
    ),
    "map is no condition": (
        "[1].map(x, x > 0)",
        0,
        "a condition is wanted here, and this is a list",
    ),
    "a predicate of map": ("[1].map(x, x, x) == [1]", 11, "a condition is wanted here"),
    "an item of a list of numbers": ('[1].all(x, x == "a")', 11, "a whole number is compared with"),
    "an item that was kept": (
        '[1].filter(x, true).all(y, y == "a")',
        27,
        "a whole number is compared",
    ),
    "a label is text, in a loop": ("target.labels.exists(l, l == 1)", 24, "text is compared with"),
    "a part of the run": ('run.id == "r"', 0, "there is no `run.id` to read"),
    "a state that no run has": ('run.state == "done"', 13, "a run is never `done`"),
    "a factor by points": (
        "risk.factors.context.amount > 1",
        0,
        "the name of a factor has a point",
    ),
    "a factor is a number": (
        'risk.factors["context.amount"] == "x"',
        0,
        "a whole number is compared",
    ),
    "an unknown part of risk, in numbers": (
        "risk.level > 1",
        0,
        "there is no `risk.level` to read",
    ),
    "truth is not computed": ("true - 1 == 0", 0, "`-` takes numbers or times, and this is"),
    "text is not taken away": ('action - "a" == "b"', 0, "`-` takes numbers or times, and this"),
    "text plus a number": ('action + 1 == "x"', 0, "`+` can't be used on text and a whole"),
    "minus of text": ('-action == "x"', 1, "`-` takes a number"),
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
}


@pytest.mark.parametrize(("text", "at", "message"), TYPES.values(), ids=TYPES.keys())
def test_what_can_only_be_a_mistake(text: str, at: int, message: str) -> None:
    """A condition that parses and can't be meant is refused when it is loaded."""
    errors = check(parse(text))
    assert errors
    assert message in errors[0].message
    assert errors[0].span.start == at


HELP = {
    'now > "2026-01-01"': 'write `timestamp("2026-01-31T00:00:00Z")` for a point in time',
    "now > 1767225600": 'write `timestamp("2026-01-31T00:00:00Z")` for a point in time',
    "now - 3600 > now": 'write `duration("1h30m")` for a span of time',
    'now - now < "1h"': 'write `duration("1h30m")` for a span of time',
    "now - now < 3600": 'write `duration("1h30m")` for a span of time',
    "now == true": "",
    'action == ["x"]': "",
    'labels.team == "payments"': "write `target.labels` or `agent.labels`",
    'id == "x"': "write `target.id` or `agent.id`",
    "risk.score * 1.5 > 1.0": "write `double(...)` around the whole number",
    "params.amount * 1.5 > 1.0": "write `double(params.amount)`; amounts are",
    'action + 1 == "x"': "write `string(...)` around the number",
    "params.at > now": "write `timestamp(params.at)`",
    'params.d < duration("1h")': "write `duration(params.d)`",
    "params.at.getDate() == 1": "write `timestamp(params.at)`",
    "(params.x ? params.a : params.b) < now": "write `timestamp(...)`",
    'now.getHours("Europe/Berlyn") == 1': "did you mean `Europe/Berlin`?",
    'now.getHours("+5") == 1': "write `Europe/Berlin`, `UTC` or `+05:30`",
    'run.state == "runing"': "did you mean `running`?",
    'run.id == "r"': "`run` is the name of the run",
    "action.matches(params.p)": "as in",
    "action == 5": "write `string(...)` around the number",
    'risk.score > "5"': "write 5 without quotes",
    'risk.score > "five"': "write `string(...)` around the number",
}


@pytest.mark.parametrize(("text", "help_text"), HELP.items())
def test_a_mistake_is_told_the_way_out(text: str, help_text: str) -> None:
    """The help says what to write instead."""
    errors = check(parse(text))
    assert errors
    found = errors[0].help
    assert found.startswith(help_text) if help_text else not found


WELL_TYPED = [
    "params.x == null && run == null",
    'params.x + "a" == "b" && params.x + params.y == 3 && 1 + params.x > 1',
    "(params.flag ? params.x : 1) > 0",
    "(params.flag ? 1 : 2) > 0",
    '"a" + "b" == "ab"',
    "1 < 1.5 && 1.5 != 1",
    "params.x in params && params.list.exists(x, x > 1 && params.flag)",
    'params.card["a"][0] == 1',
    "params.x[params.y] == params.z && [1, 2][params.n] == 1",
    'now > timestamp("2026-01-01T00:00:00Z") && now - timestamp(params.at) < duration("1h30m")',
    'timestamp(params.at).getHours("+05:30") in [1, 2] && duration(params.d).getSeconds() > 5',
    'now + duration("1h") > now && duration("1h") + duration("1h") == duration("2h")',
    "double(params.rate) * 1.5 - 0.5 > 1.0 && int(params.n) % 2 == 0 && params.n > 0.5",
    'string(params.n) == "5" && string(now).startsWith("2026") && bool(params.flag)',
    'params.name.matches("^[a-z]+$") && !action.matches(r"\\d")',
    "size(params.x.filter(y, y != null)) > 2 && params.x.exists_one(y, y == 1)",
    "params.x.map(y, y + 1) == [2] && [1, 2].map(y, y > 1, y * 2)[0] == 4",
    'run.state in ["running", ""] && "prod" in target.labels && size(target.labels) > 0',
    "risk.operation + risk.target + risk.context + risk.deviation == risk.score",
    'risk.factors["context.amount"] > 5 && "context.amount" in risk.factors',
    "[1, 1.5].exists(x, x > params.n) && -params.n < 1 && -1.5 < 0.5",
    "(now < now ? 1 : params.x) == 1 && (1 == 2) == false",
    "[[1], [2]].map(x, x[0]).all(y, y > 0) && params.m.filter(k, k > params.k)[0] == params.k",
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
