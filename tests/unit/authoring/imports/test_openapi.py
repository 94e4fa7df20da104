"""OpenAPI and Swagger documents become rows, whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.openapi import OpenApiImport, OpenApiOptions, rows_of_openapi
from gateway.canonicalize.authored.row import Row
from gateway.model.action import Kind


def imported(paths: dict[str, Any], **more: Any) -> OpenApiImport:
    """A document of version 3 with these paths, read."""
    return rows_of_openapi({"openapi": "3.0.3", "paths": paths, **more}, provider="shop")


def only(paths: dict[str, Any], **more: Any) -> Row:
    """The one row of a document."""
    (row,) = imported(paths, **more).rows
    return row


def body(properties: dict[str, Any], *kinds: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """A request body of these media types."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"content": {kind: {"schema": schema} for kind in kinds}}


TEXT = {"type": "string"}

KINDS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "an operationId with a verb": ("post", "/v1/orders", {"operationId": "createOrder"}, "create"),
    "a group before the verb": ("delete", "/o/{id}", {"operationId": "orders/delete"}, "delete"),
    "a search by POST": ("post", "/v1/search", {"operationId": "searchOrders"}, "read"),
    "a POST without a verb": (
        "post",
        "/v1/orders/{id}/x",
        {"operationId": "orderThing"},
        "unknown",
    ),
    "a method in the id": (
        "post",
        "/v1/orders/{id}/x",
        {"operationId": "post_orders_x"},
        "unknown",
    ),
    "a verb only in the path": (
        "post",
        "/v1/orders/{id}/cancel",
        {"operationId": "orderX"},
        "execute",
    ),
    "no operationId, a verb in the path": ("post", "/v1/orders/{id}/refresh", {}, "execute"),
    "a noun in the path is no verb": ("post", "/v1/orders/{id}/comments", {}, "unknown"),
    "no operationId by GET": ("get", "/v1/orders", {}, "read"),
    "no operationId by DELETE": ("delete", "/v1/orders/{id}", {}, "delete"),
    "get by PUT": ("put", "/v1/orders/{id}", {"operationId": "getOrder"}, "update"),
    "a scope that reads": (
        "post",
        "/v1/report",
        {"operationId": "report", "security": [{"oauth": ["read:orders"]}]},
        "read",
    ),
    "a scope that reads, for a name that acts": (
        "post",
        "/v1/report",
        {"operationId": "purgeReport", "security": [{"oauth": ["read:orders"]}]},
        "delete",
    ),
    "a scope that reads and one that writes": (
        "post",
        "/v1/report",
        {"operationId": "report", "security": [{"oauth": ["read:orders", "write:orders"]}]},
        "unknown",
    ),
    "keys and roles": ("post", "/v1/keys", {"operationId": "createApiKey"}, "admin"),
}


@pytest.mark.parametrize("case", KINDS)
def test_the_kind_of_an_operation(case: str) -> None:
    """Name, path, method and scopes together; unsure is unknown."""
    method, path, operation, kind = KINDS[case]

    assert only({path: {method: operation}}).kind.value == kind


def test_a_post_to_a_collection_creates() -> None:
    """A POST without a verb creates where the path has items below it."""
    found = imported({"/v1/orders": {"post": {}}, "/v1/orders/{id}": {"get": {}}}).rows

    assert [row.kind for row in found] == [Kind.CREATE, Kind.READ]


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        pytest.param("/v1/staff/{id}", "shop.v1.staff.id.put", id="a variable"),
        pytest.param("/v1/staff/{id}:role", "shop.v1.staff.id:role.put", id="a verb behind it"),
        pytest.param("/v1/staff/{id}.json", "shop.v1.staff.id.json.put", id="an ending behind it"),
    ],
)
def test_a_name_made_of_a_path_has_no_braces(path: str, operation: str) -> None:
    """Also where a variable is only a part of its segment."""
    assert only({path: {"put": {}}}).operation == operation


def test_a_whole_operation() -> None:
    """Name, wire, action, target and params of one operation with a body and a query."""
    row = only(
        {
            "/v1/orders/{orderId}/refunds": {
                "parameters": [{"in": "path", "name": "orderId"}],
                "post": {
                    "operationId": "orders/createRefund",
                    "parameters": [
                        {"in": "query", "name": "notify", "schema": {"type": "boolean"}}
                    ],
                    "requestBody": body(
                        {"amount": {"type": "integer"}, "token": TEXT}, "application/json"
                    ),
                },
            }
        },
        servers=[{"url": "https://shop.example.com/api"}],
    )

    assert (row.operation, row.wire) == (
        "orders/createRefund",
        "POST /api/v1/orders/{order_id}/refunds",
    )
    assert (row.kind, row.action, row.reversible) == (Kind.CREATE, "create_refund", False)
    assert (row.target_type, row.target_id) == ("order", "path.order_id")
    assert {name: (param.source, param.type) for name, param in row.params.items()} == {
        "amount": ("body.amount", "integer"),
        "notify": ("query.notify", "boolean"),
    }


PLACES = {
    "JSON": (("application/json",), "body.name"),
    "JSON of a vendor": (("application/vnd.shop+json",), "body.name"),
    "a form": (("application/x-www-form-urlencoded",), "form.name"),
    "either": (("application/json", "application/x-www-form-urlencoded"), "any.name"),
    "multipart beside JSON": (("application/json", "multipart/form-data"), None),
    "something else": (("application/octet-stream",), None),
}


@pytest.mark.parametrize("case", PLACES)
def test_where_a_body_is_read(case: str) -> None:
    """A value is read only where every client puts it into something that can be read."""
    kinds, source = PLACES[case]
    operation = {"operationId": "createOrder", "requestBody": body({"name": TEXT}, *kinds)}

    params = only({"/orders": {"post": operation}}).params

    assert [param.source for param in params.values()] == ([source] if source else [])


SERVERS = {
    "a plain one": ([{"url": "https://api.x.com/v1"}], ("api.x.com",), "GET /v1/a"),
    "relative": ([{"url": "/v2"}], (), "GET /v2/a"),
    "a tenant": ([{"url": "https://{tenant}.x.com"}], ("*.x.com",), "GET /a"),
    "a tenant after a name": ([{"url": "https://api.{t}.x.com/"}], ("*.x.com",), "GET /a"),
    "few regions": (
        [{"url": "https://{r}.x.com", "variables": {"r": {"enum": ["eu", "us"]}}}],
        ("eu.x.com", "us.x.com"),
        "GET /a",
    ),
    "a version": (
        [{"url": "https://x.com/{v}", "variables": {"v": {"default": "v3"}}}],
        ("x.com",),
        "GET /v3/a",
    ),
    "nonsense": ([{"url": "https://[::1"}, 7, {"url": 5}], (), "GET /a"),
    "none": ([], (), "GET /a"),
}


@pytest.mark.parametrize("case", SERVERS)
def test_hosts_and_base_paths(case: str) -> None:
    """Servers give host patterns and what stands before every path."""
    servers, hosts, wire = SERVERS[case]

    found = imported({"/a": {"get": {}}}, servers=servers)

    assert found.hosts == hosts
    assert [row.wire for row in found.rows] == [wire]


def test_swagger_2() -> None:
    """Host, base path, body and form fields of the older format."""
    found = rows_of_openapi(
        {
            "swagger": "2.0",
            "host": "api.shop.example.com",
            "basePath": "/v1/",
            "consumes": ["application/x-www-form-urlencoded"],
            "paths": {
                "/orders": {
                    "post": {
                        "operationId": "createOrder",
                        "parameters": [{"in": "formData", "name": "name", "type": "string"}],
                    },
                    "put": {
                        "operationId": "setOrder",
                        "consumes": ["application/json"],
                        "parameters": [
                            {
                                "in": "body",
                                "name": "order",
                                "schema": {"properties": {"name": TEXT}},
                            }
                        ],
                    },
                }
            },
        },
        provider="shop",
    )

    assert found.hosts == ("api.shop.example.com",)
    assert [(row.wire, row.params["name"].source) for row in found.rows] == [
        ("POST /v1/orders", "form.name"),
        ("PUT /v1/orders", "body.name"),
    ]


def test_references_with_cycles_end() -> None:
    """A parameter and a schema that refer to themselves are read as far as they go."""
    loop = {"$ref": "#/components/schemas/Loop"}
    row = only(
        {
            "/orders": {
                "post": {
                    "operationId": "createOrder",
                    "parameters": [{"$ref": "#/components/parameters/P"}],
                    "requestBody": {"content": {"application/json": {"schema": loop}}},
                }
            }
        },
        components={
            "parameters": {"P": {"$ref": "#/components/parameters/P"}},
            "schemas": {"Loop": {"allOf": [loop, {"properties": {"name": TEXT, "own": loop}}]}},
        },
    )

    assert list(row.params) == ["name"]


def test_a_hostile_document_takes_no_time() -> None:
    """Parts that refer to each other many times, lists of themselves, and servers with a hundred
    choices for each of many variables are looked at a bounded number of times."""
    many = [{"$ref": f"#/components/schemas/S{number}"} for number in range(400)]
    schemas = {f"S{number}": {"allOf": many} for number in range(400)}
    schemas["S0"]["properties"] = {"name": TEXT, "tags": {"$ref": "#/components/schemas/L"}}
    schemas["L"] = {"type": "array", "items": {"$ref": "#/components/schemas/L"}}
    choices = {"enum": [str(number) for number in range(20)]}
    found = imported(
        {
            "/orders": {
                "post": {
                    "operationId": "createOrder",
                    "requestBody": {"content": {"application/json": {"schema": many[0]}}},
                }
            }
        },
        components={"schemas": schemas},
        servers=[
            {
                "url": "https://x.com/" + "/".join(f"{{v{number}}}" for number in range(12)),
                "variables": {f"v{number}": choices for number in range(12)},
            }
        ],
    )

    assert len(found.rows) == 200
    assert list(found.rows[0].params) == ["name"]


def test_a_query_in_a_path_becomes_conditions() -> None:
    """Some documents tell operations apart by a fixed query behind the path."""
    found = imported(
        {
            "/a?action=stop": {"post": {"operationId": "stopA"}},
            "/a?action=start": {"post": {"operationId": "startA"}},
        }
    )

    assert [(row.wire, dict(row.when)) for row in found.rows] == [
        ("POST /a", {"query.action": "stop"}),
        ("POST /a", {"query.action": "start"}),
    ]


PROBLEMS: dict[str, tuple[dict[str, Any], str, int]] = {
    "no paths": ({}, "has no `paths`", 0),
    "one id twice": (
        {"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}},
        "of another operation",
        2,
    ),
    "one wire twice": ({"/a/{x}": {"get": {}}, "/a/{y}": {"get": {}}}, "kept once", 1),
    "no path": ({"a": {"get": {}}}, "is no path", 0),
    "an impossible segment": ({"/a/%zz": {"get": {}}}, "can't be matched", 0),
    "too long a path": ({"/" + "a" * 2_000: {"get": {}}}, "too long", 0),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_cannot_be_used_is_said(case: str) -> None:
    """A problem is a sentence with its place, and the rest is read all the same."""
    paths, sentence, rows = PROBLEMS[case]

    found = imported(paths)

    assert any(sentence in problem for problem in found.problems), found.problems
    assert len(found.rows) == rows
    assert len({row.operation for row in found.rows}) == rows


def test_options_of_a_provider() -> None:
    """A prefix, left-out operations, a vendor's scopes and a scope of ids."""
    options = OpenApiOptions(
        rules=RowRules(scope=("owner",)),
        prefix="shop.",
        skipped=frozenset({"old"}),
        scopes_key="x-scope",
    )
    paths = {
        "/{owner}/a/{id}": {"post": {"operationId": "ask", "x-scope": "orders.read"}},
        "/old": {"get": {"operationId": "old"}},
    }

    (row,) = rows_of_openapi({"paths": paths}, provider="shop", options=options).rows

    assert (row.operation, row.kind) == ("shop.ask", Kind.READ)
    assert row.target_id == "{path.owner}/{path.id}"
