"""One described operation becomes one row, the same way for every importer."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.params import Field
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind


def described(name: str, method: str = "POST", path: str = "/v1/things", **more: Any) -> Described:
    """An operation whose words are its whole name."""
    return Described(name, method, path, words_of(name), **more)


ACTIONS = {
    "a verb and its object": (described("createThings"), "create_thing"),
    "the group lends its noun": (described("delete", "DELETE", group="repos"), "delete_repo"),
    "before a preposition, too": (
        described("list-for-org", "GET", group="repos"),
        "list_repo_for_org",
    ),
    "the path lends its noun": (described("get", "GET", "/v1/things/{id}"), "get_thing"),
    "no verb": (described("thingReport", "GET"), "get_thing_report"),
    "a method for a verb": (described("post_things_x"), "call_things_x"),
    "put for a verb": (described("put_thing", "PUT"), "update_thing"),
    "the verb at the end": (described("thing_create"), "create_thing"),
    "the verb in the path": (described("orderX", path="/o/{id}/cancel"), "cancel_order_x"),
    "a method at the end": (described("workflowRuleSearch_post"), "search_workflow_rule"),
}


@pytest.mark.parametrize("case", ACTIONS)
def test_the_derived_action(case: str) -> None:
    """`verb_noun`, whatever the spelling of the name is."""
    found, action = ACTIONS[case]

    assert row_of(found, RowRules()).action == action


FINAL = {
    "a delete": (described("deleteThing", "DELETE"), True),
    "a removal": (described("removeLabel", "DELETE"), False),
    "a DELETE without a verb": (described("thing", "DELETE"), True),
    "a send": (described("sendMail"), True),
    "money out": (described("createPayout"), True),
    "a read of money": (described("getPayout", "GET"), False),
    "an update": (described("updateThing", "PATCH"), False),
}


@pytest.mark.parametrize("case", FINAL)
def test_what_nothing_takes_back(case: str) -> None:
    """Deletes of things, sends, and money that goes out."""
    found, final = FINAL[case]

    assert row_of(found, RowRules()).reversible is not final


def test_who_puts_a_secret_has_it_already() -> None:
    """A PUT that sets a secret sends none back; a POST that makes one does."""
    assert row_of(described("create-secret", "PUT"), RowRules()).sensitive == ""
    assert row_of(described("create-secret", "POST"), RowRules()).sensitive == "credentials"


def test_a_provider_knows_better() -> None:
    """Kinds and marks by name go before everything that is derived."""
    rules = RowRules(
        kinds={"askThing": Kind.READ},
        credentials=frozenset({"askThing"}),
        no_credentials=frozenset({"createToken"}),
        irreversible=frozenset({"moveThing"}),
    )

    assert row_of(described("askThing"), rules).kind is Kind.READ
    assert row_of(described("askThing"), rules).sensitive == "credentials"
    assert row_of(described("createToken"), rules).sensitive == ""
    assert not row_of(described("moveThing"), rules).reversible


def test_reads_have_params_of_their_path_only() -> None:
    """What a read asks for is no param; what an act carries is."""
    fields = (Field("name", "body.name"),)
    path = "/a/{org}/things/{id}"

    read = row_of(described("getThing", "GET", path, fields=fields), RowRules())
    act = row_of(described("updateThing", "PATCH", path, fields=fields), RowRules())

    assert list(read.params) == ["org"]
    assert list(act.params) == ["name", "org"]


def test_a_scope_does_not_outweigh_a_verb_that_acts() -> None:
    """A token that may read suffices for some acts, in some documents."""
    assert row_of(described("purgeThings", is_read=True), RowRules()).kind is Kind.DELETE
    assert row_of(described("thingReport", is_read=True), RowRules()).kind is Kind.READ
