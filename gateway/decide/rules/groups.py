"""Writes rules into Python functions, one for the rules that are about the same calls.

A function tests its rules in deciding order and says which is the first that matches. All of a
policy's functions are made when it is loaded, several hundred rules at a time: nothing is
compiled while a request waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from types import CodeType, FunctionType
from typing import Final, cast

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.evaluation.compiler import Writer
from gateway.decide.conditions.evaluation.runtime import NAMES, Oracle
from gateway.decide.conditions.facts import FACTS, TARGET_ID
from gateway.decide.patterns import Pattern
from gateway.decide.rules.policy import MatchField, Rule
from gateway.model.action import Action, ParamValue
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context
from gateway.model.effect import Effect

FUNCTION_RULES_MAX: Final = 256
"""Rules of one function. A function reads what its rules read, and stops at the first that
matches: longer ones gain nothing."""

SHARING_RULES_MAX: Final = 4
"""Rules of a function that is given its literals, which costs a little at each call, and has its
code in common with all that differ in nothing else: most rules of a large policy have likes."""

SOURCE_CHARS_MAX: Final = 100_000
"""Compiled at once: enough to share what a compilation costs, little enough that Python's tree of
it stays small."""

Find = Callable[[Mapping[str, ParamValue], Action, Context, Assessment], int]
"""Takes params, action, context and assessment. Gives twice the position of the first rule that
matches, and one more where a field may not have been read; `nothing` of its policy for none. It
never raises."""

Placed = tuple[int, Rule]
"""A rule and its position among all rules of its policy, in deciding order."""

_SOURCES: Final[Mapping[MatchField, str]] = {
    MatchField.TARGET_ID: FACTS[TARGET_ID].source,
    MatchField.TARGET_LABEL: "r.labels",
    MatchField.AGENT: "c.agent",
    MatchField.RUN: "c.run",
    MatchField.RUN_STATE: "(c.run_state or None)",
    MatchField.ENVIRONMENT: "c.environment",
}
"""Where the fields of `match` lie that differ from call to call."""

_ALWAYS_TEXT: Final = frozenset({MatchField.TARGET_ID, MatchField.AGENT, MatchField.ENVIRONMENT})


def compile_groups(groups: Sequence[Sequence[Placed]], nothing: int) -> list[Find]:
    """Make a function of each group, in their order."""
    module = _Module()
    written = [module.function(group, nothing) for group in groups]
    codes = _compile(list(dict.fromkeys(source for source, _ in written)))
    names = {**NAMES, "_ask": module.oracle.ask}
    return [
        cast("Find", FunctionType(codes[source], names, "find", literals))
        for source, literals in written
    ]


def _compile(sources: Sequence[str]) -> dict[str, CodeType]:
    """The code of each function, by its source: parameters and body."""
    codes: dict[str, CodeType] = {}
    pending: list[str] = []
    chars = 0
    for number, source in enumerate(sources):
        pending.append(source)
        chars += len(source)
        if chars < SOURCE_CHARS_MAX and number + 1 < len(sources):
            continue
        text = "\n".join(f"def f{at}{each}" for at, each in enumerate(pending))
        made: dict[str, FunctionType] = {}
        # The source is our own, written from checked rules; see `evaluation.compiler`.
        exec(compile(text, "<rules>", "exec"), {"__builtins__": {}}, made)  # noqa: S102
        codes.update((each, made[f"f{at}"].__code__) for at, each in enumerate(pending))
        pending, chars = [], 0
    return codes


@dataclass(slots=True)
class _Module:
    """What the functions of one policy share."""

    oracle: Oracle = field(default_factory=Oracle)

    def function(self, group: Sequence[Placed], nothing: int) -> tuple[str, tuple[object, ...]]:
        """The source of a function, from its parameters on, and the literals it is given."""
        writer = Writer(self.oracle, is_sharing=len(group) <= SHARING_RULES_MAX)
        body = "".join(f"\n {line}" for line in self._body(writer, group, nothing))
        given = "".join(f", k{number}" for number in range(len(writer.literals)))
        return f"(p, a, c, r{given}):{body}", tuple(writer.literals)

    def _body(self, writer: Writer, group: Sequence[Placed], nothing: int) -> Iterator[str]:
        for position, rule in group:
            tests, sure = self._tests(writer, rule)
            yield from writer.take_reads()
            done = writer.literal(2 * position)
            if not tests:
                yield f"return {done}"
                return
            if sure:
                done = f"{done} if {' and '.join(sure)} else {writer.literal(2 * position + 1)}"
            yield f"if {' and '.join(tests)}: return {done}"
        yield f"return {writer.literal(nothing)}"

    def _tests(self, writer: Writer, rule: Rule) -> tuple[list[str], list[str]]:
        """What must hold for the rule to match; and what, if it holds too, shows that all was
        read. A rule that allows matches only where all was."""
        lenient = rule.effect is not Effect.ALLOW
        tests: list[str] = []
        sure: list[str] = []
        for match_field, pattern in rule.match.fields:
            if match_field not in _SOURCES:
                continue
            name = writer.local(_SOURCES[match_field])
            test = _fit(writer, name, match_field, pattern)
            if match_field in (MatchField.TARGET_ID, MatchField.TARGET_LABEL):
                known = f"{writer.local(_SOURCES[MatchField.TARGET_ID])} is not _M"
                sure.append(known)
                test = f"(not {known} or {test})" if lenient else f"{known} and {test}"
            tests.append(test)
        for label, pattern in rule.match.labels:
            name = writer.local(f"c.labels.get({label!r})")
            tests.append(_fit(writer, name, None, pattern))
        if rule.condition is not None:
            test, certain = writer.condition(rule.condition.node, lenient=lenient)
            tests.append(test)
            sure.extend(certain)
        return tests, sure if lenient else []


def _fit(writer: Writer, name: str, match_field: MatchField | None, pattern: Pattern) -> str:
    """The test of a text, or of None, against a pattern."""
    if match_field is MatchField.TARGET_LABEL:
        return f"any(map({writer.given(pattern.matches)}, {name}))"
    if not pattern.globs:
        exact = sorted(pattern.exact)
        if len(exact) == 1:
            return f"{name} == {writer.literal(exact[0])}"
        return f"{name} in {writer.members(exact)}"
    if match_field not in _ALWAYS_TEXT:
        return f"{name} is not None and {writer.given(pattern.matches)}({name})"
    if not pattern.exact and len(pattern.globs) == 1 and pattern.globs[0].pieces[1:] == ("",):
        return f"{name}.startswith({writer.literal(pattern.globs[0].pieces[0])})"
    return f"{writer.given(pattern.matches)}({name})"
