"""Reads `spec.limits` of a policy: positioned nodes in, checked limits out, or problems.

What a limit has in common with a rule (match, condition, terms, reason, message) is read by the
policy's own schema, handed in as `Parts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from gateway.decide.documents.document import Fields, Item, Scalar
from gateway.decide.documents.heading import EFFECTS, MODES
from gateway.decide.documents.reader import Reader, parse_duration
from gateway.decide.documents.zones import read_zone
from gateway.decide.limits.window import Window
from gateway.decide.rules.policy import Condition, Limit, Match, Per, Place
from gateway.model.dataclass import dataclass
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.limit import WindowKind

LIMITS_MAX: Final = 1_000
"""Limits of one policy. All that fit an action are read in one step, for every request."""

MAX_MAX: Final = 10**15
"""Ten million million units with cents: more than anything is allowed to cost, and far below what
any store or JSON reader keeps exact."""

WINDOW_SECONDS_MAX: Final = 366 * 86_400
SUM_DEPTH_MAX: Final = 8

_PER: Final = {per.value: per for per in Per}
_CALENDAR: Final = {kind.value: kind for kind in WindowKind if kind is not WindowKind.SLIDING}
_EFFECTS: Final = {word: effect for word, effect in EFFECTS.items() if effect is not Effect.ALLOW}
_PATH: Final = re.compile(r"params(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_GROUPED: Final = re.compile(r"[0-9]+(?:[_' ,.][0-9]{3})+")
_KEYS: Final = (
    "id", "match", "when", "sum", "per", "window", "max", "effect", "reason", "message",
    "approval", "mode", "enabled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """What a policy's schema reads for rules and limits alike."""

    reader: Reader
    id_of: Callable[[Item], str | None]
    match: Callable[[Item | None], Match]
    condition: Callable[[Item | None], Condition | None]
    terms: Callable[[Item | None, Effect | None], ApprovalTerms | None]
    reason: Callable[[Item | None, str], str]
    sentence: Callable[[Item], str]
    place: Callable[[Item], Place]


def read_limits(item: Item | None, parts: Parts, policy: str, lines: dict[str, int]) -> list[Limit]:
    """The limits of one policy. `lines` are those of its rules' ids, which are taken; the limits'
    are added."""
    if item is None:
        return []
    limits = []
    for entry in parts.reader.items(item, "`limits`", LIMITS_MAX):
        limit = _limit(entry, parts, policy)
        if limit is None:
            continue
        if limit.id in lines:
            parts.reader.complain(
                entry.mark,
                f"the id `{limit.id}` is taken in line {lines[limit.id]}",
                "give each rule and each limit its own id",
            )
        lines.setdefault(limit.id, entry.mark.line)
        limits.append(limit)
    return limits


def _limit(item: Item, parts: Parts, policy: str) -> Limit | None:
    reader = parts.reader
    found = reader.fields(item, "a limit", _KEYS, ("id", "per", "window", "max"))
    limit_id = parts.id_of(found["id"]) if "id" in found else None
    per = reader.choice(found["per"], "`per`", _PER) if "per" in found else None
    window = _window(found["window"], reader) if "window" in found else None
    most = _max(found["max"], reader) if "max" in found else None
    effect: Effect | None = Effect.BLOCK
    if "effect" in found:
        effect = _effect(found["effect"], reader)
    mode: Mode | None = Mode.ENFORCE
    if "mode" in found:
        mode = reader.choice(found["mode"], "`mode`", MODES)
    path = _path(found["sum"], reader) if "sum" in found else None
    match, condition = parts.match(found.get("match")), parts.condition(found.get("when"))
    terms = parts.terms(found.get("approval"), effect)
    enabled = True
    if "enabled" in found:
        enabled = reader.truth_of(found["enabled"], "`enabled`") is not False
    reason = parts.reason(found.get("reason"), f"limit_{limit_id or ''}")
    message = f"limit `{limit_id}` of policy `{policy}` is used up"
    if "message" in found:
        message = parts.sentence(found["message"])
    if limit_id is None or per is None or window is None or most is None:
        return None
    if effect is None or mode is None:
        return None
    return Limit(
        limit_id, match, condition, path, per, window, most, effect, reason, message, terms, mode,
        enabled, parts.place(item),
    )  # fmt: skip


def _effect(item: Item, reader: Reader) -> Effect | None:
    if isinstance(item, Scalar) and item.value == "ALLOW":
        reader.complain(
            item.mark,
            "a limit can't have the effect `ALLOW`",
            "`BLOCK` or `REQUIRE_APPROVAL` is what happens beyond `max`; below it the rules decide",
        )
        return None
    return reader.choice(item, "`effect`", _EFFECTS)


def _max(item: Item, reader: Reader) -> int | None:
    if isinstance(item, Scalar) and isinstance(item.value, str):
        grouped = _GROUPED.fullmatch(item.value)
        if grouped is not None:
            plain = re.sub("[^0-9]", "", item.value)
            reader.complain(
                item.mark, f"`max` can't be `{item.value[:40]}`", f"write it plainly: {plain}"
            )
            return None
    return reader.whole_of(item, "`max`", 0, MAX_MAX)


def _path(item: Item, reader: Reader) -> tuple[str, ...] | None:
    text = reader.text_of(item, "`sum`")
    if text is None:
        return None
    names = text.split(".")[1:]
    if _PATH.fullmatch(text) is None or len(names) > SUM_DEPTH_MAX:
        reader.complain(
            item.mark,
            "`sum` must be the path of one param, such as `params.amount`",
            "leave `sum` out to count actions; say in `when` which of them count",
        )
        return None
    return tuple(names)


def _window(item: Item, reader: Reader) -> Window | None:
    if isinstance(item, Fields):
        found = reader.fields(item, "`window`", ("calendar", "timezone"), ("calendar",))
        kind = None
        if "calendar" in found:
            kind = reader.choice(found["calendar"], "`calendar`", _CALENDAR)
        if "timezone" not in found:
            return None if kind is None else Window(kind)
        named = read_zone(reader, found["timezone"])
        if kind is None or named is None:
            return None
        name, zone = named
        return Window(kind, zone=zone, zone_name=name)
    written = item.written if isinstance(item, Scalar) else ""
    if written in _CALENDAR:
        return Window(_CALENDAR[written])
    seconds = parse_duration(written)
    if seconds is None:
        reader.complain(
            item.mark,
            "`window` must be a duration such as `1d` or `90m`, or one of hour, day, week, month",
            "`1d` is always the last 24 hours; `day` begins at midnight, UTC unless "
            "`{calendar: day, timezone: Europe/Berlin}` says otherwise",
        )
        return None
    if not 1 <= seconds <= WINDOW_SECONDS_MAX:
        reader.complain(item.mark, "`window` must be from 1 second to 366 days")
        return None
    return Window(WindowKind.SLIDING, seconds)
