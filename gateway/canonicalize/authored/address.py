"""Turns the addresses that mappers write (`form.items[0].price`) into compiled ones.

Addresses are data: names and list indexes, and never code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.canonicalize.authored.operation import EVERY, Address, Place, Template

KEYS_MAX = 12
"""No API nests a value that a rule needs deeper."""

_KEY = re.compile(r"\.(~?[A-Za-z0-9_$:@-]+)|\[(\d{1,4}|\*)\]")
PLACES_MAX = 8
"""Places of one list: a mail has recipients in six."""
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_PLACES = ", ".join(f"`{place}.`" for place in Place)


class AddressError(ValueError):
    """An address that can't be used; its text says why."""


def parse_address(text: str, variables: Sequence[str], default: Place | None = None) -> Address:
    """Compile one address. `variables` are the names in the path template, in order; a name
    without a place is read from `default`.

    Raises:
        AddressError: not an address, or an unknown path variable.
    """
    head, dot, rest = text.partition(".")
    if head in Place.__members__.values():
        place = Place(head)
    elif default is not None:
        place, dot, rest = default, ".", text
    else:
        raise AddressError(f"`{text}` does not begin with one of {_PLACES}")
    keys = _parse_keys(dot + rest, text)
    if place is Place.PATH:
        if keys[0] not in variables or len(keys) != 1:
            names = ", ".join(f"`{name}`" for name in variables) or "no variables"
            raise AddressError(f"`{text}` is not in the path, which has {names}")
        return Address(place, keys, str(keys[0]), list(variables).index(str(keys[0])))
    if place is Place.HEADER:
        return Address(place, keys, str(keys[0]).lower())
    if place is not Place.BODY and any(str(key).startswith("~") for key in keys):
        raise AddressError(f"`{text}` has `~`, which is for JSON only")
    if EVERY in keys and place not in (Place.BODY, Place.ANY):
        raise AddressError(f"`{text}` has `[*]`, which is for JSON only")
    if place is Place.ANY:
        # AWS writes what is nested in a form with dots; nobody else has a value just anywhere.
        return Address(place, keys, ".".join(map(str, keys)))
    name = str(keys[0]) + "".join(f"[{key}]" for key in keys[1:])
    return Address(place, keys, name)


def parse_addresses(
    text: str, variables: Sequence[str], default: Place | None = None
) -> tuple[Address, ...]:
    """Compile the places of a list, `body.to, body.cc`.

    Raises:
        AddressError: as `parse_address`, or there are too many.
    """
    parts = text.split(",")
    if len(parts) > PLACES_MAX:
        raise AddressError(f"`{text}` has more than {PLACES_MAX} places")
    return tuple(parse_address(part.strip(), variables, default) for part in parts)


def _parse_keys(rest: str, whole: str) -> tuple[str | int, ...]:
    keys: list[str | int] = []
    position = 0
    while position < len(rest):
        found = _KEY.match(rest, position)
        if found is None:
            raise AddressError(f"`{whole}` is not a chain of names and [indexes]")
        name, index = found.groups()
        keys.append(name if name is not None else EVERY if index == "*" else int(index))
        position = found.end()
    if not keys or isinstance(keys[0], int) or len(keys) > KEYS_MAX:
        raise AddressError(f"`{whole}` names no value")
    return tuple(keys)


def parse_template(text: str, variables: Sequence[str], default: Place | None = None) -> Template:
    """Compile an address, or text with `{address}` in it.

    Raises:
        AddressError: as `parse_address`.
    """
    if "{" not in text:
        return Template((parse_address(text, variables, default),))
    parts: list[str | Address] = []
    for position, part in enumerate(_VARIABLE.split(text)):
        if position % 2:
            parts.append(parse_address(part, variables, default))
        elif part:
            parts.append(part)
    return Template(tuple(parts))
