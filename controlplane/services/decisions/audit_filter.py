"""A line such as `agent:billing-bot effect:BLOCK since:1d` -> which decisions are meant. Pure.

The grammar is small and strict: `word:value`, `word:"value with spaces"`, and text that stands
anywhere. A word that is not known is said with the nearest that is, and nothing is searched then:
a filter that silently does less shows an auditor the wrong list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from controlplane.store.explorer import DecisionFilter
from gateway.model.action import Kind
from gateway.model.effect import Effect, Mode
from gateway.model.record import Outcome

LINE_LENGTH_MAX: Final = 1_000
VALUE_LENGTH_MAX: Final = 256
"""As long as names are in the index."""

AGE_DAYS_MAX: Final = 36_600
RISK_MAX: Final = 100

TEXT: Final = "text"
"""Not a word of the line: what stands there without one."""

OPEN: Final = "open"
"""The outcome of what has none yet."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the grammar, with what it takes, in a few words and an example."""

    name: str
    takes: str
    example: str


WORDS: Final = (
    Word("agent", "the name of an agent", "agent:billing-bot"),
    Word("effect", "ALLOW, BLOCK or REQUIRE_APPROVAL", "effect:BLOCK"),
    Word("provider", "whose API it is", "provider:aws"),
    Word("action", "the neutral name of the act", "action:create_refund"),
    Word("operation", "the provider's own name", "operation:s3:DeleteBucket"),
    Word("kind", "read, create, update, delete, execute, send, admin, unknown", "kind:delete"),
    Word("target", "the id of what it is done to", "target:ch_1"),
    Word("rule", "the rule that decided", "rule:big-refunds"),
    Word("policy", "the policy that decided", "policy:payments"),
    Word("reason", "the reason code", "reason:REFUND_NEEDS_REVIEW"),
    Word("run", "the name or id of a run", "run:nightly"),
    Word("outcome", "executed, refused, not_sent, unknown or open", "outcome:unknown"),
    Word("risk", "the least score", "risk:70"),
    Word("mode", "enforce or monitor", "mode:monitor"),
    Word("since", "an age or a moment", "since:1d"),
    Word("until", "an age or a moment", "until:2026-11-21T09:00Z"),
    Word("decision", "the id of one decision", "decision:dec_01"),
)

NAMES: Final = tuple(word.name for word in WORDS)

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "effect": tuple(Effect),
    "kind": tuple(Kind),
    "mode": tuple(Mode),
    "outcome": (*Outcome, OPEN),
}
"""Words that take one of a closed set, however it is spelt."""

_SPELLINGS: Final = {
    "deny": Effect.BLOCK,
    "denied": Effect.BLOCK,
    "blocked": Effect.BLOCK,
    "allowed": Effect.ALLOW,
    "approval": Effect.REQUIRE_APPROVAL,
    "held": Effect.REQUIRE_APPROVAL,
}

_TERM: Final = re.compile(r'(?:(?P<name>[\w-]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]+))')
_AGE: Final = re.compile(r"(\d{1,6})(m|min|h|d|w)")
_AGES: Final = {"m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


class Problem(StrEnum):
    """Sorts of what can be wrong with a line."""

    WORD = "word"
    VALUE = "value"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class FilterProblem:
    """`message` is a sentence; `nearest` is what was perhaps meant, to be put in its place."""

    sort: Problem
    message: str
    nearest: str = ""


@dataclass(frozen=True, slots=True)
class ParsedFilter:
    """`terms` are the values as they were written, by word; `TEXT` for the rest."""

    wanted: DecisionFilter
    terms: Mapping[str, str]
    problems: Sequence[FilterProblem]


def parse_filter(line: str, now: datetime) -> ParsedFilter:
    """Parse a line; all that is wrong with it is said at once."""
    if len(line) > LINE_LENGTH_MAX:
        return _unreadable(f"a filter has at most {LINE_LENGTH_MAX} characters; shorten it")
    if line.count('"') % 2:
        return _unreadable("a quotation mark is not closed; add the other one")
    terms: dict[str, str] = {}
    problems: list[FilterProblem] = []
    texts: list[str] = []
    for name, value in _split(line):
        if name is None:
            texts.append(value)
        elif name not in NAMES:
            problems.append(_unknown(name, value))
        elif name in terms:
            problems.append(FilterProblem(Problem.WORD, f"`{name}` is there twice; say it once"))
        else:
            terms[name] = value
    if texts:
        terms[TEXT] = " ".join(texts)
    return filter_of(terms, now, problems)


def filter_of(
    terms: Mapping[str, str], now: datetime, before: Sequence[FilterProblem] = ()
) -> ParsedFilter:
    """Check values that stand apart already, such as the fields of a form."""
    problems = list(before)
    values: dict[str, object] = {}
    for name, text in terms.items():
        try:
            values[name] = _value(name, text, now)
        except ValueError as error:
            message, nearest = error.args
            problems.append(FilterProblem(Problem.VALUE, message, nearest))
    wanted = DecisionFilter() if problems else DecisionFilter(**values)  # type: ignore[arg-type]
    return ParsedFilter(wanted, dict(terms), tuple(problems))


def write_filter(terms: Mapping[str, str]) -> str:
    """The line that `parse_filter` reads these terms out of."""
    written = [f"{name}:{_quoted(terms[name])}" for name in NAMES if terms.get(name)]
    if text := terms.get(TEXT, "").replace('"', " ").strip():
        is_plain = ":" not in text
        written.append(text if is_plain else f'"{text}"')
    return " ".join(written)


def _unreadable(why: str) -> ParsedFilter:
    return ParsedFilter(DecisionFilter(), {}, (FilterProblem(Problem.LINE, why),))


def _split(line: str) -> list[tuple[str | None, str]]:
    terms: list[tuple[str | None, str]] = []
    for found in _TERM.finditer(line):
        name, value = found["name"], found["quoted"]
        if value is None:
            value = found["plain"]
            if name is None and value.endswith(":") and value[:-1].lower() in NAMES:
                name, value = value[:-1], ""
        terms.append((name and name.lower(), value))
    return terms


def _unknown(name: str, value: str) -> FilterProblem:
    near = get_close_matches(name, NAMES, 1, 0.5)
    shown = f"{name}:{value}"[:80]
    hint = f"did you mean `{near[0]}`?" if near else f'to look for it as text, write "{shown}"'
    fixed = f"{near[0]}:{_quoted(value)}" if near else f'"{shown}"'
    return FilterProblem(Problem.WORD, f"`{name[:40]}` is no word of this filter; {hint}", fixed)


def _value(name: str, text: str, now: datetime) -> object:
    """A term's value.

    Raises:
        ValueError: with a sentence, and what was perhaps meant.
    """
    if not text:
        raise ValueError(f"`{name}` needs a value", "")
    if len(text) > VALUE_LENGTH_MAX or "\0" in text:
        raise ValueError(f"`{name}` takes at most {VALUE_LENGTH_MAX} characters", "")
    if name in CHOICES:
        return _choice(name, text)
    if name == "risk":
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= RISK_MAX):
            raise ValueError("`risk` takes a number from 0 to 100", "risk:70")
        return int(text)
    if name in ("since", "until"):
        return _moment(name, text, now)
    return text.encode(errors="replace").decode()


def _choice(name: str, text: str) -> str:
    choices = CHOICES[name]
    for choice in choices:
        if choice.lower() == text.lower():
            return str(choice)
    if name == "effect" and text.lower() in _SPELLINGS:
        return str(_SPELLINGS[text.lower()])
    lowered = {choice.lower(): str(choice) for choice in choices}
    near = get_close_matches(text.lower(), lowered, 1, 0.4)
    nearest = f"{name}:{lowered[near[0]]}" if near else ""
    listed = ", ".join(str(choice) for choice in choices)
    raise ValueError(f"`{name}` is one of {listed}; not `{text[:40]}`", nearest)


def _moment(name: str, text: str, now: datetime) -> datetime:
    """`30m`, `6h`, `1d`, `2w` ago, or a time as ISO 8601 writes them, UTC unless it says."""
    try:
        if age := _AGE.fullmatch(text):
            seconds = int(age[1]) * _AGES[age[2]]
            return now - timedelta(seconds=min(seconds, AGE_DAYS_MAX * 86_400))
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return min(max(moment, now - timedelta(AGE_DAYS_MAX)), now + timedelta(AGE_DAYS_MAX))
    except (ValueError, OverflowError):
        raise ValueError(
            f"`{name}` takes an age such as 30m, 6h, 1d, 2w, or a time such as 2026-11-21T09:00Z",
            f"{name}:1d",
        ) from None


def _quoted(value: str) -> str:
    """A value that can be read back; a quotation mark inside it can't be written."""
    plain = value.replace('"', " ").strip()
    return f'"{plain}"' if not plain or re.search(r"\s", plain) else plain
