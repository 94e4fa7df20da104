"""Small service models of AWS, written as botocore ships them, and the rows that come of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.authoring.imports.aws.models import Model, load_models
from gateway.authoring.imports.aws.rows import section_of
from gateway.canonicalize.authored.row import Row

SHAPES: Mapping[str, Any] = {
    "Text": {"type": "string"},
    "Secret": {"type": "string", "sensitive": True},
    "Number": {"type": "integer"},
    "Flag": {"type": "boolean"},
    "Texts": {"type": "list", "member": {"shape": "Text"}},
    "Named": {"type": "list", "member": {"shape": "Text", "locationName": "VolumeId"}},
    "Flat": {
        "type": "list",
        "flattened": True,
        "member": {"shape": "Text", "locationName": "AttributeName"},
    },
    "Entries": {"type": "list", "member": {"shape": "Entry"}},
    "Entry": {
        "type": "structure",
        "members": {"taskId": {"shape": "Text"}, "note": {"shape": "Text"}},
        "required": ["taskId"],
    },
    "Credentials": {
        "type": "structure",
        "members": {"SecretAccessKey": {"shape": "Text"}, "SessionToken": {"shape": "Text"}},
    },
}


def model(
    folder: Path,
    operations: Mapping[str, Mapping[str, Any]],
    *,
    name: str = "things",
    protocol: str = "json",
    metadata: Mapping[str, Any] | None = None,
    urls: tuple[str, ...] = (),
) -> Model:
    """A service. An operation is its `http`, its input members, the required ones and output."""
    shapes = dict(SHAPES)
    described = {}
    for operation, value in operations.items():
        members = value.get("members", {})
        shapes[f"{operation}Input"] = {
            "type": "structure",
            "members": {
                key: {"shape": member} if isinstance(member, str) else member
                for key, member in members.items()
            },
            "required": list(value.get("required", ())),
        }
        described[operation] = {
            "name": operation,
            "http": value.get("http", {"method": "POST", "requestUri": "/"}),
            "input": {"shape": f"{operation}Input"},
            **{key: value[key] for key in ("readonly", "deprecated", "endpoint") if key in value},
        }
        if "output" in value:
            shapes[f"{operation}Output"] = {"type": "structure", "members": value["output"]}
            described[operation]["output"] = {"shape": f"{operation}Output"}
    top = {
        "apiVersion": "2020-01-02",
        "endpointPrefix": name,
        "protocol": protocol,
        "serviceId": name,
        **(metadata or {}),
    }
    place = folder / name / "2020-01-02"
    place.mkdir(parents=True)
    data = {"metadata": top, "operations": described, "shapes": shapes}
    (place / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(data).encode()))
    rules = {"rules": [{"endpoint": {"url": url, "properties": {}}} for url in urls]}
    (place / "endpoint-rule-set-1.json.gz").write_bytes(gzip.compress(json.dumps(rules).encode()))
    (found,) = load_models(folder)
    return found


def row(folder: Path, operation: str, value: Mapping[str, Any], **more: Any) -> Row:
    """The row of one operation."""
    (found,) = section_of(model(folder, {operation: value}, **more), {}).rows
    return found
