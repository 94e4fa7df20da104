"""Turns the calls that a recording shows into proposed entries: names, kinds, targets, params.

A kind is only written where method, path and answers agree on it; the rest is for a person to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.params import Field, param_name
from gateway.authoring.observed import Call
from gateway.authoring.proposals import Proposed
from gateway.authoring.segments import is_variable, is_version
from gateway.canonicalize.authored.choices import FAMILIES
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.naming.kinds import KIND_BY_VERB, derived_kind, verb_of
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind

_DECIDE_KIND: Final = "decide: create, update, delete, execute, send, admin, or read"
_DECIDE_GET: Final = "decide: `read`, unless this GET acts"
_DECIDE_MONEY: Final = "decide: `money_minor` if these are cents, `money_decimal` with `currency`"
_DECIDE_CENTS: Final = "decide: right if these are cents; else `money_decimal` with `currency`"

_MONEY: Final = re.compile(r"(?:^|_)(?:amount|total|price|fee|sum|balance|cost)$")
_PREFIXES: Final = frozenset({"api", "rest", "apis"})
_ACTING_WORDS: Final = frozenset(
    {"signin", "signout", "callback", "confirm", "token", "authorize", "webhook", "unsubscribe"}
)
"""Words in a GET's path, besides verbs, that make it doubtful that it only reads."""
_READS_BY_POST: Final = frozenset({"search", "list", "find", "lookup"})
"""Verbs at the end of a POST's path that are believed to read; `/notifications/7/read` is not."""
_TYPES: Final = {"boolean": "boolean", "integer": "integer", "list": "list"}


def entries_of(calls: Sequence[Call]) -> list[Proposed]:
    """An entry for each call, in the order of their paths."""
    known = {call.marks: set[str]() for call in calls}
    for call in calls:
        known[call.marks].add(call.method)
    names: Counter[str] = Counter()
    found = []
    for call in calls:
        if call.method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            continue
        entry = _entry(call, _is_collection(call, known))
        names[entry.row.operation] += 1
        if names[entry.row.operation] > 1:
            name = f"{entry.row.operation}_{names[entry.row.operation]}"
            entry = replace(entry, row=replace(entry.row, operation=name))
        found.append(entry)
    return found


def _is_collection(call: Call, known: dict[tuple[str, ...], set[str]]) -> bool:
    """Whether the path holds things of one sort: it was listed, asked for one, or answered 201."""
    if call.marks and is_variable(call.marks[-1]):
        return False
    has_members = any(
        len(marks) == len(call.marks) + 1 and marks[:-1] == call.marks and is_variable(marks[-1])
        for marks in known
    )
    return has_members or 201 in call.statuses


def _entry(call: Call, is_collection: bool) -> Proposed:
    nouns, verb = _nouns_and_verb(call, is_collection)
    fields = [_field(call, address, types) for address, types in call.fields.items()]
    described = Described(
        name=_name(call, verb),
        method=call.method,
        path=call.template,
        words=[verb, *nouns] if verb else [],
        fields=[field for field in fields if field is not None],
        is_collection=is_collection,
    )
    row = row_of(described, RowRules())
    if row.target_type in _PREFIXES:
        row = replace(row, target_type="")
    remark = ""
    if row.kind is Kind.READ and call.method == "GET" and _may_act(call):
        row, remark = replace(row, kind=Kind.UNKNOWN), _DECIDE_GET
    elif row.kind is Kind.READ and call.method == "POST" and verb not in _READS_BY_POST:
        row = replace(row, kind=Kind.UNKNOWN)
    if call.family in FAMILIES:
        # Its acts bring their own kinds and params.
        return Proposed(replace(row, kind=Kind.UNKNOWN, params={}, expand=call.family))
    if row.kind is Kind.UNKNOWN:
        remark = remark or _DECIDE_KIND
    row, remarks = _with_money(row, call)
    return Proposed(row, remark, remarks)


def _may_act(call: Call) -> bool:
    """Whether a GET's path says that it acts: `/revoke/{id}`, `/createGroup`, `/auth.revoke`."""
    literals = [mark for mark in call.marks if not is_variable(mark)]
    for mark in literals[-2:]:
        words = words_of(mark)
        if derived_kind(words, "GET") is not Kind.READ or not _ACTING_WORDS.isdisjoint(words):
            return True
    return False


def _nouns_and_verb(call: Call, is_collection: bool) -> tuple[list[str], str]:
    """What is acted on, and the verb that method and path agree on; none where they don't."""
    literals = [mark for mark in call.marks if not is_variable(mark)]
    last = words_of(literals[-1]) if literals else []
    suffix = call.marks[-1].partition("}:")[2] if call.marks else ""
    ends_fixed = bool(call.marks) and not is_variable(call.marks[-1])
    tail = words_of(suffix) if suffix else last if ends_fixed else []
    says_verb = bool(tail) and verb_of(tail) == tail[0] and singular(tail[-1]) == tail[-1]
    if says_verb and (call.method != "GET" or KIND_BY_VERB[tail[0]] is Kind.READ):
        before = [] if suffix else literals[:-1]
        nouns = tail[1:] or _last_noun(literals if suffix else before)
        return nouns, tail[0]
    nouns = [singular(word) for word in last if word.isalpha()] or ["thing"]
    match call.method:
        case "GET":
            is_plural = bool(last) and nouns[-1] != last[-1]
            is_list = ends_fixed and (is_collection or is_plural)
            return nouns, "list" if is_list else "get"
        case "PUT" | "PATCH":
            return nouns, "update"
        case "DELETE":
            return nouns, "delete"
        case _:
            return nouns, "create" if is_collection else ""


def _last_noun(literals: Sequence[str]) -> list[str]:
    for mark in reversed(literals):
        words = [singular(word) for word in words_of(mark) if word.isalpha()]
        if words and not is_version(mark) and mark.lower() not in _PREFIXES:
            return words
    return ["session"]


def _name(call: Call, verb: str) -> str:
    """`orders.refunds.create`: what is fixed in the path, and the verb."""
    parts = [
        re.sub(r"[^A-Za-z0-9_]+", "_", mark).strip("_")
        for mark in call.marks
        if not is_variable(mark) and not is_version(mark) and mark.lower() not in _PREFIXES
    ]
    word = verb or call.method.lower()
    if parts and words_of(parts[-1])[:1] == [word]:
        word = ""
    return ".".join(part for part in [*parts, word] if part)[:200]


def _field(call: Call, address: str, types: Counter[str]) -> Field | None:
    place, _, name = address.partition(".")
    kinds = set(types) - {"null"}
    if (
        not kinds
        or "object" in kinds
        or not param_name(name)
        or (place == "query" and call.method == "GET")
    ):
        return None
    kind = _TYPES.get(next(iter(kinds)), "text") if len(kinds) == 1 else "text"
    return Field(name, address, kind, required=types.total() >= call.count)


def _with_money(row: Row, call: Call) -> tuple[Row, dict[str, str]]:
    """Amounts and currencies typed where the recording tells how, and asked about where not."""
    params, remarks = dict(row.params), {}
    currency = ""
    for name, param in row.params.items():
        if name.endswith("currency") and set(call.fields.get(param.source, ())) == {"currency"}:
            params[name] = RowParam(param.source, "currency")
            currency = param.source
    for name, param in row.params.items():
        seen = set(call.fields.get(param.source, ())) - {"null"}
        if not _MONEY.search(name) or not seen or not seen <= {"integer", "decimal"}:
            continue
        if "decimal" in seen and currency:
            params[name] = RowParam(param.source, "money_decimal", currency)
        elif "decimal" in seen:
            remarks[name] = _DECIDE_MONEY
        elif currency:
            params[name] = RowParam(param.source, "money_minor")
            remarks[name] = _DECIDE_CENTS
        else:
            remarks[name] = _DECIDE_MONEY
    return replace(row, params=params), remarks
