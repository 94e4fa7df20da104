"""One counter: what counts after a moment, in bounded memory, whatever the clock does."""

from __future__ import annotations

import pytest

from gateway.counters.counter import AMOUNT_MAX, GAP_MAX, Counter
from gateway.model.codec import INTEGER_MAX


def counter(*uses: tuple[int, int]) -> Counter:
    made = Counter(60)
    for at, amount in uses:
        made.settle(at, amount)
    return made


def uses_of(one: Counter) -> list[tuple[int, int]]:
    return list(zip(*one.columns, strict=True))


READ = {
    "nothing": ((), 100, 0, 0),
    "all of it": (((10, 1), (20, 2)), 100, 0, 3),
    "only what lies after": (((10, 1), (20, 2)), 100, 10, 2),
    "what lies at the beginning does not": (((10, 1),), 100, 10, 0),
    "nothing any more": (((10, 1), (20, 2)), 100, 20, 0),
    "two at one moment": (((10, 1), (10, 2)), 100, 9, 3),
    "more than a reader keeps exact": (((10, INTEGER_MAX), (11, 1)), 100, 0, INTEGER_MAX),
}


@pytest.mark.parametrize(("uses", "now", "since", "used"), READ.values(), ids=READ)
def test_what_is_used(uses: tuple[tuple[int, int], ...], now: int, since: int, used: int) -> None:
    """What was settled after `since`, and nothing else."""
    assert counter(*uses).used(now, since) == used


def test_what_is_open_counts_whenever_it_was_taken() -> None:
    """It has not happened yet, so no window leaves it behind."""
    one = counter((10, 1))
    one.open_amount, one.open_count = 5, 1
    assert one.used(10_000_000, 9_999_999) == 5
    assert not one.is_over(10**15)


def test_what_ran_out_takes_no_memory() -> None:
    """Entries in front are cut off when there are many."""
    one = counter(*((at, 1) for at in range(4 * GAP_MAX)))
    for since in range(0, 4 * GAP_MAX, 7):
        one.used(10_000, since)
    assert one.used(10_000, 4 * GAP_MAX - 3) == 2
    assert len(one._at) < 2 * GAP_MAX + 8


def test_nothing_is_noted_of_nothing() -> None:
    """A use of 0 takes no entry."""
    assert len(counter((10, 0))) == 0


def test_a_counter_is_over_when_its_window_is() -> None:
    """Not a moment earlier."""
    one = counter((1_000_000, 1))
    assert not one.is_over(60_999_999)
    assert one.is_over(61_000_000)
    assert counter().is_over(0)


def test_a_clock_that_goes_back_makes_nothing_count_shorter() -> None:
    """What lies in the future counts from now on: the whole window, and not until then."""
    one = counter((100, 1), (900_000_000, 2), (900_000_005, 4))
    assert one.used(200, 150) == 6
    assert uses_of(one) == [(200, 6)]
    one.settle(150, 8)
    assert uses_of(one) == [(150, 14)]
    assert one.used(150, 149) == 14


def test_coarser_counts_longer() -> None:
    """Two by two, the older half goes to the later time; nothing is lost."""
    one = counter(*((at, at) for at in range(1, 9)))
    assert one.coarsen() == 2
    assert uses_of(one) == [(2, 3), (4, 7), (5, 5), (6, 6), (7, 7), (8, 8)]
    assert one.used(100, 1) == 36
    assert one.used(100, 3) == 33


def test_amounts_fit_whatever_is_put_together() -> None:
    """Huge amounts stay huge, and end in no overflow."""
    one = counter(*((10, INTEGER_MAX) for _ in range(3_000)))
    assert uses_of(one) == [(10, AMOUNT_MAX)]
    one = counter((1, INTEGER_MAX), (2, INTEGER_MAX), (3, 1), (4, 1))
    for _ in range(5):
        one.coarsen()
    assert one.used(100, 0) == INTEGER_MAX
    assert one.used(100, 5) == 0
