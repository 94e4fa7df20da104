"""What authors of policies use: decide an action given as JSON, and explain it.

It reads what `mappers map` writes. Whatever it can't read is a BLOCK, as it would be on the data
path; it never sends or records anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.decide.bundle import Bundle
from gateway.decide.rules.trace import PolicyTrace, trace
from gateway.model.action import UNKNOWN_OPERATION, Action, Canonical, Kind, Target
from gateway.model.codec import JsonValue
from gateway.model.decision import Context, Decision
from gateway.model.effect import Mode

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one line of JSON: more than the largest body that the gateway inspects makes of an action."""

ACTIONS_MAX: Final = 1_000

MALFORMED: Final = "MALFORMED_ACTION"
"""Reason code of a line that is no action. Only this tool gives it."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class InputError(Exception):
    """A line or a case is no action; the text says what is wrong, and shows none of its values."""


class _TargetInput(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str = ""
    id: str = ""


class _ActionInput(BaseModel):
    """An action as `mappers map` writes it. What it holds beside is not decided on."""

    model_config = ConfigDict(strict=True)

    provider: str
    action: str
    kind: Kind = Field(strict=False)
    operation: str = UNKNOWN_OPERATION
    target: _TargetInput = Field(default_factory=_TargetInput)
    params: dict[str, Any] = Field(default_factory=dict)
    reversible: bool = True
    sensitive: str | None = None
    missing: list[str] = Field(default_factory=list)
    unreadable: list[str] | None = None
    """What older versions wrote has none: then all that is missing may be there."""

    def action_value(self) -> Action:
        return Action(
            self.provider,
            self.operation,
            self.action,
            self.kind,
            Target(self.target.type, self.target.id),
            self.params,
            self.reversible,
            self.sensitive,
            frozenset(self.missing) | frozenset(self.unreadable or ()),
            frozenset(self.missing if self.unreadable is None else self.unreadable),
        )


class _ContextInput(BaseModel):
    model_config = ConfigDict(strict=True)

    agent: str = "agent"
    run: str | None = None
    now: int | str = 0
    labels: dict[str, str] = Field(default_factory=dict)
    environment: str = ""

    def context_value(self) -> Context:
        now = self.now if isinstance(self.now, int) else _microseconds(self.now)
        return Context(self.agent, self.run, now, self.labels, self.environment)


class _RequestInput(BaseModel):
    """What a whole request means: its actions, or why it is refused."""

    model_config = ConfigDict(strict=True)

    actions: list[_ActionInput] = Field(max_length=ACTIONS_MAX)
    refused: str | None = None
    detail: str = ""
    provider: str = UNKNOWN_OPERATION


_ACTION: Final = TypeAdapter(_ActionInput)
_REQUEST: Final = TypeAdapter(_RequestInput)
_CONTEXT: Final = TypeAdapter(_ContextInput)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided, read from JSON."""

    canonical: Canonical
    context: Context

    def decide(self, bundle: Bundle, mode: Mode) -> Decision:
        if self.canonical.refused is not None:
            return bundle.refuse(self.canonical, self.context)
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
    try:
        context = _CONTEXT.validate_python(value.get("context") or {}).context_value()
        if "actions" in value:
            request = _REQUEST.validate_python(value)
            actions = tuple(action.action_value() for action in request.actions)
            refused, detail, provider = request.refused, request.detail, request.provider
        else:
            action = _ACTION.validate_python(value).action_value()
            actions, refused, detail, provider = (action,), None, "", action.provider
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the object"
        raise InputError(f"`{place}`: {first['msg'].lower()}") from error
    except RecursionError as error:
        raise InputError("the JSON is nested too deeply") from error
    if refused is not None:
        actions = ()
    return Question(Canonical(actions, provider, "problem", refused, detail), context)


def decide_line(bundle: Bundle, line: bytes, mode: Mode = Mode.ENFORCE) -> dict[str, JsonValue]:
    """Decide one line. Never raises for what it holds: a malformed one is a BLOCK."""
    try:
        question = parse_question(line)
    except InputError as error:
        return malformed(bundle, str(error))
    return render(question.decide(bundle, mode))


def malformed(bundle: Bundle, message: str) -> dict[str, JsonValue]:
    """What a line that can't be read is answered with."""
    return {**render(bundle.fault()), "reason_code": MALFORMED, "message": message}


def render(decision: Decision) -> dict[str, JsonValue]:
    """A decision as the JSON object that DESIGN section 5 names."""
    terms = decision.terms
    return {
        "effect": decision.effect.value,
        "policy": decision.policy,
        "rule": decision.rule,
        "reason_code": decision.reason_code,
        "message": decision.message,
        "risk": {
            "score": decision.risk.score,
            "factors": [
                {"name": factor.name, "points": factor.points, "observed": factor.observed}
                for factor in decision.risk.factors
            ],
            "vector": decision.risk.vector,
        },
        "mode": decision.mode.value,
        "unresolved": decision.unresolved,
        "approval": None
        if terms is None
        else {
            "groups": list(terms.groups),
            "quorum": terms.quorum,
            "timeout_seconds": terms.timeout_seconds,
            "witness_required": terms.witness_required,
        },
        "revision": decision.revision,
    }


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two parsers could choose differently between two values of one key, so there is neither."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _microseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError("`context.now` is no RFC 3339 time") from error
    if moment.tzinfo is None:
        raise InputError("`context.now` has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)
