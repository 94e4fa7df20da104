"""A setting as it was written -> a value of its field's type. Pure.

Variables hold text, files hold what YAML makes of it. A field is text, a number, a word of a closed
set, any of these or nothing (`int | None`), or a list of one of them.
"""

from __future__ import annotations

import re
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin

_WHOLE: Final = re.compile(r"([+-]?[0-9](?:_?[0-9]){0,17})(?:\.0{1,18})?")
_NUMBER_CHARS_MAX: Final = 64


def convert(kind: Any, value: object) -> object:
    """Make of a value what a field of this type holds; in text, commas part a list's items.

    Raises:
        ValueError: it can't be that. The message says what belongs there, and never the value.
    """
    origin = get_origin(kind)
    if origin is UnionType:
        return None if value is None else convert(_without_none(kind), value)
    if origin is tuple:
        return tuple(convert(get_args(kind)[0], item) for item in _items(value))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _word(kind, value)
    readers = {str: _text, int: _whole, float: _number}
    return readers[kind](value)


def _without_none(kind: Any) -> Any:
    (own,) = (part for part in get_args(kind) if part is not NoneType)
    return own


def _items(value: object) -> list[object]:
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    if not isinstance(value, list):
        raise ValueError("give a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("give text, in quotes where it looks like something else")
    return value


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    found = _WHOLE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("give a whole number")
    return int(found[1])


def _number(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_text = isinstance(value, str) and len(value) <= _NUMBER_CHARS_MAX
    if is_number or is_text:
        try:
            return float(value)  # type: ignore[arg-type]
        except (ValueError, OverflowError):
            pass
    raise ValueError("give a number")


def _word(kind: type[Enum], value: object) -> Enum:
    for word in kind:
        if word.value == value:
            return word
    raise ValueError(f"give one of {', '.join(str(word.value) for word in kind)}")
