"""Lithic's API of cards and payments, from the source of its Python SDK.

Amounts are integers of minor units.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.sdk_calls import read_sdk_calls
from gateway.authoring.imports.sdk_judgement import Judgement
from gateway.authoring.imports.sdk_rows import in_minor_units, sdk_rows, without_aliases
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "lithic"
SOURCES = (
    Source(
        "pypi",
        "lithic",
        "0.133.0",
        "Apache-2.0",
        "a5b2481cdb6de23f409eff9be7fbb00723a34053f0d4cca18d740fcd8cfcea46",
    ),
)
READS = {
    "lithic.cards.search_by_pan": "finds a card by its number, which must not stand in a URL",
}
JUDGEMENT = Judgement(
    reads=READS,
    acts={
        "lithic.external_payments.release": Kind.EXECUTE,
        "lithic.auth_rules.v2.promote": Kind.UPDATE,
        "lithic.events.subscriptions.send_simulated_example": Kind.EXECUTE,
    },
    admin=re.compile(r"\.events\.subscriptions\.|\.responder_endpoints\."),
    credentials=re.compile(r"secret|\.cards\.(?:embed|provision|web_provision)$"),
    irreversible=re.compile(
        r"\.(?:payments|book_transfers|external_payments|management_operations)\.create"
        r"|\.(?:reverse|void|settle|release|reissue|renew|convert_physical|return_|retry|cancel)$"
    ),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    # Lithic calls the ids of its objects tokens; they are no secrets.
    calls = (
        replace(call, template=call.template.replace("_token}", "_id}"))
        for call in read_sdk_calls(folders["lithic"], "lithic", "Lithic")
    )
    named = without_aliases(PROVIDER, in_minor_units(calls))
    return [NewSection(PROVIDER, sdk_rows(named, JUDGEMENT))]
