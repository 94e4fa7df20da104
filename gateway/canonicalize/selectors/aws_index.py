"""What is known of all AWS services before any is loaded: by host, by signing name, by target.

Built once from the facts of a catalog's sections, in a few milliseconds; the entries themselves are
read when a request needs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from gateway.canonicalize.selectors.aws_hosts import AwsHost, Style, read_bucket_host, read_host
from gateway.canonicalize.selectors.s3 import S3Table, s3_table
from gateway.model.dataclass import dataclass

HOSTS_CACHED_MAX = 1_024
"""Hosts whose services are remembered. An agent uses a few; a hostile one can but fill this."""


CREDENTIAL_BYTES_MAX = 256
"""Beginnings of authorization headers that are remembered; honest ones have some hundred bytes."""


class Protocol(StrEnum):
    """How a service is spoken to, in the words of Smithy."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "cbor"


AWS_ERRORS = {
    Protocol.QUERY: "aws_query",
    Protocol.EC2: "aws_ec2",
    Protocol.JSON: "aws_json",
    Protocol.REST_XML: "aws_rest_xml",
    Protocol.REST_JSON: "aws_rest_json",
    Protocol.CBOR: "aws_cbor",
}


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `signs` are the names that its signatures carry, `target` is the prefix of its
    target header and its name in CBOR paths, `version` what a query protocol says."""

    name: str
    protocols: frozenset[Protocol]
    signs: frozenset[str]
    target: str
    version: str
    errors: str


class Group:
    """Services that a request can mean, the best first, sorted by how they are spoken to. Made
    once for a host and a signing name, because it is looked at in every request."""

    __slots__ = ("by_cbor", "by_form", "by_path", "by_target", "is_empty", "names", "services")

    def __init__(self, services: Sequence[Service]) -> None:
        self.services = tuple(services)
        self.is_empty = not services
        self.names = names_of(services)
        self.by_form = _speaking(services, Protocol.QUERY, Protocol.EC2)
        self.by_path = _speaking(services, Protocol.REST_JSON, Protocol.REST_XML)
        self.by_cbor = _speaking(services, Protocol.CBOR)
        self.by_target: dict[str, tuple[str, ...]] = {}
        for service in services:
            if service.target:
                found = self.by_target.get(service.target, ())
                self.by_target[service.target] = (*found, service.name)


def names_of(services: Sequence[Service]) -> tuple[str, ...]:
    """Their names, in their order."""
    return tuple(service.name for service in services)


def _speaking(services: Sequence[Service], *protocols: Protocol) -> tuple[Service, ...]:
    return tuple(s for s in services if not s.protocols.isdisjoint(protocols))


@dataclass(frozen=True, slots=True)
class HostPlace:
    """What a host can be: its services in the order of preference, and how S3 is to be read.
    `is_own` is False for names outside AWS (an endpoint of the user's own)."""

    services: tuple[Service, ...]
    style: Style | None = None
    bucket: str = ""
    is_own: bool = True


class AwsIndex:
    """Finds services. Immutable but for a bounded memory of hosts."""

    __slots__ = ("_below", "_by_host", "_groups", "_places", "_services", "s3", "scopes")

    def __init__(self, facts: Mapping[str, Mapping[str, Any]]) -> None:
        self._services = {name: _service(name, value) for name, value in facts.items()}
        self._by_host: dict[str, tuple[Service, ...]] = {}
        self._below: dict[str, tuple[Service, ...]] = {}
        self._places: dict[str, HostPlace] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self.scopes: dict[bytes, str] = {}
        """Signing names by the beginning of an authorization header."""
        self.s3: S3Table = s3_table(facts.get("s3", {}))
        for name, value in facts.items():
            for pattern in value.get("hosts", ()):
                table = self._below if pattern.startswith("*.") else self._by_host
                key = pattern.removeprefix("*.")
                table[key] = (*table.get(key, ()), self._services[name])
        for table in (self._by_host, self._below):
            for key, services in table.items():
                table[key] = tuple(sorted(services, key=lambda service: _rank(service, key)))

    def remember_scope(self, start: bytes, scope: str) -> None:
        """Keep what the beginning of an authorization header names."""
        if len(start) <= CREDENTIAL_BYTES_MAX:
            if len(self.scopes) >= HOSTS_CACHED_MAX:
                self.scopes.clear()
            self.scopes[start] = scope

    def place(self, host: str) -> HostPlace:
        """What is at a host. Outside AWS that is every service: the signature decides."""
        found = self._places.get(host)
        if found is None:
            found = self._find(host)
            if len(self._places) < HOSTS_CACHED_MAX:
                self._places[host] = found
        return found

    def group(self, host: str, scope: str) -> Group:
        """The services that host and signing name agree on; `scope` is empty for what is unsigned.

        Outside AWS the signing name alone decides, so there the unsigned can't be told.
        """
        found = self._groups.get((host, scope))
        if found is None:
            place = self.place(host)
            if place.is_own:
                services = [s for s in place.services if not scope or scope in s.signs]
            else:
                services = list(self._signed_as(scope)) if scope else []
            found = Group(services)
            if len(self._groups) < HOSTS_CACHED_MAX:
                self._groups[host, scope] = found
        return found

    def _signed_as(self, scope: str) -> tuple[Service, ...]:
        found = [service for service in self._services.values() if scope in service.signs]
        return tuple(sorted(found, key=lambda service: _rank(service, scope)))

    def _find(self, host: str) -> HostPlace:
        read = read_host(host)
        if read is None:
            return HostPlace((), Style.BUCKETS, read_bucket_host(host), is_own=False)
        if read.style is not None:
            return HostPlace(self._s3_services(read), read.style, read.bucket)
        services = self._by_host.get(read.key)
        _, dot, rest = read.key.partition(".")
        while services is None and dot:
            services = self._below.get(rest)
            _, dot, rest = rest.partition(".")
        return HostPlace(services or ())

    def _s3_services(self, host: AwsHost) -> tuple[Service, ...]:
        match host.style:
            case Style.CONTROL:
                names: tuple[str, ...] = ("s3control",)
            case Style.EXPRESS_CONTROL:
                names = ("s3", "s3control")
            case Style.OUTPOSTS_CONTROL:
                names = ("s3control", "s3outposts")
            case _:
                names = ("s3",)
        return tuple(self._services[name] for name in names if name in self._services)


def _service(name: str, facts: Mapping[str, Any]) -> Service:
    return Service(
        name,
        frozenset(map(Protocol, facts.get("speaks", ()))),
        frozenset(facts.get("signs", ())),
        facts.get("target", ""),
        facts.get("version", ""),
        facts.get("errors", "aws_json"),
    )


def _rank(service: Service, key: str) -> tuple[bool, bool, str]:
    """A service that has the host's name before one that signs with it, then by name."""
    return service.name != key, key not in service.signs, service.name
