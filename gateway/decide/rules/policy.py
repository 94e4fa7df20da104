"""A checked policy: what a file says, in a form that can't be wrong any more.

Made by the loader alone. The engine compiles it, `explain` shows it, the revision is the digest
of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from gateway.decide.assessment import Assessment
from gateway.decide.baseline import Baseline
from gateway.decide.conditions.evaluation.doubts import Subject, make_subject
from gateway.decide.conditions.evaluation.interpreter import Interpreted, interpret
from gateway.decide.conditions.syntax import Node
from gateway.decide.conditions.values.unresolved import Unresolved
from gateway.decide.limits.window import Window
from gateway.decide.organisation import Organisation
from gateway.decide.patterns import Pattern
from gateway.decide.risk.scheme import SCHEME
from gateway.model.action import Action
from gateway.model.codec import JsonValue, canonical_json
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context
from gateway.model.effect import ApprovalTerms, Effect, Mode

LANGUAGE: Final = "checkrein/v1"
"""Version of the language: part of every revision, since it is part of what the rules mean."""


class MatchField(StrEnum):
    """What `match` can test. Labels have a map of their own."""

    # An enum's own hash is a call of Python, and rules are looked up by it.
    __hash__ = str.__hash__

    PROVIDER = "provider"
    OPERATION = "operation"
    ACTION = "action"
    KIND = "kind"
    TARGET_TYPE = "target.type"
    TARGET_ID = "target.id"
    TARGET_LABEL = "target.label"
    SENSITIVE = "sensitive"
    AGENT = "agent"
    RUN = "run"
    RUN_STATE = "run.state"
    ENVIRONMENT = "environment"


FieldReader = Callable[[Action, Context], str | None]

READERS: Final[Mapping[MatchField, FieldReader]] = {
    MatchField.PROVIDER: lambda action, _: action.provider,
    MatchField.OPERATION: lambda action, _: action.operation,
    MatchField.ACTION: lambda action, _: action.action,
    MatchField.KIND: lambda action, _: action.kind.value,
    MatchField.TARGET_TYPE: lambda action, _: action.target.type,
    MatchField.TARGET_ID: lambda action, _: action.target.id,
    MatchField.SENSITIVE: lambda action, _: action.sensitive,
    MatchField.AGENT: lambda _, context: context.agent,
    MatchField.RUN: lambda _, context: context.run,
    MatchField.RUN_STATE: lambda _, context: context.run_state or None,
    MatchField.ENVIRONMENT: lambda _, context: context.environment,
}
"""All fields but `target.label`, of which a target may have several. None is matched by no
pattern, `*` included: there is nothing that could have the name."""

STATIC_FIELDS: Final = (
    MatchField.OPERATION,
    MatchField.ACTION,
    MatchField.PROVIDER,
    MatchField.KIND,
    MatchField.TARGET_TYPE,
    MatchField.SENSITIVE,
)
"""What is the same for every call of an operation: rules are indexed by it. The first are the
most selective."""

OF_TARGET: Final = frozenset({MatchField.TARGET_ID, MatchField.TARGET_LABEL})
"""What can't be told of a target whose id could not be read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written. Lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Condition:
    """A checked `when`, as text and tree. Rules are compiled from the tree; what is asked here
    is made when it is first asked: most conditions never are."""

    __slots__ = ("_interpreted", "_subject", "node", "text")

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.node = node
        self._interpreted: Interpreted | None = None
        self._subject: Subject | None = None

    def holds(self, action: Action, context: Context, assessed: Assessment) -> bool | Unresolved:
        """Whether it is true, or the field that it can't be told for: the reference of what is
        compiled. Never raises."""
        if self._interpreted is None:
            self._interpreted = interpret(self.node)
        return self._interpreted(action, context, assessed)

    def unread(self, action: Action, context: Context, assessed: Assessment) -> str:
        """The field that could not be read, of a condition that is not false; "" for none."""
        if self._subject is None:
            self._subject = make_subject(self.node)
        return self._subject(action, context, assessed)


@dataclass(frozen=True, slots=True)
class Match:
    """All given fields must match; an empty match takes everything."""

    fields: tuple[tuple[MatchField, Pattern], ...] = ()
    labels: tuple[tuple[str, Pattern], ...] = ()
    reversible: bool | None = None

    def pattern_of(self, field: MatchField) -> Pattern | None:
        return next((pattern for name, pattern in self.fields if name is field), None)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """`terms` is set exactly when the effect is REQUIRE_APPROVAL."""

    id: str
    priority: int
    match: Match
    condition: Condition | None
    effect: Effect
    reason: str
    message: str
    terms: ApprovalTerms | None
    enabled: bool
    place: Place
    mode: Mode = Mode.ENFORCE


def plain_reason(name: str) -> str:
    """The reason code of what gives none of its own, of `rule_ID` or `limit_ID`."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).rstrip("_")[:64]


def plain_message(rule_id: str, policy: str) -> str:
    """The sentence of a rule that gives none of its own."""
    return f"rule `{rule_id}` of policy `{policy}` is about this action"


class Per(StrEnum):
    """Whose counter a limit keeps: one for each agent, run or target, or one for all."""

    AGENT = "agent"
    RUN = "run"
    TARGET = "target"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """How much of what fits may happen within a window. `sum` is the path of the param that is
    added up, below `params`; None counts the actions. `terms` is set exactly when the effect is
    REQUIRE_APPROVAL."""

    id: str
    match: Match
    condition: Condition | None
    sum: tuple[str, ...] | None
    per: Per
    window: Window
    max: int
    effect: Effect
    reason: str
    message: str
    terms: ApprovalTerms | None
    mode: Mode
    enabled: bool
    place: Place

    @property
    def sum_text(self) -> str:
        """The path as it is written; "" for a count."""
        return "" if self.sum is None else ".".join(("params", *self.sum))


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """`scope` None means every agent."""

    name: str
    scope: Pattern | None
    mode: Mode
    default_effect: Effect
    rules: tuple[Rule, ...]
    place: Place
    limits: tuple[Limit, ...] = ()

    def applies_to(self, agent: str) -> bool:
        return self.scope is None or self.scope.matches(agent)


def revision_of(
    policies: Iterable[Policy],
    organisation: Organisation | None = None,
    baseline: Baseline | None = None,
) -> str:
    """Digest of all that may change a decision, as 64 hexadecimal digits.

    Neither the order of files and rules nor comments and spelling change it.
    """
    ordered = sorted(policies, key=lambda policy: policy.name)
    content: dict[str, JsonValue] = {
        "language": LANGUAGE,
        "risk": SCHEME,
        "policies": [_content_of(policy) for policy in ordered],
        "organisation": None if organisation is None else organisation.content(),
        "baseline": None if baseline is None else baseline.content(),
    }
    return hashlib.sha256(b"checkrein.revision.v1\n" + canonical_json(content)).hexdigest()


def _content_of(policy: Policy) -> JsonValue:
    return {
        "name": policy.name,
        "scope": None if policy.scope is None else policy.scope.texts,
        "mode": policy.mode.value,
        "defaultEffect": policy.default_effect.value,
        "rules": [
            _content_of_rule(rule) for rule in sorted(policy.rules, key=lambda rule: rule.id)
        ],
        "limits": [
            _content_of_limit(limit) for limit in sorted(policy.limits, key=lambda limit: limit.id)
        ],
    }


def _content_of_limit(limit: Limit) -> JsonValue:
    return {
        "id": limit.id,
        **_content_of_match(limit.match),
        "when": None if limit.condition is None else limit.condition.text,
        "sum": limit.sum,
        "per": limit.per.value,
        "window": str(limit.window),
        "max": limit.max,
        "effect": limit.effect.value,
        "reason": limit.reason,
        "message": limit.message,
        "approval": _content_of_terms(limit.terms),
        "mode": limit.mode.value,
        "enabled": limit.enabled,
    }


def _content_of_rule(rule: Rule) -> JsonValue:
    return {
        "id": rule.id,
        "priority": rule.priority,
        **_content_of_match(rule.match),
        "when": None if rule.condition is None else rule.condition.text,
        "effect": rule.effect.value,
        "reason": rule.reason,
        "message": rule.message,
        "enabled": rule.enabled,
        "mode": rule.mode.value,
        "approval": _content_of_terms(rule.terms),
    }


def _content_of_match(match: Match) -> dict[str, JsonValue]:
    return {
        "match": {field.value: pattern.texts for field, pattern in match.fields},
        "labels": {name: pattern.texts for name, pattern in match.labels},
        "reversible": match.reversible,
    }


def _content_of_terms(terms: ApprovalTerms | None) -> JsonValue:
    if terms is None:
        return None
    content: dict[str, JsonValue] = {
        "groups": terms.groups,
        "quorum": terms.quorum,
        "timeoutSeconds": terms.timeout_seconds,
        "witnessRequired": terms.witness_required,
    }
    # Only where they are said, so that the revision of what doesn't say them stays what it was.
    if terms.comment_required:
        content["commentRequired"] = True
    if terms.escalation is not None:
        content["escalateTo"] = terms.escalation.groups
        content["escalateAfterSeconds"] = terms.escalation.after_seconds
    if terms.requester_labels:
        content["requesterLabels"] = terms.requester_labels
    return content
