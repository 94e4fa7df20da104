"""Whole numbers of a currency's smallest unit as people write money: 9000 of `usd` is 90.00 USD.

How many decimals a currency has is ISO 4217's, but for where a provider counts otherwise. Where
it can't be told nothing is guessed: a wrong point makes ten dollars of a thousand. What people are
shown and what they write is read by this one table, so that both mean the same money.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

AMOUNT: Final = "amount"
"""The param in which mappers put money, in minor units, and the one that says of what currency."""
CURRENCY: Final = "currency"

_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO_DECIMALS: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
    "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
    "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW"
)
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"

_DECIMALS: Final[Mapping[str, int]] = {
    code: decimals
    for decimals, codes in {0: _NO_DECIMALS, 2: _TWO_DECIMALS, 3: _THREE_DECIMALS}.items()
    for code in codes.split()
}

_STRIPE: Final[Mapping[str, int]] = {"ISK": 2, "UGX": 2, "MGA": 0}
"""https://docs.stripe.com/currencies: krónur and Ugandan shillings are counted in hundredths for
compatibility, ariary in whole."""

_DIFFER: Final = frozenset({"CLP", "CVE", "IDR", "ISK", "MGA", "UGX"})
"""Counted one way by some providers and another way by others."""

_WRITTEN: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))?", re.ASCII)


def iso_digits(currency: str) -> int:
    """The decimals of a currency by ISO 4217; of an unknown one, two as of most. By them a
    provider's `90.00` becomes minor units, whatever a provider of whole numbers counts by."""
    return _DECIMALS.get(currency.upper(), 2)


def minor_digits(currency: str, provider: str) -> int | None:
    """The decimals by which a provider counts a currency; None where that is in doubt."""
    code = currency.upper()
    if provider == "stripe":
        return _STRIPE.get(code, _DECIMALS.get(code))
    return None if code in _DIFFER else _DECIMALS.get(code)


def money_text(amount: int, currency: str | None, provider: str) -> str:
    """`1,234.50 USD`; the whole number as it is where its point is in doubt."""
    digits = None if currency is None else minor_digits(currency, provider)
    if digits is None:
        return f"{amount} {unit_text(currency, provider)}"
    whole, part = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    point = f".{part:0{digits}d}" if digits else ""
    return f"{sign}{whole:,}{point} {unit_text(currency, provider)}"


def unit_text(currency: str | None, provider: str) -> str:
    """What an amount is counted in, as it is written: `USD`, or `of the smallest unit of CLP`."""
    if currency is None:
        return "minor units"
    code = currency.upper()
    return code if minor_digits(code, provider) is not None else f"of the smallest unit of {code}"


def parse_money(text: str, currency: str | None, provider: str) -> int | None:
    """The smallest units of an amount as people write it, `500.00`; whole ones where the point is
    in doubt. None for what is no such amount; a comma is: it parts thousands for some people and
    decimals for others."""
    digits = 0 if currency is None else minor_digits(currency, provider) or 0
    found = _WRITTEN.fullmatch(text)
    fraction = "" if found is None else found[2] or ""
    if found is None or len(fraction) > digits:
        return None
    return int(found[1] + fraction.ljust(digits, "0"))


def money_example(currency: str | None, provider: str) -> str:
    """How an amount of this currency is written."""
    digits = 0 if currency is None else minor_digits(currency, provider) or 0
    return f"500.{'0' * digits}" if digits else "500"
