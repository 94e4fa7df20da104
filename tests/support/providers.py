"""What the stand-in providers answer: just enough of each API for its real SDK to be content.

Turns an `Understood` request into an `Answer`, by host. It holds no state and checks nothing: the
gateway is under test here, not the provider.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace

from tests.support.oracle import Answer, Provider, Understood

HOSTS = (
    "api.stripe.com",
    "slack.com",
    "api.github.com",
    "iam.amazonaws.com",
    "sts.amazonaws.com",
    "sts.us-east-1.amazonaws.com",
    "ec2.us-east-1.amazonaws.com",
    "s3.amazonaws.com",
    "s3.us-east-1.amazonaws.com",
    "ledger.s3.amazonaws.com",
    "ledger.s3.us-east-1.amazonaws.com",
    "warehouse.example.test",
)
"""Every name that an agent of the tests calls; the gateway is told to find them at the oracle."""


BREAKS_OFF = "breaksoff"
"""An act that mentions this is done, and its answer breaks off."""


def answer(request: Understood) -> Answer:
    """The answer of whichever provider the Host header names."""
    host = request.host.partition(":")[0].lower().rstrip(".")
    for suffix, provider in _PROVIDERS.items():
        if host == suffix or host.endswith("." + suffix):
            answered = provider(request)
            breaks_off = request.mentions(BREAKS_OFF) and request.method != "GET"
            return replace(answered, cut=True) if breaks_off else answered
    return Answer(404, b'{"message":"no such provider"}')


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def _xml(text: str, status: int = 200) -> Answer:
    return Answer(status, b"<?xml version='1.0' encoding='UTF-8'?>\n" + text.encode(), "text/xml")


def _form(request: Understood) -> Mapping[str, str]:
    return dict(urllib.parse.parse_qsl(request.body.decode("latin-1")))


def _stripe(request: Understood) -> Answer:
    parts = request.path.strip("/").split("/")
    name = parts[1].rstrip("s") if len(parts) > 1 else "object"
    value: dict[str, object] = {"object": name, **_form(request)}
    if len(parts) > 2:
        value["id"] = parts[2]
    else:
        value["id"] = f"{name[:2]}_1"
    if request.method == "DELETE":
        value["deleted"] = True
    if request.method == "GET" and len(parts) == 2:
        value = {"object": "list", "data": [], "has_more": False, "url": request.path}
    return _json(value)


def _slack(request: Understood) -> Answer:
    method = request.path.rpartition("/")[2]
    return _json({"ok": True, "method": method, "channel": {"id": "C1"}, "ts": "1.000001"})


def _github(request: Understood) -> Answer:
    if request.method == "DELETE":
        return Answer(204)
    if request.method == "POST":
        return _json({"number": 1, "state": "open"}, 201)
    return _json([{"number": 1, "title": "first"}])


def _s3(request: Understood) -> Answer:
    if request.method == "GET" and request.path == "/":
        return _xml("<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>")
    if request.method in ("GET", "HEAD"):
        etag = (("etag", '"0123456789abcdef0123456789abcdef"'),)
        return Answer(200, b"the content", "application/octet-stream", etag)
    if request.method == "DELETE":
        return Answer(204)
    return Answer(200, b"", "application/xml", (("etag", '"0123456789abcdef0123456789abcdef"'),))


_USER = (
    "<User><Path>/</Path><UserName>robot</UserName><UserId>AIDA1</UserId>"
    "<Arn>arn:aws:iam::1:user/robot</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User>"
)
_CREDENTIALS = (
    "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
    "<SessionToken>t</SessionToken><Expiration>2026-01-01T00:00:00Z</Expiration></Credentials>"
)


def _aws_query(request: Understood) -> Answer:
    """IAM, STS and EC2: the Action of the form names the result's element."""
    action = _form(request).get("Action", "Unknown")
    result = ""
    if action in ("GetUser", "CreateUser"):
        result = _USER
    if action == "GetCallerIdentity":
        result = "<Arn>arn:aws:iam::1:user/robot</Arn><UserId>AIDA1</UserId><Account>1</Account>"
    if action in ("AssumeRole", "GetFederationToken"):
        result = _CREDENTIALS
    if request.host.startswith("ec2."):
        return _xml(f"<{action}Response><requestId>r-1</requestId></{action}Response>")
    return _xml(
        f"<{action}Response><{action}Result>{result}</{action}Result>"
        f"<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{action}Response>"
    )


def _warehouse(request: Understood) -> Answer:
    """An API of one's own: it says what it understood."""
    return _json(
        {
            "method": request.method,
            "target": request.target,
            "body": request.body.decode("latin-1"),
        }
    )


_PROVIDERS: Mapping[str, Provider] = {
    "api.stripe.com": _stripe,
    "slack.com": _slack,
    "api.github.com": _github,
    "iam.amazonaws.com": _aws_query,
    "sts.amazonaws.com": _aws_query,
    "sts.us-east-1.amazonaws.com": _aws_query,
    "ec2.us-east-1.amazonaws.com": _aws_query,
    "s3.amazonaws.com": _s3,
    "s3.us-east-1.amazonaws.com": _s3,
    "warehouse.example.test": _warehouse,
}
