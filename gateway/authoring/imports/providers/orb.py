"""Orb, from its Python SDK. Operations are the SDK's paths (`invoices.void`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.stainless import calls_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "orb"
SOURCES = (
    Source(
        "pypi",
        "orb-billing",
        "4.90.0",
        "Apache-2.0",
        "de58fbda14e70173cefc42263586087c0b14efdf98ee14c6b64b57c758302add",
    ),
)
HOSTS = ("api.withorb.com",)
JUDGEMENT = Judgement(
    kinds={"subscriptions.schedule_plan_change": Kind.UPDATE},
    admin=re.compile(r"^webhook_endpoints\.(?!list|retrieve)"),
    credentials=re.compile(r"^webhook_endpoints\.create$|\.create_portal_session\w*$"),
    reads=re.compile(
        r"^events\.search$|\.fetch\w*$|^prices\.evaluate\w*$|^invoices\.fetch_upcoming$"
    ),
    executes=re.compile(r"^invoices\.(?:issue|pay|void|mark_paid|issue_summary)$"),
    irreversible=re.compile(
        r"^invoices\.(?:issue|pay|void)|^credit_notes\.create$|^subscriptions\.cancel$"
        r"|^customers\.credits\.ledger\.|^customers\.balance_transactions\."
    ),
    actions={
        "customers.create": "create_customer",
        "customers.delete": "delete_customer",
        "subscriptions.create": "create_subscription",
        "subscriptions.cancel": "cancel_subscription",
        "invoices.void": "void_invoice",
        "invoices.pay": "pay_invoice",
        "invoices.issue": "finalize_invoice",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every resource of the client."""
    calls = calls_of(folders["orb-billing"], "orb", "Orb", prefix="/v1")
    return [NewSection("orb", [row_of(call, JUDGEMENT) for call in calls], HOSTS)]
