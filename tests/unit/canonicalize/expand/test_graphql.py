"""What a GraphQL request does, field by field, and which one is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from gateway.canonicalize.expand.acts import verb_first
from gateway.model.action import Kind
from tests.unit.canonicalize.expand.calls import acts, refusal, shown

Q, M = "shop.graphql.query.", "shop.graphql.mutation."
Shown = list[tuple[str, str, str]]


def doc(text: str, **more: object) -> dict[str, object]:
    return {"query": text, **more}


DOCUMENTS: dict[str, tuple[object, Shown]] = {
    "a query reads": (doc("{ viewer { login } }"), [(f"{Q}viewer", "read", "")]),
    "introspection reads": (doc("{ __schema { types { name } } }"), [(f"{Q}__schema", "read", "")]),
    "each root field is an act": (
        doc("query { a b { c } }"), [(f"{Q}a", "read", ""), (f"{Q}b", "read", "")],
    ),
    "an alias changes nothing": (
        doc('mutation { viewer: deleteUser(id: "u") { x } }'),
        [(f"{M}deleteUser", "admin", "u")],
    ),
    "a variable is its value": (
        doc("mutation($i: ID!) { deleteIssue(id: $i) { x } }", variables={"i": "7"}),
        [(f"{M}deleteIssue", "delete", "7")],
    ),
    "a variable in an input": (
        doc("mutation($i: I!) { closeIssue(input: $i) { x } }", variables={"i": {"issueId": "7"}}),
        [(f"{M}closeIssue", "update", "7")],
    ),
    "a default stands in": (
        doc('mutation($i: ID = "7") { deleteIssue(id: $i) { x } }'),
        [(f"{M}deleteIssue", "delete", "7")],
    ),
    "a given value wins over a default": (
        doc('mutation($i: ID = "7") { deleteIssue(id: $i) { x } }', variables={"i": "8"}),
        [(f"{M}deleteIssue", "delete", "8")],
    ),
    "a fragment's fields are root fields": (
        doc("mutation { ...F } fragment F on M { deleteIssue(id: 7) { x } }"),
        [(f"{M}deleteIssue", "delete", "7")],
    ),
    "an inline fragment's too": (
        doc("mutation { ... on M { ... { deleteIssue(id: 7) { x } } } }"),
        [(f"{M}deleteIssue", "delete", "7")],
    ),
    "what might be skipped counts": (
        doc("mutation { deleteIssue(id: 7) @skip(if: true) { x } a: b @include(if: false) }"),
        [(f"{M}deleteIssue", "delete", "7"), (f"{M}b", "unknown", "")],
    ),
    "the named operation counts alone": (
        doc("query A { a } mutation B { deleteIssue(id: 7) }", operationName="B"),
        [(f"{M}deleteIssue", "delete", "7")],
    ),
    "a batch is all its requests": (
        [doc("{ a }"), doc("mutation { deleteIssue(id: 7) }")],
        [(f"{Q}a", "read", ""), (f"{M}deleteIssue", "delete", "7")],
    ),
    "a mutation that reads by its name is unknown": (
        doc("mutation { getOrCreate { x } fetchAll { x } }"),
        [(f"{M}getOrCreate", "unknown", ""), (f"{M}fetchAll", "unknown", "")],
    ),
    "a subscription is unknown": (
        doc("subscription { issueChanged { id } }"),
        [("shop.graphql.subscription.issueChanged", "unknown", "")],
    ),
    "what is persisted is unknown": (
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab"}}},
        [("shop.graphql.persisted", "unknown", "ab")],
    ),
    "what is stored under an id is unknown": (
        {"documentId": "d1", "variables": {}}, [("shop.graphql.persisted", "unknown", "d1")],
    ),
    "no document is unknown": (doc("{ viewer { login"), [("shop.graphql.unparsed", "unknown", "")]),
    "a type definition is unknown": (
        doc("type A { b: C }"), [("shop.graphql.unparsed", "unknown", "")],
    ),
    "an empty body's keys are unknown": ({}, [("shop.graphql.persisted", "unknown", "")]),
    "words in strings and comments are no acts": (
        doc('{ a(text: "} mutation { deleteIssue }") } # mutation { b }'), [(f"{Q}a", "read", "")],
    ),
    "a block string ends where it ends": (
        doc('{ a(text: """ } "quoted" \\""" } """) b }'),
        [(f"{Q}a", "read", ""), (f"{Q}b", "read", "")],
    ),
    "several ids are several targets": (
        doc("mutation { deleteItems(ids: [1, 2]) { x } }"),
        [(f"{M}deleteItems", "delete", "1"), (f"{M}deleteItems", "delete", "2")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_is_its_root_fields(body: object, expected: Shown) -> None:
    """Operation, kind and target come from each root field, however it is written."""
    assert shown(acts("graphql", body)) == expected


REFUSED: dict[str, tuple[object, str]] = {
    "several operations and no name": (doc("query A { a } mutation B { b }"), "operation"),
    "a name that is not there": (doc("{ a }", operationName="B"), "operation"),
    "two operations of one name": (
        doc("query A { a } mutation A { b }", operationName="A"), "operation",
    ),
    "fragments in a circle": (
        doc("{ ...A } fragment A on Q { ...B } fragment B on Q { a ...A }"), "body",
    ),
    "a fragment that spreads itself": (doc("{ ...A } fragment A on Q { ...A }"), "body"),
    "a fragment that is not there": (doc("{ a ...A }"), "body"),
    "a fragment twice": (doc("{ ...A } fragment A on Q { a } fragment A on Q { b }"), "body"),
    "an argument twice": (doc("mutation { a(id: 1, id: 2) }"), "body"),
    "a variable twice": (doc("mutation($a: A, $a: B) { b(id: $a) }"), "body"),
    "a field of an object twice": (doc("mutation { a(input: {id: 1, id: 2}) }"), "body"),
    "a document and another one's name": ({"query": "{ a }", "documentId": "d"}, "body"),
    "a document and another one's digest": (
        {"query": "{ a }", "extensions": {"persistedQuery": {"sha256Hash": "00"}}}, "body",
    ),
    "a key in another case beside it": ({"query": "{ a }", "Query": "mutation { b }"}, "body"),
    "a query that is a list": ({"query": ["{ a }"]}, "body"),
    "an empty batch": ([], "body"),
    "a batch of texts": (["{ a }"], "body"),
    "a comment that ends differently": (doc("{ a # \u2028 } mutation { b\n }"), "body"),
    "a comment ended by a lone return": (doc("{ a # \r b\n }"), "body"),
    "a lone surrogate": (doc('{ a(b: "\\ud800") }'), "body"),
    "selections without end": (doc("{" + "a {" * 200 + "b" + "}" * 201), "body"),
    "lists without end": (doc("{ a(b: " + "[" * 200 + "]" * 200 + ") }"), "body"),
    "types without end": (doc("query($a: " + "[" * 200 + "A" + "]" * 200 + ") { a }"), "body"),
    "too many tokens": (doc("{" + "a " * 20_000 + "}"), "body"),
    "too many characters": (doc("{ a }" + " " * 300_000), "body"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED)
def test_what_servers_read_differently_is_refused(body: object, code: str) -> None:
    """A document that says two things, or more than is read, is refused."""
    assert refusal("graphql", body) == f"ambiguous_{code}"


def test_too_many_root_fields_are_refused() -> None:
    """A thousand acts is enough for one request."""
    text = "mutation {" + " ".join(f"a{n}: b" for n in range(1_001)) + "}"

    assert refusal("graphql", doc(text)) == "too_many_actions"


def test_a_large_variable_in_many_fields_is_refused() -> None:
    """What a document multiplies is counted as often as it stands there."""
    text = "mutation($v: V) {" + " ".join(f"m{n}(input: $v)" for n in range(500)) + "}"
    variables = {"v": {f"key{n}": "x" for n in range(500)}}

    assert refusal("graphql", doc(text, variables=variables)) == "too_many_actions"


ELSEWHERE: dict[str, tuple[dict[str, Any], Shown]] = {
    "in the query of a GET": (
        {"body": "", "media": "", "method": "GET",
         "url": "https://shop.test/g?query=mutation(%24i:ID)%7BdeleteIssue(id:%24i)%7D&variables=%7B%22i%22:7%7D"},
        [(f"{M}deleteIssue", "delete", "7")],
    ),
    "in a form": (
        {"body": "query=%7Ba%7D", "media": "application/x-www-form-urlencoded"},
        [(f"{Q}a", "read", "")],
    ),
    "as the body itself": (
        {"body": "mutation { deleteIssue(id: 7) }", "media": "application/graphql"},
        [(f"{M}deleteIssue", "delete", "7")],
    ),
    "beside files": (
        {"body": '--b\r\ncontent-disposition: form-data; name="operations"\r\n\r\n'
                 '{"query": "mutation { uploadFile(id: 7) }"}\r\n--b\r\n'
                 'content-disposition: form-data; name="0"; filename="a.txt"\r\n\r\nhello\r\n--b--',
         "media": "multipart/form-data; boundary=b"},
        [(f"{M}uploadFile", "create", "7")],
    ),
    "with its name in the URL as well": (
        {"body": doc("query A { a }", operationName="A"),
         "url": "https://shop.test/g?operationName=A"},
        [(f"{Q}a", "read", "")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("how", "expected"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_document_is_found_wherever_it_stands(how: dict[str, Any], expected: Shown) -> None:
    """Query, form, plain body and multipart are read like JSON."""
    assert shown(acts("graphql", **how)) == expected


CONFLICTS: dict[str, tuple[object, str, str]] = {
    "a document in both": (doc("{ a }"), "query=mutation%7Bb%7D", "application/json"),
    "the same document in both": (doc("{a}"), "query=%7Ba%7D", "application/json"),
    "variables in both": (doc("{ a }", variables={}), "variables=%7B%7D", "application/json"),
    "another name in the URL": (
        doc("query A {a} query B {b}", operationName="A"), "operationName=B", "application/json",
    ),
    "a plain body and a query": ("{ a }", "query=%7Bb%7D", "application/graphql"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "query", "media"), CONFLICTS.values(), ids=CONFLICTS)
def test_two_places_are_refused(body: object, query: str, media: str) -> None:
    """A request in the URL beside one in the body is two requests."""
    url = f"https://shop.test/g?{query}"

    assert refusal("graphql", body, url=url, media=media) == "ambiguous_body"


def test_a_digest_that_fits_its_document_is_taken() -> None:
    """Automatic persisted queries send both; then the document is what runs."""
    digest = hashlib.sha256(b"{ a }").hexdigest()
    body = doc("{ a }", extensions={"persistedQuery": {"sha256Hash": digest}})

    assert shown(acts("graphql", body)) == [(f"{Q}a", "read", "")]


def test_arguments_are_params_without_secrets() -> None:
    """Scalars and lists by name, an input without its prefix, nothing that looks like a secret."""
    text = (
        'mutation { issueCreate(input: {title: "a", teamId: "t", labelIds: [1, 2], password: "p",'
        ' clientMutationId: "c", where: {x: 1}}, notify: true, weight: 1.5, mode: FAST) { x } }'
    )
    (action,) = acts("graphql", doc(text))

    assert dict(action.params) == {
        "title": "a", "team_id": "t", "label_ids": [1, 2], "notify": True, "weight": "1.5",
        "mode": "FAST",
    }  # fmt: skip
    assert (action.action, action.target.type, action.target.id) == ("create_issue", "team", "t")


def test_two_arguments_of_one_name_are_missing() -> None:
    """`userId` and `user_id` would be one param, so neither is believed."""
    (action,) = acts("graphql", doc('mutation { renameUser(userId: "a", user_id: "b") { x } }'))

    assert dict(action.params) == {}
    assert action.missing == {"user_id"}
    assert action.target.id == ""


NAMES: dict[str, list[str]] = {
    "mergePullRequest": ["merge", "pull", "request"],
    "issueCreate": ["create", "issue"],
    "orderEditCommit": ["commit", "order", "edit"],
    "create_update": ["create", "update"],
    "collectionAddProducts": ["add", "collection", "products"],
    "releaseSync": ["sync", "release"],
    "viewer": ["viewer"],
}


@pytest.mark.parametrize(("name", "words"), NAMES.items(), ids=NAMES)
def test_the_verb_of_a_name_stands_first(name: str, words: list[str]) -> None:
    """Schemas write the verb in front, behind or in the middle; actions have it in front."""
    assert verb_first(name) == words


def test_what_cannot_be_undone_is_marked() -> None:
    """Deletions are irreversible, updates are not."""
    deletion, update = acts("graphql", doc("mutation { deleteIssue(id: 1) updateIssue(id: 1) }"))

    assert not deletion.reversible
    assert update.reversible
    assert deletion.kind is Kind.DELETE
