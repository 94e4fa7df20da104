"""Path templates and fields, read from Python source without running it."""

from __future__ import annotations

import ast

import pytest

from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.python_source import annotations_of, field_of, template_of

TEMPLATES = {
    '"/things"': "/things",
    'f"/things/{thing_id}"': "/things/{thing_id}",
    'f"things/{encode(thing_id)}/parts"': "things/{thing_id}/parts",
    "f\"/things/{params['id']}\"": "/things/{id}",
    '"/things" + f"/{name}"': "/things/{name}",
}


@pytest.mark.parametrize("source", TEMPLATES)
def test_a_path_is_read_from_a_text(source: str) -> None:
    """What is put into it is named by its innermost name or key."""
    assert template_of(ast.parse(source, mode="eval").body) == TEMPLATES[source]


def test_what_is_no_text_is_no_path() -> None:
    """The importer must know of it, and not make up a path."""
    with pytest.raises(ValueError, match="is no path"):
        template_of(ast.parse("paths[0]", mode="eval").body)


FIELDS = {
    "str": Field("x", "body.x", "text", True),
    "typing.Optional[str]": Field("x", "body.x", "text", False),
    "int | None": Field("x", "body.x", "integer", False),
    "NotRequired[bool]": Field("x", "body.x", "boolean", False),
    "typing.Sequence[str]": Field("x", "body.x", "list", True),
    "Optional[List[str]]": Field("x", "body.x", "list", False),
    "RefundStatus": Field("x", "body.x", "text", True),
    "typing.Optional[MoneyParams]": None,
    "List[Item]": None,
    "": None,
}


@pytest.mark.parametrize("annotation", FIELDS)
def test_a_field_is_read_from_an_annotation(annotation: str) -> None:
    """Plain values and lists of texts; objects are none."""
    assert field_of("x", annotation) == FIELDS[annotation]


def test_annotations_are_those_of_every_parameter() -> None:
    """Positional or by keyword, with an empty text for none."""
    (function,) = ast.parse("def f(self, a: int, *, b: str = 'x'): ...").body
    assert isinstance(function, ast.FunctionDef)

    assert annotations_of(function) == {"self": "", "a": "int", "b": "str"}
