"""The methods of one family of generated Python SDKs as calls: a `raw_client.py` for each resource,
whose methods end in `httpx_client.request("path", method="POST", json={...})`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.python_source import annotations_of, field_of, template_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.naming.words import singular, words_of

Objects = Callable[[str, str], Mapping[str, RowParam]]
"""What the importer knows of a body's member that is an object, by name and annotation."""


def calls_of(folder: Path, *, prefix: str = "", objects: Objects | None = None) -> Iterator[Call]:
    """All operations of the synchronous clients below a package's folder."""
    for path in sorted(folder.rglob("raw_client.py")):
        resources = path.parent.relative_to(folder).parts
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Raw"):
                for method in node.body:
                    sent = _request(method) if isinstance(method, ast.FunctionDef) else None
                    if sent is not None and isinstance(method, ast.FunctionDef):
                        yield _call(resources, method, sent, prefix, objects)


def _request(method: ast.FunctionDef) -> ast.Call | None:
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            owner = node.func.value
            if isinstance(owner, ast.Attribute) and owner.attr == "httpx_client":
                return node
    return None


def _call(
    resources: tuple[str, ...],
    method: ast.FunctionDef,
    sent: ast.Call,
    prefix: str,
    objects: Objects | None,
) -> Call:
    given = {word.arg: word.value for word in sent.keywords}
    verb = given.get("method")
    fields, params = _body(given.get("json"), annotations_of(method), objects)
    return Call(
        ".".join((*resources, method.name)),
        str(verb.value) if isinstance(verb, ast.Constant) else "POST",
        f"{prefix}/{template_of(sent.args[0]).lstrip('/')}",
        words_for(resources, method.name),
        fields,
        params,
    )


def words_for(resources: tuple[str, ...], method: str) -> tuple[str, ...]:
    """`(customers, cards), create` -> create customer card; a method's own nouns come first."""
    words = re.sub(r"^(?:deprecated_|v\d+_?)", "", method).strip("_").split("_")
    verbs = 2 if words[0] in ("batch", "bulk") else 1
    nouns = [singular(word) for part in resources for word in words_of(part)]
    return (*words[:verbs], *(words[verbs:] or nouns))


def _body(
    node: ast.expr | None, annotations: Mapping[str, str], objects: Objects | None
) -> tuple[tuple[Field, ...], dict[str, RowParam]]:
    keys = node.keys if isinstance(node, ast.Dict) else []
    fields: list[Field] = []
    params: dict[str, RowParam] = {}
    for name in (str(key.value) for key in keys if isinstance(key, ast.Constant)):
        known = objects(name, annotations.get(name, "")) if objects else {}
        params |= known
        found = None if known else field_of(name, annotations.get(name, ""))
        if found is not None:
            fields.append(found)
    return tuple(fields), params
