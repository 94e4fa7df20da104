"""Makes conditions and what they are asked about, and holds three answers against each other: the
generated function's, the interpreter's, and that of the reference implementation of CEL.

The oracle is `cel-expr-python` (C++). It gives an evaluation error as a text, which is truthy:
only `is True` and `is False` are answers. Where ours is stricter on purpose is in `Verdict`.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from cel_expr_python import cel

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.syntax import ConditionError, Function
from gateway.decide.conditions.values import semantics
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.rules.policy import Condition
from gateway.model.action import Action, Kind, Target
from gateway.model.decision import Context, Risk
from tests.property.condition_params import params_of
from tests.property.condition_texts import condition_text
from tests.support.compiled_conditions import UNTOLD, compiled

PARTS = {"operation": 12, "target": 3, "context": 5, "deviation": 0}
FACTORS = {"context.amount": 4, "operation.kind": 12}
ASSESSED = Assessment(
    Risk(20, (), ""), ("billing", "prod"), MappingProxyType(PARTS), MappingProxyType(FACTORS)
)
LABELS = {"team": "payments", "b": "é"}

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
ORACLE = cel.NewEnv(
    variables={
        "params": _MAP,
        "action": cel.Type.STRING,
        "agent": _MAP,
        "target": _MAP,
        "risk": _MAP,
        "reversible": cel.Type.BOOL,
        "now": cel.Type.TIMESTAMP,
    }
)


class Verdict(Enum):
    """STRICTER: ours can't be evaluated where the reference goes on with `NaN` or an infinity
    (comparisons with `NaN` are false, and an agent could write it), or takes the `int` of a truth
    value, which neither CEL nor the reference's own checker has."""

    TRUE = "true"
    FALSE = "false"
    ERROR = "can't be told"
    REFUSED_HERE = "refused by our checker"
    REFUSED_THERE = "refused by the reference's checker"
    STRICTER = "stricter here"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one condition is asked about."""

    params: dict[str, Any]
    now: int


@dataclass(frozen=True, slots=True)
class Difference:
    text: str
    asked: Asked
    compiled: object
    interpreted: object
    reference: object


def make_case(source: random.Random, answers: int) -> tuple[str, list[Asked]]:
    """A condition and what to ask it about."""
    with_decimals = source.random() < 0.5
    text = condition_text(source, with_decimals=with_decimals)
    return text, [
        Asked(params_of(source, with_decimals=with_decimals), _now(source)) for _ in range(answers)
    ]


def _now(source: random.Random) -> int:
    if source.random() < 0.5:
        return 1_795_273_830_123_456
    return source.randrange(-62_135_596_800_000_000, 253_402_300_799_000_000)


class _Judge:
    """One condition, made ready by all three."""

    def __init__(self, text: str) -> None:
        self.text = text
        node = parse(text)
        self.is_refused = bool(check(node))
        if not self.is_refused:
            self.interpreted = Condition(text, node).holds
            self.compiled = compiled(node)
        try:
            self.reference = ORACLE.compile(text)
        except Exception:
            self.reference = None

    def verdict(self, asked: Asked) -> Verdict | Difference:
        action = Action(
            "stripe", "stripe.x", "x", Kind.CREATE, Target("charge", "ch_1"), asked.params
        )
        context = Context("me", None, asked.now, LABELS)
        _stricter.clear()
        exact = self.interpreted(action, context, ASSESSED)
        strict = bool(_stricter)
        fast = self.compiled(action, context, ASSESSED)
        value = self.reference.eval(
            data={
                "params": asked.params,
                "action": "x",
                "agent": {"id": "me", "labels": LABELS},
                "target": {"id": "ch_1", "type": "charge", "labels": ["billing", "prod"]},
                "risk": {"score": 20, **PARTS, "factors": FACTORS},
                "reversible": True,
                "now": _EPOCH + datetime.timedelta(microseconds=asked.now),
            }
        ).value()
        theirs: object = value if value is True or value is False else UNTOLD
        ours: object = UNTOLD if isinstance(exact, Unresolved) else exact
        if fast != ours or (ours != theirs and not strict):
            return Difference(self.text, asked, fast, ours, value)
        if ours != theirs:
            return Verdict.STRICTER
        return Verdict.ERROR if ours == UNTOLD else Verdict.TRUE if ours else Verdict.FALSE


def judge(text: str, asked: Sequence[Asked]) -> list[Verdict | Difference]:
    """What comes of a condition, once for everything that it is asked about."""
    try:
        ready = _Judge(text)
    except ConditionError:
        return [Verdict.REFUSED_HERE] * len(asked)
    if ready.is_refused:
        return [Verdict.REFUSED_HERE] * len(asked)
    if ready.reference is None:
        return [Verdict.REFUSED_THERE] * len(asked)
    return [ready.verdict(one) for one in asked]


_stricter: list[object] = []


def _noting(function: Callable[[Any], Any], is_noted: Callable[[object], bool]) -> Any:
    """The function itself, which also notes where it is stricter than the reference."""

    def noting(value: object) -> object:
        try:
            return function(value)
        except Unresolved:
            if is_noted(value):
                _stricter.append(value)
            raise

    return noting


semantics.finite = _noting(semantics.finite, lambda _: True)  # type: ignore[attr-defined]
for _function in (Function.INT, Function.DOUBLE):
    _exact = semantics.FUNCTIONS[_function]
    semantics.FUNCTIONS[_function] = _noting(  # type: ignore[index]
        _exact, lambda value: isinstance(value, bool)
    )
