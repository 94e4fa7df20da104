"""Turns records of what was let pass into a `kind: Baseline` document: what agents usually do.

Deterministic: the same records give the same text, in whatever order and however often they come.
What was refused is left out, so that asking often makes nothing usual. A name or an amount that
was redacted or can't be written is left out too, which makes a later call more of a deviation,
never less.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, TypeGuard

import orjson

from gateway.decide.baseline import NO_CURRENCY, Usual
from gateway.decide.documents.baseline import AMOUNT_MAX, CURRENCIES_MAX, ROWS_MAX
from gateway.decide.documents.heading import API_VERSION
from gateway.model.dataclass import dataclass
from gateway.model.record import EntryKind
from gateway.record.verifying.line_facts import BESIDE_RECORDS

NAME_CHARS_MAX: Final = 200

PERCENTILE: Final = 95

_TIME: Final = re.compile(
    r"([0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]))T([01][0-9]|2[0-3]):"
)
_CURRENCY: Final = re.compile(r"[a-z]{2,12}")
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_AMOUNT_FIELDS: Final = frozenset({"params", "params.amount", "params.currency"})
_SNAPSHOT_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Built:
    """A document, and what it was made of: `records` that counted, `unreadable` lines that are no
    records at all, and `dropped` actions of agents for which there was no room."""

    text: str
    records: int
    unreadable: int
    dropped: int


@dataclass(slots=True)
class _Row:
    """What one agent did by one action."""

    count: int = 0
    days: set[str] = field(default_factory=set)
    hours: set[int] = field(default_factory=set)
    amounts: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def build_baseline(lines: Iterable[bytes], name: str = "usual") -> Built | None:
    """Make a baseline of record lines, as `checkrein audit export` writes them; None when none of
    them tells of something that was let pass."""
    rows: defaultdict[tuple[str, str], _Row] = defaultdict(_Row)
    seen: set[str] = set()
    unreadable = 0
    for line in lines:
        if not line.strip() or line.startswith(BESIDE_RECORDS):
            continue
        record = _record(line)
        if record is None:
            unreadable += 1
        elif record["kind"] == EntryKind.INTENT and record["decision_id"] not in seen:
            seen.add(record["decision_id"])
            _take(record, rows)
    if not rows:
        return None
    # The most frequent stay; names break ties, so that the choice is always the same.
    ordered = sorted(rows, key=lambda key: (-rows[key].count, key))
    kept = {key: rows[key] for key in ordered[:ROWS_MAX]}
    return Built(_document(kept, name), len(seen), unreadable, len(rows) - len(kept))


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or "kind" not in record:
        return None
    is_intent = record["kind"] == EntryKind.INTENT
    return None if is_intent and not isinstance(record.get("decision_id"), str) else record


def _take(record: Mapping[str, Any], rows: Mapping[tuple[str, str], _Row]) -> None:
    """Add what one record tells."""
    agent, actions = record.get("agent"), record.get("actions")
    time = _TIME.match(str(record.get("at")))
    if not _is_name(agent) or time is None or not isinstance(actions, list):
        return
    for action in actions:
        if not isinstance(action, dict) or not _is_name(action.get("action")):
            continue
        name, altered = action["action"], _altered(action)
        if "action" in altered:
            continue
        row = rows[agent, name]
        row.count += 1
        row.days.add(time[1])
        row.hours.add(int(time[2]))
        params = action.get("params")
        if isinstance(params, dict) and not altered & _AMOUNT_FIELDS:
            _take_amount(params, row)


def _altered(action: Mapping[str, Any]) -> set[str]:
    """The fields that are not shown as they were."""
    listed = action.get("altered")
    return {each for each in listed if isinstance(each, str)} if isinstance(listed, list) else set()


def _take_amount(params: Mapping[str, Any], row: _Row) -> None:
    amount, currency = params.get("amount"), params.get("currency")
    if type(amount) is not int or abs(amount) > AMOUNT_MAX:
        return
    written = currency.lower() if isinstance(currency, str) else NO_CURRENCY
    if _CURRENCY.fullmatch(written):
        row.amounts[written].append(abs(amount))


def _is_name(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and 0 < len(name) <= NAME_CHARS_MAX and name.isprintable()


def nearest_rank(values: Sequence[int], percentile: int) -> int:
    """The smallest value that so many percent of all values don't exceed: always one of them."""
    rank = -(-len(values) * percentile // 100)
    return sorted(values)[max(rank, 1) - 1]


def _usual(row: _Row) -> Usual:
    counts = Counter({currency: len(values) for currency, values in row.amounts.items()})
    ordered = sorted(counts, key=lambda currency: (-counts[currency], currency))
    amounts = {
        currency: nearest_rank(row.amounts[currency], PERCENTILE)
        for currency in sorted(ordered[:CURRENCIES_MAX])
    }
    return Usual(row.count, len(row.days), frozenset(row.hours), amounts)


# --- the document ---------------------------------------------------------------------------------


def _document(rows: Mapping[tuple[str, str], _Row], name: str) -> str:
    agents: defaultdict[str, dict[str, Usual]] = defaultdict(dict)
    for agent, action in sorted(rows):
        agents[agent][action] = _usual(rows[agent, action])
    date = max(day for row in rows.values() for day in row.days)
    body = "".join(_lines(agents))
    snapshot = hashlib.sha256(f"{date}\n{body}".encode()).hexdigest()[:_SNAPSHOT_DIGITS]
    return (
        f"apiVersion: {API_VERSION}\nkind: Baseline\nmetadata: {{name: {_key(name)}}}\nspec:\n"
        f'  snapshot: "{snapshot}"\n  date: "{date}"\n  agents:\n{body}'
    )


def _lines(agents: Mapping[str, Mapping[str, Usual]]) -> Iterator[str]:
    for agent, actions in agents.items():
        yield f"    {_key(agent)}:\n"
        for action, usual in actions.items():
            amounts = ", ".join(f"{name}: {amount}" for name, amount in usual.amounts.items())
            more = f", amounts: {{{amounts}}}" if amounts else ""
            yield (
                f"      {_key(action)}: {{count: {usual.count}, days: {usual.days}, "
                f'hours: "{_spans(usual.hours)}"{more}}}\n'
            )


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _spans(hours: Iterable[int]) -> str:
    """Hours as `8-11 14`."""
    spans: list[list[int]] = []
    for hour in sorted(hours):
        if spans and hour == spans[-1][1] + 1:
            spans[-1][1] = hour
        else:
            spans.append([hour, hour])
    return " ".join(f"{first}-{last}" if first != last else f"{first}" for first, last in spans)
