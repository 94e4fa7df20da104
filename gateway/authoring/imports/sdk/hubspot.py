"""Reads the calls of HubSpot's Python SDK from its source.

`client.crm.contacts.basic_api` is a property of a discovery class, named by its folder; the class
that it configures is generated, and its methods end in `self.api_client.call_api("/crm/v3/...",
"POST", ...)`. What the Node SDK has beyond that is told by its paths alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.authoring.imports.sdk.modules import FoundClass, Modules
from gateway.authoring.imports.sdk.python_calls import SdkCall

_DETAILED = "_with_http_info"
_NODE = re.compile(
    r"^    (\w+)\(.*?\) \{$|localVarPath = '([^']+)'|HttpMethod\.([A-Z]+)\)", re.MULTILINE
)


def read_hubspot_calls(folder: Path) -> Iterator[SdkCall]:
    """All calls that the client of the Python SDK offers, by the order of their names."""
    modules = Modules(folder)
    root = folder / "hubspot" / "discovery"
    for path in sorted(root.rglob("discovery.py")):
        module = ".".join(path.relative_to(folder).with_suffix("").parts)
        tree = modules.tree(module)
        assert tree is not None
        below = path.relative_to(root).parent.parts
        for attribute, api in _configured(modules, tree):
            yield from _api_calls(modules, api, (*below, attribute))


def _configured(modules: Modules, tree: ast.Module) -> Iterator[tuple[str, FoundClass]]:
    """The attributes of a discovery class with the API classes that they configure."""
    sources = {
        alias.asname: alias.name
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(
                name=attribute,
                body=[
                    ast.Return(
                        value=ast.Call(
                            func=ast.Attribute(attr="_configure_api_client"),
                            args=[ast.Name(id=source), ast.Constant(value=str(name))],
                        )
                    )
                ],
            ):
                yield attribute, modules.find_class(sources[source], name)


def _api_calls(modules: Modules, api: FoundClass, path: tuple[str, ...]) -> Iterator[SdkCall]:
    for _, node in modules.methods(api):
        if not node.name.endswith(_DETAILED):
            continue
        for call in ast.walk(node):
            match call:
                case ast.Call(
                    func=ast.Attribute(attr="call_api"),
                    args=[ast.Constant(value=str(template)), ast.Constant(value=str(method)), *_],
                ):
                    yield SdkCall((*path, node.name.removesuffix(_DETAILED)), method, template)


def read_hubspot_node_calls(folder: Path) -> Iterator[SdkCall]:
    """The calls of the Node SDK, with names as the Python SDK would have them."""
    root = folder / "package" / "lib" / "codegen"
    for path in sorted(root.rglob("apis/*Api.js")):
        place = (*path.relative_to(root).parent.parent.parts, _snake(path.stem))
        name = template = ""
        for function, found, method in _NODE.findall(path.read_text()):
            if function:
                name, template = _snake(function), ""
            elif found:
                template = found
            elif template:
                yield SdkCall((*place, name), method, template)
                template = ""


def _snake(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()
