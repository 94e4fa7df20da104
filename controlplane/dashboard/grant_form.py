"""The form "Approve for…" -> what a person wishes to grant. Pure.

Who leaves everything as it is grants the usual: half an hour, ten times, no larger than this act.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controlplane.dashboard.forms import Form
from controlplane.faults import ControlFault, Fault
from gateway.model.grant import (
    SECONDS_MAX,
    USES_MAX,
    USES_MIN,
    USES_USUAL,
    AmountWish,
    GrantTerms,
    GrantWish,
)
from gateway.model.money import AMOUNT, CURRENCY, money_example, money_text, parse_money

TIMES: Final = (
    (600, "10 minutes"),
    (1_800, "30 minutes"),
    (7_200, "2 hours"),
    (28_800, "8 hours"),
    (SECONDS_MAX, "24 hours"),
)


def read_wish(form: Form, params: Mapping[str, Any], provider: str) -> GrantWish:
    """What the form wishes for, of a question with these params to this provider.

    Raises:
        ControlFault: INVALID_ARGUMENT.
    """
    return GrantWish(
        seconds=form.number("seconds", "How long", 60, SECONDS_MAX),
        uses=form.number("uses", "How many times", USES_MIN, USES_MAX, USES_USUAL),
        this_run=form.is_set("this_run"),
        same_target=True if form.is_set("same_target") else None,
        amount=_read_amount(form.line("amount", "The amount"), params, provider),
    )


def terms_words(terms: GrantTerms, operation: str, provider: str) -> str:
    """What a grant on these terms lets through, in a sentence."""
    parts = [f"up to {terms.uses} times", f"risk up to {terms.risk_max}"]
    if terms.same_target:
        parts.append("only this target")
    if terms.this_run:
        parts.append("only this run")
    if terms.amount is not None:
        most = money_text(terms.amount.amount_max, terms.amount.currency, provider)
        each = terms.amount.each_max
        parts.append(f"{most} in all" + ("" if each is None else ", none larger than this one"))
    return f"{operation}: {', '.join(parts)}"


def _read_amount(text: str, params: Mapping[str, Any], provider: str) -> AmountWish | None:
    """An amount as people write it, `500.00`, in the currency of the question."""
    if not text:
        return None
    named = params.get(CURRENCY)
    currency = named.lower() if isinstance(named, str) else None
    amount = parse_money(text, currency, provider)
    if amount is None:
        example = money_example(currency, provider)
        raise ControlFault(Fault.INVALID_ARGUMENT, f"the amount is a number such as {example}")
    return AmountWish(AMOUNT, currency, amount)
