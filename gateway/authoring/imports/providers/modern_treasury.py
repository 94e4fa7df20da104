"""Modern Treasury, from its Python SDK. Operations are the SDK's paths (`payment_orders.create`);
amounts are minor units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.stainless import calls_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "modern-treasury"
SOURCES = (
    Source(
        "pypi",
        "modern-treasury",
        "1.80.0",
        "MIT",
        "88b12c4bb7173e9f4645a1c0ad0394f990c93e1ec863ed1f10d8e27e77bf776f",
    ),
)
HOSTS = ("app.moderntreasury.com",)
_PAYMENT = {
    "amount": RowParam("any.amount", "money_minor"),
    "currency": RowParam("any.currency", "currency"),
    "direction": RowParam("any.direction"),
    "type": RowParam("any.type"),
    "destination": RowParam("any.receiving_account_id"),
}
"""JSON, or multipart where documents go with it."""
JUDGEMENT = Judgement(
    params={"payment_orders.create": _PAYMENT, "payment_orders.create_async": _PAYMENT},
    kinds={"bulk_requests.create": Kind.UNKNOWN},
    reads=re.compile(r"^validations\.|^ping$|\.validate_routing_number$"),
    admin=re.compile(
        r"^(?:legal_entities|identifications|connection_legal_entities)\.(?!retrieve|list)"
    ),
    executes=re.compile(r"\.(?:request|complete_verification|verify)$"),
    credentials=re.compile(r"^account_collection_flows\.create$|^payment_flows\.create$"),
    irreversible=re.compile(
        r"^(?:payment_orders|returns|reversals|payment_orders\.reversals|incoming_payment_details)"
        r"\.(?:create|create_async)$"
    ),
    actions={
        "payment_orders.create": "create_payout",
        "payment_orders.create_async": "create_payout",
        "payment_orders.update": "update_payment_order",
        "invoices.create": "create_invoice",
        "invoices.update": "update_invoice",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every resource of the client."""
    calls = calls_of(folders["modern-treasury"], "modern_treasury", "ModernTreasury")
    return [NewSection("modern_treasury", [row_of(call, JUDGEMENT) for call in calls], HOSTS)]
