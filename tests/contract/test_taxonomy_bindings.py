"""What the shipped mappers and catalogs call by a shared name is that act: its kind, its params.

A policy names an action once and means every provider. So each operation of a name is held to what
`mappers/actions.yaml` says of it; what can't be, is listed here one by one with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.canonicalize.authored.mapper import Mapper, load_mapper
from gateway.canonicalize.authored.overrides import Override
from gateway.canonicalize.authored.taxonomy import (
    TAXONOMY_FILE,
    Taxonomy,
    load_taxonomy,
    meaning_of,
)
from gateway.canonicalize.catalog.file import load_catalog, load_section
from gateway.canonicalize.catalog.lines import row_of
from gateway.canonicalize.library import CATALOGS
from gateway.canonicalize.naming.words import singular
from gateway.content import mappers_dir
from gateway.model.action import Kind

PROVIDERS_OF = {
    "send_email": {
        "aws",
        "google",
        "msgraph",
        "sendgrid",
        "resend",
        "hubspot",
        "mailgun",
        "postmark",
    },
    "send_message": {"slack", "twilio", "msgraph", "discord", "telegram", "google", "aws"},
    "create_refund": {"stripe", "paypal", "square", "adyen", "shopify"},
    "create_payout": {"stripe", "paypal", "adyen"},
    "delete_bucket": {"aws", "google", "azure", "cloudflare"},
    "terminate_instance": {"aws", "google", "azure"},
    "delete_database": {"aws", "google", "azure", "cloudflare"},
    "create_access_key": {"aws", "google", "msgraph", "sendgrid", "cloudflare", "datadog"},
    "grant_role": {"aws", "google", "azure", "github", "kubernetes", "msgraph"},
    "merge_pull_request": {"github", "gitlab", "aws"},
    "delete_repository": {"github", "gitlab", "aws"},
    "rotate_secret": {"aws", "azure"},
    "invite_user": {"slack", "github", "openai", "anthropic", "sendgrid", "msgraph", "cloudflare"},
    "execute_sql": {"aws", "google", "cloudflare", "databricks"},
    "create_dns_record": {"cloudflare", "google", "azure"},
    "create_incident": {"pagerduty", "datadog", "aws"},
    "create_issue": {"github", "jira", "linear"},
    "create_ticket": {"zendesk", "intercom", "hubspot", "jira", "aws"},
}
"""Names that a policy's author reaches for first, and who must be meant by them."""

OTHER_KINDS = {
    "supabase.rest.select": "the path says which statement it is, and the kind is the statement's",
    "supabase.rest.insert": "the path says which statement it is, and the kind is the statement's",
    "supabase.rest.upsert": "the path says which statement it is, and the kind is the statement's",
    "supabase.rest.update": "the path says which statement it is, and the kind is the statement's",
    "supabase.rest.delete": "the path says which statement it is, and the kind is the statement's",
}
"""Operations whose kind is not that of their name, and why."""

_DRAFT = "a draft or an answer: who gets it is in the mailbox, and not in the request"
_UPLOAD = "an upload's body is no JSON; without one the recipients are read"
MISSING = {
    "gmail.users.messages.send": _UPLOAD,
    "gmail.users.drafts.send": _UPLOAD,
    "me.messages.by_message_id.send.post": _DRAFT,
    "me.messages.by_message_id.reply.post": _DRAFT,
    "me.messages.by_message_id.reply_all.post": _DRAFT,
    "me.mail_folders.by_mail_folder_id.messages.by_message_id.send.post": _DRAFT,
    "me.mail_folders.by_mail_folder_id.child_folders.by_mail_folder_id1.messages"
    ".by_message_id.send.post": _DRAFT,
    "users.by_user_id.messages.by_message_id.send.post": _DRAFT,
    "users.by_user_id.messages.by_message_id.reply.post": _DRAFT,
    "users.by_user_id.messages.by_message_id.reply_all.post": _DRAFT,
    "users.by_user_id.mail_folders.by_mail_folder_id.messages.by_message_id.send.post": _DRAFT,
    "users.by_user_id.mail_folders.by_mail_folder_id.child_folders.by_mail_folder_id1.messages"
    ".by_message_id.send.post": _DRAFT,
    "InboxDrafts.send": _DRAFT,
    "InboxThreadEmails.reply": _DRAFT,
    "referenced-payouts-items.create": "pays out what a transaction came to, without saying it",
    "referenced-payouts.create_batch": "pays out what transactions came to, without saying it",
    "Refund.post": "several transactions have several amounts, and none of them is the amount",
    "shopify.graphql.mutation.refundCreate": "several transactions have several amounts",
    "checkout.modifications_api.refund_or_cancel_payment": "gives back whatever there is",
    "refundStarPayment": "gives a whole payment back, in a currency that is none",
    "incoming-webhook": "takes JSON and JSON inside a form; its body is not read",
    "sobjects.delete.GroupMember": "names the membership, and not who had it",
    "orders.refund": "gives back all of an order's money, without saying it",
    "mcp.create_refund": "a tool names its arguments as it likes",
}
"""Operations that do not give every param of their name, and why."""

ONE_CURRENCY = {"increase", "lithic"}
"""Providers that move dollars only, and so name no currency."""


@dataclass(frozen=True, slots=True)
class Binding:
    """An operation under its action's name. `where` is `written` in a mapper, or `imported`."""

    provider: str
    operation: str
    action: str
    kind: Kind
    params: tuple[tuple[str, str], ...]
    where: str


def load_bindings() -> Iterator[Binding]:
    """Every operation of every shipped mapper, with its catalog below it."""
    folder = mappers_dir()
    catalogs = {path.stem: path for path in (folder / CATALOGS).glob("*.cat")}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == TAXONOMY_FILE:
            continue
        mapper, problems = load_mapper(path, catalogs)
        assert mapper is not None, problems
        for entry in mapper.operations:
            params = tuple((param.name, param.type.value) for param in entry.params)
            yield Binding(
                entry.provider, entry.operation, entry.action, entry.kind, params, "written"
            )
        if mapper.extends:
            yield from _load_imported(mapper, catalogs[mapper.extends])


def _load_imported(mapper: Mapper, path: Path) -> Iterator[Binding]:
    written = {(entry.operation, entry.method) for entry in mapper.operations}
    overrides: dict[str, list[Override]] = defaultdict(list)
    for override in mapper.overrides:
        overrides[override.operation].append(override)
    catalog = load_catalog(path)
    for name in catalog.sections:
        for line in load_section(catalog, name):
            row = row_of(line)
            if (row.operation, row.wire.partition(" ")[0]) in written:
                continue
            changes = overrides.get(row.operation)
            for change in changes or [None]:
                found = row if change is None else change.apply(row)
                params = tuple((name, param.type) for name, param in found.params.items())
                where = "imported" if change is None else "written"
                yield Binding(
                    mapper.provider, row.operation, found.action, found.kind, params, where
                )


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    found, problems = load_taxonomy(mappers_dir() / TAXONOMY_FILE)
    assert found is not None, problems
    return found


@pytest.fixture(scope="module")
def bindings(taxonomy: Taxonomy) -> list[Binding]:
    """The operations that have a name of the taxonomy."""
    return [binding for binding in load_bindings() if binding.action in taxonomy.actions]


def test_every_operation_has_the_kind_of_its_name(
    taxonomy: Taxonomy, bindings: list[Binding]
) -> None:
    """Or is administration on its provider's own word, which is stricter. A read is nothing else,
    and nothing else is a read."""
    wrong = {
        (binding.provider, binding.operation, binding.action, binding.kind.value)
        for binding in bindings
        if binding.operation not in OTHER_KINDS
        and binding.kind is not taxonomy.actions[binding.action].kind
        and (binding.kind is not Kind.ADMIN or taxonomy.actions[binding.action].kind is Kind.READ)
    }

    assert wrong == set()


def test_every_param_has_the_type_of_its_name(taxonomy: Taxonomy, bindings: list[Binding]) -> None:
    """Money is minor units, recipients are a list, whoever offers the act."""
    wrong = {
        (binding.provider, binding.operation, name, kind)
        for binding in bindings
        for name, kind in binding.params
        if taxonomy.actions[binding.action].param(name) not in (None, meaning_of(kind))
    }

    assert wrong == set()


def test_every_operation_gives_the_params_of_its_name(
    taxonomy: Taxonomy, bindings: list[Binding]
) -> None:
    """What a rule compares must be there to compare."""
    lacking = {
        (binding.provider, binding.operation, name)
        for binding in bindings
        for name in taxonomy.actions[binding.action].params
        if name not in dict(binding.params)
        and binding.operation not in MISSING
        and not (name == "currency" and binding.provider in ONE_CURRENCY)
    }

    assert lacking == set()


def test_exceptions_are_needed(taxonomy: Taxonomy, bindings: list[Binding]) -> None:
    """What is listed above and holds again must not stay listed."""
    short = {
        binding.operation
        for binding in bindings
        if taxonomy.actions[binding.action].params.keys() - dict(binding.params).keys()
    }
    other = {
        binding.operation
        for binding in bindings
        if binding.kind is not taxonomy.actions[binding.action].kind
    }

    assert MISSING.keys() - short == set()
    assert OTHER_KINDS.keys() - other == set()


def test_names_are_shared(taxonomy: Taxonomy, bindings: list[Binding]) -> None:
    """Well over the promised 60 names mean two or more providers, params included."""
    providers: dict[str, set[str]] = defaultdict(set)
    for binding in bindings:
        if not taxonomy.actions[binding.action].params.keys() - dict(binding.params).keys():
            providers[binding.action].add(binding.provider)

    assert sum(len(found) >= 2 for found in providers.values()) >= 100
    assert taxonomy.actions.keys() - providers.keys() == set()


@pytest.mark.parametrize("action", PROVIDERS_OF)
def test_a_name_means_who_it_must(bindings: list[Binding], action: str) -> None:
    """The promised providers are among those that the name means."""
    found = {binding.provider for binding in bindings if binding.action == action}

    assert PROVIDERS_OF[action] - found == set()


def test_written_names_are_singular() -> None:
    """A name that a person wrote into a mapper has the form of all others."""
    plural = {
        (binding.provider, binding.action)
        for binding in load_bindings()
        if binding.where == "written"
        and any(singular(word) != word for word in binding.action.split("_")[1:])
    }

    assert plural == set()
