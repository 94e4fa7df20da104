"""Reads the operations of the Kubernetes API out of its generated Python client, and runs none.

The client spells operations its own way (`create_namespaced_pod` of `CoreV1Api`); the specification
that it is generated from spells them `createCoreV1NamespacedPod`, and so do we.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.model.dataclass import dataclass

_CLIENT = Path("kubernetes", "client")
_VERSION = re.compile(r"^V\d+(?:(?:alpha|beta)\d+)?(?=[A-Z])")
_LITERAL = {
    "getCode": "getCodeVersion",
    "getAPIVersions": "getAPIVersions",
    "logFileHandler": "logFileHandler",
    "logFileListHandler": "logFileListHandler",
    "getServiceAccountIssuerOpenIDKeyset": "getServiceAccountIssuerOpenIDKeyset",
    "getServiceAccountIssuerOpenIDConfiguration": "getServiceAccountIssuerOpenIDConfiguration",
}
"""Operations that carry no group in their name."""
_TAGLESS = frozenset({"Version", "Apis", "Logs", "Openid", "WellKnown", "CustomObjects"})
_ACRONYMS = {"api": "API", "id": "ID"}


@dataclass(frozen=True, slots=True)
class KubernetesCall:
    """One call. `group` is that of its class (`CoreV1`), `act` the words of its method's name,
    `noun` the kind of thing in its own spelling (`ConfigMap`), empty for what is about none."""

    operation: str
    group: str
    act: tuple[str, ...]
    noun: str
    method: str
    path: str
    query: tuple[str, ...]


def load_calls(folder: Path) -> list[KubernetesCall]:
    """Read every operation of an unpacked `kubernetes` package, in the order of its files."""
    kinds = _load_kinds(folder / _CLIENT / "models")
    calls: list[KubernetesCall] = []
    for path in sorted((folder / _CLIENT / "api").glob("*_api.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Api"):
                calls += _calls(node, node.name.removesuffix("Api"), kinds)
    return calls


def _load_kinds(folder: Path) -> dict[str, str]:
    """The kinds of things, by their names in lower case: `configmap` -> `ConfigMap`."""
    kinds: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        for name in re.findall(r"^class (\w+)\(", path.read_text("utf-8"), re.MULTILINE):
            kind = _VERSION.sub("", name)
            kinds.setdefault(kind.lower(), kind)
    return kinds


def _calls(node: ast.ClassDef, group: str, kinds: dict[str, str]) -> Iterator[KubernetesCall]:
    for function in node.body:
        if not isinstance(function, ast.FunctionDef) or not function.name.endswith("_serialize"):
            continue
        words = tuple(function.name.removesuffix("_serialize").strip("_").split("_"))
        method, path = _wire(function)
        if not path:
            continue
        noun = _noun(words, kinds)
        operation = _operation(words, group, kinds)
        query = tuple(_query(function))
        yield KubernetesCall(operation, group, words, noun, method, path, query)


def _wire(function: ast.FunctionDef) -> tuple[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "param_serialize":
            for keyword in node.keywords:
                value = keyword.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[keyword.arg or ""] = value.value
    return found.get("method", ""), found.get("resource_path", "")


def _query(function: ast.FunctionDef) -> Iterator[str]:
    """The names of `_query_params.append(('limit', limit))`."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id == "_query_params" and node.args:
            pair = node.args[0]
            if isinstance(pair, ast.Tuple) and isinstance(pair.elts[0], ast.Constant):
                yield str(pair.elts[0].value)


def _operation(words: tuple[str, ...], group: str, kinds: dict[str, str]) -> str:
    """`createCoreV1NamespacedPod`: the verb, the group, the rest."""
    verb, *rest = words
    tail = _spelled(rest, kinds)
    if f"{verb}{tail}" in _LITERAL:
        name = _LITERAL[f"{verb}{tail}"]
        if group in _TAGLESS:
            return name
    return f"{verb}{'' if group in _TAGLESS else group}{tail}"


def _spelled(words: list[str], kinds: dict[str, str]) -> str:
    """Words in the case of the specification, by the longest kinds that they make up."""
    text, position = "", 0
    while position < len(words):
        for end in range(len(words), position, -1):
            kind = kinds.get("".join(words[position:end]))
            if kind is not None:
                text, position = text + kind, end
                break
        else:
            word = words[position]
            text, position = text + _ACRONYMS.get(word, word.capitalize()), position + 1
    return text


_NO_NOUN = frozenset({"namespaced", "collection", "with", "path", "for", "all", "namespaces"})
_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})


def _noun(words: tuple[str, ...], kinds: dict[str, str]) -> str:
    """The first and longest kind in a name, behind verb, method and `namespaced`."""
    rest = list(words[1:])
    while rest and (rest[0] in _NO_NOUN or (words[0] == "connect" and rest[0] in _METHODS)):
        rest.pop(0)
    for end in range(len(rest), 0, -1):
        kind = kinds.get("".join(rest[:end]))
        if kind is not None:
            return kind
    return ""
