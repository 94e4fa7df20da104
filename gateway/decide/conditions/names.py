"""The names there are for a fact such as `action`, and the words for one that there is not."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from gateway.decide.conditions.facts import KINDS, STATES
from gateway.model.action import UNKNOWN_OPERATION
from gateway.model.vocabulary import Vocabulary

AGENT_LABELS: Final = "agent.labels"
TARGET_LABELS: Final = "target.labels"
ENVIRONMENT: Final = "environment"

_LABEL: Final = AGENT_LABELS + "."


def names_of(vocabulary: Vocabulary, fact: str) -> Set[str]:
    """The known values of a fact such as `action`; empty when any value may come."""
    match fact:
        case "action":
            names: Set[str] = vocabulary.actions
        case "operation":
            names = vocabulary.operations
        case "provider":
            names = vocabulary.providers
        case "kind":
            return KINDS
        case "run.state":
            return STATES
        case "environment":
            return vocabulary.environments
        case "target.labels":
            return vocabulary.target_labels
        case "agent.labels":
            return vocabulary.agent_labels.keys()
        case _ if fact.startswith(_LABEL):
            return vocabulary.agent_labels.get(fact.removeprefix(_LABEL), frozenset())
        case _:
            return frozenset()
    # What no mapper knows still gets a name, and rules may be about it.
    return names if not names or UNKNOWN_OPERATION in names else names | {UNKNOWN_OPERATION}


def unknown_name(fact: str, name: str) -> str:
    """What is wrong with a name that is not among those of a fact."""
    shown = f"`{name[:60]}`"
    if fact == ENVIRONMENT:
        return f"the organisation has no environment {shown}"
    if fact == AGENT_LABELS:
        return f"agents have no label {shown}"
    if fact == TARGET_LABELS:
        return f"targets have no label {shown}"
    if fact == "run.state":
        return f"a run is never {shown}"
    if fact.startswith(_LABEL):
        return f"the label `{fact.removeprefix(_LABEL)[:60]}` of an agent is never {shown}"
    return f"no mapper makes the {fact} {shown}"
