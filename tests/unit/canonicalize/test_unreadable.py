"""Declared params without a value: which of them are certainly absent, and which may be there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.authoring.requests import build_request
from tests.unit.canonicalize.expand.calls import acts
from tests.unit.canonicalize.requests import FORM, JSON, XML, load_text, shop

MAPPER = """apiVersion: checkrein/v1
kind: Mapper
metadata: {name: shop}
spec:
  provider: shop
  hosts: [shop.test]
  operations:
    POST /json:
      action: update_thing
      target: {type: thing, id: body.id}
      params:
        count: {from: body.count, type: integer}
        last4: body.card.last4
        names: {from: "body.people[*].name, body.name", type: list}
        second: "body.people[1].name"
        any_case: body.~Force
    POST /form:
      action: update_form
      params:
        count: {from: form.count, type: integer}
        tags: {from: form.tags, type: list}
        page: {from: query.page, type: integer}
        mark: {from: header.x-mark, type: integer}
        either: {from: any.either, type: integer}
    POST /either:
      action: update_either
      params: {count: {from: any.count, type: integer}}
    POST /xml:
      action: update_xml
      params: {count: {from: xml.Job.Count, type: integer}}
    POST /things: {action: update_things, target: {type: thing, each: "body.things[*].id"}}
    POST /path/{number}:
      action: update_path
      params: {number: {from: path.number, type: integer}}
"""
ALL = {"count", "last4", "names", "second", "any_case", "target.id"}
UNREADABLE: dict[str, tuple[str, tuple[str, str], set[str], set[str]]] = {
    "an empty body holds nothing": ("POST /json", JSON, ALL, set()),
    "an empty object holds nothing": ("POST /json {}", JSON, ALL, set()),
    "a null is there": (
        'POST /json {"id":null,"count":null,"FORCE":null}',
        JSON,
        ALL,
        {"target.id", "count", "any_case"},
    ),
    "another type is there": (
        'POST /json {"id":"a","count":"1.5"}',
        JSON,
        ALL - {"target.id"},
        {"count"},
    ),
    "the way ends at a text": (
        'POST /json {"card":"4242","people":"x"}',
        JSON,
        ALL,
        {"last4", "names", "second"},
    ),
    "the way ends at an object without it": (
        'POST /json {"card":{},"people":[]}',
        JSON,
        ALL,
        set(),
    ),
    "a null among the elements": (
        'POST /json {"people":[{},{"name":null}]}',
        JSON,
        ALL,
        {"names", "second"},
    ),
    "elements without it": ('POST /json {"people":[{},{}]}', JSON, ALL, set()),
    "an element too few": ('POST /json {"people":[{"name":"a"}]}', JSON, ALL - {"names"}, set()),
    "a list where an object was": ("POST /json [1]", JSON, ALL, ALL),
    "an empty form": ("POST /form", FORM, {"count", "tags", "page", "mark", "either"}, set()),
    "an empty field of a form": (
        "POST /form?page=&either=x count=&tags=a",
        FORM,
        {"count", "page", "mark", "either"},
        {"count", "page", "either"},
    ),
    "a part of a field": (
        "POST /form tags[x]=a&count.z=1&either=",
        FORM,
        {"count", "tags", "page", "mark", "either"},
        {"count", "tags", "either"},
    ),
    "anywhere, in JSON": ('POST /either {"count":true}', JSON, {"count"}, {"count"}),
    "nowhere": ("POST /either", JSON, {"count"}, set()),
    "not in JSON": ('POST /either {"x":1}', JSON, {"count"}, set()),
    "not in a form": ("POST /either?x=1 y=1", FORM, {"count"}, set()),
    "an element that is no number": (
        "POST /xml <Job><Count>x</Count></Job>",
        XML,
        {"count"},
        {"count"},
    ),
    "a document without it": ("POST /xml <Job></Job>", XML, {"count"}, set()),
    "another document": ("POST /xml <Task><Count>1</Count></Task>", XML, {"count"}, {"count"}),
    "no document": ("POST /xml", XML, {"count"}, set()),
    "a path that is no number": ("POST /path/x", JSON, {"number"}, {"number"}),
    "targets without an id": ('POST /things {"things":[{}]}', JSON, {"target.id"}, set()),
    "targets with a null": (
        'POST /things {"things":[{"id":null}]}',
        JSON,
        {"target.id"},
        {"target.id"},
    ),
}


@pytest.fixture(name="canonicalizer", scope="module")
def _canonicalizer(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder: Path = tmp_path_factory.mktemp("mappers")
    return load_text(folder, MAPPER)


@pytest.mark.parametrize(
    ("line", "header", "missing", "unreadable"), UNREADABLE.values(), ids=UNREADABLE
)
def test_what_may_be_there(canonicalizer, line, header, missing, unreadable) -> None:
    """What has no value is missing; what may be there all the same is unreadable too."""
    canonical = canonicalizer.canonicalize(shop(line, header))

    assert canonical.refused is None, canonical.detail
    (action,) = canonical.actions
    assert action.missing == missing
    assert action.unreadable == unreadable


def test_a_header_of_the_wrong_type_is_there(canonicalizer) -> None:
    """Headers are looked at like bodies."""
    (action,) = canonicalizer.canonicalize(shop("POST /form", FORM, ("x-mark", "no"))).actions
    assert action.unreadable == {"mark"}


def test_a_body_that_streams_is_refused_where_params_are_in_it(canonicalizer) -> None:
    """So no declared param of a body is ever taken for absent because nobody read it."""
    request = build_request("POST", "https://shop.test/json", [JSON], b"")
    streamed = replace(request, body=None, body_bytes=None)
    assert canonicalizer.canonicalize(streamed).refused == "body_too_large"


def test_arguments_that_are_not_kept_are_unreadable() -> None:
    """Nulls, objects in objects, secrets, giants: they are there, and are no params."""
    query = (
        'mutation { issueCreate(input: {title: "a", note: null, where: {x: {y: 1}}, password: "p"},'
        f' blob: "{"x" * 20_000}", list: [{{a: 1}}], weight: 1.5) {{ x }} }}'
    )
    (action,) = acts("graphql", {"query": query})

    assert dict(action.params) == {"title": "a", "weight": "1.5"}
    assert action.missing == action.unreadable == {"note", "where", "password", "blob", "list"}


def test_more_arguments_than_are_kept_leave_the_rest_open() -> None:
    """Nobody pushes a param out of sight by sending many before it."""
    few = ", ".join(f"a{number}: 1" for number in range(32))
    (action,) = acts("graphql", {"query": f"mutation {{ run({few}, zone: 1) {{ x }} }}"})
    assert len(action.params) == 32
    assert action.unreadable == {"zone"}

    many = ", ".join(f"a{number}: 1" for number in range(70))
    (action,) = acts("graphql", {"query": f"mutation {{ run({many}) {{ x }} }}"})
    assert len(action.unreadable) == 33
    assert "*" in action.unreadable


@pytest.mark.parametrize("host", ["shop.test", "elsewhere.test"])
def test_of_what_nobody_describes_nothing_is_certainly_absent(tmp_path: Path, host: str) -> None:
    """Its body was not looked at: `has()` of any param can't be told, on a known host or not."""
    canonicalizer = load_text(tmp_path, MAPPER)
    request = shop('POST /unheard-of {"command": "rm"}', JSON, host=host)
    (action,) = canonicalizer.canonicalize(request).actions
    assert (action.kind.value, action.params) == ("unknown", {})
    assert action.missing == action.unreadable == {"*"}
