"""Generated conditions: compiled = interpreted = the reference implementation of CEL.

The oracle is `cel-expr-python` (C++). It gives an evaluation error as a text, which is truthy:
only `is True` and `is False` are answers.
"""

from __future__ import annotations

from typing import Any

from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.checker import check
from gateway.decide.conditions.parser import parse
from gateway.decide.conditions.syntax import ConditionError
from gateway.decide.conditions.unresolved import Unresolved
from gateway.decide.rules.policy import Condition
from tests.support.compiled_conditions import UNTOLD, compiled
from tests.support.policy_world import act, who

EXAMPLES = 400
"""Enough to meet every operator with every type in a second; CI stays quick."""

NAMES = st.sampled_from(["a", "a", "b", "b", "c", "c", "d", "d", "nope"])
SMALL = st.integers(-3, 3)
EDGE = st.sampled_from([2**63 - 1, -(2**63), 5000, -5000])
TEXTS = st.text(alphabet="ab1é\U0001f600", max_size=3)
SCALARS = st.one_of(SMALL, EDGE, st.booleans(), st.none(), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=5,
)
PARAMS = st.fixed_dictionaries(
    {
        "a": st.one_of(SMALL, SMALL, EDGE, VALUES),
        "b": st.one_of(TEXTS, TEXTS, VALUES),
        "c": st.one_of(
            st.lists(SCALARS, min_size=1, max_size=3),
            st.fixed_dictionaries({"a": SCALARS}, optional={"b": SCALARS}),
        ),
    },
    optional={"d": st.one_of(st.booleans(), VALUES)},
)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(sign):08x}" for sign in text) + '"'


_LITERALS = st.one_of(
    SMALL.map(str),
    EDGE.map(str),
    st.booleans().map(lambda truth: str(truth).lower()),
    st.just("null"),
    TEXTS.map(quoted),
    st.sampled_from(["1.0", "0.5", "-2.5"]),
    st.lists(TEXTS.map(quoted), max_size=5).map(lambda items: f"[{', '.join(items)}]"),
    st.lists(SMALL.map(str), min_size=1, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
)
_PATHS = st.one_of(
    NAMES.map(lambda name: f"params.{name}"),
    st.tuples(NAMES, st.sampled_from(["a", "b"])).map(lambda pair: f"params.{pair[0]}.{pair[1]}"),
    st.tuples(NAMES, st.integers(-1, 2)).map(lambda pair: f"params.{pair[0]}[{pair[1]}]"),
    NAMES.map(lambda name: f'params["{name}"]'),
    st.sampled_from(["action", "agent.id", "target.id", "reversible", "risk.score"]),
)
# Deferred, so that their names stay short: Hypothesis warns of long ones.
LITERALS = st.deferred(lambda: _LITERALS)
PATHS = st.deferred(lambda: _PATHS)

COMPARISONS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"])
ARITHMETIC = st.sampled_from(["+", "-", "*", "/", "%"])
METHODS = st.sampled_from(["startsWith", "endsWith", "contains"])

SIMPLE = st.one_of(PATHS, PATHS, PATHS, LITERALS)
_OPERANDS = st.one_of(
    SIMPLE,
    SIMPLE,
    st.tuples(PATHS, ARITHMETIC, SIMPLE).map(lambda parts: f"({' '.join(parts)})"),
    st.tuples(SIMPLE, ARITHMETIC, PATHS).map(lambda parts: f"({' '.join(parts)})"),
    PATHS.map(lambda path: f"-{path}"),
    PATHS.map(lambda path: f"size({path})"),
    st.tuples(PATHS, SIMPLE, SIMPLE).map(lambda parts: "({} ? {} : {})".format(*parts)),
)
OPERANDS = st.deferred(lambda: _OPERANDS)
_TESTS = st.one_of(
    st.tuples(OPERANDS, COMPARISONS, OPERANDS).map(" ".join),
    st.tuples(PATHS, COMPARISONS, LITERALS).map(" ".join),
    st.tuples(LITERALS, COMPARISONS, PATHS).map(" ".join),
    st.tuples(PATHS, METHODS, st.one_of(PATHS, TEXTS.map(quoted))).map(
        lambda parts: f"{parts[0]}.{parts[1]}({parts[2]})"
    ),
    NAMES.map(lambda name: f"has(params.{name})"),
    st.tuples(NAMES, st.sampled_from(["a", "b"])).map(
        lambda pair: "has(params.{}.{})".format(*pair)
    ),
    PATHS,
    st.tuples(NAMES, st.sampled_from(["all", "exists"]), COMPARISONS, OPERANDS).map(
        lambda parts: "params.{}.{}(x, x {} {})".format(*parts)
    ),
)
TESTS = st.deferred(lambda: _TESTS)
CONDITIONS = st.recursive(
    TESTS.map(lambda text: f"({text})"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda text: f"!{text}"),
        st.tuples(inner, inner, inner).map(lambda parts: "({} ? {} : {})".format(*parts)),
        st.tuples(NAMES, inner).map(lambda pair: "params.{}.exists(y, y == 1 || {})".format(*pair)),
    ),
    max_leaves=5,
)

ORACLE = cel.NewEnv(
    variables={
        "params": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "action": cel.Type.STRING,
        "agent": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "target": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "risk": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "reversible": cel.Type.BOOL,
    }
)


def our_answers(text: str, params: dict[str, Any]) -> tuple[object, object] | None:
    """The compiled answer and the interpreted one; None for a condition that the checker
    refuses."""
    node = parse(text)
    if check(node):
        return None
    action, context = act("x", params=params), who("me")
    condition = Condition(text, node)
    fast = compiled(node)(action, context, Assessment.of_score(20))
    return fast, condition.holds(action, context, Assessment.of_score(20))


@given(CONDITIONS, PARAMS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_compiled_is_interpreted(text: str, params: dict[str, Any]) -> None:
    """Generated functions say what the interpreter says."""
    answers = our_answers(text, params)
    if answers is None:
        return
    fast, exact = answers
    assert fast == (UNTOLD if isinstance(exact, Unresolved) else exact)


@given(CONDITIONS, PARAMS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_interpreted_is_cel(text: str, params: dict[str, Any]) -> None:
    """Where both accept a condition, both say true, both say false, or both can't tell."""
    answers = our_answers(text, params)
    if answers is None:
        return
    try:
        expression = ORACLE.compile(text)
    except Exception:
        # It checks lists for one type of item, which we leave to the evaluation.
        return
    value = expression.eval(
        data={
            "params": params,
            "action": "x",
            "agent": {"id": "me"},
            "target": {"id": "ch_1"},
            "risk": {"score": 20},
            "reversible": True,
        }
    ).value()
    exact = answers[1]
    if value is True or value is False:
        assert exact is value, (text, params)
    else:
        assert isinstance(exact, Unresolved), (text, params, value)


PIECES = st.sampled_from(
    [
        "params", ".", "a", "(", ")", "[", "]", "==", "=", "&&", "||", "!", "-", "1", '"x"', "'",
        "in", "has", "size", "all", "x", ",", "?", ":", "\\", "_", "5u", "true", "//", "\n", "+",
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
        Condition(text, node).holds(act(), who(), Assessment.of_score(0))
