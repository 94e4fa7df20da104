"""Reads the calls of Notion's Python client from its source.

Endpoints are attributes that a constructor makes (`self.pages = PagesEndpoint(self)`), and their
methods return `self.parent.request(path=f"pages/{page_id}", method="PATCH", body=pick(...))`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from gateway.authoring.imports.sdk.modules import FoundClass, Modules
from gateway.authoring.imports.sdk.python_calls import SdkCall


def read_notion_calls(folder: Path) -> Iterator[SdkCall]:
    """All calls of the client, in the source's order."""
    modules = Modules(folder)
    client = modules.find_class("notion_client.client", "BaseClient")
    yield from _endpoint_calls(modules, client, ())


def _endpoint_calls(
    modules: Modules, endpoint: FoundClass, path: tuple[str, ...]
) -> Iterator[SdkCall]:
    for owner, node in modules.methods(endpoint):
        if node.name == "__init__":
            for name, below in _made(node):
                try:
                    found = modules.find_class(owner.module, below)
                except LookupError:
                    continue
                yield from _endpoint_calls(modules, found, (*path, name))
        elif node.name == "__call__":
            yield from _calls_of(node, path)
        elif not node.name.startswith("_") and path:
            yield from _calls_of(node, (*path, node.name))


def _made(node: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for inner in ast.walk(node):
        match inner:
            case ast.Assign(
                targets=[ast.Attribute(attr=name)], value=ast.Call(func=ast.Name(id=below))
            ) if below.endswith("Endpoint"):
                yield name, below


def _calls_of(node: ast.FunctionDef, path: tuple[str, ...]) -> Iterator[SdkCall]:
    for inner in ast.walk(node):
        match inner:
            case ast.Call(func=ast.Attribute(attr="request"), keywords=keywords):
                given = {keyword.arg: keyword.value for keyword in keywords}
                method = str(ast.literal_eval(given["method"]))
                yield SdkCall(path, method, _template_of(given["path"]))


def _template_of(path: ast.expr) -> str:
    match path:
        case ast.JoinedStr(values=values):
            return "".join(
                "{" + ast.unparse(part.value) + "}"
                if isinstance(part, ast.FormattedValue)
                else str(ast.literal_eval(part))
                for part in values
            )
        case _:
            return str(ast.literal_eval(path))
