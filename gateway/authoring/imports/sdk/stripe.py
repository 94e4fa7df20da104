"""Reads the calls of Stripe's Python SDK from its source: services, their methods' requests, and
the classes that describe what they take.

`StripeClient` has services as annotated attributes, these have services again, and methods that
return `self._request("post", "/v1/charges/{charge}/capture".format(...), params=params)`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.authoring.imports.sdk.modules import FoundClass, Modules
from gateway.authoring.imports.sdk.python_calls import SdkCall, SdkField, type_of

_REQUESTS = frozenset({"_request", "_request_stream", "request"})
_WRAPPERS = frozenset({"NotRequired", "Required", "Optional"})
_MONEY = re.compile(r"(?:^|_)(?:amount|balance|fee)(?:_|$)|^(?:min|max)imum$")
_CURRENCY = re.compile(r"(?:^|_)currency$")
ROOTS = (
    ("stripe._v1_services", "V1Services", ()),
    ("stripe._v2_services", "V2Services", ("v2",)),
    ("stripe._oauth_service", "OAuthService", ("oauth",)),
)
"""The services of a client; those of v1 are its own, so their path has no version."""


def read_stripe_calls(folder: Path) -> Iterator[SdkCall]:
    """All calls of the client, in the source's order."""
    modules = Modules(folder)
    for module, name, path in ROOTS:
        yield from _service_calls(modules, modules.find_class(module, name), path)


def _service_calls(
    modules: Modules, service: FoundClass, path: tuple[str, ...]
) -> Iterator[SdkCall]:
    for node in service.node.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Constant(value=str(below))):
                found = _below(modules, service, name, below)
                yield from _service_calls(modules, found, (*path, name))
            case ast.FunctionDef(name=name) if not name.startswith("_"):
                yield from _calls_of(modules, service, node, (*path, name))


def _below(modules: Modules, service: FoundClass, name: str, class_name: str) -> FoundClass:
    """Two services of one file can have one class name; `_subservices` says which is meant."""
    tree = modules.tree(service.module)
    assert tree is not None
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="_subservices")], value=table):
                module, found = ast.literal_eval(table)[name]
                return modules.find_class(module, found)
    return modules.find_class(service.module, class_name)


def _calls_of(
    modules: Modules, service: FoundClass, node: ast.FunctionDef, path: tuple[str, ...]
) -> Iterator[SdkCall]:
    for call in ast.walk(node):
        match call:
            case ast.Call(
                func=ast.Attribute(attr=attribute),
                args=[ast.Constant(value=str(method)), where, *_],
                keywords=keywords,
            ) if attribute in _REQUESTS:
                template = _template_of(where)
                options = {keyword.arg: keyword.value for keyword in keywords}
                is_read = method.upper() == "GET"
                # Files go up as multipart, which isn't read.
                is_json = not (ast.unparse(options["base_address"]) == "'files'" and not is_read)
                fields = _fields(modules, service, node) if is_json and not is_read else ()
                place = "body" if template.startswith("/v2/") else "form"
                yield SdkCall(path, method.upper(), template, fields, (), is_json, place=place)


def _template_of(where: ast.expr) -> str:
    match where:
        case ast.Constant(value=str(text)):
            return text
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text
        case _:
            raise LookupError(f"`{ast.unparse(where)}` is no path")


def _fields(modules: Modules, service: FoundClass, node: ast.FunctionDef) -> tuple[SdkField, ...]:
    """The top members of the class that annotates `params`."""
    for argument in (*node.args.posonlyargs, *node.args.args):
        if argument.arg != "params" or argument.annotation is None:
            continue
        found = re.search(r"(\w+Params)\b", ast.unparse(argument.annotation))
        if found is None:
            return ()
        try:
            params = modules.find_class(service.module, found.group(1))
        except LookupError:
            return ()
        return tuple(_members(params.node))
    return ()


def _members(node: ast.ClassDef) -> Iterator[SdkField]:
    for member in node.body:
        match member:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                required, inner = _unwrapped(annotation)
                kind = _kind(name, inner)
                if kind is not None and name not in ("expand", "metadata", "include"):
                    yield SdkField(name, kind, required)


def _unwrapped(annotation: ast.expr) -> tuple[bool, ast.expr]:
    required = True
    match annotation:
        case ast.Subscript(value=ast.Name(id=wrapper), slice=inner) if wrapper in _WRAPPERS:
            required, annotation = wrapper == "Required", inner
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    return required, annotation


def _kind(name: str, annotation: ast.expr) -> str | None:
    """The type; amounts are minor units. `Literal['']|int` (which unsets) is an integer."""
    text = ast.unparse(annotation).replace("Literal['']", "None")
    kind = type_of(ast.parse(text, mode="eval").body)
    if kind == "integer" and _MONEY.search(name):
        return "money_minor"
    if kind == "text" and _CURRENCY.search(name):
        return "currency"
    return kind
