"""The JSON Schema for editors and the loader: one verdict on what is right and what is wrong."""

from __future__ import annotations

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.authoring.schema import FILE, mapper_schema
from gateway.canonicalize.authored.mapper import parse_mapper
from gateway.canonicalize.library import CATALOGS
from gateway.content import mappers_dir

NAMES = {path.stem for path in (mappers_dir() / CATALOGS).glob("*.cat")}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads((mappers_dir() / FILE).read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_shipped_schema_is_the_loader_s() -> None:
    """`checkrein mappers schema` makes the shipped file; run it after a change of the format."""
    assert json.loads((mappers_dir() / FILE).read_text()) == mapper_schema()


def mapper(spec: str = "", entry: str = "GET /a: list_a", hosts: str = "hosts: [a.test]") -> str:
    head = "apiVersion: checkrein/v1\nkind: Mapper\nmetadata: {name: a}\nspec:\n  provider: a\n"
    return f"{head}  {hosts}\n  operations:\n    {entry}\n{spec}\n"


def block(text: str) -> str:
    return mapper(entry=f"POST /a/{{b}}: {{action: create_b, {text}}}")


EXTENDS = "  extends: catalog:stripe"
GOOD: dict[str, str] = {
    "the smallest": mapper(),
    "a block with everything": block(
        "operation: a.b, kind: admin, target: {type: b, id: path.b}, reversible: false,"
        " sensitive: credentials, witness: {read: GET /a, fields: [x]},"
        " params: {x: body.x, y: {from: body.y, type: money_decimal, currency: eur},"
        " z: {from: query.z, type: list, separator: ','}},"
        " when: {header.x: true, query.y: '1', body.z: false, body.n: 1}"
    ),
    "a witness with everything": block(
        "witness: {read: 'HEAD {path}?x', fields: {tag: header.etag}, success: ok, absent: true}"
    ),
    "a list of blocks": mapper(
        entry="POST /a: [{action: create_a, when: {query.x: true}}, create_a]"
    ),
    "each": block("target: {type: b, each: body.ids}"),
    "an override": mapper(EXTENDS, entry="stripe.refunds.create: {kind: create}"),
    "hosts of the catalog": mapper(EXTENDS, hosts=""),
    "names in the path": mapper("  select: path-tail\n  prefix: /api", entry="chat.get: get_chat"),
    "AWS": mapper("  select: aws", entry="s3.GetObject: get_object"),
    "an act in a body": mapper(entry="act a.create: create_a"),
    "a body that carries acts": block("kind: unknown, expand: graphql"),
    "tests": mapper(
        "  tests:\n  - {request: GET /a, headers: {x: y}, expect: {kind: read, params.x: 1}}"
    ),
    "what fits nothing": mapper("  unmatched: {action: call_a, kind: execute}"),
    "defaults": mapper("  defaults: {params: form}\n  errors: stripe\n  ignoreCase: true"),
}
BAD: dict[str, str] = {
    "no mapping": "[]",
    "another version": mapper().replace("checkrein/v1", "checkrein/v2"),
    "another kind": mapper().replace("Mapper", "Policy"),
    "no name": mapper().replace("{name: a}", "{}"),
    "a name in capitals": mapper().replace("name: a", "name: A"),
    "an unknown key": mapper("  color: red"),
    "no provider": mapper().replace("  provider: a\n", ""),
    "no operations": mapper().replace("operations:\n    GET /a: list_a", "defaults: {}"),
    "no hosts and no catalog": mapper(hosts=""),
    "hosts that are no list": mapper(hosts="hosts: a.test"),
    "no host among them": mapper(hosts="hosts: []"),
    "a host with a scheme": mapper(hosts="hosts: ['https://a.test']"),
    "a host twice": mapper(hosts="hosts: [a.test, a.test]"),
    "an unknown style": mapper("  errors: soap"),
    "an unknown selector": mapper("  select: soap"),
    "a prefix without its selector": mapper("  prefix: /api"),
    "a catalog without its prefix": mapper("  extends: stripe"),
    "params in the path by default": mapper("  defaults: {params: path}"),
    "a read where nothing fits": mapper("  unmatched: {kind: read}"),
    "a key without a method": mapper(entry="/a: list_a"),
    "a key with an unknown method": mapper(entry="FETCH /a: list_a"),
    "a key without a slash": mapper(entry="GET a: list_a"),
    "a name without a catalog": mapper(entry="a.list: list_a"),
    "an action in capitals": mapper(entry="GET /a: listA"),
    "an action that is a number": mapper(entry="GET /a: 5"),
    "a block without an action": mapper(entry="GET /a: {kind: read}"),
    "an unknown key of a block": block("colour: red"),
    "an unknown kind": block("kind: write"),
    "a target without a type": block("target: {id: path.b}"),
    "a target with id and each": block("target: {type: b, id: path.b, each: body.c}"),
    "a param in capitals": block("params: {X: body.x}"),
    "a param without from": block("params: {x: {type: integer}}"),
    "an unknown type": block("params: {x: {from: body.x, type: float}}"),
    "money without a currency": block("params: {x: {from: body.x, type: money_decimal}}"),
    "a currency without money": block("params: {x: {from: body.x, currency: eur}}"),
    "a separator without a list": block("params: {x: {from: body.x, separator: ','}}"),
    "a condition that is a list": block("when: {query.x: [1]}"),
    "reversible that is a text": block("reversible: 'no'"),
    "a witness that acts": block("witness: {read: POST /a, fields: [x]}"),
    "a witness without fields": block("witness: {read: GET /a}"),
    "a witness of elsewhere": block("witness: {read: 'GET https://b.test/', fields: [x]}"),
    "a witness that may be absent": block("witness: {read: GET /a, fields: [x], absent: maybe}"),
    "an unknown family": block("expand: soap"),
    "an override with an operation": mapper(EXTENDS, entry="stripe.x: {operation: y}"),
    "a test without an expectation": mapper("  tests: [{request: GET /a}]"),
    "a test that expects nonsense": mapper("  tests: [{request: GET /a, expect: {colour: 1}}]"),
    "tests that are no list": mapper("  tests: {}"),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_right_ones(validator: Draft202012Validator, text: str) -> None:
    """Both take it."""
    assert [problem.message for problem in parse_mapper(text.encode(), "f", NAMES)[1]] == []
    document = yaml.load(text, yaml.CSafeLoader)
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_wrong_ones(validator: Draft202012Validator, text: str) -> None:
    """Both refuse it, and the loader says where."""
    problems = parse_mapper(text.encode(), "f", NAMES)[1]

    assert problems
    assert all(problem.line for problem in problems)
    assert not validator.is_valid(yaml.load(text, yaml.CSafeLoader))
