"""Kinds are derived from authority, name and method; what is unsure is never a read."""

from __future__ import annotations

import pytest

from gateway.canonicalize.naming.kinds import (
    KIND_BY_VERB,
    changes_access,
    derived_kind,
    object_of,
    raised_kind,
    sensitivity,
)
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

KINDS = {
    "a reading verb by GET": ("list-hooks", "GET", None, "read"),
    "a reading verb by POST": ("searchContacts", "POST", None, "read"),
    "a reading verb by PUT is none": ("getThing", "PUT", None, "update"),
    "a reading verb by DELETE is none": ("listThings", "DELETE", None, "delete"),
    "an unsure verb by GET": ("checkAvailability", "GET", None, "read"),
    "an unsure verb by POST": ("checkAvailability", "POST", None, "unknown"),
    "an unsure verb over RPC": ("QueryTable", "", None, "unknown"),
    "an act by GET": ("deleteThing", "GET", None, "delete"),
    "a proxy by GET": ("connectGetNamespacedPodExec", "GET", None, "execute"),
    "a noun that is a verb too, by GET": ("releases", "GET", None, "read"),
    "the same by POST": ("releaseAddress", "POST", None, "delete"),
    "no verb by GET": ("codeowners-errors", "GET", None, "read"),
    "no verb by POST": ("widgets", "POST", None, "unknown"),
    "no verb by PATCH": ("widgets", "PATCH", None, "update"),
    "no verb over RPC": ("Widgets", "", None, "unknown"),
    "behind a prefix": ("BatchDeleteImage", "", None, "delete"),
    "behind a prefix, reading": ("batchGetItems", "POST", None, "read"),
    "get or create": ("getOrCreateUser", "POST", None, "create"),
    "list and delete by GET": ("list_and_delete", "GET", None, "delete"),
    "the verb at the end": ("item_get", "POST", None, "read"),
    "an act at the end": ("item_public_token_exchange", "POST", None, "execute"),
    "an act between noun and read": ("item_remove_get", "POST", None, "unknown"),
    "mark as read": ("markAsRead", "POST", None, "update"),
    "only `read` at the end": ("notificationRead", "POST", None, "unknown"),
    "authority says read": ("PollForJobs", "POST", True, "read"),
    "authority says read, and DELETE doesn't": ("listThings", "DELETE", True, "delete"),
    "authority says read by PUT of an act": ("setThing", "PUT", True, "update"),
    "authority and name say read by PUT": ("searchThings", "PUT", True, "read"),
    "authority says it isn't": ("GetSessionToken", "GET", False, "execute"),
    "authority says it isn't, name says what": ("DeleteThing", "POST", False, "delete"),
}


@pytest.mark.parametrize("case", KINDS)
def test_the_kind_of_an_operation(case: str) -> None:
    """Authority before verb before method."""
    name, method, is_read, kind = KINDS[case]

    assert derived_kind(words_of(name), method, is_read=is_read).value == kind


ACCESS = {
    "set-membership-for-user": True,
    "add-user-to-group": True,
    "createApiKey": True,
    "rotate_client_secret": True,
    "update-branch-protection": True,
    "UpdateRole": True,
    "create-fork": False,
    "repos-create-for-authenticated-user": False,
    "update-user-settings": False,
    "create_key_value": False,
}


@pytest.mark.parametrize("name", ACCESS)
def test_what_changes_access(name: str) -> None:
    """Roles, members, keys: but a user after a preposition, or before another noun, is none."""
    words = words_of(name)

    assert changes_access(words) is ACCESS[name]
    assert (raised_kind(Kind.CREATE, words) is Kind.ADMIN) is ACCESS[name]
    assert raised_kind(Kind.READ, words) is Kind.READ


SENSITIVE = {
    "createApiKey": "credentials",
    "generate-access-token-for-app": "credentials",
    "client_secret_rotate": "credentials",
    "deleteApiKey": "",
    "create-fork": "",
    "listTokens": "",
}


@pytest.mark.parametrize("name", SENSITIVE)
def test_what_mints_credentials(name: str) -> None:
    """Making a key or a token sends it back; deleting one doesn't."""
    words = words_of(name)
    verb_first = words if words[0] in KIND_BY_VERB else [words[-1], *words[:-1]]

    assert sensitivity(derived_kind(words), verb_first) == SENSITIVE[name]


def test_the_object_ends_at_a_preposition() -> None:
    """What stands behind `for` is whom it is for, not what it acts on."""
    assert object_of(words_of("set-memberships-for-user")) == ["membership"]
    assert object_of(words_of("item_get")) == ["item"]
