"""The ledger: what is taken, joined, started, settled, given back and lapses."""

from __future__ import annotations

import pytest

from gateway.counters.ledger import COARSENED_MIN, SWEPT_WHEN_FULL, Ledger, LedgerBounds
from gateway.model.effect import Effect, Mode
from gateway.model.errors import LimitError
from gateway.model.limit import LimitClaim, Reserved
from tests.support.limits import SECOND, claim

NOW = 1_700_000_000 * SECOND


def take(
    ledger: Ledger, *claims: LimitClaim, owner: str = "", now: int = NOW, held: int | None = None
) -> Reserved:
    """Reserve for an owner of its own, or a named one; `held` is for how many seconds."""
    owner = owner or f"owner-{ledger._count}"
    lapses_at = None if held is None else now + held * SECOND
    return ledger.reserve(owner, claims, now, lapses_at)[0]


def used(ledger: Ledger, now: int = NOW, **of: str) -> int:
    """What a counter holds: asked in monitor mode by somebody who gives it back."""
    taken = take(ledger, claim(now, 0, 0, mode=Mode.MONITOR, **of), owner="reader", now=now)  # type: ignore[arg-type]
    ledger.release(taken.token)
    return taken.readings[0].used


def test_the_last_unit_is_taken_once() -> None:
    """Three of three pass, the fourth is told what is used, and takes nothing."""
    ledger = Ledger()
    for before in range(3):
        reading = take(ledger, claim(NOW)).readings[0]
        assert (reading.used, reading.is_exceeded) == (before, False)
    refused = take(ledger, claim(NOW))
    assert refused.token == ""
    assert (refused.readings[0].used, refused.readings[0].is_exceeded) == (3, True)
    assert used(ledger) == 3


EXCEEDED = {
    "a limit that blocks takes nothing": (Effect.BLOCK, Mode.ENFORCE, False),
    "one that asks a person takes all the same": (Effect.REQUIRE_APPROVAL, Mode.ENFORCE, True),
    "one that only watches, too": (Effect.BLOCK, Mode.MONITOR, True),
}


@pytest.mark.parametrize(("effect", "mode", "takes"), EXCEEDED.values(), ids=EXCEEDED)
def test_what_is_exceeded(effect: Effect, mode: Mode, takes: bool) -> None:
    """All that is claimed is taken, or nothing."""
    ledger = Ledger()
    other = claim(NOW, 1, 100, limit="p/other")
    taken = take(ledger, claim(NOW, 4, effect=effect, mode=mode), other)
    assert [reading.is_exceeded for reading in taken.readings] == [True, False]
    assert bool(taken.token) is takes
    assert used(ledger) == (4 if takes else 0)
    assert used(ledger, limit="p/other") == (1 if takes else 0)


def test_an_amount_that_can_not_be_read_exceeds() -> None:
    """Whatever is left; and is counted as nothing where a person lets it pass."""
    ledger = Ledger()
    assert take(ledger, claim(NOW, None, 10**9)).token == ""
    taken = take(ledger, claim(NOW, None, 10**9, effect=Effect.REQUIRE_APPROVAL))
    assert taken.token
    assert taken.readings[0].is_exceeded
    assert used(ledger) == 0


def test_an_owner_takes_once_while_it_is_open() -> None:
    """Sent again it joins, with its first readings, held or in flight; settled, it takes anew."""
    ledger = Ledger()
    first = take(ledger, claim(NOW), owner="o", held=60)
    assert take(ledger, claim(NOW), owner="o", held=60) == first
    assert ledger.start(first.token, NOW)
    assert take(ledger, claim(NOW), owner="o", held=60) == first
    assert ledger.settle(first.token, NOW)
    again = take(ledger, claim(NOW), owner="o", held=60)
    assert again.token != first.token
    assert again.readings[0].used == 1


def test_joining_reads_what_was_not_claimed_at_first() -> None:
    """Policies may have changed in between: what is new is read as it is now."""
    ledger = Ledger()
    take(ledger, claim(NOW, 2, limit="p/new"))
    first = take(ledger, claim(NOW), owner="o", held=60)
    joined = take(ledger, claim(NOW), claim(NOW, limit="p/new"), owner="o", held=60)
    assert joined.token == first.token
    assert [reading.used for reading in joined.readings] == [0, 2]


STARTS = {
    "held": (True, None, True),
    "in flight already": (True, "start", False),
    "settled": (True, "settle", False),
    "given back": (True, "release", False),
    "sent at once": (False, None, False),
}


@pytest.mark.parametrize(("is_held", "before", "starts"), STARTS.values(), ids=STARTS)
def test_what_can_be_started(is_held: bool, before: str | None, starts: bool) -> None:
    """What is held, once."""
    ledger = Ledger()
    token = take(ledger, claim(NOW), held=60 if is_held else None).token
    match before:
        case "start":
            ledger.start(token, NOW)
        case "settle":
            ledger.settle(token, NOW)
        case "release":
            ledger.release(token)
    assert ledger.start(token, NOW) is starts


def test_unknown_tokens_do_nothing() -> None:
    """A token of another process, or one that has been told of before."""
    ledger = Ledger("b")
    token = take(Ledger("a"), claim(NOW)).token
    take(ledger, claim(NOW))
    assert not ledger.start(token, NOW)
    assert not ledger.settle(token, NOW)
    assert not ledger.release(token)
    assert used(ledger) == 1


def test_what_is_held_lapses() -> None:
    """At its time, not before; what is in flight never does."""
    ledger = Ledger()
    held = take(ledger, claim(NOW), held=60)
    flown = take(ledger, claim(NOW), held=60)
    ledger.start(flown.token, NOW + 59 * SECOND)
    assert used(ledger, NOW + 60 * SECOND - 1) == 2
    assert used(ledger, NOW + 60 * SECOND) == 1
    assert not ledger.start(held.token, NOW + 60 * SECOND)
    assert ledger.settle(flown.token, NOW + 10**6 * SECOND)


def test_an_owner_that_lapsed_takes_anew() -> None:
    """And may be started by its new token alone."""
    ledger = Ledger()
    first = take(ledger, claim(NOW), owner="o", held=60)
    later = NOW + 61 * SECOND
    again = take(ledger, claim(later), owner="o", now=later, held=60)
    assert again.token != first.token
    assert not ledger.start(first.token, later)
    assert ledger.start(again.token, later)


def test_what_is_settled_counts_from_then_on() -> None:
    """Held for longer than the window, it counts for the whole window once it was sent."""
    ledger = Ledger()
    short = {"seconds": 60}
    token = take(ledger, claim(NOW, **short), held=7_200).token  # type: ignore[arg-type]
    sent_at = NOW + 7_000 * SECOND
    assert ledger.start(token, sent_at)
    ledger.settle(token, sent_at)
    assert take(ledger, claim(sent_at, 3, **short), now=sent_at).token == ""  # type: ignore[arg-type]
    over_at = sent_at + 60 * SECOND
    assert take(ledger, claim(over_at, 3, **short), now=over_at).token  # type: ignore[arg-type]


def test_settling_is_never_before_taking() -> None:
    """A clock that went back in between takes nothing from the window."""
    ledger = Ledger()
    token = take(ledger, claim(NOW)).token
    ledger.settle(token, 0)
    assert used(ledger) == 1


def test_counters_that_are_over_are_dropped() -> None:
    """By and by, with every reservation."""
    ledger = Ledger()
    for number in range(100):
        token = take(ledger, claim(NOW, key=f"target:{number}", seconds=60)).token
        ledger.settle(token, NOW)
    later = NOW + 61 * SECOND
    for _ in range(60):
        take(ledger, claim(later, 1, 10**6), now=later)
    assert len(list(ledger.counters)) == 1
    assert ledger.uses_count == 0


def test_there_is_room_again_when_counters_are_over() -> None:
    """Full means full of what still counts, as far as a few looks tell."""
    ledger = Ledger("0", LedgerBounds(limits_counters_max=SWEPT_WHEN_FULL))
    for number in range(SWEPT_WHEN_FULL):
        token = take(ledger, claim(NOW, key=f"target:{number}", seconds=60)).token
        ledger.settle(token, NOW)
    with pytest.raises(LimitError, match=r"limit\.full"):
        take(ledger, claim(NOW, key="target:new"))
    later = NOW + 61 * SECOND
    assert take(ledger, claim(later, key="target:new"), now=later).token


def test_refusing_takes_no_memory() -> None:
    """Whoever is refused leaves no counter behind."""
    ledger = Ledger()
    for number in range(50):
        take(ledger, claim(NOW, 9, 3, key=f"target:{number}"))
    assert not list(ledger.counters)


def test_open_reservations_are_bounded() -> None:
    """More than that and nothing is taken until some end."""
    ledger = Ledger("0", LedgerBounds(limits_open_max=3))
    tokens = [take(ledger, claim(NOW, 1, 100), held=60).token for _ in range(3)]
    with pytest.raises(LimitError, match=r"limit\.full"):
        take(ledger, claim(NOW, 1, 100))
    ledger.release(tokens[0])
    assert take(ledger, claim(NOW, 1, 100)).token


def test_uses_are_bounded_and_count_longer_for_it() -> None:
    """A counter has so many, all together have so many; what was used is still known exactly."""
    ledger = Ledger("0", LedgerBounds(limits_uses_max=200, limits_uses_per_counter_max=100))
    for number in range(1_000):
        now = NOW + number * SECOND
        for key in ("agent:a", "agent:b", "agent:c"):
            ledger.settle(take(ledger, claim(now, 1, 10**6, key=key), now=now).token, now)
    assert ledger.uses_count <= 200 + COARSENED_MIN
    assert max(len(counter) for _, counter in ledger.counters) <= 100
    assert used(ledger, NOW + 1_000 * SECOND) == 1_000
    half = take(ledger, claim(NOW + 1_000 * SECOND, 0, 0, seconds=500), now=NOW + 1_000 * SECOND)
    assert 499 <= half.readings[0].used <= 1_000


def test_what_lapsed_early_fills_no_queue() -> None:
    """Asking and taking back, over and over, leaves nothing that waits for its time."""
    ledger = Ledger()
    for _ in range(1_000):
        ledger.release(take(ledger, claim(NOW), held=7 * 86_400).token)
    assert len(ledger._lapses) <= 130
