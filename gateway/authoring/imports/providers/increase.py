"""Increase's banking API, from the source of its Python SDK; amounts are minor units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.sdk_calls import read_sdk_calls
from gateway.authoring.imports.sdk_judgement import Judgement
from gateway.authoring.imports.sdk_rows import in_minor_units, sdk_rows, without_aliases
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

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
READS: Mapping[str, str] = {}
"""Increase reads by GET alone."""
JUDGEMENT = Judgement(
    reads=READS,
    acts={
        "increase.pending_transactions.release": Kind.EXECUTE,
        "increase.simulations.pending_transactions.release_inbound_funds_hold": Kind.EXECUTE,
        "increase.inbound_ach_transfers.transfer_return": Kind.EXECUTE,
    },
    admin=re.compile(r"\.oauth_\w+\.|\.event_subscriptions\.|\.cards\.update_pin$"),
    credentials=re.compile(
        r"\.oauth_tokens\.create$|\.cards\.(?:details|create_details_\w+)$"
        r"|event_subscriptions\.create$|entity_onboarding_sessions\.create$"
    ),
    irreversible=re.compile(
        r"(?:transfers|requests_for_payment|check_deposits|drawdown_requests)\.create$"
        r"|\.(?:approve|close|reverse|stop_payment|decline|return_|transfer_return|withdraw)$"
        r"|\.(?:cancel|archive)$"
    ),
    reversible=re.compile(r"\.simulations\."),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = read_sdk_calls(folders["increase"], "increase", "Increase")
    named = without_aliases(PROVIDER, in_minor_units(calls))
    return [NewSection(PROVIDER, sdk_rows(named, JUDGEMENT))]
