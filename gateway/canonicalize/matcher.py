"""Finds the entry that a request is: path segments through a trie, then conditions.

Specificity decides, never the order of files: literal before pattern before variable before greedy,
and more conditions before fewer. Never visits more than a bounded number of nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from gateway.canonicalize.authored.operation import Condition, Operation, Presence
from gateway.canonicalize.authored.template import VARIABLE, Form, form_of, pattern_of
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.extractor import Extractor
from gateway.canonicalize.request.reader import RequestReader


class Entry:
    """One way to call an operation, as the index holds it. An entry of a catalog is compiled when
    a request first matches it: most never are."""

    __slots__ = ("_compile", "_extractor", "_operation", "method", "name", "segments", "when")

    def __init__(
        self,
        name: str,
        method: str,
        segments: tuple[str, ...],
        when: tuple[Condition, ...],
        compiled: Operation | Callable[[], Operation],
    ) -> None:
        self.name = name
        self.method = method
        self.segments = segments
        self.when = when
        is_done = isinstance(compiled, Operation)
        self._operation: Operation | None = compiled if is_done else None  # type: ignore[assignment]
        self._compile = compiled
        self._extractor: Extractor | None = None

    @property
    def operation(self) -> Operation:
        """What the entry means."""
        found = self._operation
        if found is None:
            assert not isinstance(self._compile, Operation)
            found = self._operation = self._compile()
        return found

    @property
    def extractor(self) -> Extractor:
        """What reads its values."""
        found = self._extractor
        if found is None:
            found = self._extractor = Extractor(self.operation)
        return found


def entry_of(operation: Operation) -> Entry:
    """The entry of an operation that is compiled already."""
    return Entry(
        operation.operation, operation.method, operation.segments, operation.when, operation
    )


class Candidate(NamedTuple):
    """An entry whose path and method fit, with the variables it captures.

    A tuple, because one is made for every request, and a frozen dataclass takes four times as long.
    """

    entry: Entry
    captured: tuple[str, ...]

    @property
    def operation(self) -> Operation:
        return self.entry.operation


class _Node:
    """`verbs` are patterns of the form `{x}:verb`, by what follows the colon; `patterns` all other
    ones; `ends` are greedy variables with a suffix, which end a template."""

    __slots__ = (
        "ends", "folded", "greedy", "has_variables", "literals", "methods", "patterns", "variable",
        "verbs",
    )  # fmt: skip

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.methods: dict[str, list[Entry]] = {}
        self.has_variables = False
        self.verbs: dict[str, _Node] | None = None
        self.patterns: dict[str, tuple[re.Pattern[str], _Node]] | None = None
        self.variable: _Node | None = None
        self.greedy: _Node | None = None
        self.ends: dict[str, _Node] | None = None
        self.folded: dict[str, list[tuple[str, _Node]]] | None = None


Way = tuple[_Node, int, tuple[str, ...]]


class _Walk:
    """Gives what fits, the most specific first. Not a generator: one that is left before its end,
    as after the first that holds, is ended by an exception, which costs more than the walk."""

    __slots__ = ("_captured", "_found", "_keys", "_method", "_segments", "_stack")

    def __init__(
        self, root: _Node, segments: Sequence[str], keys: Sequence[str], method: str
    ) -> None:
        self._segments = segments
        self._keys = keys
        self._method = method
        self._stack: list[Way] = [(root, 0, ())]
        self._found: Iterator[Entry] = iter(())
        self._captured: tuple[str, ...] = ()

    def __iter__(self) -> _Walk:
        return self

    def __next__(self) -> Candidate:
        for entry in self._found:
            return Candidate(entry, self._captured)
        stack, segments, keys = self._stack, self._segments, self._keys
        count = len(segments)
        while stack:
            node, position, captured = stack.pop()
            # Walks on as long as there is one way only; where there are several, the less specific
            # ones wait on the stack (last in, first out).
            while position < count:
                child = node.literals.get(keys[position])
                if not node.has_variables:
                    if child is None:
                        break
                    node, position = child, position + 1
                    continue
                ways = _ways(node, segments, position, captured, keys)
                if child is not None:
                    ways.append((child, position + 1, captured))
                if not ways:
                    break
                node, position, captured = ways.pop()
                stack += ways
            else:
                found = node.methods.get(self._method)
                if found is None and self._method == "HEAD":
                    found = node.methods.get("GET")
                if found:
                    self._found, self._captured = iter(found), captured
                    return Candidate(next(self._found), captured)
        raise StopIteration


class PathTrie:
    """Path templates of one host or service, by segment. With `ignores_case`, literals are compared
    without regard to case, as some servers (Azure's) do."""

    def __init__(self, *, ignores_case: bool = False) -> None:
        self._root = _Node()
        self._ignores_case = ignores_case
        self.exact: dict[tuple[str, bytes], Entry] = {}
        """By method and raw target: entries without variables and conditions that stand alone on
        their path. Nothing is more specific, and such a target has one reading."""

    def add(self, entry: Entry) -> Entry | None:
        """Add an entry; give back the one that it equals, if there is one already."""
        node = self._root
        for segment in entry.segments:
            is_folded = self._ignores_case and "{" not in segment
            node.folded = None
            node = _child(node, segment.lower() if is_folded else segment)
        entries = node.methods.setdefault(entry.method, [])
        equal = put_by_conditions(entries, entry)
        path = "/" + "/".join(entry.segments)
        if "{" not in path and not self._ignores_case:
            key = (entry.method, path.encode())
            if entries == [entry] and not entry.when:
                self.exact[key] = entry
            elif equal is None:
                self.exact.pop(key, None)
        return equal

    def candidates(self, segments: Sequence[str], method: str) -> Iterator[Candidate]:
        """All that fit, the most specific first."""
        keys = [segment.lower() for segment in segments] if self._ignores_case else segments
        return _Walk(self._root, segments, keys, method)

    def has_in_other_case(self, segments: Sequence[str], method: str) -> bool:
        """Whether a request that fits nothing would fit if upper and lower case of the path were
        the same, as they are on some servers."""
        count = len(segments)
        stack: list[tuple[_Node, int, bool]] = [(self._root, 0, False)]
        steps = 0
        while stack:
            node, position, is_changed = stack.pop()
            steps += 1
            if steps > _FOLDED_STEPS_MAX:
                return True
            if position == count:
                if is_changed and method in node.methods:
                    return True
                continue
            if node.folded is None:
                node.folded = {}
                for text, child in node.literals.items():
                    node.folded.setdefault(text.lower(), []).append((text, child))
            segment = segments[position]
            stack += [
                (child, position + 1, is_changed or text != segment)
                for text, child in node.folded.get(segment.lower(), ())
            ]
            if node.has_variables:
                ways = _ways(node, segments, position, ())
                stack += [(child, end, is_changed) for child, end, _ in ways]
        return False


_FOLDED_STEPS_MAX = 10_000
"""A path that takes longer to rule out is refused."""


def _ways(
    node: _Node,
    segments: Sequence[str],
    position: int,
    captured: tuple[str, ...],
    keys: Sequence[str] = (),
) -> list[Way]:
    """The ways through variables, the least specific first. `keys` are the segments as literals
    are compared; without them, every end of a greedy variable is a way."""
    segment = segments[position]
    ways: list[Way] = []
    if node.greedy is not None and segments[-1]:
        ways += _greedy_ways(node.greedy, segments, position, captured, keys)
    if node.ends is not None:
        rest = "/".join(segments[position:])
        for suffix, child in node.ends.items():
            if rest.endswith(suffix) and len(rest) > len(suffix):
                ways.append((child, len(segments), (*captured, rest[: -len(suffix)])))
    if segment:
        if node.variable is not None:
            ways.append((node.variable, position + 1, (*captured, segment)))
        if node.patterns is not None:
            for pattern, child in tuple(node.patterns.values()):
                found = pattern.fullmatch(segment)
                if found is not None:
                    ways.append((child, position + 1, captured + found.groups()))
        if node.verbs is not None and ":" in segment:
            head, _, tail = segment.rpartition(":")
            verb = node.verbs.get(tail)
            if verb is not None and head:
                ways.append((verb, position + 1, (*captured, head)))
    return ways


def _greedy_ways(
    node: _Node,
    segments: Sequence[str],
    position: int,
    captured: tuple[str, ...],
    keys: Sequence[str],
) -> list[Way]:
    """Everything that is left, or, where the template goes on, every shorter piece as well, if
    what comes behind it can."""
    count = len(segments)
    ways: list[Way] = []
    if node.methods:
        ways.append((node, count, (*captured, "/".join(segments[position:]))))
    if node.literals or node.has_variables:
        ways += [
            (node, end, (*captured, "/".join(segments[position:end])))
            for end in range(position + 1, count)
            if not keys or node.has_variables or keys[end] in node.literals
        ]
    return ways


def _child(node: _Node, segment: str) -> _Node:
    form = form_of(segment)
    if form is Form.LITERAL:
        return node.literals.setdefault(segment, _Node())
    node.has_variables = True
    if form is Form.VARIABLE:
        node.variable = node.variable or _Node()
        return node.variable
    head, _, tail = segment.partition("}")
    if form is Form.GREEDY:
        if not tail:
            node.greedy = node.greedy or _Node()
            return node.greedy
        node.ends = {} if node.ends is None else node.ends
        return node.ends.setdefault(tail, _Node())
    if head.startswith("{") and tail.startswith(":") and "{" not in tail and ":" not in tail[1:]:
        node.verbs = {} if node.verbs is None else node.verbs
        return node.verbs.setdefault(tail[1:], _Node())
    node.patterns = {} if node.patterns is None else node.patterns
    pattern = pattern_of(segment)
    return node.patterns.setdefault(pattern.pattern, (pattern, _Node()))[1]


def put_by_conditions(entries: list[Entry], entry: Entry) -> Entry | None:
    """Insert by falling number of conditions; give back an entry with the same conditions."""
    if entries:
        conditions = _condition_set(entry.when)
        for other in entries:
            if _condition_set(other.when) == conditions:
                return other
    entries.append(entry)
    if len(entries) > 1:
        entries.sort(key=lambda one: (-len(one.when), one.name))
    return None


def _condition_set(when: Iterable[Condition]) -> frozenset[tuple[str, str | Presence]]:
    return frozenset((str(item.address), item.expected) for item in when)


def holds(entry: Entry, reader: RequestReader) -> bool:
    """Whether all conditions of an entry hold for a request.

    Raises:
        AmbiguityError: a value that a condition looks at could be read differently elsewhere.
    """
    for condition in entry.when:
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
        if not candidate.entry.when:
            return candidate
        if holds(candidate.entry, reader):
            _refuse_rivals(candidate, remaining, reader)
            return candidate
    return None


def _refuse_rivals(winner: Candidate, others: Iterable[Candidate], reader: RequestReader) -> None:
    """Neither of two entries with as many conditions is the right one when both hold."""
    shape = _shape(winner.entry)
    for other in others:
        if _shape(other.entry) != shape:
            return
        if len(other.entry.when) < len(winner.entry.when):
            return
        if holds(other.entry, reader):
            raise AmbiguityError(ambiguity.OPERATION, "two operations fit this request equally")


def _shape(entry: Entry) -> str:
    return VARIABLE.sub("{}", "/".join(entry.segments))
