"""However a writing request to AWS is respelled, it never becomes a read."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.authoring.requests import MalformedRequestError, build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import Kind

FORM = "application/x-www-form-urlencoded"
GRANITE = "GraniteServiceVersion20100801"


@dataclass(frozen=True)
class Draft:
    """A request that is still being respelled."""

    method: str
    host: str
    path: str
    query: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    form: tuple[str, ...] = field(default=())


@functools.cache
def mapper() -> Canonicalizer:
    """The shipped AWS mapper."""
    return Canonicalizer.load([mappers_dir() / "aws.yaml"])


WRITES = (
    Draft(
        "POST",
        "dynamodb.eu-west-1.amazonaws.com",
        "/",
        headers=(
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "DynamoDB_20120810.DeleteTable"),
        ),
        body=b'{"TableName":"t"}',
    ),
    Draft(
        "POST",
        "iam.amazonaws.com",
        "/",
        headers=(("content-type", FORM),),
        form=("Action=DeleteUser", "Version=2010-05-08", "UserName=u"),
    ),
    Draft(
        "POST",
        "ec2.eu-west-1.amazonaws.com",
        "/",
        headers=(("content-type", FORM),),
        form=("Action=TerminateInstances", "Version=2016-11-15", "InstanceId.1=i-1"),
    ),
    Draft("DELETE", "lambda.eu-west-1.amazonaws.com", "/2015-03-31/functions/f"),
    Draft("POST", "lambda.eu-west-1.amazonaws.com", "/2015-03-31/functions/f/invocations"),
    Draft("DELETE", "s3.eu-west-1.amazonaws.com", "/b/k"),
    Draft("PUT", "b.s3.eu-west-1.amazonaws.com", "/k", body=b"x"),
    Draft(
        "POST",
        "monitoring.eu-west-1.amazonaws.com",
        f"/service/{GRANITE}/operation/DeleteAlarms",
        headers=(("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")),
        body=b"\xa0",
    ),
)

PAIRS = (
    "Action=ListUsers", "action=ListUsers", "Action[]=ListUsers", "Version=2010-05-08",
    "Version=x", "acl", "list-type=2", "uploads", "versionId=1", "x-id=GetObject", "_method=GET",
    "X-Amz-Credential=AKID%2F20260101%2Feu-west-1%2Fs3%2Faws4_request",
)  # fmt: skip
HEADERS = (
    ("x-amz-target", "DynamoDB_20120810.ListTables"),
    ("x-amz-target", f"{GRANITE}.ListMetrics"),
    ("smithy-protocol", "rpc-v2-cbor"),
    ("x-http-method-override", "GET"),
    ("x-amz-copy-source", "other/k"),
    ("content-type", "text/plain"),
    ("content-type", "application/json"),
    ("content-type", FORM),
    ("content-encoding", "gzip"),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/iam/aws4_request, Signature=0",
    ),
)


def respelled(draft: Draft, how: tuple[str, int]) -> Draft:
    """One change that some server might overlook."""
    kind, number = how
    match kind:
        case "query":
            return replace(draft, query=(*draft.query, PAIRS[number % len(PAIRS)]))
        case "form":
            return replace(draft, form=(*draft.form, PAIRS[number % len(PAIRS)]))
        case "first":
            return replace(draft, form=(PAIRS[number % len(PAIRS)], *draft.form))
        case "header":
            return replace(draft, headers=(*draft.headers, HEADERS[number % len(HEADERS)]))
        case "case":
            at = number % len(draft.path)
            letter = draft.path[at].swapcase()
            return replace(draft, path=draft.path[:at] + letter + draft.path[at + 1 :])
        case "percent":
            at = number % len(draft.path)
            sign = f"%{ord(draft.path[at]):02x}"
            return replace(draft, path=draft.path[:at] + sign + draft.path[at + 1 :])
        case "insert":
            at = 1 + number % len(draft.path)
            extra = ("/", "%2f", ".", "/..", ";", "%00", "%252f")[number % 7]
            return replace(draft, path=draft.path[:at] + extra + draft.path[at:])
        case _:
            return replace(draft, form=tuple(reversed(draft.form)))


HOW = st.tuples(
    st.sampled_from(("query", "form", "first", "header", "case", "percent", "insert", "reversed")),
    st.integers(0, 200),
)


@given(st.sampled_from(WRITES), st.lists(HOW, min_size=0, max_size=4))
def test_a_write_stays_a_write(draft: Draft, changes: list[tuple[str, int]]) -> None:
    """By case, encoding, repetition, order, content type or another protocol's names."""
    for how in changes:
        draft = respelled(draft, how)
    query = "?" + "&".join(draft.query) if draft.query else ""
    body = draft.body or "&".join(draft.form).encode()
    url = f"https://{draft.host}{draft.path}{query}"
    try:
        request = build_request(draft.method, url, list(draft.headers), body)
    except MalformedRequestError:
        return  # what is no request at all never comes here

    canonical = mapper().canonicalize(request)

    assert canonical.refused or canonical.actions
    assert all(action.kind is not Kind.READ for action in canonical.actions)
