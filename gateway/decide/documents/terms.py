"""Reads `approval:`: on which terms a rule or a limit asks a person."""

from __future__ import annotations

import re
from typing import Final

from gateway.decide.conditions.checking.names import AGENT_LABELS, unknown_name
from gateway.decide.documents.document import Item, Scalar
from gateway.decide.documents.patterns import hold
from gateway.decide.documents.reader import Reader, parse_duration
from gateway.model.effect import ApprovalTerms, Escalation
from gateway.model.vocabulary import Vocabulary

TIMEOUT_SECONDS_MIN: Final = 10
TIMEOUT_SECONDS_MAX: Final = 7 * 86_400
"""How long a question may stand: a week, over which the world it asks about has moved on."""

QUORUM_MAX: Final = 20
GROUPS_MAX: Final = 50
LABEL_CHARS_MAX: Final = 64

_KEYS: Final = ("groups", "quorum", "timeout", "witness", "comment", "escalate", "requester")
_NEEDS: Final = {"required": True, "none": False}
_GROUP: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_GROUP_IN_WORDS: Final = "1 to 63 lower-case letters, digits and hyphens"


def read_terms(reader: Reader, item: Item, vocabulary: Vocabulary) -> ApprovalTerms:
    """Read the terms; whatever is left out is as in `ApprovalTerms()`."""
    found = reader.fields(item, "`approval`", _KEYS)
    groups = _groups(reader, found.get("groups"), vocabulary)
    quorum = None
    if "quorum" in found:
        quorum = reader.whole_of(found["quorum"], "`quorum`", 1, QUORUM_MAX)
    seconds = _duration(reader, found.get("timeout"), "`timeout`")
    usual = ApprovalTerms()
    timeout_seconds = seconds or usual.timeout_seconds
    return ApprovalTerms(
        groups,
        quorum or usual.quorum,
        timeout_seconds,
        _needs(reader, found.get("witness"), "`witness`"),
        _needs(reader, found.get("comment"), "`comment`"),
        _escalation(reader, found.get("escalate"), groups, timeout_seconds, vocabulary),
        _requester(reader, found.get("requester"), vocabulary),
    )


def _needs(reader: Reader, item: Item | None, what: str) -> bool:
    return item is not None and reader.choice(item, what, _NEEDS) is True


def _groups(reader: Reader, item: Item | None, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Names of groups, sorted; who is in one is said where keys are made."""
    if item is None:
        return ()
    names: set[str] = set()
    for each in reader.items(item, "`groups`", GROUPS_MAX):
        name = reader.named(each, "a group", _GROUP, _GROUP_IN_WORDS)
        if name is not None:
            message = f"the organisation has no approver group `{name[:60]}`"
            hold(reader, each, name, vocabulary.approver_groups, message)
            names.add(name)
    return tuple(sorted(names))


def _duration(reader: Reader, item: Item | None, what: str) -> int | None:
    if item is None:
        return None
    seconds = parse_duration(item.written) if isinstance(item, Scalar) else None
    if seconds is None:
        reader.complain(item.mark, f"{what} must be a duration such as `30m` or `1h30m`")
        return None
    if not TIMEOUT_SECONDS_MIN <= seconds <= TIMEOUT_SECONDS_MAX:
        reader.complain(item.mark, f"{what} must be from 10 seconds to 7 days")
        return None
    return seconds


def _escalation(
    reader: Reader,
    item: Item | None,
    asked: tuple[str, ...],
    timeout_seconds: int,
    vocabulary: Vocabulary,
) -> Escalation | None:
    if item is None:
        return None
    found = reader.fields(item, "`escalate`", ("after", "groups"), ("groups",))
    groups = _groups(reader, found.get("groups"), vocabulary)
    if "groups" in found and not groups:
        reader.complain(found["groups"].mark, "`escalate` must name a group")
    for name in sorted(set(groups) & set(asked)):
        reader.complain(item.mark, f"`{name}` is asked from the beginning", "name others")
    after = _duration(reader, found.get("after"), "`after`")
    if after is not None and after >= timeout_seconds:
        reader.complain(
            found["after"].mark,
            "`after` is not before the question ends",
            "give it less than `timeout`",
        )
    return Escalation(groups, after) if groups else None


def _requester(reader: Reader, item: Item | None, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The agent's label that names who asks through it."""
    if item is None:
        return ()
    name = reader.text_of(item, "`requester`")
    if name is None:
        return ()
    if not 0 < len(name) <= LABEL_CHARS_MAX:
        reader.complain(item.mark, "`requester` must be the name of a label of agents")
        return ()
    hold(reader, item, name, vocabulary.agent_labels.keys(), unknown_name(AGENT_LABELS, name))
    return (name,)
