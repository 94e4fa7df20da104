"""Made-up arguments of the right shape for the methods of SDKs that take them by annotation."""

from __future__ import annotations

import inspect
import itertools
import typing
from collections.abc import Callable, Iterator
from typing import Any

CONTAINER = ("Sequence", "List", "list[", "Iterable", "Collection")
MAPPING = ("Params", "Dict", "Mapping", "dict", "TypedDict")

_numbers = itertools.count(1)


def argument(annotation: str) -> object:
    """A value for a parameter, told from its annotation's text."""
    plain = annotation.removeprefix("typing.Optional[").removeprefix("Optional[")
    if plain.startswith(("int", "float", "<class 'int'>")):
        return next(_numbers)
    if plain.startswith(("bool", "<class 'bool'>")):
        return True
    if plain.startswith(("str", "<class 'str'>", "Union[str", "t.Union[str", "typing.Union[str")):
        return f"x{next(_numbers)}"
    if any(word in plain[:40] for word in CONTAINER):
        return [f"x{next(_numbers)}"]
    if any(word in plain for word in MAPPING):
        return {}
    return f"x{next(_numbers)}"


def required_arguments(method: Callable[..., object]) -> dict[str, object]:
    """An argument for each parameter that a method can't do without."""
    found: dict[str, object] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.default is parameter.empty:
            annotation = parameter.annotation
            text = annotation if isinstance(annotation, str) else str(annotation)
            found[name] = argument(text.removeprefix("typing."))
    return found


def methods_of(
    resource: Any, is_resource: Callable[[Any], bool], prefix: str = ""
) -> Iterator[tuple[str, Callable[..., object]]]:
    """Every public method of a client and of the resources below it, with its dotted name."""
    for name in sorted(set(dir(resource))):
        if name.startswith("_") or name in ("with_raw_response", "client", "models"):
            continue
        member = getattr(resource, name)
        if inspect.ismethod(member) or inspect.isfunction(member):
            yield f"{prefix}{name}", typing.cast("Callable[..., object]", member)
        elif is_resource(member):
            yield from methods_of(member, is_resource, f"{prefix}{name}.")
