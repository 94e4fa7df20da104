"""Short ways to write requests to AWS, and to have the shipped mapper read them."""

from __future__ import annotations

import functools

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import Canonical
from gateway.model.exchange import HttpRequest

FORM = "content-type: application/x-www-form-urlencoded"
JSON = "content-type: application/x-amz-json-1.1"
CBOR = "content-type: application/cbor"
SMITHY = "smithy-protocol: rpc-v2-cbor"
ACCOUNT = "x-amz-account-id: 123456789012"


@functools.cache
def mapper() -> Canonicalizer:
    """The shipped AWS mapper."""
    return Canonicalizer.load([mappers_dir() / "aws.yaml"])


def signed(scope: str, scheme: str = "AWS4-HMAC-SHA256", region: str = "/us-east-1") -> str:
    """An `Authorization` header with a credential scope."""
    credential = f"AKID/20260101{region}/{scope}/aws4_request"
    return f"authorization: {scheme} Credential={credential}, SignedHeaders=host, Signature=0"


def target(name: str) -> str:
    """The header that names an operation."""
    return f"x-amz-target: {name}"


def request(line: str, *headers: str) -> HttpRequest:
    """`METHOD https://host/path [BODY]` with header lines."""
    method, url, *body = line.split(" ", 2)
    pairs = [tuple(header.split(": ", 1)) for header in headers]
    return build_request(method, url, pairs, "".join(body).encode("latin-1"))


def read(line: str, *headers: str) -> Canonical:
    """What a request means."""
    return mapper().canonicalize(request(line, *headers))


def presigned(scope: str) -> str:
    """The query of a presigned URL."""
    return (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        f"AKID%2F20260101%2Fus-east-1%2F{scope}%2Faws4_request&X-Amz-Signature=0"
    )


DYNAMO = "https://dynamodb.eu-west-1.amazonaws.com"
IAM = "https://iam.amazonaws.com"
LAMBDA = "https://lambda.eu-west-1.amazonaws.com"
MONITORING = "https://monitoring.eu-west-1.amazonaws.com"
S3 = "https://s3.eu-west-1.amazonaws.com"
BUCKET = "https://b.s3.eu-west-1.amazonaws.com"
DELETE_TABLE = target("DynamoDB_20120810.DeleteTable")
ELB = "https://elasticloadbalancing.eu-west-1.amazonaws.com"
EMAIL = "https://email.eu-west-1.amazonaws.com"
CONTROL = "https://123456789012.s3-control.eu-west-1.amazonaws.com"
TWICE = "\xa2\x61a\x01\x61a\x02"
"""An object of CBOR with the key `a` twice."""
GRANITE = "GraniteServiceVersion20100801"
