"""What a condition can read: the roots of the language, their types, and where each value lies.

One table serves the checker (type), the compiler (`source`) and the interpreter (`read`). The
compiled functions reach attributes through `source` alone, so no text of a policy or of a request
ever names an attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from operator import attrgetter
from typing import Final

from gateway.decide.assessment import PARTS, Assessment
from gateway.decide.conditions.syntax import Name, Node, Select
from gateway.decide.conditions.values.times import Timestamp
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.model.action import Action, Kind
from gateway.model.dataclass import dataclass
from gateway.model.decision import RUN_STATES, Context

TARGET_ID: Final = "target.id"
"""Also what `Action.missing` calls a target id that was declared and could not be read."""


class ValueType(Enum):
    """What the checker knows of a value. ANY is what only the evaluation tells; DATA is what only
    the request tells, which holds texts, whole numbers, truth values, nulls, lists and maps."""

    BOOL = "a condition (true or false)"
    INT = "a whole number"
    DOUBLE = "a decimal"
    TEXT = "text"
    LIST = "a list"
    MAP = "a map"
    NULL = "null"
    TIMESTAMP = "a point in time"
    DURATION = "a span of time"
    DATA = "a value of the request"
    ANY = "any value"


OPEN: Final = frozenset({ValueType.ANY, ValueType.DATA})
"""Types that leave the decision to the evaluation."""

GIVE_UP: Final = "_give_up()"
"""What a fact's source says where there is nothing, or nothing that can be told."""

Read = Callable[[Action, Context, Assessment], object]


@dataclass(frozen=True, slots=True)
class Fact:
    """`source` is the Python expression for the value, over `p` (params), `a` (action), `c`
    (context) and `r` (assessment); `GIVE_UP` in it stands for what can't be read. `read` gives
    the same, but a point in time is its number in `source`: that has the same order, and nothing
    else is asked of it there. `item` is the type of a map's values or a list's items."""

    type: ValueType
    source: str
    read: Read
    item: ValueType = ValueType.ANY

    @property
    def is_settled(self) -> bool:
        """Whether it can always be read, as a value of its type."""
        return self.type not in OPEN and GIVE_UP not in self.source


def _of_action(attribute: str, of_type: ValueType) -> Fact:
    get = attrgetter(attribute)
    return Fact(of_type, f"a.{attribute}", lambda action, _context, _assessed: get(action))


def _of_context(attribute: str, of_type: ValueType, item: ValueType = ValueType.ANY) -> Fact:
    get = attrgetter(attribute)
    return Fact(of_type, f"c.{attribute}", lambda _action, context, _assessed: get(context), item)


def _part_of_risk(name: str) -> Fact:
    def read(_action: Action, _context: Context, assessed: Assessment) -> int:
        # An assessment without its parts is no assessment of nothing.
        if name not in assessed.parts:
            raise Unresolved(f"risk.{name}")
        return assessed.parts[name]

    source = f"(r.parts[{name!r}] if {name!r} in r.parts else {GIVE_UP})"
    return Fact(ValueType.INT, source, read)


def _read_target_id(action: Action) -> str:
    if TARGET_ID in action.missing:
        raise Unresolved(TARGET_ID)
    return action.target.id


def _read_target_labels(action: Action, _context: Context, assessed: Assessment) -> Sequence[str]:
    """A target that can't be told may have any label, or none."""
    if TARGET_ID in action.missing:
        raise Unresolved(TARGET_ID)
    return assessed.labels


FACTS: Final[Mapping[str, Fact]] = {
    "params": Fact(
        ValueType.MAP, "p", lambda action, _context, _assessed: action.params, ValueType.DATA
    ),
    "action": _of_action("action", ValueType.TEXT),
    "provider": _of_action("provider", ValueType.TEXT),
    "operation": _of_action("operation", ValueType.TEXT),
    "kind": _of_action("kind.value", ValueType.TEXT),
    "target.type": _of_action("target.type", ValueType.TEXT),
    "target.id": Fact(
        ValueType.TEXT,
        f"(a.target.id if not a.missing or {TARGET_ID!r} not in a.missing else {GIVE_UP})",
        lambda action, _context, _assessed: _read_target_id(action),
    ),
    "target.labels": Fact(
        ValueType.LIST,
        f"(r.labels if not a.missing or {TARGET_ID!r} not in a.missing else {GIVE_UP})",
        _read_target_labels,
        ValueType.TEXT,
    ),
    "reversible": _of_action("reversible", ValueType.BOOL),
    "sensitive": Fact(
        ValueType.TEXT,
        '(a.sensitive or "")',
        lambda action, _context, _assessed: action.sensitive or "",
    ),
    "agent.id": _of_context("agent", ValueType.TEXT),
    "agent.labels": _of_context("labels", ValueType.MAP, ValueType.TEXT),
    "run": _of_context("run", ValueType.ANY),  # null where the agent names none
    "run.state": _of_context("run_state", ValueType.TEXT),
    "environment": _of_context("environment", ValueType.TEXT),
    "now": Fact(
        ValueType.TIMESTAMP,
        "c.now",
        lambda _action, context, _assessed: Timestamp(context.now * 1_000),
    ),
    "risk.score": Fact(
        ValueType.INT, "r.risk.score", lambda _action, _context, assessed: assessed.risk.score
    ),
    **{f"risk.{name}": _part_of_risk(name) for name in PARTS},
    "risk.factors": Fact(
        ValueType.MAP,
        "r.factors",
        lambda _action, _context, assessed: assessed.factors,
        ValueType.INT,
    ),
}

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "target": ("target.type", "target.id", "target.labels"),
    "agent": ("agent.id", "agent.labels"),
    "risk": ("risk.score", *(f"risk.{name}" for name in PARTS), "risk.factors"),
}
"""Words that are no value themselves, only the first half of one."""

ROOTS: Final = frozenset(name.partition(".")[0] for name in FACTS)

KINDS: Final = frozenset(kind.value for kind in Kind)

STATES: Final = RUN_STATES | {""}
"""Of `run.state`; empty where there is no run."""


def fact_of(node: Node) -> Fact | None:
    """The fact that a plain name or path stands for."""
    if isinstance(node, Name):
        return FACTS.get(node.name)
    if isinstance(node, Select) and isinstance(node.operand, Name):
        return FACTS.get(f"{node.operand.name}.{node.field}")
    return None
