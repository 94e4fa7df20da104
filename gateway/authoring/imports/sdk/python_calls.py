"""Reads the calls of a generated Python SDK (OpenAI, Anthropic, Cloudflare) from its source.

A client has resources as cached properties, these have resources again, and methods that end in
`self._post("/path/{id}", body=...)`. What a method would send is read from that expression; a
method without one (polling, streaming on top of another) sends nothing of its own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

from gateway.authoring.imports.sdk.modules import FoundClass, Modules
from gateway.model.dataclass import dataclass

_METHODS = {
    "_get": "GET", "_post": "POST", "_put": "PUT", "_patch": "PATCH", "_delete": "DELETE",
    "_get_api_list": "GET",
}  # fmt: skip
_ALIAS = re.compile(r"PropertyInfo\([^)]*\balias='([^']+)'")
_TEXTS = frozenset({"str", "Literal", "datetime", "date"})
_LISTS = frozenset({"List", "list", "SequenceNotStr", "Sequence", "Iterable"})


@dataclass(frozen=True, slots=True)
class SdkField:
    """A member of a call's JSON body; `type` is one of text, integer, boolean and list."""

    name: str
    type: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class SdkCall:
    """One way in which a method sends a request. `path` is the method's place in the client
    (`chat.completions.create`), `query` what it always puts into the query. `is_json` is false
    where the body has, or may have, another type: nothing of it can be read."""

    path: tuple[str, ...]
    method: str
    template: str
    fields: tuple[SdkField, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    is_json: bool = True
    is_deprecated: bool = False
    place: str = "body"

    @property
    def name(self) -> str:
        return ".".join(self.path)


def read_sdk_calls(folder: Path, package: str, client: str) -> Iterator[SdkCall]:
    """All calls of the synchronous client class `client` of a package, in the source's order."""
    modules = Modules(folder)
    found = modules.find_class(f"{package}._client", client)
    yield from _resource_calls(modules, found, (), is_client=True)


def _resource_calls(
    modules: Modules, resource: FoundClass, path: tuple[str, ...], *, is_client: bool = False
) -> Iterator[SdkCall]:
    for owner, node in modules.methods(resource):
        if node.name.startswith(("_", "with_")):
            continue
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if any("cached_property" in text for text in decorators):
            below = _resource_of(modules, owner, node)
            if below is not None:
                yield from _resource_calls(modules, below, (*path, node.name))
        elif "overload" not in decorators and not is_client:
            is_deprecated = any("deprecated" in text for text in decorators)
            for call, shape in _calls_of(node, (*path, node.name), is_deprecated):
                spelled = _wire_names(modules, owner.module, shape)
                fields = (
                    replace(field, name=spelled.get(field.name, field.name))
                    for field in call.fields
                )
                yield replace(call, fields=tuple(fields))


def _resource_of(
    modules: Modules, resource: FoundClass, node: ast.FunctionDef
) -> FoundClass | None:
    if node.returns is None:
        return None
    name = ast.unparse(node.returns).strip("'\"")
    try:
        return modules.find_class(resource.module, name, node)
    except LookupError:
        return None


def _calls_of(
    node: ast.FunctionDef, path: tuple[str, ...], is_deprecated: bool
) -> Iterator[tuple[SdkCall, str]]:
    """The calls, each with the class that describes its body."""
    annotations = _annotations(node)
    is_json = not _sets_content_type(node)
    seen: set[tuple[str, str]] = set()
    for call in _own_requests(node):
        assert isinstance(call.func, ast.Attribute)
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        method = _METHODS[call.func.attr]
        if call.func.attr == "_get_api_list" and "method" in keywords:
            method = str(ast.literal_eval(keywords["method"])).upper()
        has_json = is_json and not {"files", "content"} & set(keywords)
        fields = _body_fields(node, keywords.get("body"), annotations) if has_json else ()
        for template in _templates(node, call.args[0]):
            if (method, template) not in seen:
                seen.add((method, template))
                bare, _, fixed = template.partition("?")
                pairs = tuple(sorted(parse_qsl(fixed)))
                found = SdkCall(path, method, bare, fields, pairs, has_json, is_deprecated)
                yield found, _shape_of(keywords.get("body"))


def _annotations(node: ast.FunctionDef) -> dict[str, ast.expr | None]:
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return {argument.arg: argument.annotation for argument in arguments}


def _own_requests(node: ast.FunctionDef) -> Iterator[ast.Call]:
    for inner in ast.walk(node):
        if (
            isinstance(inner, ast.Call)
            and isinstance(inner.func, ast.Attribute)
            and isinstance(inner.func.value, ast.Name)
            and inner.func.value.id == "self"
            and inner.func.attr in _METHODS
            and inner.args
        ):
            yield inner


def _sets_content_type(node: ast.FunctionDef) -> bool:
    """Whether the method names a content type of its own, always or sometimes."""
    return any(
        isinstance(inner, ast.Constant)
        and isinstance(inner.value, str)
        and inner.value.lower() == "content-type"
        for inner in ast.walk(node)
    )


# --- the path -------------------------------------------------------------------------------------


def _templates(node: ast.FunctionDef, path: ast.expr) -> Iterator[str]:
    """The path with `{variables}`; several where the method chooses a part of it."""
    template, variables = _template_of(path)
    if template is None:
        return
    branches = [found for found in _branches(node) if found.keys() & variables]
    if not branches:
        yield template
    for branch in branches:
        text = template
        for name, value in branch.items():
            text = text.replace("{" + name + "}", value)
        yield text


def _template_of(path: ast.expr) -> tuple[str | None, set[str]]:
    match path:
        case ast.Constant(value=str() as text):
            return text, set(re.findall(r"\{(\w+)\}", text))
        case ast.JoinedStr():
            text = "".join(
                str(part.value)
                if isinstance(part, ast.Constant)
                else "{" + ast.unparse(part.value) + "}"  # type: ignore[attr-defined]
                for part in path.values
            )
            return text, set(re.findall(r"\{(\w+)\}", text))
        case ast.Call(func=ast.Name(id="path_template"), args=[first, *_]):
            return _template_of(first)
        case _:
            return None, set()


def _branches(node: ast.FunctionDef) -> Iterator[dict[str, str]]:
    """What each branch assigns: `account_or_zone = "accounts"`, `..._id = account_id`."""
    for inner in ast.walk(node):
        if not isinstance(inner, ast.If):
            continue
        for body in (inner.body, inner.orelse):
            found: dict[str, str] = {}
            for statement in body:
                match statement:
                    case ast.Assign(
                        targets=[ast.Name(id=name)], value=ast.Constant(value=str() as text)
                    ):
                        found[name] = text
                    case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)):
                        found[name] = "{" + other + "}"
            if found:
                yield found


# --- the body -------------------------------------------------------------------------------------


def _body_fields(
    node: ast.FunctionDef, body: ast.expr | None, annotations: Mapping[str, ast.expr | None]
) -> tuple[SdkField, ...]:
    match body:
        case ast.Call(func=ast.Name(), args=[first, *_]):
            return _body_fields(node, first, annotations)
        case ast.Name(id=name) if name not in annotations:
            for inner in ast.walk(node):
                match inner:
                    case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                        return _body_fields(node, value, annotations)
            return ()
        case ast.Dict(keys=keys, values=values):
            fields = []
            for key, value in zip(keys, values, strict=True):
                if not isinstance(key, ast.Constant) or not isinstance(value, ast.Name):
                    continue
                annotation = annotations.get(value.id)
                kind = type_of(annotation)
                if kind is not None and annotation is not None:
                    required = "Omit" not in ast.unparse(annotation)
                    fields.append(SdkField(str(key.value), kind, required))
            return tuple(fields)
        case _:
            return ()


def _shape_of(body: ast.expr | None) -> str:
    """`order_params.OrderParams` in `maybe_transform({...}, order_params.OrderParams)`."""
    match body:
        case ast.Call(args=[_, ast.IfExp(body=shape)]) | ast.Call(args=[_, shape]):
            return ast.unparse(shape)
        case _:
            return ""


def _wire_names(modules: Modules, module: str, shape: str) -> dict[str, str]:
    """The members whose name on the wire is not that of the argument: `to` is sent as `To`."""
    try:
        found = modules.find_class(module, shape) if shape else None
    except LookupError:
        found = None
    if found is None:
        return {}
    names: dict[str, str] = {}
    for base in found.node.bases:
        if isinstance(base, ast.Name):
            names |= _wire_names(modules, found.module, base.id)
    for member in found.node.body:
        match member:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                alias = _ALIAS.search(ast.unparse(annotation))
                if alias is not None:
                    names[name] = alias.group(1)
    return names


def type_of(annotation: ast.expr | None) -> str | None:
    """The type that an annotation allows, None where it is no scalar and no list of texts."""
    kinds = set(_kinds_in(annotation))
    if "text" in kinds:
        return "text"
    return next((kind for kind in ("list", "boolean", "integer") if kind in kinds), None)


def _kinds_in(annotation: ast.expr | None) -> Iterator[str]:
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _kinds_in(left)
            yield from _kinds_in(right)
        case ast.Subscript(value=ast.Name(id="Optional" | "Union" | "Annotated"), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            for part in parts:
                yield from _kinds_in(part)
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in _LISTS:
            if "text" in set(_kinds_in(inner)):
                yield "list"
        case ast.Name(id="bool"):
            yield "boolean"
        case ast.Name(id="int"):
            yield "integer"
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)) if name in _TEXTS:
            yield "text"
