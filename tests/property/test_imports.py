"""Whatever stands in a published document, and whatever its operations and fields are called."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring.imports.openapi import rows_of_openapi
from gateway.authoring.imports.params import PARAMS_MAX, Field, chosen_params
from gateway.canonicalize.authored.template import split_template
from gateway.canonicalize.catalog.lines import line_of, row_of
from gateway.canonicalize.naming.kinds import KIND_BY_VERB, derived_kind
from gateway.canonicalize.naming.secrets import looks_secret
from gateway.model.action import Kind

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "get", "post", "delete", "$ref", "schema", "properties", "allOf", "content",
                    "in", "name", "servers", "url", "variables", "type", "required",
                    "application/json", "operationId", "parameters", "requestBody", "/a/{b}",
                    "/a", "security", "tags",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200)
@given(ODD, ODD, ODD)
def test_no_document_makes_it_fail(item: object, servers: object, rest: object) -> None:
    """Whatever stands in a document, its rows can be written, read back and matched."""
    found = rows_of_openapi(
        {"paths": {"/a/{b}": item, "/c": {"post": rest}}, "servers": servers, "x": rest},
        provider="shop",
    )

    for row in found.rows:
        assert row_of(line_of(row)) == row
        split_template(row.wire.partition(" ")[2])


NAMES = st.text(st.sampled_from("abAB_-$.[]é key"), max_size=20) | st.sampled_from(
    ["token", "accessToken", "name", "to", "api_key"]
)


@given(st.lists(st.builds(Field, NAMES, st.just("body.x"), required=st.booleans()), max_size=30))
def test_whatever_the_fields_are(fields: list[Field]) -> None:
    """Never more than the limit, never a name that can't be one, never a secret."""
    params = chosen_params(fields)

    assert len(params) <= PARAMS_MAX
    assert list(params) == sorted(params)
    assert not any(looks_secret(name) for name in params)


WORD = st.sampled_from([*KIND_BY_VERB, "thing", "or", "and", "batch", "as", "all"])


@given(st.lists(WORD, max_size=5))
def test_a_delete_put_or_patch_is_never_a_read(words: list[str]) -> None:
    """Whatever the name is, these methods change something."""
    for method in ("DELETE", "PUT", "PATCH"):
        assert derived_kind(words, method) is not Kind.READ


@given(st.lists(WORD, max_size=5))
def test_a_post_needs_a_verb_to_read(words: list[str]) -> None:
    """A POST is a read only if its first or last verb reads, and no act is joined to it."""
    if derived_kind(words, "POST") is not Kind.READ:
        return
    verbs = [word for word in words if word in KIND_BY_VERB]

    assert Kind.READ in (KIND_BY_VERB[verbs[0]], KIND_BY_VERB[verbs[-1]])
    assert (
        not any(
            before in ("or", "and") and KIND_BY_VERB.get(word, Kind.READ) is not Kind.READ
            for before, word in pairwise(words[1:])
        )
        or KIND_BY_VERB.get(words[0]) is not Kind.READ
    )


@given(st.lists(WORD, max_size=5))
def test_the_authority_can_forbid_a_read(words: list[str]) -> None:
    """What an authority says isn't a read is none, by any method."""
    for method in ("", "GET", "POST", "DELETE"):
        assert derived_kind(words, method, is_read=False) is not Kind.READ
