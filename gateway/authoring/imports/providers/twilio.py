"""Twilio's products, from the OpenAPI documents that its command line is made from, and from its
Python SDK for what is newer.

Every product has a host of its own, and so its own section. The documents know only create, fetch,
list, update and delete; what a create does to the world (sends, dials, mints keys) is said here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import RowRules, row_of
from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.authoring.imports.sdk.twilio_classes import resources_of
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "twilio"
SOURCES = (
    Source(
        "npm",
        "@twilio/cli-core",
        "8.3.2",
        "MIT",
        "6ae83443de5882462b5fba9eddd9080a0ba52ff9cfa579d8bac9f4cf43ee4409",
    ),
    Source(
        "pypi",
        "twilio",
        "9.13.0",
        "MIT",
        "a73eb7139f47ed0ad934e9cf0a26cd0add6b86e6ca4aec5964624a9ea588c11c",
    ),
)
_FILE = re.compile(
    r"twilio_([a-z_]+?)(?:_(v[0-9]+|organizations|scim|sdk|oneconsole|v2010))?\.json"
)
_SENDS = frozenset(
    {
        "api.CreateMessage", "api.CreateCall", "api.CreateParticipant", "chat.CreateMessage",
        "conversations.CreateConversationMessage", "conversations.CreateServiceConversationMessage",
        "fax.CreateFax", "ip_messaging.CreateMessage", "notify.CreateNotification",
        "proxy.CreateMessageInteraction", "verify.CreateVerification", "verify.CreateChallenge",
        "verify.CreateNotification", "supersim.CreateSmsCommand", "wireless.CreateCommand",
        "supersim.CreateIpCommand", "messaging.CreateMessage", "messaging.CreateMessages",
        "flex.CreateInteractionChannelInvite", "messaging.CreateUsAppToPersonOtp",
        "messaging.CreateBrandRegistrationOtp", "api.CreateValidationRequest",
        "preview.CreateCommand",
    }
)  # fmt: skip
"""They reach a person or a device outside."""
_RUNS = frozenset(
    {
        "api.UpdateCall", "api.UpdateConference", "api.UpdateParticipant", "studio.CreateExecution",
        "studio.CreateEngagement", "serverless.CreateBuild", "serverless.CreateDeployment",
        "verify.CreateVerificationCheck", "verify.UpdateVerification", "api.CreatePayments",
        "api.UpdatePayments", "api.UpdateMember", "bulkexports.CreateExportCustomJob",
        "assistants.CreateSession",
    }
)  # fmt: skip
_ADMIN = re.compile(
    r"Key|Credential|Token|Account(?!Config)|Role|User(?!Defined|Conversation|Channel|Binding)|Secret"
    r"|IpAddress|IpAccessControl|AuthCalls|AuthRegistrations|SecureTransport|DialingPermissions"
    r"|Permission|ConnectApp|Organization|OAuthApp|PublicKey|Certificate|Grant|AccessToken"
)
_NO_ADMIN = re.compile(
    r"^(?:chat|ip_messaging|conversations|notify|flex|insights|video|preview)\.\w*User"
    r"|CreateUsAppToPerson|^frontline|^studio|^insights|^trusthub|^numbers|^verify.*(?:Factor|Challenge|Entity)"
)
_MINTS = re.compile(r"(?:Create|Update)\w*(?:NewKey|NewSigningKey|Token|AuthToken\w*|ApiKey)$")
_CREDENTIALS = frozenset(
    {
        "api.FetchAccount", "api.ListAccount", "api.CreateAccount", "api.UpdateAccount",
        "api.CreateToken", "iam.CreateNewKey", "verify.CreateAccessToken", "iam.CreateToken",
        "accounts.CreateSecondaryAuthToken", "accounts.UpdateAuthTokenPromotion", "iam.CreateKey",
        "iam.UpdateApiKey", "media.CreatePlayerStreamerPlaybackGrant",
    }
)  # fmt: skip
"""Accounts are answered with their auth token, even when they are only fetched."""
_BUYS = re.compile(r"^(?:api\.CreateIncomingPhoneNumber|numbers\.Create\w*Order|routes\.)")


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section a host: a product with all its versions."""
    folder = folders["@twilio/cli-core"] / "package" / "src" / "services" / "twilio-api"
    by_host: dict[str, dict[str, Row]] = {}
    for path in sorted(folder.glob("twilio_*.json")):
        found = _FILE.fullmatch(path.name)
        assert found is not None, path.name
        domain = found.group(1)
        imported = rows_of_openapi(
            json.loads(path.read_bytes()),
            provider=PROVIDER,
            options=OpenApiOptions(rules=RowRules(), prefix=f"twilio.{domain}."),
        )
        for host in imported.hosts:
            rows = by_host.setdefault(host, {})
            for row in imported.rows:
                rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", row.wire), _judged(row))
    hosts = {"flex": "flex-api", "frontline": "frontline-api"}
    for domain, resource in resources_of(folders["twilio"] / "twilio"):
        label = hosts.get(domain, domain).replace("_", "-")
        newer = row_of(resource, RowRules())
        rows = by_host.setdefault(f"{label}.twilio.com", {})
        rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", newer.wire), _judged(newer))
    return [NewSection(host, list(rows.values()), (host,)) for host, rows in by_host.items()]


def _judged(row: Row) -> Row:
    name = row.operation.removeprefix("twilio.")
    if row.kind is Kind.READ:
        return replace(row, sensitive="credentials") if name in _CREDENTIALS else row
    kind = row.kind
    if name in _SENDS:
        kind = Kind.SEND
    elif name in _RUNS:
        kind = Kind.EXECUTE
    elif _ADMIN.search(name) and not _NO_ADMIN.search(name):
        kind = Kind.ADMIN
    elif kind is Kind.ADMIN and _NO_ADMIN.search(name):
        kind = (
            Kind.CREATE if ".Create" in name else Kind.UPDATE if ".Update" in name else Kind.DELETE
        )
    mints = name in _CREDENTIALS or _MINTS.search(name) is not None
    final = kind is Kind.SEND or _BUYS.search(name) is not None
    return replace(
        row,
        kind=kind,
        sensitive="credentials" if mints else "",
        reversible=row.reversible and not final,
    )
