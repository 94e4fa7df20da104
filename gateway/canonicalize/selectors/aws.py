"""Tells which AWS operation a request is, from host, credential scope, target header and action.

The scope is the client's word and the host is the connection's: where they disagree, neither is
believed and the operation is unknown. Never answers with a read what it isn't sure of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.canonicalize.authored.operation import Address, Place
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import MediaType
from gateway.canonicalize.request.pairs import Pairs
from gateway.canonicalize.request.reader import RequestReader
from gateway.canonicalize.selectors.aws_index import (
    AWS_ERRORS,
    AwsIndex,
    Group,
    HostPlace,
    Protocol,
    names_of,
)
from gateway.canonicalize.selectors.s3 import s3_call
from gateway.model.dataclass import dataclass

_OPERATION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_SCHEMES = (b"AWS4-HMAC-SHA256 ", b"AWS4-ECDSA-P256-SHA256 ")
_CREDENTIAL = re.compile(rb"(?:^|[ ,])Credential=([^,\s]+)")
_CONTROL_PATH = "v20180820"
"""The first segment of every path of S3's control API; with the account's header it is no bucket,
where one host answers for both."""
_ACCOUNT_HEADER = b"x-amz-account-id"
_S3_FAMILY = frozenset({"s3", "s3control", "s3outposts"})
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
    return _group(reader, host, index).names


def select_aws(
    reader: RequestReader, host: str, segments: Sequence[str], index: AwsIndex
) -> AwsCall:
    """Tell service and operation.

    Raises:
        AmbiguityError: two operations are named.
    """
    group, place = _group(reader, host, index), index.place(host)
    if group.is_empty:
        known = place.services[0].errors if place.services else AWS_ERRORS[Protocol.JSON]
        return AwsCall((), None, known)
    if place.style is not None and group.names[0] in _S3_FAMILY:
        return _s3(reader, place, group, segments, index)
    return _call(reader, group, segments)


_NOBODY = Group(())


def _group(reader: RequestReader, host: str, index: AwsIndex) -> Group:
    """The services that host and signature agree on."""
    scope = ""
    header = reader.request.fields.get(b"authorization")
    if header is not None and header.startswith(_SCHEMES):
        scope = _scope_of(header, index)
        if not scope:
            return _NOBODY
    if "X-Amz-" in reader.raw_query or "%" in reader.raw_query:
        credential = reader.query.values.get("X-Amz-Credential")
        if isinstance(credential, list):
            raise AmbiguityError(ambiguity.QUERY, "`X-Amz-Credential` is there twice")
        if credential is not None:
            presigned = _service_of(credential)
            if not presigned or scope not in ("", presigned):
                return _NOBODY
            scope = presigned
    return index.group(host, scope)


def _scope_of(header: bytes, index: AwsIndex) -> str:
    """The signing name of a signature; empty where it names none, or more than one."""
    start, _, rest = header.partition(b",")
    if b"Credential=" in rest:
        return _only_scope(header)
    # All up to the signed headers is the same in every request of a day.
    scope = index.scopes.get(start)
    if scope is None:
        scope = _only_scope(start)
        index.remember_scope(start, scope)
    return scope


def _only_scope(header: bytes) -> str:
    credentials = _CREDENTIAL.findall(header)
    return _service_of(credentials[0].decode("latin-1")) if len(credentials) == 1 else ""


def _service_of(credential: str) -> str:
    """`AKID/20260101/eu-west-1/iam/aws4_request` names `iam`; SigV4A has no region in it."""
    parts = credential.rsplit("/", 2)
    is_whole = len(parts) == 3 and "/" in parts[0] and parts[2] == "aws4_request"
    return parts[1] if is_whole else ""


# --- by what the request carries ------------------------------------------------------------------


def _call(reader: RequestReader, group: Group, segments: Sequence[str]) -> AwsCall:
    fields = reader.request.fields
    target = fields.get(b"x-amz-target")
    if target is not None and b"x-amz-target" in reader.request.repeated:
        raise AmbiguityError(ambiguity.OPERATION, "two target headers")
    in_query = in_form = None
    if reader.raw_query and (group.by_form or target is not None):
        in_query = _action(reader.query)
    if group.by_form and reader.request.body != b"":
        if reader.media is MediaType.FORM:
            in_form = _action(reader.form)
        elif in_query is not None:
            raise AmbiguityError(ambiguity.OPERATION, "`Action` in the query, and another body")
    is_cbor = b"smithy-protocol" in fields
    if (target is not None) + (in_query is not None) + (in_form is not None) + is_cbor > 1:
        raise AmbiguityError(ambiguity.OPERATION, "the operation is named in two places")
    if target is not None:
        return _by_target(reader, group, segments, target.decode("latin-1"))
    if is_cbor:
        return _by_cbor_path(reader, group, segments)
    if in_query is not None:
        return _by_action(group, segments, in_query, reader.query)
    if in_form is not None:
        return _by_action(group, segments, in_form, reader.form)
    if group.by_path:
        errors = group.by_path[0].errors
        return AwsCall(names_of(group.by_path), None, errors, path=tuple(segments))
    return AwsCall(group.names, None, group.services[0].errors)


def _by_target(
    reader: RequestReader, group: Group, segments: Sequence[str], target: str
) -> AwsCall:
    prefix, _, name = target.rpartition(".")
    fitting = group.by_target.get(prefix)
    if (
        fitting is None
        or reader.request.method != "POST"
        or list(segments) != [""]
        or not _OPERATION_NAME.fullmatch(name)
    ):
        return AwsCall(fitting or group.names, None, AWS_ERRORS[Protocol.JSON])
    return AwsCall(fitting, name, AWS_ERRORS[Protocol.JSON])


def _by_cbor_path(reader: RequestReader, group: Group, segments: Sequence[str]) -> AwsCall:
    """`POST /service/<target>/operation/<Operation>`; the header must say so too."""
    errors = AWS_ERRORS[Protocol.CBOR]
    if reader.request.fields[b"smithy-protocol"] == _CBOR and reader.request.method == "POST":
        match list(segments):
            case ["service", target, "operation", name] if _OPERATION_NAME.fullmatch(name):
                fitting = names_of([s for s in group.by_cbor if s.target == target])
                if fitting:
                    return AwsCall(fitting, name, errors)
    return AwsCall(group.names, None, errors)


def _by_action(group: Group, segments: Sequence[str], action: str, pairs: Pairs) -> AwsCall:
    fitting = group.by_form
    if len(fitting) > 1:
        # Two generations of one host are told apart by the version alone.
        version = pairs.value(_VERSION)
        fitting = tuple(service for service in fitting if service.version == version)
    is_ec2 = bool(fitting) and Protocol.EC2 in fitting[0].protocols
    errors = AWS_ERRORS[Protocol.EC2 if is_ec2 else Protocol.QUERY]
    is_root = list(segments) == [""]
    is_queue = not is_root and "sqs" in group.names
    if not is_root and not is_queue and group.by_path:
        raise AmbiguityError(ambiguity.OPERATION, "`Action` beside a path that means something")
    is_call = fitting and (is_root or is_queue) and _OPERATION_NAME.fullmatch(action)
    return AwsCall(names_of(fitting) or group.names, action if is_call else None, errors)


def _action(pairs: Pairs) -> str | None:
    try:
        return pairs.value(_ACTION)
    except AmbiguityError:
        raise AmbiguityError(
            ambiguity.OPERATION, "`Action` is there twice, or misspelled"
        ) from None


_ACTION = Address(Place.QUERY, ("Action",), "Action")
_VERSION = Address(Place.QUERY, ("Version",), "Version")


# --- S3 -------------------------------------------------------------------------------------------


def _s3(
    reader: RequestReader,
    place: HostPlace,
    group: Group,
    segments: Sequence[str],
    index: AwsIndex,
) -> AwsCall:
    """A bucket's host, or one of S3's two control APIs, which go by path."""
    has_storage = "s3" in group.names
    errors = AWS_ERRORS[Protocol.REST_XML]
    is_control = segments[0] == _CONTROL_PATH and not place.bucket
    if not has_storage or (is_control and len(group.names) > 1):
        if has_storage and _ACCOUNT_HEADER not in reader.request.fields:
            return AwsCall(group.names, None, errors)
        others = Group([service for service in group.services if service.name != "s3"])
        return AwsCall(others.names, None, others.services[0].errors, path=tuple(segments))
    assert place.style is not None
    if not place.bucket and "/" in segments[0]:
        raise AmbiguityError(ambiguity.PATH, "an encoded slash behind the bucket's name")
    name, captured = s3_call(index.s3, reader, place.style, place.bucket, segments)
    return AwsCall(("s3",), name, errors, captured=captured)
