"""Has botocore serialise and sign any operation that it knows, with invented arguments; nothing is
sent. Which operations are the same bytes to the same host is worked out from the models."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.model
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.tokens import FrozenAuthToken

from gateway.canonicalize.selectors.aws_hosts import read_host
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import as_request

ACCOUNT = "123456789012"
DEPTH_MAX = 4
REGION = "eu-west-1"


class Stop(Exception):
    """The request is kept; nothing is to be sent."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__("stopped before sending")
        self.request = request


def stop(request: Any, **_: Any) -> AWSResponse:
    """An event handler that keeps the signed request."""
    raise Stop(as_request(request.method, request.url, request.headers.items(), _body(request)))


def _body(request: Any) -> object:
    body = request.body
    return body.read() if hasattr(body, "read") else body


@dataclass(frozen=True)
class Way:
    """How to call: a protocol other than the one that botocore prefers, a host style, a region."""

    name: str = "as it comes"
    protocol: str = ""
    region: str = REGION
    s3: Mapping[str, Any] | None = None
    dualstack: bool = False
    fips: bool = False


PLAIN = Way()


class Tokens:
    """Gives a made-up bearer token to services that want one."""

    def load_token(self, **_: Any) -> FrozenAuthToken:
        """The token, which botocore puts into a header."""
        return FrozenAuthToken("none")


@functools.cache
def session() -> Any:
    """One session with made-up credentials; its loader remembers the models."""
    made = botocore.session.get_session()
    made.set_credentials("AKIDEXAMPLE", "none")
    made.register_component("token_provider", Tokens())
    return made


def services() -> list[str]:
    """Every service of botocore."""
    return list(session().get_available_services())


def client(service: str, way: Way = PLAIN) -> Any:
    """A client whose requests stop before they are sent."""
    config = Config(
        parameter_validation=False,
        inject_host_prefix=True,
        s3=dict(way.s3 or {"addressing_style": "auto"}),
        use_dualstack_endpoint=way.dualstack,
        use_fips_endpoint=way.fips,
        request_checksum_calculation="when_required",
        retries={"total_max_attempts": 1},
    )
    with preferred(way.protocol):
        made = session().create_client(
            service, region_name=way.region, config=config, endpoint_url=_known_endpoint(service)
        )
    made.meta.events.register_first("before-send", stop)
    return made


def _known_endpoint(service: str) -> str | None:
    """An endpoint for services whose clients would otherwise ask for it first."""
    model = session().get_service_model(service)
    if not model.endpoint_discovery_required:
        return None
    return f"https://{model.endpoint_prefix}.{REGION}.amazonaws.com"


@contextmanager
def preferred(protocol: str) -> Iterator[None]:
    """Have botocore prefer a protocol, for clients that are made inside."""
    before = botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS
    if protocol:
        botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = (protocol, *before)
    try:
        yield
    finally:
        botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = before


def example(shape: Any, name: str, *, full: bool, depth: int = 0) -> Any:
    """A value of a shape: its required members only, or as many as there are."""
    match shape.type_name:
        case "structure":
            return _structure(shape, full=full, depth=depth)
        case "list":
            if depth >= DEPTH_MAX:
                return []
            return [example(shape.member, name, full=full, depth=depth + 1)] * (1 + full)
        case "map":
            if not full or depth >= DEPTH_MAX:
                return {}
            value = example(shape.value, name, full=full, depth=depth + 1)
            return {example(shape.key, "key", full=full): value}
        case "integer" | "long":
            return 1
        case "boolean":
            return True
        case "timestamp":
            return 1_700_000_000
        case "blob":
            return b"x"
        case "double" | "float":
            return 1.5
        case _:
            return _text(shape, name, full=full)


def _structure(shape: Any, *, full: bool, depth: int) -> dict[str, Any]:
    if depth >= DEPTH_MAX or getattr(shape, "is_document_type", False):
        return {}
    wanted = list(shape.members)
    if getattr(shape, "is_tagged_union", False):
        wanted = wanted[:1]
    elif not full:
        wanted = list(shape.required_members)
    return {
        member: example(shape.members[member], member, full=full, depth=depth + 1)
        for member in wanted
        if not getattr(shape.members[member], "eventstream", False)
        and not shape.members[member].serialization.get("eventstream")
    }


_ARNS = {
    "streamarn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/name",
    "consumerarn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/name/consumer/one:1",
    "queuearn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:queue/name",
    "channelarn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:channel/name",
    "kvsarn": f"arn:aws:cloudfront::{ACCOUNT}:key-value-store/name",
    "predictendpoint": f"https://realtime.machinelearning.{REGION}.amazonaws.com",
}
"""Values that botocore takes apart to find the host."""


def _text(shape: Any, name: str, *, full: bool) -> str:
    folded = name.lower()
    if shape.enum:
        return str(shape.enum[-1 if full else 0])
    if folded in ("accountid", "awsaccountid", "account"):
        return ACCOUNT
    if folded in _ARNS:
        return _ARNS[folded]
    if full and folded.endswith("arn"):
        return f"arn:aws:thing:{REGION}:{ACCOUNT}:thing/{folded}"
    return re.sub(r"[^a-z0-9]", "", folded)[:20] + ("-2" if full else "-1")


def arguments_of(made: Any, operation: str, *, full: bool) -> dict[str, Any]:
    """Invented arguments for an operation."""
    shape = made.meta.service_model.operation_model(operation).input_shape
    return example(shape, "", full=full) if shape else {}


def call(made: Any, operation: str, *, full: bool = False, **more: Any) -> HttpRequest:
    """Serialise and sign one operation as botocore does."""
    method = _methods(made)[operation]
    try:
        getattr(made, method)(**{**arguments_of(made, operation, full=full), **more})
    except Stop as stopped:
        return stopped.request
    raise AssertionError("botocore sent nothing")


def _methods(made: Any) -> dict[str, str]:
    return {value: key for key, value in made.meta.method_to_api_mapping.items()}


# --- what is the same on the wire -----------------------------------------------------------------


def wire_identity(made: Any, operation: str, request: HttpRequest) -> tuple[object, ...]:
    """All that a server can tell an operation by: host, and target, or action and version, or
    method and path template. Two operations with one identity are one on the wire."""
    model = made.meta.service_model.operation_model(operation)
    read = read_host(request.authority.host)
    host = request.authority.host if read is None else (read.key, read.style)
    target = request.fields.get(b"x-amz-target")
    if target is not None:
        return host, target
    if b"smithy-protocol" in request.fields:
        return host, request.target
    if made.meta.service_model.resolved_protocol in ("query", "ec2"):
        return host, made.meta.service_model.api_version, operation
    path = re.sub(r"\{[^}]+\}", "{}", model.http["requestUri"])
    return host, model.http["method"], path, _selecting(model)


def _selecting(model: Any) -> tuple[str, ...]:
    """Required query keys and headers, which tell S3's operations apart."""
    shape = model.input_shape
    if shape is None:
        return ()
    return tuple(
        sorted(
            shape.members[name].serialization["name"]
            for name in shape.required_members
            if shape.members[name].serialization.get("location") in ("querystring", "header")
        )
    )
