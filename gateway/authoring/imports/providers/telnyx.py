"""Telnyx, from its Python SDK. Operations are the SDK's paths (`messages.send`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.stainless import calls_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "telnyx"
SOURCES = (
    Source(
        "pypi",
        "telnyx",
        "4.189.0",
        "MIT",
        "1a67236f7b04965ec940b704bc3d11373a8e5c90a6c6966d99d16c88bfa09085",
    ),
)
HOSTS = ("api.telnyx.com",)
JUDGEMENT = Judgement(
    kinds={"calls.dial": Kind.SEND, "texml.calls.initiate": Kind.SEND},
    reads=re.compile(
        r"^(?:inventory_coverage|number_lookup)\.|\.(?:search|check_\w+|similarity_search)$"
        r"|^legacy\.reporting\.\w+\.\w+\.(?:list|retrieve)$"
    ),
    admin=re.compile(
        r"^(?:billing_groups|managed_accounts|access_ip\w*|authentication_providers|oauth\w*"
        r"|organizations|user_addresses|integration_secrets|telephony_credentials|sub_users"
        r"|well_known|mobile_push_credentials|verified_numbers)\b.*\.(?!retrieve|list|search)"
    ),
    sends=re.compile(
        r"^messages\.(?:send\w*|schedule|create|group_mms|whatsapp)|^messages\.rcs\.send$"
        r"|^faxes\.create$|^messaging\.rcs\.invite_\w+$|^ai\.assistants\.(?:send_sms|whatsapp)$|^verifications\.trigger_\w+$"
        r"|^calls\.actions\.(?:transfer|speak|refer)$|^whatsapp_messages\."
    ),
    executes=re.compile(
        r"^(?:calls|conferences)\.actions\.|\.query$|\.trigger$"
        r"|^ai\.(?:assistants\.chat$|openai\.|anthropic\.|typesafe\.|summarize$|audio\.)"
    ),
    credentials=re.compile(
        r"^telephony_credentials\.(?:create\w*|retrieve|list)$|integration_secrets\.create$|oauth\.token$"
        r"|^(?:credential_connections|mobile_push_credentials)\.(?:create|retrieve|list)$"
        r"|^sim_cards\.get_activation_code$|^wireguard_peers\.retrieve_config$"
        r"|^storage\.buckets\.create_presigned_url$"
    ),
    irreversible=re.compile(
        r"^number_orders\.create$|^porting_orders\.actions\.confirm$|purchase|^sim_card_orders\.create$"
    ),
    actions={
        "messages.send": "send_message",
        "messages.send_long_code": "send_message",
        "messages.send_short_code": "send_message",
        "messages.send_number_pool": "send_message",
        "messages.send_group_mms": "send_message",
        "calls.dial": "create_call",
        "texml.calls.initiate": "create_call",
        "number_orders.create": "buy_phone_number",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every resource of the client."""
    calls = calls_of(folders["telnyx"], "telnyx", "Telnyx", prefix="/v2")
    return [NewSection("telnyx", [row_of(call, JUDGEMENT) for call in calls], HOSTS)]
