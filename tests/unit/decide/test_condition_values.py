"""Conditions over times, conversions, patterns, lists and risk: what they mean in both forms."""

from __future__ import annotations

import datetime
from types import MappingProxyType

import pytest

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.rules.policy import Condition
from gateway.model.action import Action
from gateway.model.decision import Context, Risk
from tests.support.compiled_conditions import UNTOLD, compiled
from tests.support.policy_world import act, scored

NOW = datetime.datetime(2026, 11, 21, 15, 10, 30, 123456, tzinfo=datetime.UTC)
MICROSECONDS = (NOW - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(
    microseconds=1
)
CONTEXT = Context("me", "run-7", MICROSECONDS, {"team": "payments"}, "prod", "running")
ASSESSED = Assessment(
    Risk(20, (), ""),
    ("billing", "prod"),
    MappingProxyType({"operation": 12, "target": 3, "context": 5, "deviation": 0}),
    MappingProxyType({"context.amount": 4}),
)
PARAMS = {
    "at": "2026-11-21T15:10:30.123456Z", "before": "2025-01-01T00:00:00+01:00", "span": "90m",
    "n": "12", "amount": 9000, "rate": "1.5", "yes": "true", "flag": True, "tags": ["a", "b", "ab"],
    "lists": [[1, 2], [3]], "card": {"n": 7, "m": 8}, "mixed": [1, "x", None], "none": None,
    "big": 2**70, "max": 2**63 - 1, "email": "ann@example.com", "half": "\ud800", "zero": 0,
    "long": "a" * 70_000, "inf": "inf", "digits": "9" * 5_000,
}  # fmt: skip
ACTION = act("create_refund", params=PARAMS)

TRUE = {
    "now is the clock of the decision": 'now == timestamp("2026-11-21T15:10:30.123456Z")',
    "a time of the request": "timestamp(params.at) == now && timestamp(params.before) < now",
    "a time in another zone": (
        'timestamp("2026-01-01T01:00:00+01:00") == timestamp("2026-01-01T00:00:00Z")'
    ),
    "a time as seconds": (
        'timestamp(0) == timestamp("1970-01-01T00:00:00Z") && int(timestamp(5)) == 5'
    ),
    "a time before 1970 as seconds": 'int(timestamp("1969-12-31T23:59:59.5Z")) == -1',
    "a time of a time": "timestamp(now) == now && duration(now - now) == duration('0')",
    "a time is text again": 'string(now) == "2026-11-21T15:10:30.123456Z"',
    "decimals of a time come in threes": (
        'string(timestamp("2026-01-01T00:00:00.1Z")) == "2026-01-01T00:00:00.100Z"'
        ' && string(timestamp("2026-01-01T00:00:00Z")) == "2026-01-01T00:00:00Z"'
        ' && string(timestamp("2026-01-01T00:00:00.1234567Z")) == "2026-01-01T00:00:00.123456700Z"'
    ),
    "more than nanoseconds are cut": (
        'timestamp("2026-01-01T00:00:00.1234567899Z")'
        ' == timestamp("2026-01-01T00:00:00.123456789Z")'
    ),
    "the first and last moments": (
        'timestamp("0001-01-01T00:00:00Z") < timestamp("9999-12-31T23:59:59.999999999Z")'
    ),
    "a span": 'duration("1h30m") == duration(params.span) && duration("1.5h") == duration("90m")',
    "spans of every unit": 'duration("1h1m1s1ms1us1ns") > duration("3661.001s")',
    "signs of spans": 'duration("-1.5s") + duration("+1.5s") == duration("0")',
    "a span without whole seconds": (
        'duration(".5s") == duration("500ms") && duration("1.s") > duration("0")'
    ),
    "a span is text again": (
        'string(duration("1h30m")) == "5400s" && string(duration("-1.5s")) == "-1.500s"'
        ' && string(duration("1us")) == "0.000001s" && string(duration("-1ns")) == "-0.000000001s"'
    ),
    "an hour ago": 'now - duration("1h") < now && duration("1h") + now > now',
    "how long ago": (
        'now - timestamp(params.before) > duration("24h") && now - now == duration("0s")'
    ),
    "spans are added": (
        'duration("1h") - duration("2h") == duration("-1h") && [now][0] != duration("1s")'
    ),
    "hours in a zone": 'now.getHours() == 15 && now.getHours("Europe/Berlin") == 16',
    "hours by offset": (
        'now.getHours("+05:30") == 20 && now.getHours("-11:00") == 4 && now.getHours("02:00") == 17'
    ),
    "parts of a time": (
        "now.getFullYear() == 2026 && now.getMonth() == 10 && now.getDate() == 21"
        " && now.getDayOfMonth() == 20 && now.getDayOfWeek() == 6 && now.getDayOfYear() == 324"
        " && now.getMinutes() == 10 && now.getSeconds() == 30 && now.getMilliseconds() == 123"
    ),
    "parts of a span": (
        'duration("90m30.25s").getHours() == 1 && duration("90m").getMinutes() == 90'
        ' && duration("90m").getSeconds() == 5400 && duration("-1.234s").getMilliseconds() == -234'
    ),
    "summer time": (
        'timestamp("2026-03-29T00:59:59Z").getHours("Europe/Berlin") == 1'
        ' && timestamp("2026-03-29T01:00:00Z").getHours("Europe/Berlin") == 3'
    ),
    "beyond the calendar, in a zone": (
        'timestamp("9999-12-31T23:59:59Z").getFullYear("+05:00") == 10000'
        ' && timestamp("0001-01-01T00:00:00Z").getFullYear("America/New_York") == 0'
        ' && timestamp("0001-01-01T00:00:00Z").getDayOfYear("-01:00") == 365'
    ),
    "a quarter of an hour before clocks had zones": (
        'timestamp("1890-06-01T00:00:00Z").getMinutes("Europe/Berlin") == 53'
    ),
    "whole numbers from text": 'int(params.n) == 12 && int("-007") == -7 && int("+5") == 5',
    "whole numbers from decimals": "int(1.9) == 1 && int(-1.9) == -1 && int(params.amount) == 9000",
    "decimals": 'double(params.rate) * 2.0 == 3.0 && double("1e3") == 1000.0 && double(1) == 1.0',
    "decimals are computed": "1.5 + 0.5 - 1.0 == 2.0 / 2.0 && -1.5 < 0.0 && -(double(1)) == -1.0",
    "a decimal of a decimal": "double(1.5) == 1.5",
    "a whole number against decimals": "params.amount > 8999.5 && params.amount == 9000.0",
    "text of values": (
        'string(params.amount) == "9000" && string(true) == "true" && string(params.n) == "12"'
        ' && string(1 == 2) == "false"'
    ),
    "truth from text": 'bool(params.yes) && !bool("FALSE") && bool(params.flag)',
    "a pattern is searched": (
        'params.email.matches("@example[.]com$") && !params.email.matches("^x")'
    ),
    "a pattern of RE2": (
        r'params.email.matches("(?i)^[\\w.]+@EXAMPLE\\.com$")'
        r' && action.matches("_")'
    ),
    "an empty pattern": '"".matches("")',
    "filter": 'params.tags.filter(t, t.startsWith("a")) == ["a", "ab"]',
    "filter, then all": 'params.tags.filter(t, size(t) > 1).all(t, t == "ab")',
    "filter of a map gives keys": 'params.card.filter(k, k == "n") == ["n"]',
    "filter within": "size(params.lists.filter(l, l.filter(x, x > 2) != [])) == 1",
    "map": "params.tags.map(t, t + '!')[0] == 'a!' && [1, 2, 3].map(x, x > 1, x * 2) == [4, 6]",
    "exactly one": "[1, 2, 3].exists_one(x, x > 2) && ![1, 2, 3].exists_one(x, x > 1)",
    "exactly one of none": "![].exists_one(x, true)",
    "a written list is not changed": (
        '["a"] + params.tags == ["a", "a", "b", "ab"] && ["a"] == ["a"]'
    ),
    "what is no text is in no list of texts": (
        '!(params.tags in ["a", "b"]) && !(params.none in ["a"])'
    ),
    "one text is in a list of texts": '[1, "b"].exists(x, x in ["a", "b"])',
    "a position that a decimal gives": "[10, 20][[1.0][0]] == 20",
    "labels of the target": '"prod" in target.labels && target.labels == ["billing", "prod"]',
    "labels, in a loop": (
        'target.labels.exists(l, l.startsWith("bill")) && size(target.labels) == 2'
    ),
    "the run and its state": 'run == "run-7" && run.state == "running"',
    "the state of the run in a list": 'run.state in ["running", "pending"]',
    "parts of risk": (
        "risk.operation == 12 && risk.target == 3 && risk.context == 5 && risk.deviation == 0"
    ),
    "factors of risk": 'risk.factors["context.amount"] == 4 && !("operation.kind" in risk.factors)',
    "times are equal to nothing else": (
        "[now, 1, duration('1s')].filter(x, x != now) == [1, duration('1s')]"
    ),
    "a list of times": "[now, 5].exists(x, x == now) && now in [now, now]",
}

UNRESOLVED = {
    "a text that is no time": ("timestamp(params.n) < now", "params.n"),
    "a truth value as a time": ("timestamp(params.flag) < now", "params.flag"),
    "null as a time": ("timestamp(params.none) < now", "params.none"),
    "a text that is no span": ('duration(params.at) < duration("1s")', "params.at"),
    "a number as a span": ('duration(params.amount) < duration("1s")', "params.amount"),
    "a long text as a time": ("timestamp(params.long) < now", "params.long"),
    "a long text as a span": ('duration(params.long) < duration("1s")', "params.long"),
    "a time beyond the calendar": ('timestamp("9999-12-31T23:59:59Z") + duration("1s") > now', ""),
    "a time before the calendar": ('timestamp("0001-01-01T00:00:00Z") - duration("1s") < now', ""),
    "times that are too far apart": (
        'timestamp("9999-01-01T00:00:00Z") - timestamp("0001-01-01T00:00:00Z") > duration("1s")',
        "",
    ),
    "a sum of spans that is too long": (
        'duration("2562047h") + duration("1h") > duration("0")',
        "",
    ),
    "a date of a span": ("[now - now, 1].exists(x, x.getDate() == 1)", "x"),
    "an hour of a number": ("[1, now].all(x, x.getHours() == 15)", "x"),
    "a time against a span": ('[now, 1].all(x, x > duration("1s"))', "x"),
    "a number plus a span": ('[1, "a"].all(x, x + duration("1s") == now)', "x"),
    "a span plus text": ('["a", 1].all(x, duration("1s") + x == now)', "x"),
    "a text that is no number": ("int(params.at) == 1", "params.at"),
    "many digits": ("int(params.digits) == 1", "params.digits"),
    "a truth value as a number": ("int(params.flag) == 1", "params.flag"),
    "a truth value as a decimal": ("double(params.flag) == 1.0", "params.flag"),
    "null as a number": ("int(params.none) == 0", "params.none"),
    "a number beyond 64 bits as one": ("int(params.big) > 0", "params.big"),
    "a number beyond 64 bits as a decimal": ("double(params.big) > 0.0", "params.big"),
    "a number beyond 64 bits as text": ('string(params.big) == "1"', "params.big"),
    "a decimal beyond 64 bits": ('int(double("1e300")) > 0', ""),
    "infinity as a decimal": ("double(params.inf) > 0.0", "params.inf"),
    "a list as a decimal": ("double(params.tags) > 0.0", "params.tags"),
    "a decimal that overflows": ("1e300 * 1e300 > 1.0", ""),
    "a sum that overflows": ("1e308 + 1e308 > 1.0", ""),
    "a difference that overflows": ("-1e308 - 1e308 < 1.0", ""),
    "a division by 0.0": ("1.0 / 0.0 > 1.0", ""),
    "a whole number times a decimal": ("[1.5, 2].all(x, x * 2 > 1)", "x"),
    "text of a list": ('string(params.tags) == "a"', "params.tags"),
    "text of null": ('string(params.none) == "null"', "params.none"),
    "text of a decimal": ('[1.5, 1].all(x, string(x) == "1")', "x"),
    "truth from a number": ("bool(params.zero)", "params.zero"),
    "truth from another text": ("bool(params.n)", "params.n"),
    "a pattern in a number": ('params.amount.matches("9")', "params.amount"),
    "a pattern in half a character": ('params.half.matches("a")', "params.half"),
    "a pattern in a giant": ('params.long.matches("a")', "params.long"),
    "filter with an error": ("size(params.mixed.filter(x, x > 0)) == 1", "x"),
    "filter of a number": ("size(params.amount.filter(x, true)) == 1", "params.amount"),
    "filter of what is not there": ("size(params.nope.filter(x, true)) == 1", "params.nope"),
    "map with an error": ("params.mixed.map(x, x + 1) == [2]", "x"),
    "map with an error in the test": ("params.mixed.map(x, x > 0, 1) == [1]", "x"),
    "exactly one, with an error": ("params.mixed.exists_one(x, x > 0)", "x"),
    "a sum of giants": ("size(params.long + params.long) > 0", "params.long"),
    "a position between two": ("[10, 20][[0.5, 1][0]] == 20", ""),
    "a factor that is not there": (
        'risk.factors["operation.kind"] == 1',
        "risk.factors['operation.kind']",
    ),
}


def _both(text: str, action: Action = ACTION) -> tuple[object, object]:
    """The answer of the generated function, and the interpreter's."""
    node = parse(text)
    assert check(node) == (), (text, check(node))
    exact = Condition(text, node).holds(action, CONTEXT, ASSESSED)
    return compiled(node)(action, CONTEXT, ASSESSED), exact


@pytest.mark.parametrize("text", TRUE.values(), ids=TRUE.keys())
def test_what_is_true(text: str) -> None:
    """Each holds in both forms, and its opposite does not."""
    assert _both(text) == (True, True)
    assert _both(f"!({text})") == (False, False)


@pytest.mark.parametrize(("text", "subject"), UNRESOLVED.values(), ids=UNRESOLVED.keys())
def test_what_can_not_be_told(text: str, subject: str) -> None:
    """Neither form tells, and the interpreter names the field that it fails on."""
    fast, exact = _both(text)
    assert fast == UNTOLD
    assert isinstance(exact, Unresolved)
    assert exact.subject == subject


def test_a_risk_without_its_parts_is_no_risk_of_nothing() -> None:
    """What the assessment lacks can't be told."""
    node = parse("risk.operation < 5")
    exact = Condition("", node).holds(ACTION, CONTEXT, scored(1))
    assert isinstance(exact, Unresolved)
    assert exact.subject == "risk.operation"
    assert compiled(node)(ACTION, CONTEXT, scored(1)) == UNTOLD


def test_labels_of_a_target_that_can_not_be_read_are_not_told() -> None:
    """It may have any, or none."""
    action = act(target=("charge", ""), missing=("target.id",))
    for text in ('"prod" in target.labels', "size(target.labels) == 0"):
        fast, exact = _both(text, action)
        assert fast == UNTOLD
        assert isinstance(exact, Unresolved)
        assert exact.subject == "target.id"


HAS = {
    "a param that is there": ("has(params.amount)", True),
    "a param that is certainly absent": ("has(params.fee)", False),
    "a param that may be there": ("has(params.note)", None),
    "a part of one that may be there": ("has(params.card.cvc)", None),
    "a param that no mapper declares": ("has(params.other)", False),
    "the value of an absent param": ("params.fee == 1", None),
}


@pytest.mark.parametrize(("text", "expected"), HAS.values(), ids=HAS)
def test_has_tells_absent_from_unreadable(text: str, expected: bool | None) -> None:
    """Of a declared param that is not there, `has` is false; of one that may be, nobody knows."""
    action = act(
        params={"amount": 1, "card": {}}, missing=("fee",), unreadable=("note", "card.cvc")
    )
    fast, exact = _both(text, action)
    assert fast == (UNTOLD if expected is None else expected)
    assert isinstance(exact, Unresolved) if expected is None else exact is expected


def test_where_more_came_than_is_named_no_param_is_certainly_absent() -> None:
    """But labels of the agent, which no request carries, are."""
    action = act(params={"amount": 1}, unreadable=("*",))
    assert _both("has(params.amount) && !has(agent.labels.nope)", action) == (True, True)
    fast, exact = _both("has(params.other)", action)
    assert fast == UNTOLD
    assert isinstance(exact, Unresolved)
