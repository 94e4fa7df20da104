"""Reads what importers of Python SDKs need from source code: path templates in f-strings, the types
of annotations. Nothing is imported or run.
"""

from __future__ import annotations

import ast
import re

from gateway.authoring.imports.params import Field

_TYPES = {"str": "text", "int": "integer", "bool": "boolean", "float": "text"}
_LISTS = re.compile(r"(?:typing\.)?(?:List|Sequence|list|Iterable)\[str\]")
_OPTIONAL = re.compile(
    r"(?:typing\.)?Optional\[(.*)\]|(.*?) \| None|(?:typing\.)?NotRequired\[(.*)\]"
)
_CHOICES = re.compile(r"[A-Z]\w*(?:Type|Status|Reason|Mode|Role|Level)|(?:typing\.)?Literal\[.*\]")


def template_of(node: ast.expr) -> str:
    """The path template that a text or f-string is; a value in it is named by its last name.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template_of(node.left) + template_of(node.right)
    if not isinstance(node, ast.JoinedStr):
        raise ValueError(f"`{ast.unparse(node)[:80]}` is no path")
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{_name_in(part)}}}"
        for part in node.values
    )


def _name_in(part: ast.expr) -> str:
    """`{params["id"]}` and `{jsonable_encoder(payment_id)}` by the innermost name or key."""
    keys = [
        node.value
        for node in ast.walk(part)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value
    ]
    names = [node.id for node in ast.walk(part) if isinstance(node, ast.Name)]
    return (keys or names)[-1]


def field_of(name: str, annotation: str, place: str = "body") -> Field | None:
    """A field of a body by its annotation; None for objects and what else is no plain value."""
    found = _OPTIONAL.fullmatch(annotation)
    plain = next((part for part in found.groups() if part), "") if found else annotation
    is_required = found is None
    if plain in _TYPES:
        return Field(name, f"{place}.{name}", _TYPES[plain], is_required)
    if _LISTS.fullmatch(plain):
        return Field(name, f"{place}.{name}", "list", is_required)
    if _CHOICES.fullmatch(plain):
        return Field(name, f"{place}.{name}", "text", is_required)
    return None


def annotations_of(function: ast.FunctionDef) -> dict[str, str]:
    """The annotations of a function's parameters, as text."""
    return {
        arg.arg: ast.unparse(arg.annotation) if arg.annotation else ""
        for arg in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    }
