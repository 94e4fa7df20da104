"""Reads Google's discovery documents into methods: what they are called, where they are sent, what
they carry. Reads JSON files of an unpacked package and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.model.dataclass import dataclass

_FOLDER = Path("googleapiclient", "discovery_cache", "documents")
_VERSION = re.compile(r"v?(?P<major>\d+)(?:[._](?P<minor>\d+))?(?:p(?P<point>\d+))?(?P<tail>.*)")


@dataclass(frozen=True, slots=True)
class Method:
    """One method of an API. `path` is the template after the host, `{+name}` and all; `uploads` are
    the templates that take its media, `downloads` those that give it."""

    id: str
    http_method: str
    path: str
    uploads: tuple[str, ...]
    downloads: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    request: Mapping[str, Any]
    siblings: frozenset[str]

    @property
    def api(self) -> str:
        return self.id.partition(".")[0]

    @property
    def verb(self) -> str:
        """The last part of the id: `delete`, `setIamPolicy`, `batchGet`."""
        return self.id.rpartition(".")[2]

    @property
    def resource(self) -> str:
        """The part before the verb, or the API's name where there is none: `buckets`."""
        return self.id.split(".")[-2]


@dataclass(frozen=True, slots=True)
class DiscoveryDocument:
    """One version of one API. `hosts` are those that the document names, without patterns;
    `schemas` are its request bodies by name."""

    name: str
    version: str
    host: str
    hosts: tuple[str, ...]
    service_path: str
    methods: tuple[Method, ...]
    schemas: Mapping[str, Mapping[str, Any]]

    @property
    def section(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def preference(self) -> tuple[object, ...]:
        """Sorts the documents of one host, the one whose names are kept first: stable versions
        before previews, the newest first."""
        found = _VERSION.fullmatch(self.version.rpartition("_")[2])
        if found is None:
            return (1, 0, 0, self.section)
        tail = found.group("tail") + ("p" if found.group("point") else "")
        odd = "_" not in self.version and self.name == "admin"
        return (
            bool(tail) or odd,
            -int(found.group("major")),
            -int(found.group("minor") or 0),
            self.section,
        )


def load_documents(folder: Path) -> list[DiscoveryDocument]:
    """Read all static documents of an unpacked `google-api-python-client`, by name."""
    documents = []
    for path in sorted((folder / _FOLDER).glob("*.json")):
        value = json.loads(path.read_bytes())
        if "rootUrl" in value:
            documents.append(_document(value))
    return documents


def _document(value: Mapping[str, Any]) -> DiscoveryDocument:
    roots = [value["rootUrl"], value.get("mtlsRootUrl", value["rootUrl"])]
    roots += [endpoint["endpointUrl"] for endpoint in value.get("endpoints", ())]
    hosts = [root.removeprefix("https://").partition("/")[0].lower() for root in roots]
    methods = tuple(_methods(value, value["servicePath"], value.get("parameters", {})))
    return DiscoveryDocument(
        value["name"],
        value["version"],
        hosts[0],
        tuple(dict.fromkeys(hosts)),
        value["servicePath"],
        methods,
        value.get("schemas", {}),
    )


def _methods(
    node: Mapping[str, Any], service_path: str, shared: Mapping[str, Any]
) -> Iterator[Method]:
    """All methods below a node. `shared` are the parameters that every method takes."""
    methods = node.get("methods", {})
    for _, value in sorted(methods.items()):
        upload = value.get("mediaUpload", {}).get("protocols", {})
        paths = [upload[name]["path"] for name in ("simple", "resumable") if name in upload]
        gives_media = value.get("useMediaDownloadService", False)
        yield Method(
            value["id"],
            value["httpMethod"],
            f"/{service_path}{value['path']}",
            tuple(dict.fromkeys(paths)),
            (f"/download/{service_path}{value['path']}",) if gives_media else (),
            {
                name: parameter
                for name, parameter in value.get("parameters", {}).items()
                if name not in shared or parameter["location"] == "path"
            },
            value.get("request", {}),
            frozenset(methods),
        )
    for _, resource in sorted(node.get("resources", {}).items()):
        yield from _methods(resource, service_path, shared)
