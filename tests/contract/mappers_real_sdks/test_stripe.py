"""The Stripe SDK, driven without a network, against the shipped mapper and its catalog."""

from __future__ import annotations

import functools

import pytest
import stripe

from gateway.model.action import Kind
from tests.contract.mappers_real_sdks import drive_stripe
from tests.contract.mappers_real_sdks.figures import Figures, judge
from tests.contract.mappers_real_sdks.sdk import canonicalizer, catalog_operations, catalog_rows


@functools.cache
def figures() -> Figures:
    """What came of calling every method."""
    return judge(drive_stripe.every_call(), reads=())


def test_every_method_sends_and_every_operation_is_called() -> None:
    """The SDK's methods and the catalog's operations are the same, aliases aside."""
    silent = {name for name, _ in drive_stripe.methods()} - figures().methods

    assert silent == drive_stripe.SENDS_NOTHING
    assert catalog_operations("stripe") <= figures().methods


def test_each_call_has_its_own_name() -> None:
    """Every request of every method is recognised: no other name, none unknown, none refused."""
    assert figures().wrong == []
    assert {name for name, _ in figures().same} == {"stripe.sources.detach"}


def test_nothing_but_a_get_is_a_read() -> None:
    """Stripe reads by GET alone."""
    assert figures().mild == []


def test_money_is_in_minor_units_wherever_it_stands() -> None:
    """Every param that a catalog's row calls an amount is typed as money, and v1 reads forms."""
    for row in catalog_rows("stripe"):
        for name, param in row.params.items():
            if name.endswith("amount") and param.source.startswith(("form.", "body.")):
                assert param.type == "money_minor", row.operation
            if param.source.startswith("form."):
                assert row.wire.partition(" ")[2].startswith(("/v1/", "/oauth/")), row.operation


MINTING = (
    "stripe.ephemeral_keys.create", "stripe.account_links.create", "stripe.account_sessions.create",
    "stripe.customer_sessions.create", "stripe.webhook_endpoints.create", "stripe.oauth.token",
    "stripe.terminal.connection_tokens.create", "stripe.accounts.login_links.create",
)  # fmt: skip


@pytest.mark.parametrize("operation", MINTING)
def test_what_mints_credentials_is_marked(operation: str) -> None:
    """Keys, links and session secrets are `admin` and `sensitive`."""
    (action,) = canonicalizer().canonicalize(drive_stripe.call(operation, {})).actions

    assert (action.operation, action.kind, action.sensitive) == (
        operation,
        Kind.ADMIN,
        "credentials",
    )


def test_a_refund_carries_amount_currency_and_target() -> None:
    """The SDK's own encoding of a refund gives typed params and the charge."""
    transport = drive_stripe.Transport()
    client = stripe.StripeClient("sk_test_none", http_client=transport)
    client.v1.refunds.create(
        {"charge": "ch_1", "amount": 9000, "metadata": {"Why": "a b&c"}, "expand": ["charge"]}
    )

    (action,) = canonicalizer().canonicalize(transport.last).actions

    assert (action.action, action.target.id) == ("create_refund", "ch_1")
    assert action.params["amount"] == 9000


def test_a_catalogued_act_carries_its_amount() -> None:
    """An operation that no person wrote an entry for has typed params all the same."""
    request = drive_stripe.call("stripe.topups.create", {"amount": 700, "currency": "EUR"})

    (action,) = canonicalizer().canonicalize(request).actions

    assert (action.operation, action.kind) == ("stripe.topups.create", Kind.CREATE)
    assert (action.params["amount"], action.params["currency"]) == (700, "eur")
