"""What an SDK's method becomes: kind, target, params and what can't be undone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.params import Field
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.model.action import Kind

JUDGEMENT = Judgement(
    kinds={"things.touch": Kind.UPDATE},
    reads=re.compile(r"\.look$"),
    sends=re.compile(r"^mails\.create$"),
    executes=re.compile(r"^gates\.get_pass$"),
    admin=re.compile(r"^locks\."),
    credentials=re.compile(r"^keys\.|get_secret$"),
    irreversible=re.compile(r"\.pay$"),
    reversible=re.compile(r"^labels\.delete$"),
    actions={"refunds.pay": "create_refund"},
    params={"refunds.pay": {"amount": RowParam("body.amount.value", "money_minor")}},
    posts_act=True,
)


def row(operation: str, method: str, path: str, judgement: Judgement = JUDGEMENT) -> Row:
    """A row for a call whose words are those of its name."""
    group, _, name = operation.rpartition(".")
    words = name.split("_")
    return row_of(Call(operation, method, path, (*words, group)), judgement)


KINDS: dict[str, tuple[str, str, str, Kind]] = {
    "a GET reads": ("things.status", "GET", "/things/{id}/status", Kind.READ),
    "a GET reads whatever its name": ("things.post", "GET", "/things", Kind.READ),
    "a verb decides before the method": ("things.delete", "POST", "/things/delete", Kind.DELETE),
    "a POST that searches reads": ("things.search", "POST", "/things/search", Kind.READ),
    "a POST that is known to answer reads": ("things.look", "POST", "/things/look", Kind.READ),
    "what answers is no read by PUT": ("things.look", "PUT", "/things/look", Kind.UPDATE),
    "an unknown verb by POST is an act": ("things.frobnicate", "POST", "/x", Kind.EXECUTE),
    "an unknown verb by DELETE deletes": ("things.frobnicate", "DELETE", "/x", Kind.DELETE),
    "one that is told by name": ("things.touch", "POST", "/things/touch", Kind.UPDATE),
    "a message": ("mails.create", "POST", "/mails", Kind.SEND),
    "a name that reads and acts": ("gates.get_pass", "POST", "/gates", Kind.EXECUTE),
    "what changes access": ("locks.update", "PUT", "/locks/{id}", Kind.ADMIN),
    "what changes roles, by its nouns": ("users.assign_role", "POST", "/roles", Kind.ADMIN),
    "reading access only reads": ("locks.list", "GET", "/locks", Kind.READ),
    "a POST that gives a secret": ("vaults.get_secret", "POST", "/vaults/secret", Kind.ADMIN),
    "a GET that gives a secret": ("vaults.get_secret", "GET", "/vaults/secret", Kind.READ),
}


@pytest.mark.parametrize(("case"), KINDS)
def test_a_kind_comes_from_the_best_authority(case: str) -> None:
    """The provider's own word, then the name, then the method; doubt never makes a read."""
    operation, method, path, kind = KINDS[case]

    assert row(operation, method, path).kind is kind


def test_where_the_method_means_nothing_the_name_decides() -> None:
    """A GET that sends is no read, and one that reads is."""
    rpc = Judgement(is_rpc=True, sends=re.compile("^x.send_message$"))

    assert row("x.send_message", "GET", "/x/sendMessage", rpc).kind is Kind.SEND
    assert row("x.get_message", "POST", "/x/getMessage", rpc).kind is Kind.READ


def test_without_posts_that_act_an_unknown_verb_stays_unknown() -> None:
    """Nobody said that it acts, and nobody that it reads."""
    assert row("things.frobnicate", "POST", "/x", Judgement()).kind is Kind.UNKNOWN


def test_a_last_noun_is_not_taken_for_a_verb() -> None:
    """`retarget schedule` schedules nothing, so nothing is sent."""
    call = Call("schedules.retarget", "POST", "/s", ("retarget", "global", "schedule"))

    assert row_of(call, JUDGEMENT).kind is Kind.EXECUTE


UNDOING: dict[str, tuple[str, str, bool]] = {
    "a deletion": ("things.delete", "DELETE", False),
    "a message": ("mails.create", "POST", False),
    "money": ("refunds.pay", "POST", False),
    "what is put back by one call": ("labels.delete", "DELETE", True),
    "a change": ("things.update", "PATCH", True),
    "a read": ("things.list", "GET", True),
}


@pytest.mark.parametrize("case", UNDOING)
def test_what_cant_be_undone_is_marked(case: str) -> None:
    """Deletions and messages unless the provider says otherwise, and what it says."""
    operation, method, is_reversible = UNDOING[case]

    assert row(operation, method, "/x/{id}").reversible is is_reversible


@pytest.mark.parametrize(
    ("operation", "method", "sensitive"),
    [
        ("keys.create", "POST", "credentials"),
        ("vaults.get_secret", "GET", "credentials"),
        ("users.create_token", "POST", "credentials"),
        ("users.list_token", "GET", ""),
        ("things.create", "POST", ""),
    ],
)
def test_what_gives_secrets_away_is_marked(operation: str, method: str, sensitive: str) -> None:
    """Also reads, where the provider is known to send secrets back."""
    assert row(operation, method, "/x").sensitive == sensitive


TARGETS: dict[str, tuple[str, str, str]] = {
    "the last variable": ("POST /orders/{orderId}/refunds", "order", "path.order_id"),
    "a collection": ("POST /orders", "order", ""),
    "a collection with a verb": ("POST /orders/bulk-create", "order", ""),
    "not a token in the path": ("POST /hooks/{id}/{token}", "hook", "path.id"),
    "not a version": ("POST /v{api_version}/orders", "order", ""),
    "nothing but a token": ("POST /bot{token}/send", "", ""),
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_target_is_read_from_the_path(case: str) -> None:
    """Its type is the literal before it; no secret and no version is ever one."""
    wire, kind, identity = TARGETS[case]
    method, _, path = wire.partition(" ")

    found = row("x.send", method, path)

    assert (found.target_type if kind else "", found.target_id) == (kind, identity)
    assert "token" not in str(found.params)
    assert "api_version" not in found.params


def test_params_are_what_is_known_then_the_most_telling_fields() -> None:
    """Known ones first, path variables besides the target, never secrets, at most eight."""
    fields = tuple(Field(name, f"body.{name}") for name in ("name", "idempotency_key", "password"))
    more = tuple(Field(f"field_{number}_id", f"body.field_{number}_id") for number in range(20))
    call = Call(
        "refunds.pay", "POST", "/shops/{shop}/orders/{order}/refunds", ("pay",), fields + more
    )

    found = row_of(call, JUDGEMENT)

    assert found.action == "create_refund"
    assert found.params["amount"] == RowParam("body.amount.value", "money_minor")
    assert found.params["shop"] == RowParam("path.shop")
    assert found.params["name"] == RowParam("body.name")
    assert found.params.keys().isdisjoint({"order", "idempotency_key", "password"})
    assert len(found.params) == 8


def test_a_read_has_the_params_of_its_path_only() -> None:
    """So that no body is read for it."""
    call: dict[str, Any] = {"fields": (Field("name", "body.name"),)}

    found = row_of(
        Call("things.search", "POST", "/shops/{shop}/things/{id}/search", ("search",), **call),
        JUDGEMENT,
    )

    assert found.params == {"shop": RowParam("path.shop")}
