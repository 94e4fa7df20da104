"""Published path templates become ours."""

from __future__ import annotations

import pytest

from gateway.authoring.imports.wires import shape_of, variable_name, wire_of

WIRES = {
    "camel case": ("get", "/v1/{accountId}", "GET /v1/{account_id}"),
    "a suffix in the segment": ("post", "/A/{Sid}.json", "POST /A/{sid}.json"),
    "the rest of the path": ("GET", "/files/{path+}", "GET /files/{path+}"),
    "one name twice": ("GET", "/a/{id}/b/{id}", "GET /a/{id}/b/{id_2}"),
    "names that fold into one": ("GET", "/{itemId}/{item_id}", "GET /{item_id}/{item_id_2}"),
    "a query and a fragment": ("GET", "/a?x=1#b", "GET /a"),
    "doubled slashes": ("GET", "//a//b/", "GET /a/b"),
    "a verb after a colon": ("POST", "/v1/{name}:cancel", "POST /v1/{name}:cancel"),
    "the root": ("POST", "/", "POST /"),
}


@pytest.mark.parametrize("case", WIRES)
def test_a_template_is_rewritten(case: str) -> None:
    """Methods are upper case, variables lower case and each there once."""
    method, template, wire = WIRES[case]

    assert wire_of(method, template)[0] == wire


def test_original_names_lead_to_ours() -> None:
    """An importer finds its own variables again."""
    assert wire_of("GET", "/{accountId}/{Bucket+}")[1] == {
        "accountId": "account_id",
        "Bucket": "bucket",
    }


def test_a_name_of_digits_gets_a_letter() -> None:
    """Variables begin with a letter, in any notation."""
    assert variable_name("2fa-code") == "v_2fa_code"


SHAPES = {
    "names of variables don't matter": ("/v1/{id}/{key+}", "/v1/{account_id}/{path+}", True),
    "literals do": ("/v1/{id}/keys", "/v1/{id}/rows", False),
    "a variable is no literal": ("/v1/{id}", "/v1/id", False),
}


@pytest.mark.parametrize("case", SHAPES)
def test_templates_of_one_shape_are_sent_alike(case: str) -> None:
    """Two methods of an SDK that send the same bytes are found by it."""
    one, other, is_same = SHAPES[case]

    assert (shape_of(one) == shape_of(other)) is is_same
