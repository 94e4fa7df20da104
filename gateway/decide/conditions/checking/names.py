"""The names there are for a fact such as `action`, and the words for one that there is not."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from gateway.decide.assessment import FACTOR_NAMES
from gateway.decide.conditions.facts import KINDS, STATES
from gateway.decide.nearest import nearest_help
from gateway.model.action import UNKNOWN_OPERATION
from gateway.model.vocabulary import Vocabulary

AGENT_LABELS: Final = "agent.labels"

_LABEL: Final = AGENT_LABELS + "."
_FACTORS: Final = frozenset(FACTOR_NAMES)


def names_of(vocabulary: Vocabulary, fact: str) -> Set[str] | None:
    """The known values of a fact such as `action`; None when any value may come."""
    match fact:
        case "action":
            names = _made(vocabulary.actions)
        case "operation":
            names = _made(vocabulary.operations)
        case "provider":
            names = _made(vocabulary.providers)
        case "kind":
            names = KINDS
        case "run.state":
            names = STATES
        case "environment":
            names = vocabulary.environments or None
        case "target.labels" | "target.label":
            names = vocabulary.target_labels
        case "risk.factors":
            names = _FACTORS
        case "agent.labels":
            names = vocabulary.agent_labels.keys() or None
        case _ if fact.startswith(_LABEL):
            names = vocabulary.agent_labels.get(fact.removeprefix(_LABEL)) or None
        case _:
            names = None
    return names


def _made(names: Set[str]) -> Set[str] | None:
    """What no mapper knows still gets a name, and rules may be about it."""
    if not names:
        return None
    return names if UNKNOWN_OPERATION in names else names | {UNKNOWN_OPERATION}


def unknown_name(fact: str, name: str) -> str:
    """What is wrong with a name that is not among those of a fact."""
    shown = f"`{name[:60]}`"
    match fact:
        case "environment":
            return f"the organisation has no environment {shown}"
        case "agent.labels":
            return f"agents have no label {shown}"
        case "target.labels" | "target.label":
            return f"the organisation gives no target the label {shown}"
        case "risk.factors":
            return f"a risk has no factor {shown}"
        case "run.state":
            return f"a run is never {shown}"
        case _ if fact.startswith(_LABEL):
            return f"the label `{fact.removeprefix(_LABEL)[:60]}` of an agent is never {shown}"
        case _:
            return f"no mapper makes the {fact} {shown}"


def help_with(name: str, known: Set[str]) -> str:
    """What to write instead of a name that is not known."""
    if not known:
        return "give it in the `targetLabels` of a `kind: Organisation` beside the policy"
    return nearest_help(name, known)
