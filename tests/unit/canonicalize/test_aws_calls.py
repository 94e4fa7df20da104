"""What of requests to AWS is refused, and how; their targets, and what is loaded for them."""

from __future__ import annotations

import pytest

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from tests.unit.canonicalize.aws_requests import (
    BUCKET,
    CBOR,
    DELETE_TABLE,
    DYNAMO,
    EMAIL,
    FORM,
    GRANITE,
    IAM,
    JSON,
    LAMBDA,
    MONITORING,
    S3,
    SMITHY,
    TWICE,
    presigned,
    read,
    request,
    target,
)

REFUSED = {
    "an action in query and form": (
        ("POST " + IAM + "/?Action=GetUser Action=DeleteUser", FORM),
        "ambiguous_operation",
    ),
    "an action in the query beside a body that is no form": (
        ("POST " + IAM + "/?Action=GetUser Action=DeleteUser", "content-type: text/plain"),
        "ambiguous_operation",
    ),
    "an action twice": (
        ("POST " + IAM + "/ Action=GetUser&Action=DeleteUser", FORM),
        "ambiguous_operation",
    ),
    "an action in two cases": (
        ("POST " + IAM + "/ Action=GetUser&action=DeleteUser", FORM),
        "ambiguous_operation",
    ),
    "a target and an action": (
        (
            "POST " + MONITORING + "/ Action=DeleteAlarms",
            FORM,
            target(f"{GRANITE}.ListMetrics"),
        ),
        "ambiguous_operation",
    ),
    "a target and CBOR": (
        (
            f"POST {MONITORING}/service/{GRANITE}/operation/DeleteAlarms",
            SMITHY,
            target(f"{GRANITE}.ListMetrics"),
        ),
        "ambiguous_operation",
    ),
    "two targets": (
        (
            "POST " + DYNAMO + "/ {}",
            target("DynamoDB_20120810.ListTables"),
            DELETE_TABLE,
            JSON,
        ),
        "ambiguous_operation",
    ),
    "an action beside a path that another service has": (
        (f"POST {EMAIL}/v2/email/identities?Action=ListIdentities&Version=2010-12-01",),
        "ambiguous_operation",
    ),
    "two credentials": (
        ("GET " + BUCKET + "/k?" + presigned("s3") + "&X-Amz-Credential=a",),
        "ambiguous_query",
    ),
    "two sources of a copy": (
        ("PUT " + BUCKET + "/k", "x-amz-copy-source: a/b", "x-amz-copy-source: c/d"),
        "ambiguous_header",
    ),
    "an encoded slash behind the bucket": (("DELETE " + S3 + "/b%2Fk",), "ambiguous_path"),
    "encoded dots behind an encoded slash": (
        ("DELETE " + S3 + "/b/a%2F..%2Fk",),
        "ambiguous_path",
    ),
    "an encoded slash that makes a read of a write": (
        ("GET https://eks.eu-west-1.amazonaws.com/clusters/a%2F%2Fb",),
        "ambiguous_path",
    ),
    "a path in another case": (
        ("DELETE " + LAMBDA + "/2015-03-31/Functions/f",),
        "ambiguous_path",
    ),
    "CBOR with a key twice": (
        (f"POST {MONITORING}/service/{GRANITE}/operation/DeleteAlarms {TWICE}", SMITHY, CBOR),
        "ambiguous_body",
    ),
}


@pytest.mark.parametrize(("sent", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(sent: tuple[str, ...], code: str) -> None:
    """What two servers could read differently is nobody's operation."""
    assert read(*sent).refused == code


STYLES = {
    "CBOR": (
        (f"POST {MONITORING}/service/{GRANITE}/operation/DeleteAlarms \xa0", SMITHY, CBOR),
        "aws_cbor",
    ),
    "JSON": (("POST " + DYNAMO + "/ {}", DELETE_TABLE, JSON), "aws_json"),
    "a form": (("POST " + IAM + "/ Action=DeleteUser", FORM), "aws_query"),
    "EC2": (
        ("POST https://ec2.eu-west-1.amazonaws.com/ Action=StopInstances", FORM),
        "aws_ec2",
    ),
    "S3": (("DELETE " + S3 + "/b",), "aws_rest_xml"),
    "a path": (("DELETE " + LAMBDA + "/2015-03-31/functions/f",), "aws_rest_json"),
    "one service by query": (("POST " + MONITORING + "/ Action=ListMetrics", FORM), "aws_query"),
}


@pytest.mark.parametrize(("sent", "style"), STYLES.values(), ids=STYLES)
def test_refusals_are_in_the_clients_protocol(sent: tuple[str, ...], style: str) -> None:
    """The SDK that sent a request can read what it is refused with."""
    assert read(*sent).errors == style


TARGETS = {
    "whatever the host style": (("DELETE " + BUCKET + "/a/b",), "b/a/b"),
    "by path": (("DELETE " + S3 + "/b/a/b",), "b/a/b"),
    "a dotted bucket": (("DELETE https://x.y.s3.amazonaws.com/k",), "x.y/k"),
    "an access point": (
        ("DELETE https://ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/k",),
        "ap-123456789012/k",
    ),
}


@pytest.mark.parametrize(("sent", "identity"), TARGETS.values(), ids=TARGETS)
def test_objects_have_one_name(sent: tuple[str, ...], identity: str) -> None:
    """An object is bucket and key, wherever the bucket stands."""
    (action,) = read(*sent).actions

    assert (action.target.type, action.target.id) == ("object", identity)


def test_sections_are_read_when_they_are_needed() -> None:
    """A service is not in memory before its host is called, and then only it."""
    fresh = Canonicalizer.load([mappers_dir() / "aws.yaml"])
    first = request("POST " + IAM + "/ Action=ListUsers", FORM)
    other = request("DELETE " + LAMBDA + "/2015-03-31/functions/f")

    assert not fresh.is_ready(first)
    fresh.canonicalize(first)
    assert fresh.is_ready(first)
    assert not fresh.is_ready(other)
