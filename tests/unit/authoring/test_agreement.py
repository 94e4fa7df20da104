"""Imported operations keep the taxonomy's word: a name has one kind and its types everywhere."""

from __future__ import annotations

import pytest

from gateway.authoring.imports.agreement import agreed
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.authored.taxonomy import Taxonomy, parse_taxonomy
from gateway.canonicalize.catalog.file import NewSection
from gateway.model.action import Kind

TAXONOMY = b"""apiVersion: checkrein/v1
kind: Taxonomy
metadata: {name: actions}
spec:
  actions:
    all:
      create_user: {meaning: let in, kind: admin, risk: high, also: [add_user, "make_*_user"]}
      update_group: {meaning: change who belongs, kind: admin, risk: high}
      list_user: {meaning: read who, kind: read, risk: low, also: [query_user]}
      purge_cache: {meaning: forget, kind: delete, risk: high}
      create_refund:
        meaning: give back
        kind: create
        risk: high
        params: {amount: money, currency: currency, count: integer, fast: boolean}
        optional: {recipients: list, note: text}
"""


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    found, problems = parse_taxonomy(TAXONOMY, "actions.yaml")
    assert problems == []
    assert found is not None
    return found


KINDS: dict[str, tuple[str, Kind, str, Kind]] = {
    "a name that the taxonomy does not know": (
        "create_thing", Kind.CREATE, "create_thing", Kind.CREATE,
    ),
    "the kind of the name": ("create_refund", Kind.CREATE, "create_refund", Kind.CREATE),
    "another name for the same": ("add_user", Kind.CREATE, "create_user", Kind.ADMIN),
    "some words between": ("make_new_super_user", Kind.CREATE, "create_user", Kind.ADMIN),
    "no words between": ("make_user", Kind.CREATE, "make_user", Kind.CREATE),
    "another name for a read that acts": (
        "query_user", Kind.EXECUTE, "query_user", Kind.EXECUTE,
    ),
    "a stricter norm": ("create_user", Kind.CREATE, "create_user", Kind.ADMIN),
    "a kind that was not sure": ("purge_cache", Kind.UNKNOWN, "purge_cache", Kind.DELETE),
    "an authority that is stricter": ("create_refund", Kind.ADMIN, "create_refund", Kind.ADMIN),
    "an act with the name of a read": ("list_user", Kind.EXECUTE, "call_list_user", Kind.EXECUTE),
    "what is not sure with the name of a read": (
        "list_user", Kind.UNKNOWN, "call_list_user", Kind.UNKNOWN,
    ),
    "a read with the name of an act": ("create_refund", Kind.READ, "read_create_refund", Kind.READ),
}  # fmt: skip


GROUPS: dict[str, tuple[str, Kind, str]] = {
    "a group of users": ("iam.UpdateGroup", Kind.ADMIN, "update_group"),
    "a group of traces": ("xray.UpdateGroup", Kind.UPDATE, "update_xray_group"),
    "a group of a provider without services": ("updateGroup", Kind.UPDATE, "update_other_group"),
}


@pytest.mark.parametrize("case", GROUPS)
def test_a_group_is_one_of_people_only_where_it_is_administration(
    taxonomy: Taxonomy, case: str
) -> None:
    """Otherwise it is a group of something else, and has the kind that its provider says."""
    operation, kind, expected = GROUPS[case]
    section = NewSection("s", [Row(operation, "", kind, "update_group")])

    (found,) = agreed([section], taxonomy)

    assert [(row.action, row.kind) for row in found.rows] == [(expected, kind)]


@pytest.mark.parametrize("case", KINDS)
def test_kinds(taxonomy: Taxonomy, case: str) -> None:
    """The norm's kind, unless that would make an act milder: then another name."""
    action, kind, expected_action, expected_kind = KINDS[case]
    section = NewSection("s", [Row("o", "POST /o", kind, action)])

    (found,) = agreed([section], taxonomy)

    assert [(row.action, row.kind) for row in found.rows] == [(expected_action, expected_kind)]


PARAMS: dict[str, tuple[str, RowParam, RowParam | None]] = {
    "money in minor units": (
        "amount", RowParam("form.amount", "money_minor"), RowParam("form.amount", "money_minor"),
    ),
    "money in units that nobody knows": ("amount", RowParam("form.amount", "integer"), None),
    "a currency": ("currency", RowParam("form.c"), RowParam("form.c", "currency")),
    "one text for a list": ("recipients", RowParam("form.to"), RowParam("form.to", "list")),
    "a text for a count": ("count", RowParam("form.n"), RowParam("form.n", "integer")),
    "a text for a choice": ("fast", RowParam("form.f"), RowParam("form.f", "boolean")),
    "a number for a text": ("note", RowParam("form.n", "integer"), RowParam("form.n", "text")),
    "a param that the taxonomy leaves open": (
        "speed", RowParam("form.s", "integer"), RowParam("form.s", "integer"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PARAMS)
def test_params(taxonomy: Taxonomy, case: str) -> None:
    """Types as the taxonomy says; what can't be made so is left out."""
    name, given, expected = PARAMS[case]
    section = NewSection("s", [Row("o", "", Kind.CREATE, "create_refund", params={name: given})])

    (found,) = agreed([section], taxonomy)

    assert found.rows[0].params == ({} if expected is None else {name: expected})
