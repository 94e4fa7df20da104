"""Increase, from its Python SDK. Operations are the SDK's paths (`wire_transfers.create`); amounts
are minor units of the account's currency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.stainless import calls_of
from gateway.canonicalize.catalog.file import NewSection, Source

PROVIDER = "increase"
SOURCES = (
    Source(
        "pypi",
        "increase",
        "0.552.0",
        "Apache-2.0",
        "9f3d13b27125a2e012ee24427f1ea357c9daee240381d77b018b7d5ae715570a",
    ),
)
HOSTS = (
    "api.increase.com",
    "sandbox.increase.com",
)
JUDGEMENT = Judgement(
    admin=re.compile(
        r"^(?:oauth_\w+|event_subscriptions|entities|beneficial_owner\w*|entity_beneficial_owners"
        r"|digital_wallet_tokens|programs|supplemental_documents|entity_onboarding_sessions)"
        r"\.(?!retrieve|list)"
    ),
    sends=re.compile(r"^lockbox\w*\.send$"),
    executes=re.compile(
        r"^simulations\.|\.(?:approve|cancel|submit|reverse|mail|stop_payment|transfer_return)$"
        r"|^pending_transactions\.release$|^card_disputes\.submit_\w+$"
    ),
    credentials=re.compile(r"^oauth_tokens\.create$|^cards\.(?:details|create_details_iframe)$"),
    irreversible=re.compile(
        r"_transfers?\.(?:create|approve)$|^card_payouts\.create$|^check_transfers\.|\.mail$"
        r"|^accounts\.close$|^physical_cards\.create$|real_time_payments_\w+\.create$"
        r"|^card_push_transfers\.|^swift_transfers\.|^fednow_transfers\."
    ),
    actions={
        "ach_transfers.create": "create_transfer",
        "account_transfers.create": "create_transfer",
        "wire_transfers.create": "create_transfer",
        "check_transfers.create": "create_transfer",
        "real_time_payments_transfers.create": "create_transfer",
        "fednow_transfers.create": "create_transfer",
        "swift_transfers.create": "create_transfer",
        "card_push_transfers.create": "create_payout",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every resource of the client."""
    calls = calls_of(folders["increase"], "increase", "Increase")
    return [NewSection("increase", [row_of(call, JUDGEMENT) for call in calls], HOSTS)]
