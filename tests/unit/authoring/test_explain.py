"""Explanations: the candidates, why one won, where values come from, and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.explain import explain
from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer

FORM = [("content-type", "application/x-www-form-urlencoded")]
SECRET = "sk_live_abcdefghijklmnop"
MAPPER = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: shop}
spec:
  provider: shop
  hosts: [shop.test]
  operations:
    POST /refunds:
      - {action: create_refund, when: {form.order: true, form.charge: false}, target: {type: order, id: form.order}}
      - {action: create_refund, when: {form.mode: fast}, kind: execute}
      - {action: create_refund, target: {type: charge, id: form.charge}, params: {amount: {from: form.amount, type: money_minor}, note: form.note, price: {from: form.price, type: money_decimal, currency: eur}}}
    GET /refunds/{refund}: {action: get_refund, target: {type: refund, id: path.refund}}
    GET /refunds/latest: list_refund
    POST /graphql: {action: call_graphql, kind: unknown, expand: graphql}
    DELETE /refunds/{refund}: {action: delete_refund, when: {query.force: true}}
"""  # noqa: E501


@pytest.fixture(scope="module")
def canonicalizer(tmp_path_factory: pytest.TempPathFactory) -> Canonicalizer:
    path: Path = tmp_path_factory.mktemp("mappers") / "shop.yaml"
    path.write_text(MAPPER)
    return Canonicalizer.load([path])


def explained(canonicalizer: Canonicalizer, line: str) -> dict[str, Any]:
    method, path, body = f"{line} ".split(" ", 2)
    data = body.strip().encode()
    request = build_request(method, f"https://shop.test{path}", FORM if data else [], data)
    return explain(canonicalizer, request)


WHY: dict[str, tuple[str, str, list[str]]] = {
    "conditions that hold": (
        "POST /refunds order=o_1",
        "all of its conditions hold, and no entry with more does",
        ["", "it has fewer conditions", "it has fewer conditions"],
    ),
    "no condition holds": (
        "POST /refunds charge=c_1",
        "no entry's conditions hold, and this one has none",
        ["its conditions don't hold", "its conditions don't hold", ""],
    ),
    "a literal before a variable": (
        "GET /refunds/latest",
        "the most specific path; literals go before variables",
        ["", "its path is less specific"],
    ),
    "one alone": ("GET /refunds/7", "the only entry that fits", [""]),
    "conditions that don't hold": (
        "DELETE /refunds/7",
        "the path fits, but no entry's conditions hold, so this is unknown",
        ["its conditions don't hold"],
    ),
    "no entry": ("GET /x", "no entry has this method and path, so this is unknown", []),
    "a refused one": (
        "GET //x", "it could be read differently elsewhere, so it is refused", [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "why", "lost"), WHY.values(), ids=WHY)
def test_why(canonicalizer: Canonicalizer, line: str, why: str, lost: list[str]) -> None:
    """The reason, and for each candidate why it lost."""
    result = explained(canonicalizer, line)

    assert result["why"] == why
    assert [candidate["lost"] for candidate in result["candidates"]] == lost


def test_origins(canonicalizer: Canonicalizer) -> None:
    """Each declared value, its address, its type, and what was found, or nothing."""
    result = explained(canonicalizer, "POST /refunds charge=c_1&amount=5&price=1.50")

    assert [tuple(value.values()) for value in result["values"]] == [
        ("target.id", "form.charge", "text", "c_1"),
        ("params.amount", "form.amount", "money_minor", 5),
        ("params.note", "form.note", "text", None),
        ("params.price", "form.price", "money_decimal in eur", 150),
    ]
    assert result["actions"][0]["missing"] == ["note"]
    assert result["actions"][0]["unreadable"] == []


def test_what_may_be_there_is_said(canonicalizer: Canonicalizer) -> None:
    """A value that is no amount is missing, and not absent."""
    result = explained(canonicalizer, "POST /refunds charge=c_1&amount=much")

    assert result["actions"][0]["missing"] == ["amount", "note", "price"]
    assert result["actions"][0]["unreadable"] == ["amount"]


MASKED = {
    "in a param": f"POST /refunds charge=c_1&note={SECRET}",
    "in a target": f"POST /refunds charge={SECRET}",
    "in the path": f"GET /refunds/{SECRET}",
    "in a path that nothing fits": f"GET /x/{SECRET}",
    "in a path that is refused": f"GET //{SECRET}",
}


@pytest.mark.parametrize("line", MASKED.values(), ids=MASKED)
def test_secrets_are_masked(canonicalizer: Canonicalizer, line: str) -> None:
    """What looks like a secret is nowhere in an explanation, which people paste into tickets."""
    assert SECRET not in json.dumps(explained(canonicalizer, line))


def test_an_unknown_host(canonicalizer: Canonicalizer) -> None:
    """Nothing is invented for a host without a mapper."""
    result = explain(canonicalizer, build_request("GET", "https://example.com/"))

    assert (result["candidates"], result["won"]) == ([], None)
    assert result["why"] == "no mapper has this host"


def test_acts_in_a_body(canonicalizer: Canonicalizer) -> None:
    """What carries acts says how it is read, and shows each of them."""
    body = b'{"query": "mutation { deleteShop(id: 1) { id } addUser(id: 2) { id } }"}'
    headers = [("content-type", "application/json")]
    request = build_request("POST", "https://shop.test/graphql", headers, body)

    result = explain(canonicalizer, request)

    actions = result["actions"]
    assert isinstance(actions, list)
    assert result["expand"] == "graphql"
    assert [action["action"] for action in actions] == ["delete_shop", "add_user"]
