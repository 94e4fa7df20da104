"""What the dashboard makes of values: words, drawings, and a wish of what people filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controlplane.dashboard import wording
from controlplane.dashboard.charts import nice_ceiling, risk_bar
from controlplane.dashboard.forms import Form
from controlplane.dashboard.grant_form import read_wish
from controlplane.faults import ControlFault, Fault

NOW = datetime(2026, 11, 21, 4, 5, 6, tzinfo=UTC)

AGES = {
    "at once": (0, "just now"),
    "nine seconds": (9, "just now"),
    "less than a minute": (59, "59 s ago"),
    "whole minutes": (119, "1 min ago"),
    "whole hours": (3 * 3600 + 1, "3 h ago"),
    "whole days": (50 * 3600, "2 d ago"),
    "in time to come": (-780, "in 13 min"),
}


@pytest.mark.parametrize("age", AGES)
def test_an_age_is_one_number_and_its_unit(age: str) -> None:
    """Enough to judge by; the exact moment is shown on hover."""
    seconds, words = AGES[age]
    assert wording.ago(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", None])
def test_what_is_no_moment_is_not_shown(text: str | None) -> None:
    """Records are text that somebody sent."""
    assert (wording.ago(text, NOW), wording.exact(text), wording.iso(text)) == ("", "", "")


def test_numbers_are_counted_in_words() -> None:
    """Thousands apart, one and many, the most frequent first, what waits left out."""
    assert wording.plural(1, "agent") == "1 agent"
    assert wording.plural(12_345, "reply", "replies") == "12\u202f345 replies"
    counts = {"DENIED": 1, "APPROVED": 14, "PENDING": 9, "EXPIRED": 0}
    assert wording.tally(counts) == "14 approved, 1 denied"


def test_a_sentence_begins_large_and_ends() -> None:
    """Faults and rules are written small and without a stop."""
    assert wording.initial_sentence("writes need a person") == "Writes need a person."
    assert wording.initial_sentence("Really?") == "Really?"
    assert wording.initial_sentence("") == ""


@pytest.mark.parametrize("value", [0, 1, 4, 5, 9, 10, 60, 99, 100, 101, 12_345, 10**9 + 1])
def test_an_axis_ends_above_what_it_shows(value: int) -> None:
    """At a round number, and not far above: the highest bar takes a good part of the height."""
    top = nice_ceiling(value)
    assert value <= top
    assert top <= max(4, 2.5 * value)
    assert str(top).strip("0") in ("1", "2", "4", "5", "8")


def test_factors_never_run_over_their_bar() -> None:
    """Whatever somebody's record says of them; and their names are no markup."""
    factors = [
        {"name": "operation.<b>", "points": 70, "observed": "x"},
        {"name": "context.amount", "points": 70},
        {"name": "target", "points": "many"},
        {"name": "deviation", "points": -5},
        {"points": 10},
    ]
    drawn = str(risk_bar(factors))
    assert drawn.count("<title>") == 2
    assert 'width="29.6"' in drawn
    assert "<b>" not in drawn


AMOUNTS = {
    "cents": ("500.00", "usd", "stripe", 50_000),
    "whole ariary where they are counted so": ("500", "mga", "stripe", 500),
    "smallest units where the point is in doubt": ("500", "clp", "shop", 500),
}


@pytest.mark.parametrize("what", AMOUNTS)
def test_an_amount_is_wished_for_in_the_money_of_the_card(what: str) -> None:
    """The same table reads what people write and writes what they are shown."""
    text, currency, provider, amount_max = AMOUNTS[what]
    form = Form({"seconds": "1800", "uses": "10", "amount": text})
    wish = read_wish(form, {"amount": 100, "currency": currency}, provider)
    assert wish.amount is not None
    assert (wish.amount.currency, wish.amount.amount_max) == (currency, amount_max)


BAD_FIELDS = {
    "a comma": {"amount": "1,000"},
    "more decimals than there are": {"amount": "1.005"},
    "too long": {"seconds": "86401"},
    "a single use": {"uses": "1"},
    "no number": {"uses": "many"},
}


@pytest.mark.parametrize("what", BAD_FIELDS)
def test_a_wish_that_can_not_be_read_is_refused(what: str) -> None:
    """With a sentence about the field, never with another wish."""
    form = Form({"seconds": "1800", "uses": "10", **BAD_FIELDS[what]})
    with pytest.raises(ControlFault) as caught:
        read_wish(form, {"amount": 100, "currency": "usd"}, "stripe")
    assert caught.value.fault is Fault.INVALID_ARGUMENT
