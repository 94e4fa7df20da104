"""What the catalogs of money, messages, infrastructure and work say, as they are shipped."""

from __future__ import annotations

import functools
import re

import pytest

from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import load_catalog, load_section
from gateway.canonicalize.catalog.lines import row_of
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.content import mappers_dir
from gateway.model.action import Kind

CATALOGS = (
    "adyen", "azure", "cohere", "databricks", "deepgram", "discord", "dropbox", "elasticsearch",
    "elevenlabs", "groq", "increase", "intercom", "knock", "lithic", "mailchimp", "modern_treasury",
    "msgraph", "neon", "orb", "paypal", "resend", "shopify", "square", "telegram", "telnyx",
    "vercel", "webflow",
)  # fmt: skip
READING_NAME = re.compile(
    r"(?:^|[._])(?:get|list|search|find|count|query|lookup|retrieve|check|describe|preview|explain"
    r"|validate|scan|read)(?:[._A-Z0-9]|$)|(?:Get|List|Search|Download|Count|Info)",
)
ANALYSES = """
cluster.allocation_explain eql.search field_caps fleet.msearch graph.explore indices.analyze
indices.resolve_index mget ml.estimate_model_memory ml.evaluate_data_frame msearch msearch_template
mtermvectors open_point_in_time query_rules.test rank_eval render_search_template
rollup.rollup_search scroll security.has_privileges security.has_privileges_user_profile
security.suggest_user_profiles sql.translate terms_enum termvectors text_structure.test_grok_pattern
"""
"""Searches and analyses of Elasticsearch."""
READS_UNDER_ANOTHER_NAME = {
    "adyen": {
        "balancePlatform.transfer_routes_api.calculate_transfer_routes": "computes routes",
        "capital.dynamic_offers_api.calculate_preliminary_offer_from_dynamic_offer": "computes",
        "checkout.payments_api.card_details": "looks a card's brand up",
        "checkout.payments_api.payment_methods": "lists what a shop takes",
        "legalEntityManagement.pci_questionnaires_api.calculate_pci_status_of_legal_entity":
            "computes",
    },
    "azure": {
        "CostManagement.Forecast.usage": "computes a forecast",
        "CostManagement.Forecast.external_cloud_provider_usage": "computes a forecast",
        "CostManagement.Query.usage": "a query, by its path",
        "CostManagement.Query.usage_by_external_cloud_provider_type": "a query, by its path",
        "ResourceGraph.ResourceGraphClient.resources": "a query, by Azure's own role: `read`",
        "Resources.Deployments.calculate_template_hash": "computes",
    },
    "databricks": {"clusters.events": "lists events"},
    "dropbox": {
        "filesExport": "gives a file in another format; its scope is one of reading",
        "openidUserinfo": "tells who is asking",
        "filesAlphaGetMetadata": "its scope is one of reading",
        "filesCopyReferenceGet": "named so",
    },
    "elasticsearch": dict.fromkeys(ANALYSES.split(), "stores nothing"),
    "msgraph": {
        "me.translate_exchange_ids.post": "translates ids",
        "users.by_user_id.translate_exchange_ids.post": "translates ids",
        "solutions.backup_restore.browse_sessions.by_browse_session_base_id.browse.post":
            "lists what a backup holds",
    },
    "orb": {
        "prices.evaluate": "computes a price",
        "prices.evaluate_multiple": "computes prices",
    },
    "shopify": {"Refund.calculate": "computes what a refund would be"},
    "square": {"orders.calculate": "computes a price", "reporting.load": "a query"},
    "vercel": {"artifactQuery": "asks which artifacts there are"},
}  # fmt: skip
"""POSTs that read though their names don't say so, each with why that is right."""
LEADS = re.compile(r"what_if|usage|getPosition|has[A-Z]|findMeetingTimes|fetch", re.IGNORECASE)


@functools.cache
def rows(name: str) -> tuple[Row, ...]:
    """Every row of a shipped catalog."""
    catalog = load_catalog(mappers_dir() / "catalogs" / f"{name}.cat")
    return tuple(row_of(line) for part in catalog.sections for line in load_section(catalog, part))


@pytest.mark.parametrize("name", CATALOGS)
def test_nothing_but_posts_and_gets_reads(name: str) -> None:
    """A PUT, PATCH or DELETE changes something, whatever it is called."""
    methods = {row.wire.partition(" ")[0] for row in rows(name) if row.kind is Kind.READ}

    assert methods <= {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("name", CATALOGS)
def test_a_post_that_reads_says_so_or_has_a_reason(name: str) -> None:
    """By a verb that reads in its own name, or listed with why."""
    reads = {
        row.operation
        for row in rows(name)
        if row.kind is Kind.READ and row.wire.startswith("POST ")
    }
    listed = READS_UNDER_ANOTHER_NAME.get(name, {})
    unexplained = {
        operation
        for operation in reads - listed.keys()
        if not READING_NAME.search(operation) and not LEADS.search(operation)
    }

    assert unexplained == set()
    assert listed.keys() - reads == set()


@pytest.mark.parametrize("name", CATALOGS)
def test_no_secret_is_recorded(name: str) -> None:
    """Neither as a param nor in a target's id."""
    found = [
        (row.operation, part)
        for row in rows(name)
        for part in (*row.params, *re.findall(r"\.(\w+)", row.target_id))
        if looks_secret(part)
    ]

    assert found == []


@pytest.mark.parametrize("name", CATALOGS)
def test_a_deletion_is_marked_as_final(name: str) -> None:
    """But for what one call puts back: a tag, a reaction, a pin, a ban, a cursor."""
    light = re.compile(
        r"untag|detach|unlink|[Rr]eaction|[Pp]in\.|[Bb]an\.|thread_?[Mm]ember|[Ff]ollow|Recipient"
        r"|MemberRole|scroll|point_in_time|Features\.|deleteMyCommands|deleteWebhook|unarchive"
        r"|filesDelete|filesRestore|deleteMessageReaction"
    )
    found = [
        row.operation
        for row in rows(name)
        if row.kind is Kind.DELETE and row.reversible and not light.search(row.operation)
    ]

    assert found == []


MONEY: dict[str, tuple[str, str, str]] = {
    "a refund by Adyen": (
        "adyen", "checkout.modifications_api.refund_captured_payment", "money_minor",
    ),
    "a payout by Adyen": ("adyen", "payout.instant_payouts_api.payout", "money_minor"),
    "a refund by PayPal": (
        "paypal", "PaymentsController.refundCapturedPayment", "money_decimal",
    ),
    "a refund by Square": ("square", "refunds.refund_payment", "money_minor"),
    "a payment by Square": ("square", "payments.create", "money_minor"),
    "a refund by Shopify": ("shopify", "Refund.post", "money_decimal"),
}  # fmt: skip


@pytest.mark.parametrize("case", MONEY)
def test_money_is_typed_and_cant_be_taken_back(case: str) -> None:
    """An amount in minor units, or decimal with the address of its currency."""
    name, operation, kind = MONEY[case]
    found = [row for row in rows(name) if row.operation == operation and "amount" in row.params]

    assert found
    assert {row.params["amount"].type for row in found} == {kind}
    assert {row.params["currency"].type for row in found} == {"currency"}
    assert not any(row.reversible for row in found)


SECRETS: dict[str, tuple[str, str]] = {
    "Graph's application passwords": (
        "msgraph", "applications.by_application_id.add_password.post",
    ),
    "Graph's local administrator passwords": (
        "msgraph", "directory.device_local_credentials.by_device_local_credential_info_id.get",
    ),
    "the keys of Azure's storage": ("azure", "Storage.StorageAccounts.list_keys"),
    "a Neon connection with its password": ("neon", "getConnectionURI"),
    "a Vercel token": ("vercel", "createAuthToken"),
    "an Adyen API key": (
        "adyen", "management.api_key_company_level_api.generate_new_api_key",
    ),
    "a Databricks token": ("databricks", "tokens.create"),
    "an Elasticsearch key": ("elasticsearch", "security.create_api_key"),
    "a Resend key": ("resend", "ApiKeys.create"),
    "Square's OAuth": ("square", "o_auth.obtain_token"),
    "a webhook of Discord, whose address is enough to post": ("discord", "channelWebhooks.get"),
    "a token of a Vercel project": ("vercel", "getProjectToken"),
    "the SIP passwords of Telnyx": ("telnyx", "telephony_credentials.retrieve"),
    "a temporary link of Dropbox": ("dropbox", "filesGetTemporaryLink"),
}  # fmt: skip


@pytest.mark.parametrize("case", SECRETS)
def test_what_gives_credentials_away_is_marked(case: str) -> None:
    """Whatever the provider calls it."""
    name, operation = SECRETS[case]

    assert {row.sensitive for row in rows(name) if row.operation == operation} == {"credentials"}
