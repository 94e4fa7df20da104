"""Cloudflare's API, from the source of its Python SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.python_calls import read_sdk_calls
from gateway.authoring.imports.sdk.rows import sdk_rows, without_aliases
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "cloudflare"
SOURCES = (
    Source(
        "pypi",
        "cloudflare",
        "5.9.0",
        "Apache-2.0",
        "70f0c966c26802837fe7ebe95a7b4a14c723159e742bc49d34642b21a2dc11b5",
    ),
)
_AGGREGATE = "aggregates stored events; the question is too long for a URL"
_TELEMETRY = "asks for stored telemetry; nothing is kept of the question"
_SEARCH = "a search of an index, which stays as it is"
READS = {
    f"cloudflare.{name}": reason
    for name, reason in {
        "analytics_query.summary": _AGGREGATE,
        "analytics_query.timeseries": _AGGREGATE,
        "analytics_query.top_n": _AGGREGATE,
        "analytics_query.data_security.content_findings.top_n": _AGGREGATE,
        "analytics_query.data_security.findings.summary": _AGGREGATE,
        "analytics_query.data_security.findings.timeseries": _AGGREGATE,
        "workers.observability.telemetry.query": _TELEMETRY,
        "workers.observability.telemetry.keys": _TELEMETRY,
        "workers.observability.telemetry.values": _TELEMETRY,
        "kv.namespaces.bulk_get": "gives the values of many keys at once",
        "queues.messages.peek": "shows messages without leasing them",
        "pages.assets.check_missing": "says which of the given hashes are not stored",
        "registrar.check": "asks registries whether names are free",
        "registrar.transfer_check": "asks whether names could be transferred",
        "registrar_sandbox.check": "asks whether names are free, in a sandbox",
        "zero_trust.dlp.patterns.validate": "says whether a regular expression is one",
        "pipelines.validate_sql": "says whether a statement is correct, and runs nothing",
        "billing.address_validation": "says whether an address exists, and stores nothing",
        "vectorize.indexes.query": _SEARCH,
        "vectorize.indexes.get_by_ids": "gives vectors by their ids",
        "aisearch.instances.search": _SEARCH,
        "aisearch.namespaces.search": _SEARCH,
        "aisearch.namespaces.instances.search": _SEARCH,
        "ai_audit.robots.bulk_get": "gives the robots.txt of many domains at once",
        "radar.datasets.download": "gives the URL of a public data set",
        "cloudforce_one.requests.list": "a list with filters in its body",
        "cloudforce_one.requests.message.get": "a list with filters in its body",
        "ai_gateway.billing.topup.status": "asks how far a payment is",
        "logpush.validate.destination_exists": "says whether a job has this destination",
    }.items()
}  # fmt: skip
JUDGEMENT = Judgement(
    reads=READS,
    acts={
        f"cloudflare.{name}": kind
        for name, kind in {
            # A GET that acts: it links an account, steers a browser, or opens a socket to one.
            "alerting.destinations.pagerduty.link": Kind.ADMIN,
            "browser_rendering.devtools.browser.targets.activate": Kind.EXECUTE,
            "browser_rendering.devtools.browser.targets.close": Kind.EXECUTE,
            "browser_rendering.devtools.browser.connect": Kind.EXECUTE,
            "browser_rendering.devtools.browser.launch": Kind.EXECUTE,
            "kv.namespaces.bulk_delete": Kind.DELETE,
            "d1.database.query": Kind.EXECUTE,
            "d1.database.raw": Kind.EXECUTE,
            "r2.super_slurper.connectivity_precheck.source": Kind.EXECUTE,
            "r2.super_slurper.connectivity_precheck.target": Kind.EXECUTE,
        }.items()
    },
    admin=re.compile(
        r"\.members\.|\.memberships\.|\.roles?\.|\.tokens\.|\.permission|\.iam\.|\.sso"
        r"|\.user\.(?!billing|load_balanc)|^cloudflare\.user\.(?:update|edit)$|\.service_tokens\."
        r"|zero_trust\.access\.(?:applications|policies|groups|identity|certificates|keys|users"
        r"|infrastructure|ai_controls|saml|gateway_ca|idp)|\.identity_providers\.|\.oauth"
        r"|client_secret|images\.v1\.keys\.|stream\.keys\."
        r"|^cloudflare\.(?:accounts|organizations|tenants)\.(?:create|update|delete|move)"
        r"|secrets?_store|\.scripts\.secrets\.|\.credentials\.|registration_tokens"
        r"|zero_trust\.organizations\.|devices\.(?:revoke|unrevoke|override)|\.account_moves?\."
    ),
    executes=re.compile(r"\.ai\.run$|chat_completions$|\.live_tail"),
    credentials=re.compile(
        r"\.tokens\.create$|\.tokens\.value\.update$|client_secret\.create|credentials\.generate"
        r"|temporary_credentials\.create|catalog\.credentials\.create|rotate_secret"
        r"|service_tokens\.(?:create|rotate|refresh)|psk_generate|stream\.(?:keys|token)\.create"
        r"|images\.v1\.keys\.(?:list|update)|get_upload_token|(?:cloudflared|warp_connector)\.token"
        r"|vpc_flows\.tokens|refresh_participant_token|add_participant|calls\.(?:turn|sfu)\.create"
        r"|iam\.oauth_clients\.create|turnstile\.widgets\.(?:create|get|update)"
        r"|stream\.live_inputs\.(?:create|get|update)|tsigs\.|override_codes|hyperdrive.*rotate"
        r"|moq\.relays\.create"
    ),
    irreversible=re.compile(
        r"\.purge|bulk_delete|registrar\.registrations\.create|registrar.*transfer|\.revoke"
        r"|kick|queues\.messages\.(?:push|bulk_push)|topup\.create|rotate"
    ),
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    calls = read_sdk_calls(folders["cloudflare"], "cloudflare", "Cloudflare")
    # The keys of R2's objects have slashes in them.
    keyed = (
        replace(call, template=call.template.replace("{object_key}", "{object_key+}"))
        for call in calls
    )
    named = without_aliases(PROVIDER, keyed)
    return [NewSection(PROVIDER, sdk_rows(named, JUDGEMENT, prefix="/client/v4"))]
