"""The steps of `all`, `exists`, `exists_one`, `filter` and `map`: through a list, or through the
keys of a map, within a budget.

The budget belongs to the outermost quantifier, and those inside it share it, so that it is the same
whether a condition is evaluated whole or in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from gateway.decide.conditions.evaluation.scope import ITERATIONS_MAX, Scope, Step
from gateway.decide.conditions.syntax import Quantifier
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Loop:
    """`predicate` gives true, false or unresolved for the value of `variable`. `nodes` is how many
    nodes of the condition one turn can visit. `fault` is given where there is nothing to go
    through, or too much."""

    quantifier: Quantifier
    variable: str
    items: Step
    predicate: Step
    transform: Step | None
    nodes: int
    fault: Unresolved

    def step(self) -> Step:
        """The step of the whole."""
        gather = self._gather()

        def step(scope: Scope) -> object:
            values = self.items(scope)
            if type(values) is Unresolved:
                return values
            if not isinstance(values, Mapping | Sequence) or isinstance(values, str):
                return self.fault
            if scope.depth == 0:
                scope.iterations = scope.work = 0
            scope.depth += 1
            answer = gather(scope, values)
            scope.depth -= 1
            return answer

        return step

    def _gather(self) -> Callable[[Scope, Iterable[object]], object]:
        match self.quantifier:
            case Quantifier.ALL:
                return lambda scope, values: self._settle(scope, values, decisive=False)
            case Quantifier.EXISTS:
                return lambda scope, values: self._settle(scope, values, decisive=True)
            case Quantifier.EXISTS_ONE:
                return self._is_one
            case Quantifier.FILTER | Quantifier.MAP:
                return self._list
            case _:
                assert_never(self.quantifier)

    def _turns(self, scope: Scope, values: Iterable[object]) -> Iterator[tuple[object, object]]:
        """Each value with the verdict on it, which is the fault when there are too many."""
        for value in values:
            scope.iterations += 1
            verdict: object = self.fault
            if scope.iterations <= ITERATIONS_MAX and scope.spend(self.nodes):
                scope.variables[self.variable] = value
                verdict = self.predicate(scope)
            yield value, verdict

    def _settle(self, scope: Scope, values: Iterable[object], *, decisive: bool) -> object:
        """One decisive verdict settles it, whatever can't be told beside it."""
        answer: object = not decisive
        for _, verdict in self._turns(scope, values):
            if verdict is decisive:
                return decisive
            if verdict is self.fault:
                return verdict
            if type(verdict) is Unresolved and type(answer) is bool:
                answer = verdict
        return answer

    def _is_one(self, scope: Scope, values: Iterable[object]) -> object:
        count = 0
        for _, verdict in self._turns(scope, values):
            if type(verdict) is Unresolved:
                return verdict
            count += verdict is True
        return count == 1

    def _list(self, scope: Scope, values: Iterable[object]) -> object:
        kept: list[object] = []
        for value, verdict in self._turns(scope, values):
            if type(verdict) is Unresolved:
                return verdict
            if verdict is not True:
                continue
            made = value if self.transform is None else self.transform(scope)
            if type(made) is Unresolved:
                return made
            # One value that is put into a list many times makes a list that takes long to read.
            if self.transform is not None and not scope.spend(scope.weight_of(made)):
                return self.fault
            kept.append(made)
        return kept
