"""What generated functions can name beside what they are given: the mark of what is lacking, the
tests of types, and the oracle that answers for what has no form in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.conditions.evaluation.interpreter import Interpreted, interpret
from gateway.decide.conditions.syntax import Node
from gateway.decide.conditions.values import semantics
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.model.action import Action
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context


class _Lacking:
    """The type of `LACKING`: what is read where there is nothing, or nothing that can be told."""

    __slots__ = ()


LACKING: Final = _Lacking()


class _Types(dict[type, bool]):
    """Which of Python's types are one of the language's. Filled as values are met; there are as
    many types as the program has, whatever agents send."""

    def __init__(self, is_one: Callable[[type], bool]) -> None:
        super().__init__()
        self._is_one = is_one

    def __missing__(self, of_type: type) -> bool:
        answer = self[of_type] = self._is_one(of_type)
        return answer


def _lacking() -> _Lacking:
    return LACKING


def _field(container: object, key: str) -> object:
    return container.get(key, LACKING) if isinstance(container, Mapping) else LACKING


def _item(container: object, position: int) -> object:
    if not isinstance(container, Sequence) or isinstance(container, str):
        return LACKING
    return container[position] if 0 <= position < len(container) else LACKING


def _is_list(of_type: type) -> bool:
    return issubclass(of_type, Sequence) and not issubclass(of_type, str)


NAMES: Final[Mapping[str, object]] = {
    "__builtins__": {},
    "_M": LACKING,
    "_give_up": _lacking,
    "_field": _field,
    "_item": _item,
    "_number": _Types(lambda each: issubclass(each, int | float) and each is not bool),
    "_text": _Types(lambda each: issubclass(each, str)),
    "_sized": _Types(lambda each: issubclass(each, str | Mapping | Sequence)),
    "_is_in": semantics.is_in,
    "_plain_holder": _Types(lambda each: each in (dict, list, tuple, MappingProxyType)),
    "_holder": _Types(lambda each: issubclass(each, Mapping) or _is_list(each)),
    "type": type,
    "len": len,
    "any": any,
    "map": map,
}
"""All that generated functions can name, beside the `_ask` of their `Oracle`."""


@dataclass(slots=True)
class Oracle:
    """Answers for the nodes of generated functions that have no form in Python. What a node needs
    for that is made when it is first asked for: most never are."""

    nodes: list[Node] = field(default_factory=list)
    _made: dict[int, Interpreted] = field(default_factory=dict)

    def number(self, node: Node) -> int:
        """The number to ask for a node by."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def ask(
        self, number: int, action: Action, context: Context, assessed: Assessment
    ) -> bool | Unresolved:
        interpreted = self._made.get(number)
        if interpreted is None:
            interpreted = self._made[number] = interpret(self.nodes[number])
        return interpreted(action, context, assessed)
