"""Whole numbers of a currency's smallest unit as people write money: 9000 of `usd` is 90.00 USD.

How many decimals a currency has is ISO 4217's, but for where a provider counts otherwise. Where
it can't be told nothing is guessed: a wrong point makes ten dollars of a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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


def money_text(amount: int, currency: str, provider: str) -> str:
    """`1,234.50 USD`; where the unit is in doubt `123450 of the smallest unit of XYZ`."""
    code = currency.upper()
    decimals = _decimals(code, provider)
    if decimals is None:
        return f"{amount} of the smallest unit of {code}"
    whole, part = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    point = f".{part:0{decimals}d}" if decimals else ""
    return f"{sign}{whole:,}{point} {code}"


def _decimals(code: str, provider: str) -> int | None:
    if provider == "stripe":
        return _STRIPE.get(code, _DECIMALS.get(code))
    return None if code in _DIFFER else _DECIMALS.get(code)
