"""Modern Treasury's API of payments and ledgers, from the source of its Python SDK.

Amounts are integers of minor units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.sdk_calls import read_sdk_calls
from gateway.authoring.imports.sdk_judgement import Judgement
from gateway.authoring.imports.sdk_rows import in_minor_units, sdk_rows, without_aliases
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
READS: Mapping[str, str] = {}
"""Modern Treasury reads by GET alone."""
JUDGEMENT = Judgement(
    reads=READS,
    acts={"modern_treasury.internal_accounts.request_closure": Kind.EXECUTE},
    irreversible=re.compile(
        r"\.payment_orders\.create|\.returns\.create$|\.reversals\.create$|request_closure"
        r"|create_partial_post|create_reversal"
    ),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = read_sdk_calls(folders["modern-treasury"], "modern_treasury", "ModernTreasury")
    named = without_aliases("modern_treasury", in_minor_units(calls))
    return [NewSection(PROVIDER, sdk_rows(named, JUDGEMENT))]
