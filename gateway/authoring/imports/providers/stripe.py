"""Stripe's API, v1 and v2, with its test helpers, files, OAuth and meter events, from the source of
its Python SDK. An operation is the method's place in `StripeClient`: `stripe.charges.create`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.rows import sdk_rows, without_aliases
from gateway.authoring.imports.sdk.stripe import read_stripe_calls
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "stripe"
SOURCES = (
    Source(
        "pypi",
        "stripe",
        "16.1.0",
        "MIT",
        "3798e07a0603c8923710414cd1942ae847ed43cebbf34c3258417c189711ea70",
    ),
)
PREFERRED = frozenset({"customers.payment_sources.delete"})
"""Of two methods that send the same bytes, the one that says what is deleted."""
JUDGEMENT = Judgement(
    acts={
        # Tells nobody and changes nothing, but is charged like an act where tax is computed.
        "stripe.invoices.create_preview": Kind.EXECUTE,
        "stripe.subscriptions.resume": Kind.UPDATE,
        "stripe.invoices.send_invoice": Kind.SEND,
        "stripe.forwarding.requests.create": Kind.SEND,
        "stripe.test_helpers.treasury.outbound_payments.post": Kind.EXECUTE,
        "stripe.test_helpers.treasury.outbound_transfers.post": Kind.EXECUTE,
        "stripe.v2.test_helpers.money_management.recipient_verifications": Kind.CREATE,
    },
    admin=re.compile(
        r"^stripe\.(?:accounts|account_links|account_sessions|ephemeral_keys|webhook_endpoints"
        r"|apps\.secrets|oauth|apple_pay_domains|payment_method_domains)\."
        r"|v2\.core\.(?:accounts|account_links|account_tokens|event_destinations)\."
    ),
    credentials=re.compile(
        r"^stripe\.(?:account_links|account_sessions|customer_sessions|ephemeral_keys"
        r"|webhook_endpoints|billing_portal\.sessions|terminal\.connection_tokens"
        r"|accounts\.login_links)\.create$"
        r"|financial_connections\.sessions\.create$|identity\.verification_sessions\.create$"
        r"|^stripe\.apps\.secrets\.(?:find|create)$|^stripe\.oauth\.token$"
        r"|v2\.core\.(?:account_links|event_destinations)\.create$|meter_event_session\.create$"
    ),
    irreversible=re.compile(
        r"^stripe\.(?:refunds|payouts|topups)\.create$|reversals\.create$|\.reverse$|\.close$"
        r"|\.(?:finalize|void|send|mark_uncollectible|expire|redact|detach|pay|accept)(?:_\w+)?$"
        r"|(?:payment_intents|setup_intents|quotes|subscriptions)\.cancel$|void_grant|void_credit"
        r"|outbound_(?:payments|transfers)\.create$|payout_intents\.create$|refund_payment$"
        r"|\.credit_notes\.create$"
    ),
    reversible=re.compile(r"webhook_endpoints\.delete$|^stripe\.test_helpers\."),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = without_aliases(PROVIDER, read_stripe_calls(folders["stripe"]), preferred=PREFERRED)
    return [NewSection(PROVIDER, sdk_rows(calls, JUDGEMENT))]
