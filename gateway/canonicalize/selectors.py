"""Tells which AWS operation a request is, from host, credential scope, target header and action.

The scope is the client's word and the host is the connection's: where they disagree, neither is
believed and the operation is unknown. Never answers with a read what it isn't sure of.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.canonicalize import ambiguity
from gateway.canonicalize.ambiguity import AmbiguityError
from gateway.canonicalize.bodies import MediaType
from gateway.canonicalize.pairs import Pairs
from gateway.canonicalize.reader import RequestReader
from gateway.canonicalize.s3_operations import Level, s3_operation


class Select(StrEnum):
    """How the entries of a mapper are found. Later families (graphql, jsonrpc) join here."""

    PATH = "path"
    PATH_TAIL = "path-tail"
    AWS = "aws"


class AwsProtocol(StrEnum):
    QUERY = "query"
    EC2 = "ec2"
    JSON = "json"
    REST_XML = "rest-xml"


AWS_ERRORS = {
    AwsProtocol.QUERY: "aws_query",
    AwsProtocol.EC2: "aws_ec2",
    AwsProtocol.JSON: "aws_json",
    AwsProtocol.REST_XML: "aws_rest_xml",
}

_SERVICE_PROTOCOLS = {
    "s3": AwsProtocol.REST_XML,
    "ec2": AwsProtocol.EC2,
    "iam": AwsProtocol.QUERY,
    "sts": AwsProtocol.QUERY,
}
"""Services whose one protocol is known. Others speak what their request looks like."""

HOSTS_CACHED_MAX = 1_024
"""Hosts whose service is remembered; an agent uses a few, and a hostile one can only fill this."""

_REGION = r"[a-z]{2}(?:-[a-z]+){1,3}-[0-9]"
_S3_HOST = re.compile(
    rf"(?:(?P<bucket>.+)\.)?s3(?:-fips)?(?:\.dualstack)?(?:[.-]{_REGION}|-external-1)?"
    r"\.(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)"
    r"|(?P<fast>.+)\.s3-accelerate(?:\.dualstack)?\.amazonaws\.com"
)
_SERVICE_HOST = re.compile(
    rf"(?P<service>[a-z0-9-]+?)(?:-fips)?(?:\.(?P<region>{_REGION}|us-gov|global))?"
    r"\.(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)"
)
_OPERATION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_SCHEMES = (b"AWS4-HMAC-SHA256 ", b"AWS4-ECDSA-P256-SHA256 ")
_CREDENTIAL = re.compile(r"(?:^|[ ,])Credential=([^,\s]+)")


@dataclass(frozen=True, slots=True)
class AwsCall:
    """What a request to AWS asks for. `operation` is None where that can't be told; `captured` is
    bucket and key for S3."""

    service: str
    operation: str | None
    errors: str
    captured: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        return f"{self.service}.{self.operation}" if self.operation else None


S3_VARIABLES = ("bucket", "key")
"""Path variables that entries of `s3.*` may address."""


def select_aws(reader: RequestReader, host: str, segments: Sequence[str]) -> AwsCall:
    """Tell service and operation.

    Raises:
        AmbiguityError: two operations are named.
    """
    service, bucket = _service_of_host(host)
    protocol = _SERVICE_PROTOCOLS.get(service)
    errors = AWS_ERRORS.get(protocol or AwsProtocol.JSON, "aws_json")
    scopes = _scopes(reader)
    if not service or any(scope != service for scope in scopes):
        return AwsCall(service, None, errors)
    if protocol is AwsProtocol.REST_XML:
        operation, captured = _s3_call(reader, bucket, segments)
        return AwsCall(service, operation, errors, captured)
    named = _named_operation(reader, protocol)
    return AwsCall(service, named if list(segments) == [""] else None, errors)


@functools.lru_cache(maxsize=HOSTS_CACHED_MAX)
def _service_of_host(host: str) -> tuple[str, str]:
    """Service and bucket, empty where the host has none of the known shapes."""
    found = _S3_HOST.fullmatch(host)
    if found is not None:
        return "s3", found.group("bucket") or found.group("fast") or ""
    found = _SERVICE_HOST.fullmatch(host)
    return (found.group("service"), "") if found is not None else ("", "")


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


def _named_operation(reader: RequestReader, protocol: AwsProtocol | None) -> str | None:
    """The operation that the target header or `Action` names."""
    target = reader.request.fields.get(b"x-amz-target")
    if target is not None and b"x-amz-target" in reader.request.repeated:
        raise AmbiguityError(ambiguity.OPERATION, "two target headers")
    in_query = _action(reader.query) if reader.raw_query else None
    in_form = None
    if reader.request.body != b"" and reader.media is MediaType.FORM:
        in_form = _action(reader.form)
    named = [name for name in (target, in_query, in_form) if name is not None]
    if len(named) > 1:
        raise AmbiguityError(ambiguity.OPERATION, "the operation is named in two places")
    if target is not None:
        text = target.decode("latin-1").rpartition(".")[2]
        if protocol is not None or reader.request.method != "POST":
            return None
    else:
        text = in_query or in_form or ""
    return text if _OPERATION_NAME.fullmatch(text) else None


def _action(pairs: Pairs) -> str | None:
    found: str | None = None
    for key, value in pairs.values.items():
        if key != "Action" and key.strip().lower().rstrip("[]") != "action":
            continue
        if key != "Action" or not isinstance(value, str):
            raise AmbiguityError(ambiguity.OPERATION, "`Action` is there twice, or misspelled")
        found = value
    return found


def _s3_call(
    reader: RequestReader, bucket: str, segments: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """Rewrite to bucket and key, whatever the host style, and look the operation up."""
    if bucket:
        key = "/".join(segments)
    else:
        bucket, key = segments[0], "/".join(segments[1:])
    level = Level.OBJECT if key else Level.BUCKET if bucket else Level.SERVICE
    fields = reader.request.fields
    if b"x-amz-copy-source" in reader.request.repeated:
        raise AmbiguityError(ambiguity.HEADER, "two copy sources")
    copies = b"x-amz-copy-source" in fields
    operation = s3_operation(level, reader.request.method, reader.query.values, copies=copies)
    return operation, (bucket, key)
