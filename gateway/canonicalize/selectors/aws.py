"""Tells which AWS operation a request is, from host, credential scope, target header and action.

The scope is the client's word and the host is the connection's: where they disagree, neither is
believed and the operation is unknown. Never answers with a read what it isn't sure of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.canonicalize import ambiguity
from gateway.canonicalize.ambiguity import AmbiguityError
from gateway.canonicalize.bodies import MediaType
from gateway.canonicalize.pairs import Pairs
from gateway.canonicalize.reader import RequestReader
from gateway.canonicalize.selectors.aws_index import (
    AWS_ERRORS,
    AwsIndex,
    Place,
    Protocol,
    Service,
)
from gateway.canonicalize.selectors.s3 import s3_call

_OPERATION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_SCHEMES = (b"AWS4-HMAC-SHA256 ", b"AWS4-ECDSA-P256-SHA256 ")
_CREDENTIAL = re.compile(r"(?:^|[ ,])Credential=([^,\s]+)")
_CONTROL_PATH = "v20180820"
"""The first segment of every path of S3's control API; with the account's header it is no bucket,
where one host answers for both."""
_ACCOUNT_HEADER = b"x-amz-account-id"
_CBOR = b"rpc-v2-cbor"


@dataclass(frozen=True, slots=True)
class AwsCall:
    """What a request to AWS asks for. `services` are those that it can mean, the best first; their
    sections hold the entries. `operation` is its bare name where the request has one; otherwise
    `path` is to be looked up, and where that is None too, the operation can't be told.
    `captured` is bucket and key for S3."""

    services: tuple[str, ...]
    operation: str | None
    errors: str
    path: tuple[str, ...] | None = None
    captured: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """The operation with the service that is the most likely one."""
        return f"{self.services[0]}.{self.operation}" if self.operation else None


def needed_services(reader: RequestReader, host: str, index: AwsIndex) -> tuple[str, ...]:
    """The services whose sections a request needs. Reads the host and the signature only.

    Raises:
        AmbiguityError: a credential that is there twice.
    """
    return tuple(service.name for service in _services(reader, index.place(host), index))


def select_aws(
    reader: RequestReader, host: str, segments: Sequence[str], index: AwsIndex
) -> AwsCall:
    """Tell service and operation.

    Raises:
        AmbiguityError: two operations are named.
    """
    place = index.place(host)
    services = _services(reader, place, index)
    if not services:
        known = place.services[0].errors if place.services else "aws_json"
        return AwsCall((), None, known)
    if place.style is not None and services[0].name in ("s3", "s3control", "s3outposts"):
        return _s3(reader, place, services, segments, index)
    return _call(reader, services, segments)


def _services(reader: RequestReader, place: Place, index: AwsIndex) -> tuple[Service, ...]:
    """The services that host and signature agree on."""
    scopes = _scopes(reader)
    if place.is_own:
        if not scopes:
            return place.services
        found = place.services
    elif not scopes:
        return ()
    else:
        found = index.signed_as(scopes[0])
    return tuple(s for s in found if all(scope in s.signs for scope in scopes))


def _scopes(reader: RequestReader) -> list[str]:
    """The services that the signatures name: of the header, and of a presigned query."""
    scopes: list[str] = []
    header = reader.request.fields.get(b"authorization", b"")
    if header.startswith(_SCHEMES):
        scopes += [_service_of(text) for text in _CREDENTIAL.findall(header.decode("latin-1"))]
    if "X-Amz-" in reader.raw_query or "%" in reader.raw_query:
        credential = reader.query.values.get("X-Amz-Credential")
        if isinstance(credential, list):
            raise AmbiguityError(ambiguity.QUERY, "`X-Amz-Credential` is there twice")
        if credential is not None:
            scopes.append(_service_of(credential))
    return scopes


def _service_of(credential: str) -> str:
    """`AKID/20260101/eu-west-1/iam/aws4_request` names `iam`; SigV4A has no region in it."""
    parts = credential.split("/")
    return parts[-2] if len(parts) >= 4 and parts[-1] == "aws4_request" else ""


# --- by what the request carries ------------------------------------------------------------------


def _call(reader: RequestReader, services: tuple[Service, ...], segments: Sequence[str]) -> AwsCall:
    fields = reader.request.fields
    target = fields.get(b"x-amz-target")
    if target is not None and b"x-amz-target" in reader.request.repeated:
        raise AmbiguityError(ambiguity.OPERATION, "two target headers")
    takes_forms = any(_speaks(s, Protocol.QUERY, Protocol.EC2) for s in services)
    in_query = in_form = None
    if takes_forms or target is not None:
        in_query = _action(reader.query) if reader.raw_query else None
    if takes_forms and reader.request.body != b"":
        if reader.media is MediaType.FORM:
            in_form = _action(reader.form)
        elif in_query is not None:
            raise AmbiguityError(ambiguity.OPERATION, "`Action` in the query, and another body")
    is_cbor = b"smithy-protocol" in fields
    if sum(item is not None for item in (target, in_query, in_form)) + is_cbor > 1:
        raise AmbiguityError(ambiguity.OPERATION, "the operation is named in two places")
    if target is not None:
        return _by_target(reader, services, segments, target.decode("latin-1"))
    if is_cbor:
        return _by_cbor_path(reader, services, segments)
    action = in_query or in_form
    if action is not None:
        pairs = reader.query if in_query is not None else reader.form
        return _by_action(services, segments, action, pairs)
    rest = _speaking(services, Protocol.REST_JSON, Protocol.REST_XML)
    if rest:
        return AwsCall(_names(rest), None, rest[0].errors, path=tuple(segments))
    return AwsCall(_names(services), None, services[0].errors)


def _by_target(
    reader: RequestReader, services: tuple[Service, ...], segments: Sequence[str], target: str
) -> AwsCall:
    prefix, _, name = target.rpartition(".")
    fitting = tuple(s for s in services if s.target == prefix and s.target)
    is_call = reader.request.method == "POST" and list(segments) == [""]
    operation = name if fitting and is_call and _OPERATION_NAME.fullmatch(name) else None
    return AwsCall(_names(fitting or services), operation, AWS_ERRORS[Protocol.JSON])


def _by_cbor_path(
    reader: RequestReader, services: tuple[Service, ...], segments: Sequence[str]
) -> AwsCall:
    """`POST /service/<target>/operation/<Operation>`; the header must say so too."""
    fields, cbor = reader.request.fields, _speaking(services, Protocol.CBOR)
    errors = AWS_ERRORS[Protocol.CBOR]
    if fields[b"smithy-protocol"] == _CBOR and reader.request.method == "POST":
        match list(segments):
            case ["service", target, "operation", name]:
                fitting = tuple(service for service in cbor if service.target == target)
                if fitting and _OPERATION_NAME.fullmatch(name):
                    return AwsCall(_names(fitting), name, errors)
    return AwsCall(_names(cbor or services), None, errors)


def _by_action(
    services: tuple[Service, ...], segments: Sequence[str], action: str, pairs: Pairs
) -> AwsCall:
    fitting = _speaking(services, Protocol.QUERY, Protocol.EC2)
    if len(fitting) > 1:
        # Two generations of one host are told apart by the version alone.
        version = pairs.values.get("Version")
        if isinstance(version, list):
            raise AmbiguityError(ambiguity.OPERATION, "`Version` is there twice")
        fitting = tuple(service for service in fitting if service.version == version)
    is_ec2 = bool(fitting) and Protocol.EC2 in fitting[0].protocols
    errors = AWS_ERRORS[Protocol.EC2 if is_ec2 else Protocol.QUERY]
    is_root = list(segments) == [""]
    is_queue = not is_root and any(service.name == "sqs" for service in fitting)
    if not is_root and not is_queue and len(_speaking(services, *_REST)):
        raise AmbiguityError(ambiguity.OPERATION, "`Action` beside a path that means something")
    is_call = fitting and (is_root or is_queue) and _OPERATION_NAME.fullmatch(action)
    return AwsCall(_names(fitting or services), action if is_call else None, errors)


_REST = (Protocol.REST_JSON, Protocol.REST_XML)


def _action(pairs: Pairs) -> str | None:
    found: str | None = None
    for key, value in pairs.values.items():
        if key != "Action" and key.strip().lower().rstrip("[]") != "action":
            continue
        if key != "Action" or not isinstance(value, str):
            raise AmbiguityError(ambiguity.OPERATION, "`Action` is there twice, or misspelled")
        found = value
    return found


def _speaks(service: Service, *protocols: Protocol) -> bool:
    return not service.protocols.isdisjoint(protocols)


def _speaking(services: tuple[Service, ...], *protocols: Protocol) -> tuple[Service, ...]:
    return tuple(service for service in services if _speaks(service, *protocols))


def _names(services: tuple[Service, ...]) -> tuple[str, ...]:
    return tuple(service.name for service in services)


# --- S3 -------------------------------------------------------------------------------------------


def _s3(
    reader: RequestReader,
    place: Place,
    services: tuple[Service, ...],
    segments: Sequence[str],
    index: AwsIndex,
) -> AwsCall:
    """A bucket's host, or one of S3's two control APIs, which go by path."""
    storage = [service for service in services if service.name == "s3"]
    others = tuple(service for service in services if service.name != "s3")
    errors = AWS_ERRORS[Protocol.REST_XML]
    is_control = segments[0] == _CONTROL_PATH and not place.bucket
    if others and (not storage or is_control):
        if storage and _ACCOUNT_HEADER not in reader.request.fields:
            return AwsCall(_names(services), None, errors)
        return AwsCall(_names(others), None, others[0].errors, path=tuple(segments))
    assert place.style is not None
    if not place.bucket and "/" in segments[0]:
        raise AmbiguityError(ambiguity.PATH, "an encoded slash behind the bucket's name")
    name, captured = s3_call(index.s3, reader, place.style, place.bucket, segments)
    return AwsCall(("s3",), name, errors, captured=captured)
