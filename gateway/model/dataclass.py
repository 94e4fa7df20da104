"""`@dataclass` as in the standard library, each method compiled when it is first called.

`dataclasses` writes the source of up to seven methods for every class and compiles them when the
class is made: with two hundred classes that was a third of a gateway's start, and most are never
called. What a class means is the same: its fields are read by `dataclasses` itself, so `field`,
`fields`, `replace` and `asdict` are used as ever.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from functools import partial
from reprlib import recursive_repr
from typing import Any, NoReturn, TypeVar, dataclass_transform

Object = TypeVar("Object")
Method = Callable[..., Any]
Source = tuple[str, dict[str, object]]
"""A function's text, and the values that its names stand for."""

_ORDER = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}


@dataclass_transform(field_specifiers=(dataclasses.field,))
def dataclass(
    *, frozen: bool = False, slots: bool = False, eq: bool = True, order: bool = False
) -> Callable[[type[Object]], type[Object]]:
    """Make a class a dataclass. What it defines itself stays.

    Keyword-only fields and `InitVar` are left to the standard library: nothing here uses them.
    """

    def make(cls: type[Object]) -> type[Object]:
        # Without a docstring the standard library would work a signature out for one.
        cls.__doc__ = cls.__doc__ or cls.__name__
        made = dataclasses.dataclass(  # noqa: TID251 - this is what it is instead of
            cls, init=False, repr=False, eq=False, slots=slots
        )
        assign = "_set(_self, '{name}', {value})" if frozen else "_self.{name} = {value}"
        _add(made, "__init__", _later(made, "__init__", partial(_init, assign)))
        _add(made, "__repr__", _repr)
        if eq:
            _add(made, "__eq__", _later(made, "__eq__", partial(_comparison, "__eq__", "==")))
            if made.__dict__.get("__hash__") is None:
                by_values = _later(made, "__hash__", _hash)
                made.__hash__ = by_values if frozen else None  # type: ignore[assignment]
        if order:
            for name, sign in _ORDER.items():
                _add(made, name, _later(made, name, partial(_comparison, name, sign)))
        if frozen:
            _add(made, "__setattr__", _refuse_to_set)
            _add(made, "__delattr__", _refuse_to_delete)
            if slots:
                _add(made, "__getstate__", _state)
                _add(made, "__setstate__", _restore)
        return made

    return make


def _add(cls: type, name: str, method: Method) -> None:
    if name not in cls.__dict__:
        setattr(cls, name, method)


# --- compiled when first called -------------------------------------------------------------------


def _later(cls: type, name: str, write: Callable[[type], Source]) -> Method:
    """A method that puts the compiled one in its place, and does what that does."""

    def method(self: object, /, *values: object, **named: object) -> object:
        compiled = compile_method(cls, name, *write(cls))
        setattr(cls, name, compiled)
        return compiled(self, *values, **named)

    return method


def compile_method(cls: type, name: str, source: str, names: dict[str, object]) -> Method:
    """Make a method of its source."""
    # As `dataclasses` itself does: the source is made of names of our own fields and nothing else.
    exec(compile(source, f"<{name} of {cls.__qualname__}>", "exec"), names)  # noqa: S102
    made: Method = names[name]  # type: ignore[assignment]
    made.__qualname__ = f"{cls.__qualname__}.{name}"
    return made


def _init(assign: str, cls: type) -> Source:
    names: dict[str, object] = {"_MISSING": MISSING, "_set": object.__setattr__}
    parameters, lines = ["_self"], []
    for each in fields(cls):
        if not each.init:
            continue  # `__post_init__` sets it
        assert not each.kw_only, "fields are taken in their order"
        parameters.append(each.name + parameter_default(each, names))
        lines.append("    " + assign.format(name=each.name, value=field_value(each)))
    if hasattr(cls, "__post_init__"):
        lines.append("    _self.__post_init__()")
    return "\n".join([f"def __init__({', '.join(parameters)}):", *(lines or ["    pass"])]), names


def _comparison(name: str, sign: str, cls: type) -> Source:
    source = f"""
def {name}(self, other):
    if other.__class__ is self.__class__:
        return {_values(cls, "self")} {sign} {_values(cls, "other")}
    return NotImplemented
"""
    return source, {}


def _hash(cls: type) -> Source:
    return f"def __hash__(self):\n    return hash({_values(cls, 'self')})", {}


def _values(cls: type, of: str) -> str:
    """The expression of a tuple of what is compared."""
    inside = "".join(f"{of}.{each.name}, " for each in fields(cls) if each.compare)
    return f"({inside})"


def parameter_default(each: Field[object], names: dict[str, object]) -> str:
    """` = ...` of a parameter, with its value added to the `names` of the source; a default that
    is made for every object is made in the body."""
    if each.default_factory is not MISSING:
        names[f"_make_{each.name}"] = each.default_factory
        return "=_MISSING"
    if each.default is not MISSING:
        names[f"_default_{each.name}"] = each.default
        return f"=_default_{each.name}"
    return ""


def field_value(each: Field[object]) -> str:
    """The expression of what a field is set to."""
    if each.default_factory is not MISSING:
        return f"_make_{each.name}() if {each.name} is _MISSING else {each.name}"
    return each.name


# --- what all classes share -----------------------------------------------------------------------


@recursive_repr()
def _repr(self: object) -> str:
    shown = (each.name for each in fields(self) if each.repr)  # type: ignore[arg-type]
    inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({inside})"


def _state(self: object) -> list[object]:
    """What another process, or a copy, gets of an object."""
    return [getattr(self, each.name) for each in fields(self)]  # type: ignore[arg-type]


def _restore(self: object, state: list[object]) -> None:
    for each, value in zip(fields(self), state, strict=True):  # type: ignore[arg-type]
        object.__setattr__(self, each.name, value)


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
