"""Reads botocore's service models: one value per operation, and its input as addressable members.

Knows how each protocol puts a member on the wire, and nothing about kinds or hosts.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from gateway.model.dataclass import dataclass

_API_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$:@-]+")


class Protocol(StrEnum):
    """How a service is spoken to, in the words of Smithy."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "cbor"

    @property
    def is_rest(self) -> bool:
        return self in (Protocol.REST_JSON, Protocol.REST_XML)


@dataclass(frozen=True, slots=True)
class Member:
    """One value of an operation's input, where it can be read: `form.UserName`.

    `path_name` is the name of its variable in the path template, empty elsewhere. `type` is the
    text of a `ParamType`, or empty for what is no scalar and no list of texts. `is_choice` is one
    of a few given words; `is_inner` a text in each element of a list (`body.Entries[*].Name`).
    """

    name: str
    address: str
    type: str
    required: bool
    path_name: str = ""
    is_secret: bool = False
    is_choice: bool = False
    is_inner: bool = False


@dataclass(frozen=True, slots=True)
class ModelOperation:
    """One operation. `uri` is its template with the query part (`/{Bucket}?acl`)."""

    name: str
    method: str
    uri: str
    raw: Mapping[str, Any]
    members: tuple[Member, ...]

    @property
    def is_readonly(self) -> bool:
        return bool(self.raw.get("readonly"))


@dataclass(frozen=True, slots=True)
class Model:
    """One service in its newest version; `rules` is its endpoint rule set."""

    name: str
    metadata: Mapping[str, Any]
    protocols: tuple[Protocol, ...]
    operations: tuple[ModelOperation, ...]
    shapes: Mapping[str, Any]
    rules: Mapping[str, Any]

    @property
    def signing_name(self) -> str:
        return str(self.metadata.get("signingName", self.metadata["endpointPrefix"]))

    @property
    def is_rest(self) -> bool:
        return self.protocols[0].is_rest


def load_models(data: Path) -> Iterator[Model]:
    """Read all services of botocore's data folder, in the order of their names."""
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        versions = sorted(path for path in folder.iterdir() if _API_VERSION.fullmatch(path.name))
        if versions and (versions[-1] / "service-2.json.gz").exists():
            yield _model(folder.name, versions[-1])


def _load(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes())) if path.exists() else {}


def _model(name: str, folder: Path) -> Model:
    raw = _load(folder / "service-2.json.gz")
    rules = _load(folder / "endpoint-rule-set-1.json.gz")
    metadata, shapes = raw["metadata"], raw["shapes"]
    names = metadata.get("protocols") or [metadata["protocol"]]
    protocols = {Protocol(text.removeprefix("smithy-rpc-v2-")) for text in names}
    protocols |= {Protocol(metadata["protocol"].removeprefix("smithy-rpc-v2-"))}
    if "awsQueryCompatible" in metadata:
        # Its older clients still speak the protocol that it had before.
        protocols.add(Protocol.QUERY)
    ordered = tuple(protocol for protocol in Protocol if protocol in protocols)
    operations = tuple(
        ModelOperation(
            operation,
            value["http"]["method"],
            value["http"]["requestUri"],
            value,
            tuple(_members(value.get("input"), shapes, ordered)),
        )
        for operation, value in sorted(raw["operations"].items())
    )
    return Model(name, metadata, ordered, operations, shapes, rules)


# --- members --------------------------------------------------------------------------------------


def _members(
    reference: Mapping[str, Any] | None, shapes: Mapping[str, Any], protocols: tuple[Protocol, ...]
) -> Iterator[Member]:
    if reference is None:
        return
    shape = shapes[reference["shape"]]
    needed = set(shape.get("required", ()))
    body = "body"
    if protocols == (Protocol.REST_XML,):
        body = f"xml.{reference.get('locationName', shape.get('locationName', ''))}"
    payload = shape.get("payload")
    for name, member in shape["members"].items():
        target = shapes[member["shape"]]
        if name == payload:
            if target["type"] == "structure" and not target.get("eventstream"):
                inner = member.get("locationName") or target.get("locationName") or member["shape"]
                prefix = f"xml.{inner}" if body.startswith("xml") else "body"
                yield from _payload(target, shapes, prefix, name in needed)
            continue
        secret = bool(target.get("sensitive") or member.get("sensitive"))
        where, path_name = _address(name, member, target, protocols, body)
        if where:
            kind = _type_of(target, shapes)
            choice = "enum" in target
            yield Member(name, where, kind, name in needed, path_name, secret, choice)
            if where.startswith("body.") and name in needed:
                yield from _inner(where, target, shapes)


def _inner(where: str, target: Mapping[str, Any], shapes: Mapping[str, Any]) -> Iterator[Member]:
    """The texts that every element of a list of structures has."""
    element = shapes[target["member"]["shape"]] if target["type"] == "list" else {}
    for name in element.get("required", ()) if element.get("type") == "structure" else ():
        member = element["members"][name]
        shape = shapes[member["shape"]]
        key = member.get("locationName", name)
        if shape["type"] == "string" and _PLAIN_KEY.fullmatch(key):
            address = f"{where}[*].{key}"
            yield Member(name, address, "list", True, "", "sensitive" in shape, True, True)


def _payload(
    shape: Mapping[str, Any], shapes: Mapping[str, Any], prefix: str, is_needed: bool
) -> Iterator[Member]:
    needed = set(shape.get("required", ())) if is_needed else set()
    for name, member in shape["members"].items():
        target = shapes[member["shape"]]
        key = member.get("locationName", name)
        if _PLAIN_KEY.fullmatch(key) and "location" not in member:
            secret = bool(target.get("sensitive"))
            kind = _type_of(target, shapes)
            address = f"{prefix}.{key}{_element(target, prefix)}"
            yield Member(name, address, kind, name in needed, "", secret)


def _address(
    name: str,
    member: Mapping[str, Any],
    target: Mapping[str, Any],
    protocols: tuple[Protocol, ...],
    body: str,
) -> tuple[str, str]:
    """Where a member stands, and its variable if that is the path; empty for what has no place."""
    key = str(member.get("locationName", name))
    location = member.get("location")
    if location == "uri":
        return "path", key
    if protocols[0].is_rest and location in ("querystring", "header"):
        place = "query" if location == "querystring" else "header"
        return (f"{place}.{key}" if _PLAIN_KEY.fullmatch(key) else ""), ""
    if location is not None and protocols[0].is_rest:
        return "", ""
    if Protocol.EC2 in protocols:
        key = str(member.get("queryName") or key[:1].upper() + key[1:])
        place = "any"
    elif Protocol.QUERY in protocols:
        key = _flat_name(key, target) if protocols[0] is Protocol.QUERY else key
        place = "any"
    else:
        place = body
    if not _PLAIN_KEY.fullmatch(key) or place == "xml.":
        return "", ""
    return f"{place}.{key}{_element(target, place)}", ""


def _flat_name(key: str, target: Mapping[str, Any]) -> str:
    """A flattened list of the query protocol goes by the name of its elements."""
    if target["type"] == "list" and target.get("flattened"):
        return str(target["member"].get("locationName", key))
    return key


def _element(target: Mapping[str, Any], place: str) -> str:
    """In XML the texts of a list stand in elements of their own."""
    if target["type"] != "list" or not place.startswith("xml") or target.get("flattened"):
        return ""
    return f".{target['member'].get('locationName', 'member')}"


def _type_of(target: Mapping[str, Any], shapes: Mapping[str, Any]) -> str:
    match target["type"]:
        case "string" | "character":
            return "text"
        case "integer" | "long":
            return "integer"
        case "boolean":
            return "boolean"
        case "list":
            element = shapes[target["member"]["shape"]]
            return "list" if element["type"] == "string" and not element.get("sensitive") else ""
        case _:
            return ""
