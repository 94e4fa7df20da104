"""Turns a positioned document of `kind: Baseline` into its value, or into problems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.decide.baseline import Baseline, Usual
from gateway.decide.documents.document import Item, Scalar
from gateway.decide.documents.heading import read_heading
from gateway.decide.documents.reader import Reader

KIND: Final = "Baseline"

ROWS_MAX: Final = 10_000
"""Agents times the actions of each; more would take longer to load than a gateway may."""

CURRENCIES_MAX: Final = 16
"""Of one agent's action."""

COUNT_MAX: Final = 10**12
DAYS_MAX: Final = 36_600
AMOUNT_MAX: Final = 10**18

_SNAPSHOT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DATE: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_SPAN: Final = re.compile(r"([0-9]|1[0-9]|2[0-3])(?:-([0-9]|1[0-9]|2[0-3]))?")


def read_baseline(reader: Reader, document: Item) -> Baseline | None:
    """Read one document; None when it has no usable body."""
    name, body = read_heading(reader, document, "a baseline", KIND)
    if name is not None:
        reader.text_of(name, "`name`")
    keys = ("snapshot", "date", "agents")
    spec = reader.fields(body, "`spec`", keys, keys)
    if len(spec) < len(keys):
        return None
    snapshot = _formed(reader, spec["snapshot"], "`snapshot`", _SNAPSHOT, "a short name")
    date = _formed(reader, spec["date"], "`date`", _DATE, "a date such as `2026-11-21`")
    agents: dict[str, Mapping[str, Usual]] = {}
    rows = 0
    for agent, actions in reader.entries(spec["agents"], "`agents`"):
        entries = reader.entries(actions, f"agent `{agent.written[:60]}`")
        rows += len(entries)
        if rows > ROWS_MAX:
            reader.complain(agent.mark, f"a baseline has at most {ROWS_MAX} actions of agents")
            return None
        usual = ((name.written, _usual(reader, item)) for name, item in entries)
        agents[agent.written] = MappingProxyType({name: each for name, each in usual if each})
    if snapshot is None or date is None:
        return None
    return Baseline(snapshot, date, MappingProxyType(agents))


def _formed(
    reader: Reader, item: Item, what: str, form: re.Pattern[str], form_in_words: str
) -> str | None:
    text = item.written if isinstance(item, Scalar) else reader.text_of(item, what)
    if text is None or form.fullmatch(text):
        return text
    reader.complain(item.mark, f"{what} must be {form_in_words}")
    return None


def _usual(reader: Reader, item: Item) -> Usual | None:
    keys = ("count", "days", "hours", "amounts")
    found = reader.fields(item, "what is usual", keys, keys[:3])
    if not all(key in found for key in keys[:3]):
        return None
    count = reader.whole_of(found["count"], "`count`", 1, COUNT_MAX)
    days = reader.whole_of(found["days"], "`days`", 1, DAYS_MAX)
    hours = _hours(reader, found["hours"])
    amounts = _amounts(reader, found.get("amounts"))
    if count is None or days is None:
        return None
    return Usual(count, days, hours, amounts)


def _hours(reader: Reader, item: Item) -> frozenset[int]:
    """Hours of the day, as `8-11 14`."""
    spans = item.written.split() if isinstance(item, Scalar) else []
    forms = [_SPAN.fullmatch(span) for span in spans]
    hours: set[int] = set()
    for form in forms:
        if form is not None:
            first, last = int(form[1]), int(form[2] or form[1])
            hours.update(range(first, last + 1))
    if not spans or None in forms or not hours:
        reader.complain(item.mark, "`hours` must be hours of the day, such as `8-11 14`")
    return frozenset(hours)


def _amounts(reader: Reader, item: Item | None) -> Mapping[str, int]:
    if item is None:
        return MappingProxyType({})
    entries = reader.entries(item, "`amounts`")
    if len(entries) > CURRENCIES_MAX:
        reader.complain(item.mark, f"`amounts` has more than {CURRENCIES_MAX} currencies")
    amounts = (
        (key.written, reader.whole_of(value, "an amount", 0, AMOUNT_MAX)) for key, value in entries
    )
    return MappingProxyType({name: amount for name, amount in amounts if amount is not None})
