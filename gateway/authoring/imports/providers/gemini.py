"""The Gemini API (`generativelanguage.googleapis.com`), which no discovery document describes, from
the transports of its generated client. Operations are named as discovery names them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.google.documents import DiscoveryDocument, Method
from gateway.authoring.imports.providers.google import sections_of
from gateway.canonicalize.catalog.file import NewSection, Source

PROVIDER = "google"
SOURCES = (
    Source(
        "pypi",
        "google-ai-generativelanguage",
        "0.12.1",
        "Apache-2.0",
        "f3b3bb9069d0effd787818c0ffc4a1cccf8459d8c8c5b25641d2af0ee4e91c87",
    ),
)

API = "generativelanguage"
_BOUND = re.compile(r"\{([\w.]+)=([^{}]+)\}")
_STANDARD = {"PATCH": "patch", "DELETE": "delete", "PUT": "update"}


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section for each version of the API."""
    found: dict[str, dict[tuple[str, str], Method]] = {}
    for method, uri in _load_bindings(folders["google-ai-generativelanguage"]):
        version, _, path = uri.removeprefix("/").partition("/")
        made = _method(method, version, path)
        found.setdefault(version, {})[made.id, uri] = made
    host = f"{API}.googleapis.com"
    hosts = (host, f"{API}.mtls.googleapis.com")
    return sections_of(
        DiscoveryDocument(API, version, host, hosts, "", tuple(methods.values()), {})
        for version, methods in sorted(found.items())
    )


def _load_bindings(folder: Path) -> Iterator[tuple[str, str]]:
    """Every `{"method": "post", "uri": "/v1beta/{model=models/*}:countTokens"}` of the client."""
    for path in sorted(folder.glob("google/ai/*/services/*/transports/rest_base.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Dict):
                continue
            pairs = {
                key.value: value.value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
            }
            if isinstance(pairs.get("method"), str) and isinstance(pairs.get("uri"), str):
                yield str(pairs["method"]).upper(), str(pairs["uri"])


def _method(http_method: str, version: str, path: str) -> Method:
    parameters: dict[str, Mapping[str, str]] = {}

    def put(found: re.Match[str]) -> str:
        name = found.group(1).rpartition(".")[2]
        pattern = found.group(2).replace("**", ".*")
        pattern = re.sub(r"(?<!\.)\*", "[^/]+", pattern)
        parameters[name] = {"location": "path", "pattern": f"^{pattern}$"}
        return f"{{+{name}}}"

    template = _BOUND.sub(put, path)
    whole = _BOUND.sub(lambda found: found.group(2), path)
    return Method(
        method_id(http_method, whole),
        http_method,
        f"/{version}/{template}",
        (),
        (),
        parameters,
        {},
        frozenset(),
    )


def method_id(http_method: str, path: str) -> str:
    """`POST corpora/*/documents` is `generativelanguage.corpora.documents.create`."""
    path, _, verb = path.partition(":")
    segments = path.split("/")
    collections = [segment for segment in segments if not segment.startswith("*")]
    if not verb:
        verb = _STANDARD.get(http_method, "")
    if not verb and segments[-1].startswith("*"):
        verb = "get"
    if not verb:
        verb = "list" if http_method == "GET" else "create"
    return ".".join([API, *collections, verb])
