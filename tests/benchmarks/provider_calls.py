"""Requests as SDKs send them, one of each shape that costs differently, and what they mean."""

from __future__ import annotations

import json

from gateway.authoring.requests import build_request
from gateway.model.exchange import HttpRequest

FORM = ("content-type", "application/x-www-form-urlencoded")
JSON = ("content-type", "application/json")


def signed(service: str) -> tuple[str, str]:
    """The header of an AWS signature, with its scope."""
    scope = f"AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request"
    signed_headers = "SignedHeaders=host;x-amz-date"
    return "authorization", f"AWS4-HMAC-SHA256 Credential={scope}, {signed_headers}, Signature=00"


def _json(method: str, url: str, body: object, *headers: tuple[str, str]) -> HttpRequest:
    return build_request(method, url, [*headers, JSON], json.dumps(body).encode())


def _form(url: str, body: str, *headers: tuple[str, str]) -> HttpRequest:
    return build_request("POST", url, [*headers, FORM], body.encode())


WORDS = "the quick brown fox jumps over the lazy dog " * 8

CALLS: dict[str, tuple[HttpRequest, str]] = {
    "github, GET with a path": (
        build_request("GET", "https://api.github.com/repos/octo/hello/issues/12"), "issues/get",
    ),
    "github, JSON of 500 bytes": (
        _json(
            "POST", "https://api.github.com/repos/octo/hello/issues",
            {"title": "It fails", "body": WORDS, "labels": ["bug"], "assignees": ["octo"]},
        ),
        "issues/create",
    ),
    "stripe, form": (
        _form(
            "https://api.stripe.com/v1/refunds",
            "charge=ch_3LmjP72eZvKYlo2C&amount=9000&reason=duplicate&metadata[order]=6735",
        ),
        "stripe.refunds.create",
    ),
    "slack, JSON": (
        _json(
            "POST", "https://slack.com/api/chat.postMessage",
            {"channel": "C123", "text": WORDS, "blocks": [{"type": "divider"}]},
        ),
        "chat.postMessage",
    ),
    "slack, form": (
        _form("https://slack.com/api/chat.postMessage", "channel=C123&text=hello+world"),
        "chat.postMessage",
    ),
    "s3, GET of an object": (
        build_request(
            "GET", "https://bucket.s3.us-east-1.amazonaws.com/a/b/c.txt", [signed("s3")]
        ),
        "s3.GetObject",
    ),
    "s3, PUT of an object": (
        build_request(
            "PUT", "https://s3.us-east-1.amazonaws.com/bucket/a/b.txt", [signed("s3")], b"x" * 500
        ),
        "s3.PutObject",
    ),
    "ec2, query": (
        _form(
            "https://ec2.us-east-1.amazonaws.com/",
            "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-0123456789abcdef0",
            signed("ec2"),
        ),
        "ec2.TerminateInstances",
    ),
    "iam, query": (
        _form(
            "https://iam.amazonaws.com/",
            "Action=AttachRolePolicy&Version=2010-05-08&RoleName=r"
            "&PolicyArn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FAdministratorAccess",
            signed("iam"),
        ),
        "iam.AttachRolePolicy",
    ),
    "dynamodb, JSON": (
        _json(
            "POST", "https://dynamodb.us-east-1.amazonaws.com/",
            {"TableName": "orders", "Item": {f"k{n}": {"S": "value"} for n in range(12)}},
            signed("dynamodb"), ("x-amz-target", "DynamoDB_20120810.PutItem"),
        ),
        "dynamodb.PutItem",
    ),
    "lambda, REST": (
        _json(
            "POST",
            "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/invocations",
            {"order": 1}, signed("lambda"),
        ),
        "lambda.Invoke",
    ),
    "openai, JSON": (
        _json(
            "POST", "https://api.openai.com/v1/chat/completions",
            {"model": "gpt-4o", "messages": [{"role": "user", "content": WORDS}]},
        ),
        "openai.chat.completions.create",
    ),
    "google, DELETE": (
        build_request("DELETE", "https://storage.googleapis.com/storage/v1/b/bucket/o/key"),
        "storage.objects.delete",
    ),
    "cloudflare, DELETE": (
        build_request(
            "DELETE", "https://api.cloudflare.com/client/v4/zones/z1/dns_records/r1"
        ),
        "cloudflare.dns.records.delete",
    ),
    "kubernetes, DELETE": (
        build_request(
            "DELETE", "https://kubernetes.default.svc/api/v1/namespaces/prod/pods/web-1"
        ),
        "deleteCoreV1NamespacedPod",
    ),
    "a host that nobody mapped": (
        _json("POST", "https://example.com/anything", {"a": 1}), "unknown",
    ),
}  # fmt: skip
"""By name: the request, and the operation that it is."""

IN_USE = (
    "api.stripe.com", "slack.com", "api.github.com", "s3.us-east-1.amazonaws.com",
    "ec2.us-east-1.amazonaws.com", "iam.amazonaws.com", "sts.us-east-1.amazonaws.com",
    "lambda.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com",
    "sqs.us-east-1.amazonaws.com", "sns.us-east-1.amazonaws.com", "rds.us-east-1.amazonaws.com",
    "secretsmanager.us-east-1.amazonaws.com",
)  # fmt: skip
"""Three providers and ten AWS services: the gateway whose memory has a budget."""
