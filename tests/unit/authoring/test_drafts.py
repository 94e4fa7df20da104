"""Proposed mappers: they load, their tests pass, they map what was recorded, and tell nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.authoring import yaml_text
from gateway.authoring.coverage import measure
from gateway.authoring.drafts import draft_of, draft_of_openapi, draft_of_recording
from gateway.authoring.mappers import run_tests
from gateway.authoring.observed import Observed
from gateway.authoring.proposals import Proposal, ProposalError, provider_of, text_of
from gateway.authoring.recordings.traffic import Recorded
from gateway.authoring.requests import build_request
from gateway.authoring.specs import SpecError, load_spec
from gateway.canonicalize.authored.taxonomy import TAXONOMY_FILE, load_taxonomy
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.exchange import HttpRequest

HOST = "https://api.shop.example"
SECRETS = ("sk_live_abcdefghijklmn", "hunter2", "alice", "o_1a", "19.99", "s3ss10n")


def asked(method: str, path: str, body: object = None, form: str = "") -> HttpRequest:
    headers = [("authorization", f"Bearer {SECRETS[0]}"), ("cookie", f"sid={SECRETS[5]}")]
    data = form.encode()
    if form:
        headers.append(("content-type", "application/x-www-form-urlencoded"))
    if body is not None:
        headers.append(("content-type", "application/json"))
        data = json.dumps(body).encode()
    return build_request(method, HOST + path, headers, data)


TRAFFIC = [
    (asked("GET", "/v1/orders?page=2&q=alice"), 200),
    *((asked("GET", f"/v1/orders/o_1a{number}"), 200) for number in range(5)),
    (
        asked(
            "POST",
            "/v1/orders",
            {
                "customer": "c_91", "total": "19.99", "currency": "EUR", "items": [{"sku": 1}],
                "password": "hunter2", "o_1a7": True, "tags": ["alice"], "gift": True, "count": 2,
            },
        ),
        201,
    ),
    (asked("POST", "/v1/orders/o_1a1/cancel", {"reason": "late", "notify": True}), 200),
    (asked("POST", "/v1/orders/o_1a1/refunds", {"amount": 1250, "currency": "EUR"}), 201),
    (asked("DELETE", "/v1/orders/o_1a1"), 204),
    (asked("PATCH", "/v1/customers/c_91", {"email": "alice@x.example"}), 200),
    (asked("POST", "/v1/reports/monthly", form="year=2026&token=hunter2"), 200),
    (asked("GET", "/v1/session/logout"), 200),
    (asked("GET", f"/v1/exports/{SECRETS[0]}/file.csv"), 200),
    (asked("POST", "/v1/jobs/123:retry"), 200),
    (asked("GET", "/v1/a//b"), 200),
]  # fmt: skip


@pytest.fixture(scope="module")
def observed() -> Observed:
    found = Observed()
    for request, status in TRAFFIC:
        found.add(request, status)
    return found


@pytest.fixture(scope="module")
def text(observed: Observed) -> str:
    return text_of(draft_of_recording(observed).proposal)


def loaded(text: str, folder: Path) -> Canonicalizer:
    path = folder / "proposed.yaml"
    path.write_text(text)
    return Canonicalizer.load([path])


def operations(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)["spec"]["operations"]
    return found


def test_a_proposal_loads_and_its_tests_pass(text: str, tmp_path: Path) -> None:
    """Every operation has a test, and all of them pass."""
    canonicalizer = loaded(text, tmp_path)
    results = run_tests(canonicalizer)

    assert canonicalizer.check() == []
    assert [result.differences for result in results if result.differences] == []
    assert len(results) == len(operations(text)) == 11


def test_a_proposal_maps_what_was_recorded(text: str, tmp_path: Path) -> None:
    """All that could be read is mapped by the proposal."""
    entries = [Recorded("", request, status) for request, status in TRAFFIC]
    found = measure(entries, loaded(text, tmp_path))

    assert (found.requests, found.mapped, found.gaps()) == (16, 15, [])
    assert found.refused == {"ambiguous_path": 1}


def test_a_proposal_tells_no_value(text: str) -> None:
    """Nothing of headers, ids, queries or bodies is written, nor a param that may be a secret."""
    for secret in (*SECRETS, "2026", "password", "token"):
        assert secret not in text


ENTRIES: dict[str, tuple[str, dict[str, object]]] = {
    "a list": ("GET /v1/orders", {"action": "list_order", "kind": "read"}),
    "one of them": (
        "GET /v1/orders/{order}",
        {"action": "get_order", "target": {"type": "order", "id": "path.order"}},
    ),
    "what was answered with 201 is created": (
        "POST /v1/orders",
        {
            "operation": "orders.create",
            "action": "create_order",
            "kind": "create",
            "target": {"type": "order"},
        },
    ),
    "a verb at the end of a path": (
        "POST /v1/orders/{order}/cancel",
        {
            "operation": "orders.cancel",
            "action": "cancel_order",
            "kind": "execute",
            "params": {
                "reason": "body.reason",
                "notify": {"from": "body.notify", "type": "boolean"},
            },
        },
    ),
    "a verb behind a colon": ("POST /v1/jobs/{job}:retry", {"action": "retry_job"}),
    "an amount in a currency": (
        "POST /v1/orders/{order}/refunds",
        {
            "params": {
                "amount": {"from": "body.amount", "type": "money_minor"},
                "currency": {"from": "body.currency", "type": "currency"},
            }
        },
    ),
    "a delete": ("DELETE /v1/orders/{order}", {"kind": "delete", "reversible": False}),
    "a post that nothing is known of": ("POST /v1/reports/monthly", {"kind": "unknown"}),
    "a GET that may act": ("GET /v1/session/logout", {"kind": "unknown"}),
}


@pytest.mark.parametrize(("wire", "expected"), ENTRIES.values(), ids=ENTRIES)
def test_entries(text: str, wire: str, expected: dict[str, object]) -> None:
    """Names, kinds, targets and typed params are told from methods, paths, answers and bodies."""
    entry = operations(text)[wire]

    assert {key: entry.get(key) for key in expected} == expected


KINDS = {
    "GET /orders": "read", "GET /releases": "read", "GET /": "read", "GET /_": "read",
    "GET /orders/7/revoke": "unknown", "GET /revoke/7": "unknown", "GET /createGroup": "unknown",
    "GET /auth.revoke": "unknown", "GET /oauth/callback": "unknown", "GET /users.list": "read",
    "POST /orders/search": "read", "POST /notifications/7/read": "unknown",
    "POST /orders/7/count": "unknown", "POST /orders/7/pay": "execute", "PUT /orders/7": "update",
    "POST /orders": "unknown", "POST /": "unknown", "DELETE /": "delete",
}  # fmt: skip


@pytest.mark.parametrize(("line", "kind"), KINDS.items(), ids=KINDS)
def test_kinds(line: str, kind: str) -> None:
    """What may act is no read: a GET that is named like an act, a POST of a doubtful verb."""
    found = Observed()
    method, path = line.split()
    found.add(asked(method, path), 200)
    ((_, entry),) = operations(text_of(draft_of_recording(found).proposal)).items()

    assert entry["kind"] == kind


def test_what_a_person_has_to_decide_is_said(text: str, observed: Observed) -> None:
    """Every line that is unsure has a comment, and only those."""
    unsure = [line for line in text.splitlines()[1:] if "decide:" in line]

    assert len(unsure) == draft_of_recording(observed).proposal.undecided == 3
    assert sum("kind: unknown" in line for line in unsure) == 2
    assert sum("money_minor" in line for line in unsure) == 1


CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "delete_shop"}}
FAMILIES: dict[str, tuple[str, dict[str, object], str]] = {
    "GraphQL by its path": ("/graphql", {"query": "{ a }"}, "graphql"),
    "GraphQL by its variables": ("/api", {"query": "{ a }", "variables": {"a": 1}}, "graphql"),
    "JSON-RPC": ("/rpc", CALL, "jsonrpc"),
    "MCP by its path": ("/mcp", CALL, "mcp"),
}


@pytest.mark.parametrize(("path", "body", "family"), FAMILIES.values(), ids=FAMILIES)
def test_bodies_that_carry_acts(
    path: str, body: dict[str, object], family: str, tmp_path: Path
) -> None:
    """Such an endpoint reads the acts in its bodies, and its own test shows one."""
    found = Observed()
    found.add(asked("POST", path, body), 200)
    text = text_of(draft_of_recording(found).proposal)

    assert operations(text)[f"POST {path}"]["expand"] == family
    assert [result.differences for result in run_tests(loaded(text, tmp_path))] == [()]


def test_hosts_are_chosen(observed: Observed) -> None:
    """The host with most requests, or those that are named; the others are told."""
    both = Observed()
    for host, count in (("a.test", 2), ("b.test", 1)):
        for _ in range(count):
            both.add(build_request("GET", f"https://{host}/x"))

    assert draft_of_recording(both).proposal.hosts == ["a.test"]
    assert draft_of_recording(both).left_out == [("b.test", 1)]
    assert draft_of_recording(both, hosts=["*.test"]).proposal.hosts == ["a.test", "b.test"]
    with pytest.raises(ProposalError, match=r"nothing is there of `c\.test`"):
        draft_of_recording(both, hosts=["c.test"])
    with pytest.raises(ProposalError, match="no request"):
        draft_of_recording(Observed())


def test_the_rest_is_drafted_beside_its_mapper(tmp_path: Path) -> None:
    """A draft of what is unmapped loads together with the mapper of the same host."""
    mapper = tmp_path / "shop.yaml"
    mapper.write_text(
        "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: shop}\nspec:\n  provider: mine\n"
        "  hosts: [api.shop.example]\n  errors: stripe\n  unmatched: {action: call_shop}\n"
        "  operations: {GET /v1/orders: list_order}\n"
    )
    entries = [Recorded("", request, status) for request, status in TRAFFIC]
    found = measure(entries, Canonicalizer.load([mapper]))
    (tmp_path / "rest.yaml").write_text(text_of(draft_of(found).proposal))

    after = measure(entries, Canonicalizer.load([mapper, tmp_path / "rest.yaml"]))

    assert (found.mapped, after.mapped) == (1, 15)
    with pytest.raises(ProposalError, match="everything is mapped"):
        draft_of(after)


SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Shop API"},
    "servers": [{"url": "https://api.shop.example/v1"}],
    "paths": {
        "/orders/{orderId}": {
            "get": {"operationId": "getOrder"},
            "delete": {"operationId": "deleteOrder"},
        },
        "/orders": {
            "post": {
                "operationId": "createOrder",
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"properties": {"name": {"type": "string"}}}
                        }
                    }
                },
            }
        },
        "/frob": {"post": {"operationId": "frobnicate: \"x\" #1"}},
    },
}  # fmt: skip


def test_a_published_document(tmp_path: Path) -> None:
    """Operations keep their own names; the text loads and its tests pass, whatever the names."""
    draft = draft_of_openapi(SPEC)
    text = text_of(draft.proposal)

    assert draft.proposal.provider == "shop"
    assert [result.differences for result in run_tests(loaded(text, tmp_path))] == [()] * 4
    found = operations(text)
    assert found["DELETE /v1/orders/{order_id}"]["operation"] == "deleteOrder"
    assert found["POST /v1/orders"]["params"] == {"name": "body.name"}
    assert found["POST /v1/frob"]["operation"] == 'frobnicate: "x" #1'
    assert found["POST /v1/frob"]["kind"] == "unknown"


def test_names_that_all_providers_share() -> None:
    """An act that the taxonomy knows has its name and kind, whatever the document calls it."""
    taxonomy, _ = load_taxonomy(mappers_dir() / TAXONOMY_FILE)
    assert taxonomy is not None
    synonym = next(name for name in taxonomy.actions["suspend_user"].also if "*" not in name)
    verb, noun = synonym.split("_", 1)
    paths = {"/users/{id}/lock": {"post": {"operationId": f"{verb}{noun.title()}"}}}
    draft = draft_of_openapi({**SPEC, "paths": paths})

    (entry,) = draft.proposal.entries
    assert (entry.row.operation, entry.row.action) == (f"{verb}{noun.title()}", "suspend_user")


def test_a_document_without_a_host() -> None:
    """Then the host must be given."""
    with pytest.raises(ProposalError, match="names no host"):
        draft_of_openapi({**SPEC, "servers": []})
    draft = draft_of_openapi({**SPEC, "servers": []}, hosts=["a.test"], only="/orders")
    assert (draft.proposal.hosts, len(draft.proposal.entries)) == (("a.test",), 1)


def test_a_proposal_without_anything() -> None:
    """There must be an operation."""
    with pytest.raises(ProposalError, match="no operation"):
        text_of(Proposal("a", ["a.test"], []))


BOMB = "a: &a {x0: 1}\n" + "".join(
    f"b{n}: &b{n}\n  <<: [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(12)
)
SPECS: dict[str, tuple[str, str]] = {
    "no document": ("a: 1", "no `openapi:`"),
    "a list": ("[]", "no `openapi:`"),
    "another version": ("openapi: 4.0.0\npaths: {}", "version 4.0.0"),
    "no paths": ("openapi: 3.0.0", "no `paths`"),
    "no YAML": ("openapi: [", "not YAML"),
    "no JSON": ('{"openapi": ', "not JSON"),
    "deep JSON": ('{"a":' * 100_000, "nested too deeply"),
    "deep YAML": ("a: " + "[" * 100_000, "nested too deeply"),
    "a bomb of merges": (BOMB, "neither JSON nor YAML|no `openapi"),
}


@pytest.mark.parametrize(("text", "message"), SPECS.values(), ids=SPECS)
def test_bad_documents(text: str, message: str, tmp_path: Path) -> None:
    """A document that can't be used says why."""
    path = tmp_path / "spec"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        load_spec(path)


PROVIDERS = {
    "api.stripe.com": "stripe",
    "shop.example.com": "example",
    "*.atlassian.net": "atlassian",
    "localhost": "my-api",
    "10.0.0.1": "my-api",
    "api.io": "api",
}


@pytest.mark.parametrize(("host", "provider"), PROVIDERS.items(), ids=PROVIDERS)
def test_providers(host: str, provider: str) -> None:
    """A provider is named after its host."""
    assert provider_of(host) in (provider, "localhost")


TEXTS = ["plain", "yes", "No", "null", "1", "1.5", "a: b", "#x", '"', "'", "\\", "\n", "é", "😀",
         "a,b", "{x}", "[*]", "-", "", " a", "a ", '{"a": 1}', "\x85\u2028", "~"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_read_back(text: str) -> None:
    """Whatever a text is, YAML gives it back, in a value and as a key."""
    flow = yaml_text.flow({"a": [text, {text or "x": text}]})

    assert yaml.safe_load(flow) == {"a": [text, {text or "x": text}]}
    assert yaml.safe_load(f"{yaml_text.key(text)}: 1") == {text: 1}
    assert yaml.safe_load(f"a: 1 {yaml_text.comment(text)}") == {"a": 1}
