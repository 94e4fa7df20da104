"""Turns a line of the record back into what was decided: question in, recorded verdict beside it.

What a line does not show as it was (redacted, cut, left out by an older gateway) is named, so that
whoever decides again knows what can't be known. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from gateway.authoring.policies.questions import InputError, Question, action_of
from gateway.decide.bundle import Bundle
from gateway.decide.conditions.syntax import Node, children, path_of
from gateway.decide.rules.policy import Limit, MatchField, Per, Policy, Rule
from gateway.model.action import Canonical
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context, ReasonCode
from gateway.model.effect import Effect, Mode
from gateway.model.record import EntryKind
from gateway.record.verifying.line_facts import BESIDE_RECORDS

NOT_BY_POLICY: Final = frozenset(
    {
        ReasonCode.KILL_SWITCH,
        ReasonCode.BUNDLE_STALE,
        ReasonCode.LIMIT_STORE_UNAVAILABLE,
        ReasonCode.POLICY_EVALUATION_FAILED,
    }
)
"""Decisions that no policy made: another policy would not have made them either."""

NO_CONTEXT: Final = "context"
"""Stands in `altered` of lines that don't say what was decided with."""

MORE_ACTIONS: Final = "actions"
"""Stands in `altered` of lines that don't spell out all actions."""

_EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One recorded decision. `used` is what counters held before it, by limit and key; `altered`
    names what the line does not show as it was."""

    decision_id: str
    at: str
    question: Question
    effect: Effect
    mode: Mode
    policy: str | None
    rule: str | None
    reason_code: str
    used: Mapping[tuple[str, str], int]
    altered: frozenset[str]

    @property
    def action(self) -> str:
        actions = self.question.canonical.actions
        if not actions:
            return self.question.canonical.refused or "nothing"
        return actions[0].action if len(actions) == 1 else f"{actions[0].action} and more"


def parse_recorded(line: bytes) -> Recorded | None:
    """Read a line of the record; None for one that holds no decision, or one a second time.

    Raises:
        InputError: it is no line of a record.
    """
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError("the line is not one JSON value") from error
    if line.startswith(BESIDE_RECORDS):
        return None
    if not isinstance(fields, dict) or "kind" not in fields:
        raise InputError("the line is no record")
    kind = fields["kind"]
    if kind != EntryKind.DECISION and (kind != EntryKind.INTENT or _is_second(fields)):
        return None
    try:
        return _recorded(fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("the line is no record of a decision") from error


def _is_second(fields: Mapping[str, Any]) -> bool:
    """Whether the decision was recorded before, when it was held."""
    return fields.get("approval") is not None


_NO_LABELS: Final[Mapping[str, str]] = {}


def _recorded(fields: dict[str, Any]) -> Recorded:
    given = fields.get("context")
    context: Mapping[str, Any] = given if given is not None else {}
    altered = {NO_CONTEXT} if given is None else set(context.get("altered", ()))
    provider = fields["provider"]
    listed = fields["actions"]
    for action in listed:
        altered.update(action.get("altered", ()))
        action.setdefault("provider", provider)
        if given is not None:
            action.setdefault("unreadable", [])
    if len(listed) < fields.get("actions_total", 0):
        altered.add(MORE_ACTIONS)
    canonical = Canonical(
        tuple([action_of(action, "") for action in listed]), provider, "problem", fields["refused"]
    )
    run = fields["run"]
    return Recorded(
        fields["decision_id"],
        fields["at"],
        Question(
            canonical,
            Context(
                fields["agent"],
                run,
                context.get("now", 0),
                context.get("labels", _NO_LABELS),
                context.get("environment", ""),
                context.get("run_state", ""),
            ),
        ),
        Effect(fields["effect"]),
        Mode(fields["mode"]),
        fields["policy"],
        fields["rule"],
        fields["reason_code"],
        {(one["limit"], one["key"]): one["used"] for one in fields.get("limits", ())},
        frozenset(altered),
    )


class Reads:
    """What policies read: whether they would miss what a line does not show."""

    def __init__(self, bundle: Bundle) -> None:
        self._paths: set[str] = set()
        for policy in bundle.policies:
            self._paths.update(_paths_of_policy(policy))
        self._takes_all = _EVERYTHING in self._paths
        self._kept: dict[frozenset[str], bool] = {}

    def misses(self, altered: frozenset[str]) -> bool:
        """Whether a decision by these policies can depend on one of the altered fields."""
        if not altered:
            return False
        found = self._kept.get(altered)
        if found is None:
            found = any(map(self._misses, altered))
            if len(self._kept) < 1_000:
                self._kept[altered] = found
        return found

    def _misses(self, field: str) -> bool:
        if self._takes_all or field in (MORE_ACTIONS, NO_CONTEXT):
            return True
        root, _, name = field.partition(".")
        if root in ("params", "labels") and (root in self._paths or not name):
            return any(path == root or path.startswith(f"{root}.") for path in self._paths)
        return field in self._paths


def _paths_of_policy(policy: Policy) -> Iterator[str]:
    listed: tuple[Rule | Limit, ...] = (*policy.rules, *policy.limits)
    for each in listed:
        if not each.enabled:
            continue
        for field, _ in each.match.fields:
            # Labels of a target are made of its id and of whatever an organisation says.
            yield _EVERYTHING if field is MatchField.TARGET_LABEL else field.value
        yield from (f"labels.{label}" for label, _ in each.match.labels)
        if each.condition is not None:
            yield from _paths_of(each.condition.node)
        if isinstance(each, Limit):
            if each.sum:
                yield f"params.{each.sum[0]}"
            if each.per is Per.TARGET:
                yield "target.id"
                yield "target.type"


def _paths_of(node: Node) -> Iterator[str]:
    """The fields that a condition reads, by their first two names."""
    path = path_of(node)
    if path is not None:
        yield _root_of(path)
        return
    for child in children(node):
        yield from _paths_of(child)


def _root_of(path: str) -> str:
    root, _, rest = path.partition(".")
    if root == "risk" or path.startswith("target.label"):
        return _EVERYTHING
    if root == "params":
        name = rest.partition(".")[0].partition("[")[0]
        return f"params.{name}" if name else "params"
    if path.startswith("agent.labels"):
        name = path.removeprefix("agent.labels").lstrip(".").partition(".")[0].partition("[")[0]
        return f"labels.{name}" if name else "labels"
    return path.partition("[")[0]
