"""Generated conditions: compiled = interpreted = the reference implementation of CEL.

`python -m tests.property.conditions_at_length` asks the same for as long as it is let.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.syntax import ConditionError
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.rules.policy import Condition
from tests.property.condition_cases import Difference, Verdict, judge, make_case
from tests.property.condition_params import params_of
from tests.property.condition_texts import condition_text
from tests.support.compiled_conditions import UNTOLD, compiled
from tests.support.policy_world import act, scored, who

EXAMPLES = 400
"""Enough to meet every operator with every type in seconds; CI stays quick."""


@given(st.integers(0, 2**32))
@settings(max_examples=EXAMPLES, deadline=None)
def test_all_three_agree(seed: int) -> None:
    """All say true, all say false, or none can tell, but for what is stricter on purpose."""
    text, asked = make_case(random.Random(seed), 4)
    found = judge(text, asked)
    assert not [one for one in found if isinstance(one, Difference)]


def test_the_generator_meets_every_answer() -> None:
    """Most of what it writes is a condition, and every answer comes, differences aside."""
    counts = dict.fromkeys(Verdict, 0)
    for seed in range(600):
        for verdict in judge(*make_case(random.Random(seed), 4)):
            assert isinstance(verdict, Verdict)
            counts[verdict] += 1
    assert counts[Verdict.TRUE] > 400
    assert counts[Verdict.FALSE] > 400
    assert counts[Verdict.ERROR] > 400
    assert counts[Verdict.REFUSED_HERE] + counts[Verdict.REFUSED_THERE] < 300


@given(st.integers(0, 2**32), st.sampled_from(["a", "b", "c.a", "d", "*"]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_compiled_is_interpreted_where_params_are_unreadable(seed: int, name: str) -> None:
    """The one thing that CEL does not know: what may be there, and could not be read."""
    source = random.Random(seed)
    text = condition_text(source, with_decimals=True)
    params = params_of(source, with_decimals=True)
    params.pop(name, None)
    node = parse(text)
    if check(node):
        return
    action = act("x", params=params, unreadable=(name,))
    exact = Condition(text, node).holds(action, who("me"), scored(20))
    fast = compiled(node)(action, who("me"), scored(20))
    assert fast == (UNTOLD if isinstance(exact, Unresolved) else exact)


PIECES = st.sampled_from(
    [
        "params", ".", "a", "(", ")", "[", "]", "==", "=", "&&", "||", "!", "-", "1", '"x"', "'",
        "in", "has", "size", "all", "x", ",", "?", ":", "\\", "_", "5u", "true", "//", "\n", "+",
        "now", "getHours", "filter", "map", "matches", "timestamp", "duration", '"1h"', "1.5",
        "int", "run", "state", "risk", "factors", "target", "labels", "<", "double", "string",
        '"("', "1.",
    ]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join)))
@settings(max_examples=EXAMPLES * 2, deadline=None)
def test_no_text_makes_the_parser_raise_anything_else(text: str) -> None:
    """Any text is a condition or a positioned error."""
    try:
        node = parse(text)
    except ConditionError as error:
        node = None
        span, message = error.span, error.message
    if node is None:
        assert 0 <= span.start <= span.end <= len(text) + 1
        assert message
        return
    errors = check(node)
    if not errors:
        Condition(text, node).holds(act(), who(), scored(0))


@given(st.integers(0, 2**32), st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_broken_condition_makes_the_checker_raise(seed: int, data: st.DataObject) -> None:
    """A condition with a piece put in or taken out is a condition, or an error in its place."""
    text = condition_text(random.Random(seed), with_decimals=True)
    at = data.draw(st.integers(0, len(text)))
    broken = text[:at] + data.draw(PIECES) + text[at + data.draw(st.integers(0, 12)) :]
    try:
        errors = check(parse(broken))
    except ConditionError as error:
        errors = (error,)
    for error in errors:
        assert 0 <= error.span.start <= error.span.end <= len(broken) + 1
        assert error.message
