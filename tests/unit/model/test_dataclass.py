"""Our dataclasses are those of the standard library: every case holds of both."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.model.dataclass import dataclass
from gateway.model.errors import Problem

Make = Callable[..., Callable[[Any], Any]]


def _classes(dataclass: Make) -> SimpleNamespace:
    """The same classes, made by the one or the other."""

    @dataclass(frozen=True, slots=True)
    class Plain:
        first: int
        second: str = "two"
        third: list[int] = field(default_factory=list)
        hidden: str = field(default="s3cret", repr=False)
        aside: int = field(default=0, compare=False)

    @dataclass(frozen=True, slots=True)
    class Single:
        only: int

    @dataclass(frozen=True, slots=True)
    class Empty:
        """Nothing."""

    @dataclass(frozen=True, slots=True, order=True)
    class Ordered:
        major: int
        minor: int = 0

    @dataclass(frozen=True, slots=True, eq=False)
    class Itself:
        first: int

    @dataclass(slots=True)
    class Open:
        first: int
        inside: object = None

    @dataclass(frozen=True, slots=True)
    class Busy:
        given: str
        folded: str = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "folded", self.given.casefold())

    @dataclass(frozen=True, slots=True)
    class Own:
        first: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    @dataclass(frozen=True, slots=True)
    class Child(Single):
        more: int = 1

    return SimpleNamespace(**{name: made for name, made in locals().items() if name[0].isupper()})


@pytest.fixture(params=[dataclasses.dataclass, dataclass], ids=["standard", "ours"])
def made(request: pytest.FixtureRequest) -> SimpleNamespace:
    """The classes as each makes them."""
    return _classes(request.param)


def test_fields_come_by_place_by_name_and_by_default(made: SimpleNamespace) -> None:
    """Defaults are those of the class, and made anew where they are made."""
    one, other = made.Plain(1), made.Plain(first=1, third=[3])
    assert (one.first, one.second, one.third, other.third) == (1, "two", [], [3])
    assert one.third is not made.Plain(1).third
    assert made.Child(1, 2).only == 1
    assert made.Busy("ABC").folded == "abc"


def test_what_works_on_dataclasses_works(made: SimpleNamespace) -> None:
    """Slots, patterns, and the functions of `dataclasses`."""
    one = made.Plain(1)
    assert replace(one, second="2") == made.Plain(1, "2")
    assert asdict(made.Child(1)) == {"only": 1, "more": 1}
    assert [each.name for each in fields(made.Ordered)] == ["major", "minor"]
    assert made.Ordered.__slots__ == made.Ordered.__match_args__ == ("major", "minor")
    assert made.Child.__slots__ == ("more",)
    assert not hasattr(one, "__dict__")


def test_equality_is_that_of_the_compared_fields_of_one_class(made: SimpleNamespace) -> None:
    """What is equal has one hash; a class without equality is equal to itself only."""
    assert made.Plain(1, aside=1) == made.Plain(1, aside=2)
    assert made.Plain(1) != made.Plain(2)
    assert made.Single(1) == made.Single(1) != made.Child(1)
    assert made.Single(1) != (1,)
    assert made.Empty() == made.Empty()
    assert len({made.Single(1), made.Single(1), made.Ordered(1), made.Ordered(1, 0)}) == 2
    assert made.Itself(1) != made.Itself(1)
    assert hash(made.Itself(1)) is not None
    assert made.Open(1) == made.Open(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(made.Open(1))


def test_a_hash_is_that_of_the_values(made: SimpleNamespace) -> None:
    """Of the compared ones, in their order, as a tuple."""
    assert hash(made.Ordered(1, 2)) == hash((1, 2))
    assert hash(made.Single(1)) == hash((1,))
    with pytest.raises(TypeError, match="unhashable"):
        hash(made.Plain(1))  # a list is among them


def test_order_is_that_of_the_fields(made: SimpleNamespace) -> None:
    """All four comparisons, and none with anything else."""
    least, most = made.Ordered(1, 2), made.Ordered(2, 1)
    assert least < most
    assert most > least
    assert least <= made.Ordered(1, 2) >= least
    assert not least < made.Ordered(1, 2)
    assert not most <= least
    with pytest.raises(TypeError):
        least < (2, 1)  # noqa: B015
    with pytest.raises(TypeError):
        made.Single(1) < made.Single(2)  # noqa: B015


def test_a_text_shows_all_but_what_is_kept_out_of_it(made: SimpleNamespace) -> None:
    """A secret is in no text; an object inside itself ends."""
    assert repr(made.Plain(1)).endswith("Plain(first=1, second='two', third=[], aside=0)"), (
        "a field with `repr=False` isn't shown"
    )
    assert repr(made.Empty()).endswith("Empty()")
    knot = made.Open(1)
    knot.inside = knot
    assert repr(knot).endswith("Open(first=1, inside=...)")


def test_nothing_frozen_can_be_set_or_deleted(made: SimpleNamespace) -> None:
    """Neither a field nor what is none; what is open can be set."""
    one = made.Plain(1)
    for name in ("first", "hidden"):
        with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
            setattr(one, name, 2)
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'first'"):
        del one.first
    with pytest.raises((AttributeError, TypeError)):  # the standard's slots make it the latter
        made.Child(1).fourth = 4
    opened = made.Open(1)
    opened.first = 2
    assert opened.first == 2
    with pytest.raises(AttributeError):
        opened.third = 3


def test_objects_are_copied_and_sent_to_other_processes(made: SimpleNamespace) -> None:
    """Frozen or not, and what `__post_init__` sets too."""
    for one in (made.Plain(1, third=[3]), made.Open(1, [2]), made.Child(1, 2), made.Busy("ABC")):
        assert copy.copy(one) == copy.deepcopy(one) == one
        assert copy.copy(one) is not one
    plain = made.Plain(1, third=[3])
    assert copy.deepcopy(plain).third is not plain.third
    problem = Problem("file", 1, 2, "message")
    assert pickle.loads(pickle.dumps(problem)) == problem


def test_what_a_class_defines_itself_stays(made: SimpleNamespace) -> None:
    """Equality, hash and text."""
    one = made.Own(1)
    assert (one == made.Own(2), hash(one), repr(one)) == (True, 7, "own")


def test_fields_that_are_missing_or_unknown_are_refused(made: SimpleNamespace) -> None:
    """At the first object, and at those after it."""
    for _ in range(2):
        with pytest.raises(TypeError, match=r"Single.__init__\(\) missing .* 'only'"):
            made.Single()
        with pytest.raises(TypeError, match=r"Single.__init__\(\) got .* 'fourth'"):
            made.Single(1, fourth=4)
        with pytest.raises(TypeError, match=r"takes 2 positional arguments but 3 were given"):
            made.Single(1, 2)
