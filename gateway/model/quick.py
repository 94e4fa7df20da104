"""Makes a frozen dataclass nearly as quick to build as a plain one.

The `__init__` that `dataclasses` writes for a frozen class looks `object.__setattr__` up for every
field, which is ten times as slow as an assignment, and a governed request builds a hundred fields.
Here an object is built as one of an open twin, by plain assignments, and is of the frozen class
before anybody else has it. The class stays frozen: only its own `__new__` sets anything.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TypeVar

from gateway.model.dataclass import compile_method, field_value, parameter_default

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
        parameters.append(each.name + parameter_default(each, names))
        lines.append(f"    _self.{each.name} = {field_value(each)}")
    source = "\n".join(
        [
            f"def __new__(_cls, {', '.join(parameters)}):",
            "    _self = _new(_twin)",
            *lines,
            "    _self.__class__ = _cls",
            "    return _self",
        ]
    )
    del cls.__init__  # type: ignore[misc]
    cls.__new__ = compile_method(cls, "__new__", source, names)  # type: ignore[method-assign]
    return cls
