"""Makes a frozen dataclass nearly as quick to build as a plain one.

The `__init__` that `dataclasses` writes for a frozen class looks `object.__setattr__` up for every
field, which is ten times as slow as an assignment, and a governed request builds a hundred fields.
Here an object is built as one of an open twin, by plain assignments, and is of the frozen class
before anybody else has it. The class stays frozen: only its own `__new__` sets anything.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def quick(cls: Class) -> Class:
    """Give a frozen, slotted dataclass a `__new__` that sets its slots. Put above `@dataclass`.

    Keyword-only fields, inherited ones, `InitVar` and `__post_init__` are not for classes on the
    hot path; nor is copying, for which there is `dataclasses.replace`.
    """
    assert not hasattr(cls, "__post_init__"), "a quick class has nothing to do after its fields"
    slots = cls.__slots__  # type: ignore[attr-defined]
    assert tuple(each.name for each in fields(cls)) == slots, "a quick class inherits no fields"
    twin = type(f"_Open{cls.__name__}", (), {"__slots__": slots})
    names: dict[str, object] = {"_MISSING": MISSING, "_twin": twin, "_new": object.__new__}
    parameters, lines = [], []
    for each in fields(cls):
        assert each.init, "a quick class takes all its fields"
        assert not each.kw_only, "a quick class takes its fields in their order"
        parameters.append(each.name + _default(each, names))
        lines.append(f"    _self.{each.name} = {_value(each)}")
    source = "\n".join(
        [
            f"def __new__(_cls, {', '.join(parameters)}):",
            "    _self = _new(_twin)",
            *lines,
            "    _self.__class__ = _cls",
            "    return _self",
        ]
    )
    # As `dataclasses` itself does: the source is made of names of our own fields and nothing else.
    exec(compile(source, f"<quick {cls.__qualname__}>", "exec"), names)  # noqa: S102
    made = names["__new__"]
    made.__qualname__ = f"{cls.__qualname__}.__new__"  # type: ignore[attr-defined]
    del cls.__init__  # type: ignore[misc]
    cls.__new__ = made  # type: ignore[method-assign,assignment]
    return cls


def _default(each: Field[object], names: dict[str, object]) -> str:
    """` = ...` of a parameter; a default that is made for every object is made in the body."""
    if each.default_factory is not MISSING:
        names[f"_make_{each.name}"] = each.default_factory
        return "=_MISSING"
    if each.default is not MISSING:
        names[f"_default_{each.name}"] = each.default
        return f"=_default_{each.name}"
    return ""


def _value(each: Field[object]) -> str:
    if each.default_factory is not MISSING:
        return f"_make_{each.name}() if {each.name} is _MISSING else {each.name}"
    return each.name
