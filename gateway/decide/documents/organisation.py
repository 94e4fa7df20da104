"""Turns a positioned document of `kind: Organisation` into its value, or into problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from gateway.decide.documents.document import Fields, Item
from gateway.decide.documents.heading import read_heading
from gateway.decide.documents.patterns import hold, read_pattern
from gateway.decide.documents.reader import Reader
from gateway.decide.documents.zones import read_zone
from gateway.decide.nearest import nearest_help
from gateway.decide.organisation import (
    DAYS,
    SENSITIVITY_MAX,
    Organisation,
    TargetField,
    TargetLabel,
    WorkingHours,
)
from gateway.decide.patterns import Pattern
from gateway.model.risk_class import RiskClass
from gateway.model.vocabulary import Vocabulary

KIND: Final = "Organisation"

NAMES_MAX: Final = 1_000
"""Of one list: environments, groups, labels of targets and the like."""

NAME_CHARS_MAX: Final = 100

GLOBS_MAX: Final = 500
"""Patterns with a `*`, in all target labels and in the domains. Each is tried on every target or
recipient that is new, and agents choose those: together they may cost a fraction of a millisecond.
"""

SCALE_MAX: Final = 10**12
"""Minor units that count as one: more than any currency has ever needed."""

_KEYS: Final = (
    "environments", "agentLabels", "approverGroups", "reasonCodes", "targetLabels", "sensitivity",
    "domains", "workingHours", "amountScales", "riskClasses",
)  # fmt: skip
_TARGET_FIELDS: Final = {name.value: name for name in TargetField}
_DAYS: Final = {name: number for number, name in enumerate(DAYS)}
_CLASSES: Final = {word.value: word for word in RiskClass}
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_CURRENCY: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{1,11}")

T = TypeVar("T")


def read_organisation(
    reader: Reader, document: Item, vocabulary: Vocabulary
) -> Organisation | None:
    """Read one document; None when it has no usable name or body."""
    named, body = read_heading(reader, document, "an organisation", KIND)
    name = None if named is None else _name(reader, named, "`name`")
    spec = reader.fields(body, "`spec`", _KEYS)

    def names(key: str) -> frozenset[str]:
        return _names(reader, spec[key], f"`{key}`") if key in spec else frozenset()

    target_labels = _target_labels(reader, spec.get("targetLabels"), vocabulary)
    labels = frozenset(each.label for each in target_labels)
    domains = spec.get("domains")
    organisation = Organisation(
        name or "",
        names("environments"),
        _agent_labels(reader, spec.get("agentLabels")),
        names("approverGroups"),
        names("reasonCodes"),
        target_labels,
        _sensitivity(reader, spec.get("sensitivity"), labels),
        None if domains is None else _domains(reader, domains),
        _working_hours(reader, spec.get("workingHours")),
        _scales(reader, spec.get("amountScales")),
        _risk_classes(reader, spec.get("riskClasses"), vocabulary),
    )
    return None if name is None or body is None else organisation


def _name(reader: Reader, item: Item, what: str) -> str | None:
    name = reader.text_of(item, what)
    if name is None or (0 < len(name) <= NAME_CHARS_MAX and name.isprintable()):
        return name
    reader.complain(item.mark, f"{what} must be 1 to {NAME_CHARS_MAX} characters of one line")
    return None


def _names(reader: Reader, item: Item, what: str) -> frozenset[str]:
    found: set[str] = set()
    for each in reader.items(item, what, NAMES_MAX):
        name = _name(reader, each, f"a name of {what}")
        if name in found:
            reader.complain(each.mark, f"`{name}` stands here twice", "keep one")
        if name is not None:
            found.add(name)
    return frozenset(found)


def _map(
    reader: Reader, item: Item | None, what: str, value_of: Callable[[Item, Item, str], T | None]
) -> dict[str, T]:
    """A map of names; `value_of` takes key, value and name."""
    if item is None:
        return {}
    entries = reader.entries(item, what)
    if len(entries) > NAMES_MAX:
        reader.complain(item.mark, f"{what} has more than {NAMES_MAX} entries")
        return {}
    values = ((key.written, value_of(key, value, key.written)) for key, value in entries)
    return {name: value for name, value in values if value is not None}


def _agent_labels(reader: Reader, item: Item | None) -> Mapping[str, frozenset[str]]:
    def known(_key: Item, value: Item, name: str) -> frozenset[str]:
        return _names(reader, value, f"label `{name[:60]}`")

    return MappingProxyType(_map(reader, item, "`agentLabels`", known))


# --- what weighs in a risk ------------------------------------------------------------------------


def _target_labels(
    reader: Reader, item: Item | None, vocabulary: Vocabulary
) -> tuple[TargetLabel, ...]:
    if item is None:
        return ()
    found = (
        _target_label(reader, each, vocabulary)
        for each in reader.items(item, "`targetLabels`", NAMES_MAX)
    )
    labels = tuple(label for label in found if label is not None)
    globs = sum(len(label.target_id.globs) for label in labels if label.target_id is not None)
    _check_globs(reader, item, "`targetLabels`", globs)
    return labels


def _check_globs(reader: Reader, item: Item, what: str, globs: int) -> None:
    if globs > GLOBS_MAX:
        reader.complain(item.mark, f"{what} has more than {GLOBS_MAX} patterns with a `*`")


def _target_label(reader: Reader, item: Item, vocabulary: Vocabulary) -> TargetLabel | None:
    found = reader.fields(item, "a target label", ("label", "match"), ("label", "match"))
    label = _name(reader, found["label"], "`label`") if "label" in found else None
    written = found.get("match")
    match = reader.fields(written, "`match`", _TARGET_FIELDS)
    if isinstance(written, Fields) and not written.entries:
        reader.complain(written.mark, "`match` says nothing, so every target would fit")
    fields: list[tuple[TargetField, Pattern]] = []
    target_id: Pattern | None = None
    for name, value in match.items():
        pattern = read_pattern(reader, value, f"`{name}`", vocabulary, name)
        field = _TARGET_FIELDS[name]
        if pattern is not None and field is TargetField.TARGET_ID:
            target_id = pattern
        elif pattern is not None:
            fields.append((field, pattern))
    return None if label is None else TargetLabel(label, tuple(sorted(fields)), target_id)


def _sensitivity(reader: Reader, item: Item | None, labels: frozenset[str]) -> Mapping[str, int]:
    def points(key: Item, value: Item, name: str) -> int | None:
        if name not in labels:
            message = f"no target has the label `{name[:60]}`"
            reader.complain(key.mark, message, nearest_help(name, labels))
        return reader.whole_of(value, "a sensitivity", 0, SENSITIVITY_MAX)

    return MappingProxyType(_map(reader, item, "`sensitivity`", points))


def _domains(reader: Reader, item: Item) -> Pattern | None:
    pattern = read_pattern(reader, item, "`domains`", Vocabulary())
    _check_globs(reader, item, "`domains`", 0 if pattern is None else len(pattern.globs))
    if pattern is not None and any(text != text.lower() for text in pattern.texts):
        reader.complain(item.mark, "`domains` must be in lower case")
    return pattern


def _working_hours(reader: Reader, item: Item | None) -> WorkingHours | None:
    if item is None:
        return None
    keys = ("timezone", "days", "from", "to")
    found = reader.fields(item, "`workingHours`", keys, keys)
    if len(found) < len(keys):
        return None
    named = read_zone(reader, found["timezone"])
    days = {
        day
        for each in reader.items(found["days"], "`days`", len(DAYS))
        if (day := reader.choice(each, "a day", _DAYS)) is not None
    }
    start, end = _minute(reader, found["from"], "`from`"), _minute(reader, found["to"], "`to`")
    if start is None or end is None or named is None:
        return None
    if start >= end:
        reader.complain(found["to"].mark, "`to` must be later in the day than `from`")
    return WorkingHours(*named, frozenset(days), start, end)


def _minute(reader: Reader, item: Item, what: str) -> int | None:
    text = reader.text_of(item, what)
    if text is None:
        return None
    form = _TIME.fullmatch(text)
    if form is None:
        reader.complain(item.mark, f"{what} must be a time of day such as `08:30`")
        return None
    hour, minute = form.groups()
    return 24 * 60 if hour is None else int(hour) * 60 + int(minute)


def _scales(reader: Reader, item: Item | None) -> Mapping[str, int]:
    def scale(key: Item, value: Item, name: str) -> int | None:
        if not _CURRENCY.fullmatch(name) or name != name.lower():
            reader.complain(key.mark, f"`{name[:60]}` is no currency", "write `jpy`, in lower case")
        return reader.whole_of(value, "an amount scale", 1, SCALE_MAX)

    return MappingProxyType(_map(reader, item, "`amountScales`", scale))


def _risk_classes(
    reader: Reader, item: Item | None, vocabulary: Vocabulary
) -> Mapping[str, RiskClass]:
    def risk_class(key: Item, value: Item, name: str) -> RiskClass | None:
        message = f"no mapper makes the action `{name[:60]}`"
        hold(reader, key, name, vocabulary.actions, message)
        return reader.choice(value, "a risk class", _CLASSES)

    return MappingProxyType(_map(reader, item, "`riskClasses`", risk_class))
