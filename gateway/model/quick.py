"""Makes a frozen dataclass nearly as quick to build as a plain one.

The `__init__` that `dataclasses` writes for a frozen class looks `object.__setattr__` up for every
field, which is four times as slow as setting the slot itself, and a governed request builds a
hundred fields. The class stays frozen: only its own `__init__` sets anything.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from typing import TypeVar

Class = TypeVar("Class", bound=type)


def quick(cls: Class) -> Class:
    """Give a frozen, slotted dataclass an `__init__` that sets its slots. Put above `@dataclass`.

    Keyword-only fields, `InitVar` and `__post_init__` are not for classes on the hot path.
    """
    assert not hasattr(cls, "__post_init__"), "a quick class has nothing to do after its fields"
    names: dict[str, object] = {"_MISSING": MISSING}
    parameters, lines = [], []
    for each in fields(cls):
        assert each.init, "a quick class takes all its fields"
        assert not each.kw_only, "a quick class takes its fields in their order"
        names[f"_set_{each.name}"] = getattr(cls, each.name).__set__
        parameters.append(each.name + _default(each, names))
        lines.append(f"    _set_{each.name}(self, {_value(each)})")
    source = f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines)
    # As `dataclasses` itself does: the source is made of names of our own fields and nothing else.
    exec(compile(source, f"<quick {cls.__qualname__}>", "exec"), names)  # noqa: S102
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"  # type: ignore[attr-defined]
    cls.__init__ = made  # type: ignore[misc]
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
