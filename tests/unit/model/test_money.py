"""Amounts as people read and write them."""

from __future__ import annotations

import pytest

from gateway.model.money import money_example, money_text, parse_money

MONEY = {
    "cents": (9000, "usd", "shop", "90.00 USD"),
    "less than one": (5, "usd", "shop", "0.05 USD"),
    "nothing": (0, "eur", "shop", "0.00 EUR"),
    "less than nothing": (-5, "usd", "shop", "-0.05 USD"),
    "thousands": (123_456_789, "GBP", "shop", "1,234,567.89 GBP"),
    "no decimals": (9000, "krw", "shop", "9,000 KRW"),
    "three decimals": (1234, "bhd", "shop", "1.234 BHD"),
    "hundredths of krónur at Stripe": (9000, "isk", "stripe", "90.00 ISK"),
    "whole ariary at Stripe": (9000, "mga", "stripe", "9,000 MGA"),
    "whole pesos at Stripe": (9000, "clp", "stripe", "9,000 CLP"),
    "where others count otherwise": (9000, "clp", "shop", "9000 of the smallest unit of CLP"),
    "no currency of this world": (9000, "zzz", "stripe", "9000 of the smallest unit of ZZZ"),
    "more than 64 bits": (10**20, "usd", "shop", f"{10**18:,}.00 USD"),
    "no currency at all": (9000, None, "shop", "9000 minor units"),
}


@pytest.mark.parametrize("what", MONEY)
def test_money_is_written_with_the_point_in_its_place(what: str) -> None:
    """By the currency, and by the provider where that counts otherwise."""
    amount, currency, provider, text = MONEY[what]
    assert money_text(amount, currency, provider) == text


READ = {
    "cents": ("500.00", "usd", "shop", 50_000),
    "half a point": ("500.5", "usd", "shop", 50_050),
    "whole units": ("500", "usd", "shop", 50_000),
    "no decimals": ("500", "jpy", "shop", 500),
    "three decimals": ("1.234", "bhd", "shop", 1_234),
    "hundredths of krónur at Stripe": ("500", "isk", "stripe", 50_000),
    "whole ariary at Stripe": ("500", "mga", "stripe", 500),
    "smallest units where the point is in doubt": ("500", "mga", "shop", 500),
    "smallest units of no currency": ("500", None, "shop", 500),
    "more decimals than there are": ("500.001", "usd", "shop", None),
    "decimals of what has none": ("500.5", "mga", "stripe", None),
    "a comma": ("1,000", "usd", "shop", None),
    "less than nothing": ("-5", "usd", "shop", None),
    "other digits": ("５００", "usd", "shop", None),  # noqa: RUF001 - full-width digits are meant
    "nothing": ("", "usd", "shop", None),
    "too long to be meant": ("1" * 16, "usd", "shop", None),
}


@pytest.mark.parametrize("what", READ)
def test_what_people_write_is_the_money_that_they_are_shown(what: str) -> None:
    """Read by the same table: a limit in one unit never becomes one in another."""
    text, currency, provider, amount = READ[what]
    assert parse_money(text, currency, provider) == amount


@pytest.mark.parametrize("currency", ["usd", "jpy", "bhd", "mga", None])
@pytest.mark.parametrize("provider", ["stripe", "shop"])
def test_the_example_can_be_written(currency: str | None, provider: str) -> None:
    """What an error tells people to write is taken."""
    assert parse_money(money_example(currency, provider), currency, provider)
