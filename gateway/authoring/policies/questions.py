"""Reads what is to be decided from JSON: an action as `mappers map` writes it, or a whole request.

Strict and quick: whatever is not exactly of its type is refused by its place, and no value is
repeated, since it may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from gateway.decide.bundle import Bundle
from gateway.decide.rules.trace import PolicyTrace, trace
from gateway.model.action import UNKNOWN_OPERATION, Action, Canonical, Kind, Target
from gateway.model.dataclass import dataclass
from gateway.model.decision import RUN_STATES, Context, Decision
from gateway.model.effect import Mode
from gateway.model.moment import micros_of

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one line of JSON: more than the largest body that the gateway inspects makes of an action."""

ACTIONS_MAX: Final = 1_000

DEFAULT_AGENT: Final = "agent"
RUNNING: Final = "running"

_KINDS: Final = {kind.value: kind for kind in Kind}
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NOBODY: Final[frozenset[str]] = frozenset()

T = TypeVar("T")


class InputError(Exception):
    """A line or a case is no action; the text says what is wrong, and shows none of its values."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided, read from JSON."""

    canonical: Canonical
    context: Context

    def decide(self, bundle: Bundle, mode: Mode) -> Decision:
        if self.canonical.refused is not None:
            return bundle.refuse(self.canonical)
        return bundle.decide(self.canonical.actions, self.context, mode)

    def explain(self, bundle: Bundle) -> list[list[PolicyTrace]]:
        """For each action, what each policy says about it."""
        actions = self.canonical.actions
        return [
            trace(bundle.policies, action, self.context, bundle.risks, len(actions))
            for action in actions
        ]


def parse_question(line: bytes) -> Question:
    """Read one line of JSON: an action or a request, with an optional `context`.

    Raises:
        InputError: it is neither.
    """
    if len(line) > LINE_BYTES_MAX:
        raise InputError(f"the line is longer than {LINE_BYTES_MAX} bytes")
    try:
        value = json.loads(
            line.decode(),
            parse_float=str,  # decimals stay text, as everywhere else
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_pairs,
        )
    except RecursionError as error:
        raise InputError("the JSON is nested too deeply") from error
    except ValueError as error:
        raise InputError("the line is not one JSON value") from error
    return question_of(value)


def question_of(value: object) -> Question:
    """Read a question from a JSON value.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, dict):
        raise InputError("an action is a JSON object")
    context = _context(value.get("context"))
    if "actions" not in value:
        action = action_of(value, "")
        return Question(Canonical((action,), action.provider, "problem"), context)
    listed = _of_type(value["actions"], list, "actions", "a list")
    if len(listed) > ACTIONS_MAX:
        raise InputError(f"`actions`: there are more than {ACTIONS_MAX}")
    actions = tuple(
        action_of(_of_type(each, dict, f"actions.{number}", "an object"), f"actions.{number}.")
        for number, each in enumerate(listed)
    )
    refused = value.get("refused")
    if refused is not None:
        _of_type(refused, str, "refused", "text")
        actions = ()
    detail = _text(value, "detail", "", "")
    provider = _text(value, "provider", "", UNKNOWN_OPERATION)
    return Question(Canonical(actions, provider, "problem", refused, detail), context)


def action_of(value: dict[str, Any], place: str) -> Action:
    """Read one action; what it holds beside is not decided on.

    Raises:
        InputError: it is none.
    """
    kind = _KINDS.get(_text(value, "kind", place))
    if kind is None:
        raise InputError(f"`{place}kind`: it must be one of {', '.join(_KINDS)}")
    target = value.get("target", _NOTHING)
    if target is not _NOTHING:
        _of_type(target, dict, f"{place}target", "an object")
    reversible = value.get("reversible", True)
    if type(reversible) is not bool:
        raise InputError(f"`{place}reversible`: it must be true or false")
    sensitive = value.get("sensitive")
    if sensitive is not None:
        _of_type(sensitive, str, f"{place}sensitive", "text")
    missing = _names(value, "missing", place)
    # What older versions wrote has none: then all that is missing may be there.
    unreadable = missing
    if value.get("unreadable") is not None:
        unreadable = _names(value, "unreadable", place)
    return Action(
        _text(value, "provider", place),
        _text(value, "operation", place, UNKNOWN_OPERATION),
        _text(value, "action", place),
        kind,
        Target(_text(target, "type", place, ""), _text(target, "id", place, "")),
        _of_type(value.get("params", {}), dict, f"{place}params", "an object"),
        reversible,
        sensitive,
        missing | unreadable if unreadable else missing,
        unreadable,
    )


def _context(value: object) -> Context:
    if not value and not isinstance(value, str):
        return Context(DEFAULT_AGENT, None, 0)
    given = _of_type(value, dict, "context", "an object")
    run = given.get("run")
    if run is not None:
        _of_type(run, str, "context.run", "text")
    labels = given.get("labels", _NOTHING)
    if labels is not _NOTHING:
        _of_type(labels, dict, "context.labels", "an object")
        for label in labels.values():
            if type(label) is not str:
                raise InputError("`context.labels`: a label must be text")
    state = _text(given, "run_state", "context.", RUNNING if run is not None else "")
    if state and state not in RUN_STATES:
        raise InputError(f"`context.run_state`: it must be one of {', '.join(sorted(RUN_STATES))}")
    return Context(
        _text(given, "agent", "context.", DEFAULT_AGENT),
        run,
        _moment(given.get("now", 0)),
        labels,
        _text(given, "environment", "context.", ""),
        state,
    )


def _moment(value: object) -> int:
    """Microseconds since the Unix epoch, of that or of RFC 3339 text."""
    if type(value) is int:
        return value
    if not isinstance(value, str):
        raise InputError("`context.now`: it must be microseconds or an RFC 3339 time")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise InputError("`context.now` is no RFC 3339 time") from error
    if moment.tzinfo is None:
        raise InputError("`context.now` has no time zone")
    return micros_of(moment)


def _text(value: Mapping[str, Any], name: str, place: str, default: str | None = None) -> str:
    found = value.get(name, default)
    if type(found) is str:
        return found
    if found is None and name not in value:
        raise InputError(f"`{place}{name}`: it is missing")
    raise InputError(f"`{place}{name}`: it must be text")


def _names(value: Mapping[str, Any], name: str, place: str) -> frozenset[str]:
    found = value.get(name)
    if not found and found in (None, []):
        return _NOBODY
    listed = _of_type(found, list, f"{place}{name}", "a list")
    for each in listed:
        if type(each) is not str:
            raise InputError(f"`{place}{name}`: it must list texts")
    return frozenset(listed)


def _of_type(value: Any, kind: type[T], place: str, words: str) -> T:
    if type(value) is not kind:
        raise InputError(f"`{place}`: it must be {words}")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two parsers could choose differently between two values of one key, so there is neither."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
