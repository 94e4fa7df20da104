"""Which channel and which person an event is for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.notify.notice import ASKING, CHECKPOINT_EVENT, SEVERITIES


@dataclass(frozen=True, slots=True)
class Wish:
    """What a channel wants to hear. `follows`: it shows questions and changes what it showed."""

    events: Collection[str]
    groups: Collection[str]
    severity: str | None
    follows: bool


def is_for(wish: Wish, event: str, subject: Mapping[str, Any]) -> bool:
    """Whether a channel hears of an event about this thing."""
    if event not in wish.events and not is_change_of_shown(wish, event):
        return False
    severity = subject.get("severity")
    if wish.severity is not None and event.startswith("incident.") and severity in SEVERITIES:
        return SEVERITIES.index(str(severity)) >= SEVERITIES.index(wish.severity)
    if wish.groups and event.startswith("approval."):
        asked = asked_groups(subject)
        return not asked or not asked.isdisjoint(wish.groups)
    return True


def is_change_of_shown(wish: Wish, event: str) -> bool:
    """Whether an event changes a message that the channel was sent, asked for or not."""
    return wish.follows and event.startswith("approval.") and not ASKING.isdisjoint(wish.events)


def is_news_for_people(event: str, subject: Mapping[str, Any]) -> bool:
    """Whether people need to hear of it still: a question that is over asks nobody, and a
    checkpoint is for programs."""
    if event == CHECKPOINT_EVENT:
        return False
    return event not in ASKING or subject.get("status") == "PENDING"


def may_be_answered_by(subject: Mapping[str, Any], name: str, groups: Collection[str]) -> bool:
    """Whether a person is asked. The answer itself is judged by the database."""
    if name.lower() in (subject.get("requesters") or ()):
        return False
    asked = asked_groups(subject)
    return not asked or not asked.isdisjoint(groups)


def asked_groups(approval: Mapping[str, Any]) -> frozenset[str]:
    """To which groups a question is put now; none: to everybody."""
    terms = approval.get("terms") or {}
    groups = terms.get("groups") or ()
    if not groups:
        return frozenset()
    further = terms.get("escalateTo") or () if approval.get("escalation") else ()
    return frozenset(groups) | frozenset(further)
