"""Writes rules into Python functions, one for the rules that are about the same calls.

A function tests its rules in deciding order and says which is the first that matches. All of a
policy's functions are made when it is loaded, several hundred rules at a time: nothing is
compiled while a request waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.compiler import Writer
from gateway.decide.conditions.facts import FACTS, TARGET_ID
from gateway.decide.conditions.runtime import NAMES, Oracle
from gateway.decide.patterns import Pattern
from gateway.decide.rules.policy import MatchField, Rule
from gateway.model.action import Action, ParamValue
from gateway.model.decision import Context
from gateway.model.effect import Effect

FUNCTION_RULES_MAX: Final = 256
"""Rules of one function. A function reads what its rules read, and stops at the first that
matches: longer ones gain nothing."""

SOURCE_RULES_MAX: Final = 512
"""Rules that are compiled at once: enough to share what a compilation costs, few enough that
Python's tree of them stays small."""

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


def compile_groups(groups: Sequence[Sequence[Placed]], nothing: int) -> Iterator[Find]:
    """Make a function of each group, in their order."""
    pending = iter(groups)
    while batch := list(_batch(pending)):
        yield from _compile(batch, nothing)


def _batch(groups: Iterator[Sequence[Placed]]) -> Iterator[Sequence[Placed]]:
    rules = 0
    for group in groups:
        yield group
        rules += len(group)
        if rules >= SOURCE_RULES_MAX:
            return


def _compile(groups: Sequence[Sequence[Placed]], nothing: int) -> Iterator[Find]:
    module = _Module()
    lines: list[str] = []
    for number, group in enumerate(groups):
        lines.append(f"def f{number}(p, a, c, r):")
        lines.extend(f" {line}" for line in module.body(group, nothing))
    code = compile("\n".join(lines), "<rules>", "exec")
    names: dict[str, object] = {**NAMES, "_ask": module.oracle.ask, **module.fits}
    # The source is our own, written from checked rules; see `conditions.compiler`.
    exec(code, names)  # noqa: S102
    for number in range(len(groups)):
        yield cast("Find", names[f"f{number}"])


@dataclass(slots=True)
class _Module:
    """What the functions of one compilation share."""

    oracle: Oracle = field(default_factory=Oracle)
    fits: dict[str, object] = field(default_factory=dict)

    def body(self, group: Sequence[Placed], nothing: int) -> Iterator[str]:
        writer = Writer(self.oracle)
        for position, rule in group:
            tests, sure = self._tests(writer, rule)
            yield from writer.take_reads()
            code = 2 * position
            if not tests:
                yield f"return {code}"
                return
            done = f"{code} if {' and '.join(sure)} else {code + 1}" if sure else f"{code}"
            yield f"if {' and '.join(tests)}: return {done}"
        yield f"return {nothing}"

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
            test = self._fit(name, match_field, pattern)
            if match_field in (MatchField.TARGET_ID, MatchField.TARGET_LABEL):
                known = f"{writer.local(_SOURCES[MatchField.TARGET_ID])} is not _M"
                sure.append(known)
                test = f"(not {known} or {test})" if lenient else f"{known} and {test}"
            tests.append(test)
        for label, pattern in rule.match.labels:
            name = writer.local(f"c.labels.get({label!r})")
            tests.append(self._fit(name, None, pattern))
        if rule.condition is not None:
            test, certain = writer.condition(rule.condition.node, lenient=lenient)
            tests.append(test)
            sure.extend(certain)
        return tests, sure if lenient else []

    def _fit(self, name: str, match_field: MatchField | None, pattern: Pattern) -> str:
        """The test of a text, or of None, against a pattern."""
        if match_field is MatchField.TARGET_LABEL:
            return f"any(map({self._named(pattern.matches)}, {name}))"
        if not pattern.globs:
            exact = sorted(pattern.exact)
            return f"{name} == {exact[0]!r}" if len(exact) == 1 else f"{name} in {set(exact)!r}"
        if match_field not in _ALWAYS_TEXT:
            return f"{name} is not None and {self._named(pattern.matches)}({name})"
        if not pattern.exact and len(pattern.globs) == 1 and pattern.globs[0].pieces[1:] == ("",):
            return f"{name}.startswith({pattern.globs[0].pieces[0]!r})"
        return f"{self._named(pattern.matches)}({name})"

    def _named(self, function: object) -> str:
        name = f"_fits{len(self.fits)}"
        self.fits[name] = function
        return name
