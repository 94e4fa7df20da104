"""The published description of the API says what the routes do, of every route."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from controlplane.api.contract import View
from controlplane.api.openapi import document
from controlplane.api.routing import Route, answer, route
from controlplane.api.server import ROUTES
from controlplane.auth import Permission

DOCUMENT: dict[str, Any] = json.loads(json.dumps(document(ROUTES)))

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}

BODIED = frozenset({"POST", "PUT", "PATCH"})


def name_of(one: Route) -> str:
    return f"{one.method} {one.path}"


def test_every_route_has_a_contract():
    """One without would be in no description, and read and answer whatever it likes."""
    assert [name_of(one) for one in ROUTES if not one.contract.is_declared] == []
    assert set(OPERATIONS) == {name_of(one) for one in ROUTES}


def test_every_writing_route_says_what_it_reads():
    """Without a model of its body it would take anything and look at nothing."""
    silent = [name_of(one) for one in ROUTES if one.method in BODIED and one.contract.body is None]
    assert silent == []


def test_every_list_is_given_in_pages():
    """`limit`, `cursor` and `nextCursor`, all or none of them; what is followed has no last page,
    and needs no `limit`."""
    for one in ROUTES:
        query, views = one.contract.query, one.contract.answers.values()
        fields = set(query.model_fields) if query is not None else set()
        given = {
            str(view.model_fields["nextCursor"].annotation)
            for view in views
            if "nextCursor" in view.model_fields
        }
        wanted = {"cursor"} if given == {"<class 'str'>"} else {"limit", "cursor"}
        assert (wanted <= fields) == bool(given), name_of(one)
        assert given or not {"limit", "cursor"} & fields, name_of(one)


UNPAGED = {
    "GET /v1/agents/directory": "gateways need all of it, or agents would be locked out",
    "GET /v1/channels": "a tenant has few, by a limit of its own",
    "GET /v1/grants/{id}": "a grant has a thousand uses at most",
    "GET /v1/log/acts": "there are none, and of a rewritten database a hundred say enough",
    "GET /v1/log/proof": "a decision has few records, and a hundred are proven at most",
    "GET /v1/streams": "a tenant has one for each channel, and one more",
    "GET /v1/channels/{id}/people": "as many as people answer there, by a limit of its own",
}
"""Lists that come whole, and why."""


def test_what_is_a_list_is_given_in_pages():
    """A list without pages is cut off somewhere, and nobody is told."""
    whole = {
        name_of(one)
        for one in ROUTES
        if one.method == "GET"
        for view in one.contract.answers.values()
        if is_list(view) and "nextCursor" not in view.model_fields
    }
    assert whole == set(UNPAGED)


def is_list(view: type[View]) -> bool:
    """Whether it is of several things, beside which only a word or two stand."""
    lists = [
        name
        for name, field in view.model_fields.items()
        if str(field.annotation).startswith("list[") and "View" in str(field.annotation)
    ]
    return len(lists) == 1 and len(view.model_fields) <= 3


def test_operations_have_names_of_their_own():
    """Generated clients make functions of them."""
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_who_may_and_what_comes(name: str):
    """Permissions, a summary, every status of success, and the envelope for the rest."""
    operation = OPERATIONS[name]
    one = next(each for each in ROUTES if name_of(each) == name)
    assert operation["x-permissions"] == sorted(one.needs)
    assert operation["summary"]
    assert {str(status) for status in one.contract.answers} <= set(operation["responses"])
    assert {"401", "403", "422", "503"} <= set(operation["responses"])
    assert "500" not in operation["responses"]
    has_key = any(one["name"] == "Idempotency-Key" for one in operation["parameters"])
    assert has_key == (one.method == "POST")
    assert ("requestBody" in operation) == (one.contract.body is not None)


def test_every_reference_leads_somewhere():
    """And every schema is one."""
    schemas = DOCUMENT["components"]["schemas"]
    text = json.dumps(DOCUMENT)
    for kind, target in re.findall(r'"#/components/(\w+)/([^"]+)"', text):
        assert target in DOCUMENT["components"][kind], target
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert "__" not in name
    assert "controlplane" not in text


def test_a_route_without_a_contract_is_left_out():
    """Its handler could not be described."""

    async def handler(_: Any) -> Any:
        return answer({})

    assert document([route("GET", "/v1/x", handler, Permission.ADMIN)])["paths"] == {}
