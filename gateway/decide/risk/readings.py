"""Reads from a call what weighs in its context, each as one of a few bands.

Everything here is in an agent's hand, so nothing of it is kept and none of it costs more than it
has items.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.decide.patterns import Pattern
from gateway.decide.risk.scheme import (
    AMOUNT_STARTS,
    BREADTH_STARTS,
    DOMAINS_UNSTATED,
    INSIDE,
    OUTSIDE,
    RECIPIENTS_UNREADABLE,
)
from gateway.model.action import ANY_PARAM, Action
from gateway.model.money import AMOUNT, CURRENCY

COUNT: Final = "count"
RECIPIENTS: Final = "recipients"

NOTHING: Final = -1
"""The band where a call has nothing of the sort, and its operation declares nothing."""

AMOUNT_BAND_UNREADABLE: Final = len(AMOUNT_STARTS) + 1
BREADTH_BAND_MAX: Final = len(BREADTH_STARTS)
BREADTH_BAND_UNREADABLE: Final = BREADTH_BAND_MAX + 1
_UNREADABLE_BREADTH_OUTWEIGHS: Final = 2
"""The widest band that weighs no more than one that can't be read."""

WALKED_MAX: Final = 1_000
"""Values inside lists and maps that are looked at. More is as broad as it gets, in any order."""

RECIPIENTS_MAX: Final = 1_000
"""Recipients that are looked at. Nobody writes to more at once and means only the own house."""

FLAT: Final = frozenset({str, int, bool, type(None)})
"""Types of params that hold no other value."""

FEW: Final = 30
"""Params, and entries of a map among them: so many of each are fewer than `WALKED_MAX`."""

_OUTSIDE_LISTS: Final = frozenset({AMOUNT, CURRENCY, COUNT, "target.id"})
"""What can be missing and would be no list."""


def may_have(action: Action, param: str) -> bool:
    """Whether an action whose params lack this one may have it all the same, or leaves to its
    provider what it is."""
    return param in action.missing or ANY_PARAM in action.unreadable


def currency_of(action: Action) -> str:
    """The currency in lower case, "" where there is none or it is no text."""
    currency = action.params.get(CURRENCY)
    return currency.lower() if type(currency) is str else ""


def breadth_band(action: Action, actions: int) -> int:
    """How many things a call is about: the longest list anywhere in its params, the number that
    `params.count` gives, or the number of actions in its request, whichever is the most."""
    band = bisect_right(BREADTH_STARTS, max(actions, longest_list(action.params.values())))
    count, is_unreadable = action.params.get(COUNT), False
    if type(count) is int:
        band = max(band, bisect_right(BREADTH_STARTS, abs(count)))
    elif count is not None:
        is_unreadable = True
    if action.unreadable:
        is_unreadable |= not action.unreadable <= _OUTSIDE_LISTS or COUNT in action.unreadable
    if is_unreadable and band <= _UNREADABLE_BREADTH_OUTWEIGHS:
        return BREADTH_BAND_UNREADABLE
    return band


def is_flat_map(value: object) -> bool:
    """Whether it is a small map that holds no lists: metadata, most often."""
    return type(value) is dict and len(value) <= FEW and FLAT.issuperset(map(type, value.values()))


def longest_list(values: Iterable[object]) -> int:
    """The length of the longest list at any depth; above all bands where there are too many
    values to look at."""
    longest = walked = 0
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if type(value) in FLAT:
            continue
        if isinstance(value, Mapping):
            walked += len(value)
            inside: Iterable[object] = value.values()
        elif isinstance(value, Sequence):
            walked += len(value)
            longest = max(longest, len(value))
            inside = value
        else:
            continue
        if walked > WALKED_MAX:
            return walked
        waiting.extend(inside)
    return longest


def recipients_band(recipients: object, domains: Pattern | None) -> int:
    """Whether all that a message goes to is of the organisation's domains."""
    listed = [recipients] if isinstance(recipients, str) else recipients
    if not isinstance(listed, Sequence):
        return RECIPIENTS_UNREADABLE
    if len(listed) > RECIPIENTS_MAX:
        return OUTSIDE
    if not all(isinstance(each, str) for each in listed):
        return RECIPIENTS_UNREADABLE
    if domains is None:
        return DOMAINS_UNSTATED
    return INSIDE if all(_is_inside(each, domains) for each in listed) else OUTSIDE


_NAMED: Final = re.compile(r"[^@<>,;:()\"\\\x00-\x1f]*<([^>]*)>")
_PLAIN: Final = re.compile(r"[^@<>,;:()\"\\\s]+@([^@<>,;:()\"\\\s]+)")


def _is_inside(recipient: str, domains: Pattern) -> bool:
    """Only what is one plain address, by itself or behind a name, can be inside: two in one text,
    a number or a name can't."""
    address = recipient.strip()
    named = _NAMED.fullmatch(address)
    plain = _PLAIN.fullmatch(address if named is None else named[1])
    return plain is not None and domains.matches(plain[1].lower())
