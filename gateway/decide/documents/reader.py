"""Reads typed values from positioned nodes and collects every problem on the way.

A method gives None, or leaves a key out, when it has noted a problem: the caller goes on, so that
one reading finds all there is to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final, TypeVar

from gateway.decide.conditions.syntax import ConditionError
from gateway.decide.documents.document import Fields, Item, Items, Mark, Scalar, place_inside
from gateway.decide.nearest import nearest_help
from gateway.model.dataclass import dataclass
from gateway.model.errors import Problem

T = TypeVar("T")

_SHOWN_MAX = 60
"""Characters of a wrong value that a problem repeats."""

_HELPED_MAX: Final = 20
"""Problems of one file whose help names the nearest right name: who reads the first ones learns no
more from the ten-thousandth, and each takes a look at every name there is."""

_LOOKED_MAX: Final = 100
"""Problems of one file after which its names are no longer held against those that there are."""

LOOKS_MAX: Final = 4_000_000
"""Names that the pieces of one file's patterns are held against: a few seconds. An honest file
takes far fewer, because a pattern that is known is found on the way."""

_DURATION: Final = re.compile(
    r"(?=.)(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?"
)
_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def parse_duration(text: str) -> int | None:
    """Seconds of `1h30m`; None when it is no duration."""
    form = _DURATION.fullmatch(text)
    if form is None:
        return None
    return sum(
        int(count) * unit for count, unit in zip(form.groups("0"), _UNITS.values(), strict=True)
    )


def write_duration(seconds: int) -> str:
    """The shortest text that `parse_duration` reads as so many seconds."""
    parts = []
    for unit, size in _UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


@dataclass(slots=True)
class Reader:
    """Reads one file."""

    file: str
    text: str
    problems: list[Problem] = field(default_factory=list)
    looks_left: int = LOOKS_MAX

    @property
    def may_help(self) -> bool:
        """Whether a wrong name is still worth a search for the right one."""
        return len(self.problems) < _HELPED_MAX

    @property
    def may_look(self) -> bool:
        """Whether one more wrong name would tell anything."""
        return len(self.problems) < _LOOKED_MAX

    def complain(self, mark: Mark, message: str, help: str = "") -> None:  # noqa: A002
        self.problems.append(Problem(self.file, mark.line, mark.column, message, help))

    def complain_inside(self, scalar: Scalar, error: ConditionError) -> None:
        """Note a problem at its place within a text value."""
        line, column = place_inside(scalar, self.text, error.span.start)
        self.problems.append(Problem(self.file, line, column, error.message, error.help))

    def fields(
        self, item: Item | None, what: str, known: Iterable[str], required: Iterable[str] = ()
    ) -> dict[str, Item]:
        """The known fields of a map. Notes unknown, repeated and missing ones."""
        if item is None:
            return {}
        if not isinstance(item, Fields):
            self.complain(item.mark, f"{what} must be a map of fields")
            return {}
        known_names = set(known)
        found: dict[str, Item] = {}
        for key, value in item.entries:
            name = key.written
            if name in found:
                self.complain(key.mark, f"`{_shown(name)}` stands here twice", "keep one")
            elif name not in known_names:
                self.complain(
                    key.mark,
                    f"{what} has no field `{_shown(name)}`",
                    nearest_help(name, known_names),
                )
            else:
                found[name] = value
        for name in required:
            if name not in found:
                self.complain(item.mark, f"{what} needs `{name}`")
        return found

    def entries(self, item: Item, what: str) -> list[tuple[Scalar, Item]]:
        """The entries of a map whose keys are free. Notes repeated ones."""
        if not isinstance(item, Fields):
            self.complain(item.mark, f"{what} must be a map")
            return []
        seen: set[str] = set()
        kept = []
        for key, value in item.entries:
            if key.written in seen:
                self.complain(key.mark, f"`{_shown(key.written)}` stands here twice", "keep one")
            else:
                seen.add(key.written)
                kept.append((key, value))
        return kept

    def items(self, item: Item, what: str, items_max: int) -> list[Item]:
        if not isinstance(item, Items):
            self.complain(item.mark, f"{what} must be a list")
            return []
        if len(item.items) > items_max:
            self.complain(item.mark, f"{what} has more than {items_max} items")
            return []
        return item.items

    def text_of(self, item: Item, what: str) -> str | None:
        if isinstance(item, Scalar) and isinstance(item.value, str):
            return item.value
        help_text = ""
        if isinstance(item, Scalar) and item.value is not None:
            help_text = f'put quotes around it: "{_shown(item.written)}"'
        self.complain(item.mark, f"{what} must be text", help_text)
        return None

    def named(self, item: Item, what: str, form: re.Pattern[str], form_in_words: str) -> str | None:
        """Text of that form."""
        name = self.text_of(item, what)
        if name is not None and not form.fullmatch(name):
            self.complain(item.mark, f"{what} must be {form_in_words}")
            return None
        return name

    def whole_of(self, item: Item, what: str, least: int, most: int) -> int | None:
        if isinstance(item, Scalar):
            value = item.value
            if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
                return value
        self.complain(item.mark, f"{what} must be a whole number from {least} to {most}")
        return None

    def truth_of(self, item: Item, what: str) -> bool | None:
        if isinstance(item, Scalar) and isinstance(item.value, bool):
            return item.value
        self.complain(item.mark, f"{what} must be `true` or `false`")
        return None

    def choice(self, item: Item, what: str, choices: Mapping[str, T]) -> T | None:
        """The meaning of one of some fixed words."""
        written = self.text_of(item, what)
        if written is None:
            return None
        if written not in choices:
            wrong = f"{what} can't be `{_shown(written)}`"
            self.complain(item.mark, wrong, nearest_help(written, choices))
            return None
        return choices[written]


def _shown(written: str) -> str:
    shown = written if len(written) <= _SHOWN_MAX else f"{written[:_SHOWN_MAX]}..."
    return "".join(sign if sign.isprintable() else "?" for sign in shown)
