"""Lays out what policies can be asked: kinds of acts that they don't tell apart, and for each of
those the values at which their answers can turn.

Acts are those that mappers list, and for every kind one that nobody names. Values are what the
conditions name, what lies beside it, and nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice, product
from typing import Any, Final, NamedTuple

from gateway.authoring.listing import Act
from gateway.authoring.policies.proofs.literals import (
    Atom,
    Compares,
    Fits,
    IsOneOf,
    IsThere,
    Opaque,
    Stands,
    atom_of,
    match_atoms,
)
from gateway.decide.conditions.syntax import (
    EQUALITY,
    BinaryOp,
    Literal,
    Logic,
    Node,
    Not,
    children,
    path_of,
)
from gateway.decide.patterns import Pattern
from gateway.decide.rules.policy import MatchField, Policy, Rule
from gateway.model.action import UNKNOWN_OPERATION, Action, Kind, Target
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context

PROBES_MAX: Final = 600
"""Questions that are asked for one class of acts."""

ACTIONS_KEPT: Final = 200
"""Names of actions that a class remembers, to show them."""

OTHER: Final = "other"
"""Stands for a name that no rule names."""


class Missing:
    """Stands for a value that a request does not have."""


MISSING: Final = Missing()


class Shape(NamedTuple):
    """What is the same for every call of an operation."""

    provider: str
    operation: str
    action: str
    kind: str
    target_type: str
    reversible: bool
    sensitive: str | None


@dataclass(slots=True)
class Class:
    """Acts that no rule tells apart. `shape` is one of them."""

    shape: Shape
    actions: set[str] = field(default_factory=set)
    count: int = 0


_REVERSIBLE: Final = 5
_SENSITIVE: Final = 6
_PATHS: Final = {
    "provider": 0, "operation": 1, "action": 2, "kind": 3, "target.type": 4,
    "reversible": _REVERSIBLE, "match.sensitive": _SENSITIVE, "sensitive": _SENSITIVE,
}  # fmt: skip
"""Which part of a shape a path is about."""


def shapes_of(acts: Iterable[Act]) -> Iterator[Shape]:
    """The shapes of listed acts, and for every kind one that is not listed."""
    for act in acts:
        yield Shape(
            act.provider,
            act.operation,
            act.action,
            act.kind,
            act.target_type,
            act.reversible,
            act.sensitive or None,
        )
    for kind in Kind:
        operation = UNKNOWN_OPERATION if kind is Kind.UNKNOWN else OTHER
        yield Shape(OTHER, operation, OTHER, kind.value, OTHER, True, None)


def classes_of(shapes: Iterable[Shape], policies: Sequence[Policy]) -> list[Class]:
    """Put together what no rule tells apart."""
    signatures = Signatures(policies)
    found: dict[object, Class] = {}
    seen: set[object] = set()
    for shape in shapes:
        signature = signatures.of(shape)
        known = found.get(signature)
        if known is None:
            known = found[signature] = Class(shape)
        if len(known.actions) < ACTIONS_KEPT:
            known.actions.add(shape.action)
        if (shape.provider, shape.operation) not in seen:
            seen.add((shape.provider, shape.operation))
            known.count += 1
    return list(found.values())


class Signatures:
    """What of a shape rules look at."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._patterns: dict[int, list[Pattern]] = {}
        self._signs: dict[tuple[int, str | None], tuple[bool, ...]] = {}
        self._whole: set[int] = set()
        self._reads_risk = False
        for policy in policies:
            for rule in policy.rules:
                if rule.enabled:
                    self._learn(rule)

    def _learn(self, rule: Rule) -> None:
        for atom in atoms_of(rule):
            place = _PATHS.get(atom.path)
            if place is not None:
                for pattern in _patterns_of(atom):
                    self._patterns.setdefault(place, []).append(pattern)
                if place == _REVERSIBLE or (isinstance(atom, Compares) and atom.op not in EQUALITY):
                    self._whole.add(place)
        if rule.condition is not None:
            self._whole.update(_names_inside(rule.condition.node))
        for field_, pattern in rule.match.fields:
            self._reads_risk |= field_ is MatchField.TARGET_LABEL
            place = _PATHS.get(field_.value)
            if place is not None:
                self._patterns.setdefault(place, []).append(pattern)
        if rule.condition is not None and "risk" in rule.condition.text:
            self._reads_risk = True

    def of(self, shape: Shape) -> object:
        """Equal for acts that no rule tells apart."""
        signs = tuple(self._signs_of(place, shape[place]) for place in self._patterns)
        # A score is made of the name of the act, and of what it touches.
        scored = (shape.action, shape.reversible, shape.sensitive) if self._reads_risk else None
        whole = tuple(shape[place] for place in sorted(self._whole))
        is_plain = shape.sensitive is None and _SENSITIVE in self._patterns
        return shape.kind, is_plain, scored, whole, signs

    def _signs_of(self, place: int, name: Any) -> tuple[bool, ...]:
        found = self._signs.get((place, name))
        if found is None:
            text = name or ""
            found = tuple(pattern.matches(text) for pattern in self._patterns[place])
            self._signs[place, name] = found
        return found


def atoms_of(rule: Rule) -> Iterator[Atom]:
    """Everything that a rule tests."""
    yield from match_atoms(rule.match)
    if rule.condition is not None:
        yield from _atoms_of(rule.condition.node)


def _atoms_of(node: Node) -> Iterator[Atom]:
    match node:
        case Logic(_, _, operands):
            for operand in operands:
                yield from _atoms_of(operand)
        case Not(_, operand):
            yield from _atoms_of(operand)
        case _:
            atom = atom_of(node)
            yield atom
            if not atom.path:
                yield from _atoms_inside(node)


def _atoms_inside(node: Node) -> Iterator[Atom]:
    """Of what is not understood: each of its fields with each of its values."""
    paths = {path for each in _walk(node) if (path := path_of(each)) and "." in path}
    values = tuple(each.value for each in _walk(node) if isinstance(each, Literal))
    for path in sorted(paths):
        yield IsOneOf(path, values) if values else Stands(path)


def _names_inside(node: Node) -> Iterator[int]:
    """The parts of a shape that a condition reads in a way that is not understood."""
    match node:
        case Logic(_, _, operands):
            for operand in operands:
                yield from _names_inside(operand)
        case Not(_, operand):
            yield from _names_inside(operand)
        case _ if isinstance(atom_of(node), Opaque):
            for each in _walk(node):
                place = _PATHS.get(path_of(each) or "")
                if place is not None:
                    yield place
        case _:
            return


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from _walk(child)


def _patterns_of(atom: Atom) -> Iterator[Pattern]:
    match atom:
        case Fits(_, pattern, _):
            yield pattern
        case Compares(_, _, str() as value):
            yield Pattern(frozenset({value}))
        case IsOneOf(_, values):
            for each in values:
                if isinstance(each, str):
                    yield Pattern(frozenset({each}))
        case _:
            return


# --- probes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probe:
    """One question, and the values that it was made of."""

    action: Action
    context: Context
    given: Mapping[str, object]


def probes_of(shape: Shape, rules: Iterable[Rule], scopes: Iterable[Pattern]) -> list[Probe]:
    """Questions about acts of one shape, at the values where these rules can turn. All of them
    together where they are few, else an even choice."""
    values: dict[str, list[object]] = {}
    for scope in scopes:
        _add_values(values, Fits("agent.id", scope, is_total=True))
    for rule in rules:
        for atom in atoms_of(rule):
            if atom.path and atom.path not in _PATHS:
                _add_values(values, atom)
    paths = sorted(path for path in values if path.startswith(_SETTABLE))
    total = 1
    for path in paths:
        total *= len(values[path])
    step = max(1, total // PROBES_MAX)
    # A step that shares no factor with the lists' lengths meets every value of each of them.
    while step > 1 and any(step % len(values[path]) == 0 for path in paths):
        step += 1
    chosen = islice(product(*(values[path] for path in paths)), 0, None, step)
    return [
        _probe(shape, dict(zip(paths, combination, strict=True)))
        for combination in islice(chosen, PROBES_MAX)
    ]


_SETTABLE: Final = (
    "params.", "agent.labels.", "agent.id", "run", "environment", "target.id",
)  # fmt: skip


def _add_values(values: dict[str, list[object]], atom: Atom) -> None:
    known = values.setdefault(atom.path, [])
    if not known and atom.path.startswith(("params.", "agent.labels.")):
        known.append(MISSING)
    for value in _values_of(atom):
        if not any(type(value) is type(other) and value == other for other in known):
            known.append(value)


def _values_of(atom: Atom) -> Iterator[object]:
    """What an atom names and what lies beside it."""
    match atom:
        case Compares(_, _, bool() as value):
            yield from (value, not value)
        case Compares(_, _, int() | float() as value):
            yield from (int(value) - 1, int(value), int(value) + 1)
        case Compares(_, _, value):
            yield from (value, OTHER)
        case IsOneOf(_, given):
            for each in given:
                yield from _values_of(Compares("", BinaryOp.EQUAL, each))
        case Fits(_, pattern, _):
            for text in pattern.texts:
                yield text.replace("*", "x")
            yield OTHER
        case Stands():
            yield from (True, False)
        case IsThere():
            yield OTHER
        case _:
            return


def _probe(shape: Shape, given: Mapping[str, object]) -> Probe:
    params: dict[str, Any] = {}
    labels: dict[str, str] = {}
    missing: set[str] = set()
    for path, value in given.items():
        if path.startswith("params."):
            if value is MISSING:
                missing.add(path.removeprefix("params."))
            else:
                _put(params, path.removeprefix("params.").split("."), value)
        elif path.startswith("agent.labels.") and isinstance(value, str):
            labels[path.removeprefix("agent.labels.")] = value
    run = given.get("run")
    target_id = given.get("target.id", OTHER)
    action = Action(
        shape.provider,
        shape.operation,
        shape.action,
        Kind(shape.kind),
        Target(shape.target_type, target_id if isinstance(target_id, str) else OTHER),
        params,
        shape.reversible,
        shape.sensitive,
        frozenset(missing),
    )
    context = Context(
        str(given.get("agent.id", OTHER)),
        run if isinstance(run, str) else None,
        0,
        labels,
        str(given.get("environment", "")),
        "running" if isinstance(run, str) else "",
    )
    return Probe(action, context, given)


def _put(params: dict[str, Any], names: Sequence[str], value: object) -> None:
    *around, last = names
    for name in around:
        inner = params.get(name)
        if not isinstance(inner, dict):
            inner = params[name] = {}
        params = inner
    params[last] = value
