"""Reads Slack's methods and their arguments from the sources of its Python and Node SDKs.

The Python client says `self.api_call("chat.postMessage", json=kwargs)` and fills `kwargs` from its
arguments; the Node client lists names only. A method of either is a method.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.python_calls import type_of

_BOUND = re.compile(r"bindApiCall\w*\(this, '([A-Za-z]+(?:\.[A-Za-z0-9]+)+)'")
COMMA = "list,"
"""The type of a list that Slack takes as one text with commas."""
_NOT_ASKED = frozenset(
    {"cursor", "limit", "page", "count", "kwargs", "manifest", "prefs", "code", "trigger_id"}
)
"""Paging, whole documents in one text, and codes that are as good as a token."""


def read_slack_methods(python: Path, node: Path) -> dict[str, tuple[Field, ...]]:
    """The arguments of each method, by its name."""
    source = (node / "package" / "dist" / "methods.js").read_text()
    found: dict[str, tuple[Field, ...]] = dict.fromkeys(_BOUND.findall(source), ())
    tree = ast.parse((python / "slack_sdk" / "web" / "client.py").read_bytes())
    for client in tree.body:
        if isinstance(client, ast.ClassDef) and client.name == "WebClient":
            for function in client.body:
                if isinstance(function, ast.FunctionDef):
                    for name in _called(function):
                        found[name] = _longer(found.get(name, ()), tuple(_fields(function)))
    return dict(sorted(found.items()))


def _called(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="api_call"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield name
            case ast.Call(func=ast.Attribute(attr="api_call"), keywords=keywords):
                for keyword in keywords:
                    if keyword.arg == "api_method" and isinstance(keyword.value, ast.Constant):
                        yield str(keyword.value.value)


def _longer(one: tuple[Field, ...], other: tuple[Field, ...]) -> tuple[Field, ...]:
    return other if len(other) >= len(one) else one


def _fields(function: ast.FunctionDef) -> Iterator[Field]:
    """What the function puts into `kwargs`, each with the type of the argument it comes from."""
    arguments = (*function.args.args, *function.args.kwonlyargs)
    types = {argument.arg: argument.annotation for argument in arguments}
    optional = {
        argument.arg
        for argument, default in zip(
            function.args.kwonlyargs, function.args.kw_defaults, strict=True
        )
        if default is not None
    }
    seen: dict[str, Field] = {}
    for key, value in _updates(function):
        kind, source = _kind(value, types)
        if kind is None or key in _NOT_ASKED or (key in seen and kind != COMMA):
            continue
        seen[key] = Field(key, f"any.{key}", kind, source not in optional)
    yield from seen.values()


def _updates(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr="update"), args=[ast.Dict() as pairs]):
                for key, value in zip(pairs.keys, pairs.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="kwargs"), slice=ast.Constant(value=key))],
                value=value,
            ):
                yield str(key), value


def _kind(value: ast.expr, types: Mapping[str, ast.expr | None]) -> tuple[str | None, str]:
    match value:
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.Name(id=name)]):
            return COMMA, name
        case ast.Name(id=name):
            return type_of(types.get(name)), name
        case _:
            return None, ""
