"""Amounts as people read them."""

from __future__ import annotations

import pytest

from gateway.model.money import money_text

TEXTS = {
    (9000, "usd"): "90.00 USD",
    (9000, "JPY"): "9000 JPY",
    (9000, "kwd"): "9.000 KWD",
    (5, "usd"): "0.05 USD",
    (0, "eur"): "0.00 EUR",
    (0, "jpy"): "0 JPY",
    (-123456, "usd"): "-1234.56 USD",
    (7, "xyz"): "0.07 XYZ",
    (9000, None): "9000 minor units",
}


@pytest.mark.parametrize("given", TEXTS, ids=str)
def test_an_amount_is_written_in_its_currency(given: tuple[int, str | None]):
    """With as many decimals as the currency has."""
    assert money_text(*given) == TEXTS[given]
