"""Money is a whole number of minor units; how many of them make a unit is the currency's own."""

from __future__ import annotations

from typing import Final

_NO_MINOR_UNITS: Final = frozenset(
    {
        "bif", "clp", "djf", "gnf", "isk", "jpy", "kmf", "krw", "pyg", "rwf", "ugx", "vnd", "vuv",
        "xaf", "xof", "xpf",
    }
)  # fmt: skip
_THREE_DECIMALS: Final = frozenset({"bhd", "iqd", "jod", "kwd", "lyd", "omr", "tnd"})


def minor_digits(currency: str) -> int:
    """The decimals of a currency (lower case) by ISO 4217; of an unknown one, two as of most."""
    return 0 if currency in _NO_MINOR_UNITS else 3 if currency in _THREE_DECIMALS else 2


def money_text(amount: int, currency: str | None) -> str:
    """`9000` of usd as `90.00 USD`; without a currency, as the minor units that it is."""
    if currency is None:
        return f"{amount} minor units"
    digits = minor_digits(currency.lower())
    sign, whole = ("-" if amount < 0 else ""), str(abs(amount)).rjust(digits + 1, "0")
    text = f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
    return f"{sign}{text} {currency.upper()}"
