"""Finds the one operation that a request means: host, then path segments, then method, then `when`.

Specificity decides, never the order of files or entries: an exact host before a suffix; in a path
a literal before `{x}:suffix` before `{x}` before `{x+}`; more conditions before fewer. A literal
that leads nowhere falls back to the variable beside it. Never a list of patterns tried in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from gateway.canonicalize import ambiguity
from gateway.canonicalize.ambiguity import AmbiguityError
from gateway.canonicalize.operation import Condition, Operation, Presence
from gateway.canonicalize.reader import RequestReader

Value = TypeVar("Value")


class HostMap(Generic[Value]):
    """Host patterns to values: `api.stripe.com` exactly, `*.slack.com` for every name below."""

    def __init__(self) -> None:
        self._exact: dict[str, Value] = {}
        self._suffixes: dict[str, Value] = {}

    def get(self, pattern: str) -> Value | None:
        if pattern.startswith("*."):
            return self._suffixes.get(pattern[2:])
        return self._exact.get(pattern)

    def put(self, pattern: str, value: Value) -> None:
        if pattern.startswith("*."):
            self._suffixes[pattern[2:]] = value
        else:
            self._exact[pattern] = value

    def find(self, host: str) -> Value | None:
        """The value of the most specific pattern, or None."""
        found = self._exact.get(host)
        if found is not None or not self._suffixes:
            return found
        _, dot, rest = host.partition(".")
        while dot:
            found = self._suffixes.get(rest)
            if found is not None:
                return found
            _, dot, rest = rest.partition(".")
        return None

    def patterns(self) -> Iterator[tuple[str, Value]]:
        yield from self._exact.items()
        for suffix, value in self._suffixes.items():
            yield f"*.{suffix}", value


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    suffixes: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    greedy: _Node | None = None
    methods: dict[str, list[Operation]] = field(default_factory=dict)
    has_variables: bool = False


class Candidate(NamedTuple):
    """An operation whose path and method fit, with the variables it captures.

    A tuple, because one is made for every request, and a frozen dataclass takes four times as long.
    """

    operation: Operation
    captured: tuple[str, ...]


class PathTrie:
    """Path templates of one host group, by segment."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, operation: Operation) -> Operation | None:
        """Add an entry; give back the one that it equals, if there is one already."""
        node = self._root
        for segment in operation.segments:
            node = _child(node, segment)
        return put_by_conditions(node.methods.setdefault(operation.method, []), operation)

    def candidates(self, segments: Sequence[str], method: str) -> Iterator[Candidate]:
        """All that fit, the most specific first. At most one visit a node and way to it."""
        count = len(segments)
        stack: list[tuple[_Node, int, tuple[str, ...]]] = [(self._root, 0, ())]
        while stack:
            node, position, captured = stack.pop()
            # Walks on as long as there is one way only; where there are several, the less specific
            # ones wait on the stack (last in, first out).
            while position < count:
                segment = segments[position]
                child = node.literals.get(segment)
                if not node.has_variables:
                    if child is None:
                        break
                    node, position = child, position + 1
                    continue
                ways = _ways(node, segments, position, captured)
                if child is not None:
                    ways.append((child, position + 1, captured))
                if not ways:
                    break
                node, position, captured = ways.pop()
                stack += ways
            else:
                found = node.methods.get(method)
                if found is None and method == "HEAD":
                    found = node.methods.get("GET")
                for operation in found or ():
                    yield Candidate(operation, captured)


def _ways(
    node: _Node, segments: Sequence[str], position: int, captured: tuple[str, ...]
) -> list[tuple[_Node, int, tuple[str, ...]]]:
    """The ways through variables, the least specific first."""
    segment = segments[position]
    ways = []
    if node.greedy is not None and segments[-1]:
        rest = "/".join(segments[position:])
        ways.append((node.greedy, len(segments), (*captured, rest)))
    if segment:
        if node.variable is not None:
            ways.append((node.variable, position + 1, (*captured, segment)))
        if node.suffixes and ":" in segment:
            head, _, tail = segment.rpartition(":")
            child = node.suffixes.get(tail)
            if child is not None and head:
                ways.append((child, position + 1, (*captured, head)))
    return ways


def _child(node: _Node, segment: str) -> _Node:
    if not segment.startswith("{"):
        return node.literals.setdefault(segment, _Node())
    node.has_variables = True
    if segment.endswith("+}"):
        node.greedy = node.greedy or _Node()
        return node.greedy
    if segment.endswith("}"):
        node.variable = node.variable or _Node()
        return node.variable
    return node.suffixes.setdefault(segment.partition("}:")[2], _Node())


def put_by_conditions(entries: list[Operation], operation: Operation) -> Operation | None:
    """Insert by falling number of conditions; give back an entry with the same conditions."""
    conditions = _condition_set(operation.when)
    for other in entries:
        if _condition_set(other.when) == conditions:
            return other
    entries.append(operation)
    entries.sort(key=lambda entry: (-len(entry.when), entry.operation))
    return None


def _condition_set(when: Iterable[Condition]) -> frozenset[tuple[str, str | Presence]]:
    return frozenset((str(item.address), item.expected) for item in when)


def holds(operation: Operation, reader: RequestReader) -> bool:
    """Whether all conditions of an entry hold for a request.

    Raises:
        AmbiguityError: a value that a condition looks at could be read differently elsewhere.
    """
    for condition in operation.when:
        if isinstance(condition.expected, Presence):
            if reader.has(condition.address) is not condition.expected.value:
                return False
            continue
        value = reader.value(condition.address)
        text = ("true" if value else "false") if isinstance(value, bool) else value
        if (str(text) if isinstance(text, int) else text) != condition.expected:
            return False
    return True


def first_that_holds(candidates: Iterable[Candidate], reader: RequestReader) -> Candidate | None:
    """The most specific candidate whose conditions hold.

    Raises:
        AmbiguityError: as `holds`; or two equally specific ones hold.
    """
    remaining = iter(candidates)
    for candidate in remaining:
        reader.captured = candidate.captured
        if not candidate.operation.when:
            return candidate
        if holds(candidate.operation, reader):
            _refuse_rivals(candidate, remaining, reader)
            return candidate
    return None


def _refuse_rivals(winner: Candidate, others: Iterable[Candidate], reader: RequestReader) -> None:
    """Neither of two entries with as many conditions is the right one when both hold."""
    for other in others:
        if other.operation.segments != winner.operation.segments:
            return
        if len(other.operation.when) < len(winner.operation.when):
            return
        if holds(other.operation, reader):
            raise AmbiguityError(ambiguity.OPERATION, "two operations fit this request equally")
