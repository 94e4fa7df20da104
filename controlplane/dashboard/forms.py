"""Form fields of a browser -> checked values, with a limit on everything."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from controlplane.faults import ControlFault, Fault

LINE_LENGTH_MAX: Final = 500
TEXT_LENGTH_MAX: Final = 8 * 1024
DIGITS_MAX: Final = 18
"""Any number of so many digits fits the database's largest column."""

Choice = TypeVar("Choice", bound=StrEnum)


class Form:
    """What a person filled in. Every reading method raises INVALID_ARGUMENT with a sentence that
    names the field as the page does (`label`)."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def text(
        self, name: str, label: str, *, length_max: int = TEXT_LENGTH_MAX, is_needed: bool = False
    ) -> str:
        """Its text without surrounding space, perhaps empty. PostgreSQL holds no NUL."""
        value = self._fields.get(name, "").replace("\r\n", "\n").replace("\0", "\ufffd").strip()
        if len(value) > length_max:
            raise _invalid(f"{label} is longer than {length_max} characters")
        if is_needed and not value:
            raise _invalid(f"{label} is needed")
        return value

    def line(self, name: str, label: str, *, is_needed: bool = False) -> str:
        """One line: agents and terminals are shown it, and no line may look like another one's."""
        value = self.text(name, label, length_max=LINE_LENGTH_MAX, is_needed=is_needed)
        if value and not value.isprintable():
            raise _invalid(f"{label} must be one line of printable characters")
        return value

    def choice(self, name: str, label: str, choices: type[Choice]) -> Choice:
        try:
            return choices(self._fields.get(name, ""))
        except ValueError:
            raise _invalid(f"{label} is none of the choices") from None

    def number(
        self, name: str, label: str, least: int, most: int, default: int | None = None
    ) -> int:
        text = self._fields.get(name, "").strip()
        if not text and default is not None:
            return default
        value = whole_number(text)
        if value is None:
            raise _invalid(f"{label} must be a whole number")
        if not least <= value <= most:
            raise _invalid(f"{label} must be between {least} and {most}")
        return value

    def id(self, name: str, label: str) -> uuid.UUID:
        try:
            return uuid.UUID(self._fields.get(name, ""))
        except ValueError:
            raise _invalid(f"{label} is no id") from None

    def is_set(self, name: str) -> bool:
        """Whether a box is ticked, or a button of this name was pressed."""
        return bool(self._fields.get(name))

    def values(self) -> Mapping[str, str]:
        """Everything as it was filled in, to show a form again."""
        return self._fields


def whole_number(text: str) -> int | None:
    """A number from 0 on, in digits, as addresses and fields have it; None for what is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    return int(text) if is_number else None


def _invalid(why: str) -> ControlFault:
    return ControlFault(Fault.INVALID_ARGUMENT, why)
