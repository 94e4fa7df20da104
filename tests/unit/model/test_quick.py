"""A quick class differs from the frozen dataclass that it is in nothing but its speed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from gateway.model.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Made:
    first: int
    second: str = "two"
    third: list[int] = field(default_factory=list)


def test_fields_come_by_place_by_name_and_by_default() -> None:
    """Defaults are those of the class, and made anew where they are made."""
    one, other = Made(1), Made(first=1, third=[3])
    assert (one.first, one.second, one.third, other.third) == (1, "two", [], [3])
    assert one.third is not Made(1).third
    assert replace(one, second="2") == Made(1, "2")


def test_nothing_can_be_set_afterwards() -> None:
    """It is as frozen as it was, and of its own class."""
    one = Made(1)
    assert type(one) is Made
    with pytest.raises(FrozenInstanceError):
        one.first = 2  # type: ignore[misc]


def test_fields_that_are_missing_or_unknown_are_refused() -> None:
    """As by any dataclass: nothing is made with a hole in it."""
    with pytest.raises(TypeError, match="first"):
        Made()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="fourth"):
        Made(1, fourth=4)  # type: ignore[call-arg]


def test_what_a_quick_class_cannot_do_is_refused_when_it_is_made() -> None:
    """A `__post_init__` would not be called, so there must be none."""

    @dataclass(frozen=True, slots=True)
    class Busy:
        first: int

        def __post_init__(self) -> None: ...

    with pytest.raises(AssertionError, match="nothing to do"):
        quick(Busy)
