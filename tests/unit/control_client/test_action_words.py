"""An action in words: one sentence, no secret, and no amount that could be read wrongly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control_client.action_words import summary_text
from gateway.model.action import Action, Canonical, Kind, Target
from tests.support.entries import an_action

REFUND = an_action()


def act(name: str, of: str = "", target_id: str = "", **params: object) -> Action:
    return Action("p", f"p.{name}", name, Kind.CREATE, Target(of, target_id), params)  # type: ignore[arg-type]


SENTENCES = {
    "a refund": (REFUND, "refund 90.00 USD of charge ch_1"),
    "to whom": (
        an_action({"amount": 9000, "currency": "usd", "customer": "cus_9"}),
        "refund 90.00 USD of charge ch_1 to customer cus_9",
    ),
    "with what it is for": (
        an_action({"amount": 1_234_567, "currency": "EUR", "reason": "duplicate"}),
        "refund 12,345.67 EUR of charge ch_1 (reason duplicate)",
    ),
    "whole yen": (
        an_action({"amount": 9000, "currency": "jpy"}), "refund 9,000 JPY of charge ch_1",
    ),
    "an amount in no currency": (
        an_action({"amount": 9000}), "refund charge ch_1 (amount 9000)",
    ),
    "an amount that is no number": (
        an_action({"amount": "9000", "currency": "usd"}),
        "refund charge ch_1 (amount 9000, currency usd)",
    ),
    "no amount": (an_action({}), "refund charge ch_1"),
    "an amount that can't be read": (
        replace(an_action({}), missing=frozenset({"amount"}), unreadable=frozenset({"amount"})),
        "refund charge ch_1, of an amount that can't be read",
    ),
    "a charge of a customer": (
        act("create_charge", "customer", "cus_1", amount=500, currency="usd", customer="cus_1"),
        "charge 5.00 USD to customer cus_1",
    ),
    "a payment of nobody that is named": (
        act("create_payment_intent", amount=500, currency="usd"), "take a payment of 5.00 USD",
    ),
    "a payment of somebody": (
        act("create_payment_intent", "customer", "cus_1", amount=500, currency="usd"),
        "take a payment of 5.00 USD from customer cus_1",
    ),
    "a payment without an amount": (
        act("create_payment_intent", "customer", "cus_1"), "take a payment from customer cus_1",
    ),
    "a payout": (
        act("create_payout", "bank_account", "ba_1", amount=10, currency="kwd"),
        "pay out 0.010 KWD to bank account ba_1",
    ),
    "a target that the action names": (
        act("merge_pull_request", "pull_request", "acme/shop#12"),
        "merge pull request acme/shop#12",
    ),
    "a target that it doesn't name": (
        act("send_message", "channel", "C1", text="hello"),
        "send message to channel C1 (text hello)",
    ),
    "what it is of": (act("get_policy", "bucket", "logs"), "get policy of bucket logs"),
    "no target": (act("unknown"), "unknown"),
    "a secret": (
        an_action({"api_key": "x", "text": "is sk_live_abcdefgh"}),
        "refund charge ch_1 (api_key [redacted], text is [redacted])",
    ),
    "other types": (
        an_action({"a": True, "b": None, "c": [1, 2], "d": {"e": 1}, "f": -1}),
        "refund charge ch_1 (a yes, b none, c [2 items], d {1 fields}, f -1)",
    ),
    "many params": (
        act("x", **{f"p{n}": n for n in range(9)}),
        "x (p0 0, p1 1, p2 2, p3 3, p4 4, p5 5, p6 6, p7 7, …)",
    ),
    "lines that would forge another": (
        an_action({"a": "x\ncreate_payout\x1b[31m\u202e"}),
        "refund charge ch_1 (a x�create_payout�[31m�)",
    ),
    "a customer that would": (
        an_action({"amount": 1, "currency": "usd", "customer": "c\n; refund"}),
        "refund 0.01 USD of charge ch_1 to customer c�; refund",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SENTENCES)
def test_a_person_reads_one_sentence(what: str) -> None:
    """What is done, to what, with which values: no secret, no second line."""
    action, text = SENTENCES[what]
    assert summary_text(Canonical((action,), "stripe", "stripe")) == text


SEEN = {"amount": 12_000, "currency": "usd", "customer": "cus_9", "status": "succeeded"}


def test_what_the_request_leaves_to_its_target_is_told_from_that() -> None:
    """A refund is in its charge's currency; a payout's target says nothing of it."""
    refund = Canonical((an_action({"amount": 9000}),), "stripe", "stripe")
    assert summary_text(refund, SEEN) == "refund 90.00 USD of charge ch_1 to customer cus_9"
    said = Canonical((an_action({"amount": 9000, "currency": "eur"}),), "stripe", "stripe")
    assert summary_text(said, SEEN).startswith("refund 90.00 EUR of charge ch_1")
    whole = Canonical((an_action({}),), "stripe", "stripe")
    assert summary_text(whole, SEEN) == "refund charge ch_1 to customer cus_9"
    payout = Canonical((act("create_payout", "bank_account", "ba_1", amount=5),), "p", "p")
    assert summary_text(payout, SEEN) == "pay out to bank account ba_1 (amount 5)"
    batch = Canonical(refund.actions * 2, "stripe", "stripe")
    assert "USD" not in summary_text(batch, SEEN)


def test_of_a_batch_the_first_are_named_and_the_others_counted() -> None:
    """Nobody answers for seven and sees five."""
    actions = tuple(an_action({"n": n}, f"ch_{n}") for n in range(7))
    text = summary_text(Canonical(actions, "stripe", "stripe"))
    assert text.startswith("refund charge ch_0 (n 0); refund charge ch_1 (n 1)")
    assert text.endswith("; and 2 more")


def test_it_stays_short() -> None:
    """However much an agent writes."""
    text = summary_text(Canonical((an_action({f"p{n}": "x" * 500 for n in range(8)}),), "p", "p"))
    assert len(text) == 400
    assert text.endswith("…")
