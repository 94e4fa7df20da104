"""What of a question is held against grants, and which terms a person's wish comes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.model.action import Kind
from gateway.model.grant import (
    LEGAL_MOVES,
    RISK_MAX,
    AmountTerms,
    AmountWish,
    Claim,
    GrantError,
    GrantState,
    GrantTerms,
    GrantWish,
    Subject,
    claim_of,
    terms_of,
)

RISK: dict[str, Any] = {"score": 40, "factors": []}
REFUND = Subject(
    "stripe.refunds.create", "create_refund", Kind.CREATE, "ch_1", "nightly",
    {"amount": 9000, "currency": "USD"}, RISK,
)  # fmt: skip
FINAL = replace(REFUND, risk={"score": 40, "factors": [{"name": "operation.irreversible"}]})

UNCOMPARABLE = {
    "a batch": replace(REFUND, params={"actions": []}),
    "an act that no mapper knows": replace(REFUND, kind=Kind.UNKNOWN),
    "an operation without a name": replace(REFUND, operation="unknown"),
    "a name that is not shown whole": replace(REFUND, operation="x.[redacted]"),
    "a name of any length": replace(REFUND, action="a" * 129),
    "a param whose name hides something": replace(REFUND, params={"a\u202eb": 1}),
    "more params than anybody reads": replace(REFUND, params={f"p{n}": 1 for n in range(101)}),
    "params that are no object": replace(REFUND, params=[1]),
    "no risk": replace(REFUND, risk={}),
    "a risk in text": replace(REFUND, risk={"score": "40"}),
    "a risk that is a truth": replace(REFUND, risk={"score": True}),
    "a currency that is no text": replace(REFUND, params={"currency": 840}),
    "recipients that are not all shown": replace(REFUND, params={"recipients": ["a@b", "…(+1)"]}),
}


@pytest.mark.parametrize("subject", UNCOMPARABLE.values(), ids=UNCOMPARABLE)
def test_what_can_not_be_compared_claims_nothing(subject: Subject):
    """People are asked about it each time, and no grant is given with it."""
    assert claim_of(subject) is None
    with pytest.raises(GrantError, match="can't be compared"):
        terms_of(GrantWish(), subject)


def test_a_claim_has_every_param_and_whole_numbers_alone():
    """What is no whole number from 0 on is there, and counts as unreadable."""
    params = {"amount": 9000, "note": "x", "less": -1, "yes": True, "all": None, "currency": "USD"}
    assert claim_of(replace(REFUND, params=params)) == Claim(
        40,
        {"amount": 9000, "note": None, "less": None, "yes": None, "all": None, "currency": None},
        "usd",
    )


@dataclass(frozen=True)
class Row:
    """A wish with a question, and the terms that it comes to."""

    wish: GrantWish
    subject: Subject
    terms: GrantTerms


EACH = AmountTerms("amount", "usd", 90_000, 9000, 9000)
NO_AMOUNT = replace(REFUND, params={})

TERMS = {
    "the usual: half an hour, ten times, no more than this amount each": Row(
        GrantWish(), REFUND, GrantTerms(1800, 10, False, False, 45, EACH)
    ),
    "what can't be undone: the same target": Row(
        GrantWish(), FINAL, GrantTerms(1800, 10, False, True, 45, EACH)
    ),
    "what deletes: the very same act": Row(
        GrantWish(),
        replace(NO_AMOUNT, kind=Kind.DELETE),
        GrantTerms(1800, 10, False, True, 45, None, same_act=True),
    ),
    "what runs without a target: the very same act": Row(
        GrantWish(),
        replace(NO_AMOUNT, kind=Kind.EXECUTE, target_id=""),
        GrantTerms(1800, 10, False, True, 45, None, same_act=True),
    ),
    "a risk that can't be read through: the same target": Row(
        GrantWish(),
        replace(NO_AMOUNT, risk={"score": 40}),
        GrantTerms(1800, 10, False, True, 45, None),
    ),
    "near the ceiling of all": Row(
        GrantWish(),
        replace(NO_AMOUNT, risk={"score": 67, "factors": []}),
        GrantTerms(1800, 10, False, False, RISK_MAX, None),
    ),
    "all that can be said": Row(
        GrantWish(60, 2, True, True, 40, AmountWish("amount", "usd", 9000)),
        REFUND,
        GrantTerms(60, 2, True, True, 40, AmountTerms("amount", "usd", 9000, None, 9000)),
    ),
}


@pytest.mark.parametrize("row", TERMS.values(), ids=TERMS)
def test_a_wish_comes_to_these_terms(row: Row):
    """Nothing is left open, and nothing is wider than the question."""
    assert terms_of(row.wish, row.subject) == row.terms


def test_nothing_follows_an_end():
    """A grant that is over stays so."""
    assert LEGAL_MOVES.keys() == set(GrantState)
    ends = {state for moves in LEGAL_MOVES.values() for state in moves.values()}
    assert ends == {GrantState.REVOKED, GrantState.EXPIRED}
    assert not any(LEGAL_MOVES[state] for state in ends)
