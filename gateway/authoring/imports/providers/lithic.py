"""Lithic, from its Python SDK. Operations are the SDK's paths (`cards.create`). What it calls
tokens are ids, and called so here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.stainless import calls_of
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
HOSTS = (
    "api.lithic.com",
    "sandbox.lithic.com",
)
JUDGEMENT = Judgement(
    kinds={
        "cards.search_by_pan": Kind.ADMIN,
        "cards.retrieve_spend_limits": Kind.READ,
        "auth_rules.v2.draft": Kind.CREATE,
        "external_payments.release": Kind.EXECUTE,
    },
    reads=re.compile(r"\.(?:retrieve_\w+|list_\w+)$"),
    admin=re.compile(
        r"^(?:auth_stream_enrollment|events\.subscriptions|responder_endpoints|three_ds"
        r"|account_holders|tokenization_decisioning|digital_card_art|api_keys)\b.*\.(?!retrieve|list)"
    ),
    executes=re.compile(r"\.simulate\w*$|\.(?:embed|provision|web_provision)$"),
    credentials=re.compile(
        r"secret|^cards\.(?:embed|provision|web_provision|search_by_pan|get_embed\w*)$"
    ),
    irreversible=re.compile(
        r"^(?:payments|book_transfers|transfers|external_payments|management_operations)"
        r"\.(?:create|reverse|retry|return\w*)$|^cards\.(?:renew|reissue|convert_physical)$"
    ),
    actions={
        "payments.create": "create_transfer",
        "book_transfers.create": "create_transfer",
        "transfers.create": "create_transfer",
        "cards.create": "create_card",
        "cards.update": "update_card",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every resource of the client."""
    calls = calls_of(folders["lithic"], "lithic", "Lithic")
    named = [replace(call, template=call.template.replace("_token}", "_id}")) for call in calls]
    return [NewSection("lithic", [row_of(call, JUDGEMENT) for call in named], HOSTS)]
