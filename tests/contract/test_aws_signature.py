"""Our signature of a look at AWS is botocore's, byte for byte, whatever a target is called."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.enforce.aws_look import is_endpoint, scope_of, sign_read
from gateway.model.aws_signature import AwsKeys, Scope
from gateway.model.exchange import Authority

LETTERS = "abzAZ09-_.~/ +%&=?#:;,@!$'()*[]{}|\\^`\"<>éß漢😀\x7f"
SERVICES = ("s3", "ec2", "iam", "rds")
START = datetime(2026, 1, 1, tzinfo=UTC)


def a_text(dice: random.Random, most: int = 12) -> str:
    return "".join(dice.choice(LETTERS) for _ in range(dice.randint(0, most)))


def encoded(dice: random.Random, text: str, keep: str = "") -> str:
    """A text percent-encoded, here and there more than it must be."""
    return "".join(
        letter
        if letter in keep or (letter.isascii() and letter.isalnum() and dice.random() < 0.9)
        else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in text
    )


@pytest.mark.parametrize("seed", range(8))
def test_it_is_botocores(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths, queries, services, regions, times, with and without a session token."""
    dice = random.Random(seed)
    for _ in range(60):
        service = dice.choice(SERVICES)
        at = START + timedelta(seconds=dice.randint(0, 10**8))
        token = "".join(dice.choices("aZ09/+=", k=dice.choice((0, 40))))
        keys = AwsKeys("AKIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPx", token)
        scope = Scope(dice.choice(("us-east-1", "eu-central-2")), service)
        host = f"{service}.{scope.region}.amazonaws.com"
        path = "/" + encoded(dice, a_text(dice).strip("/").replace("//", "/"), keep="/")
        if service != "s3":
            path = "/"
        pairs = [
            f"{encoded(dice, a_text(dice) or 'k')}={encoded(dice, a_text(dice))}"
            for _ in range(dice.randint(0, 5))
        ]
        target = path + ("?" + "&".join(pairs) if pairs else "")
        method = dice.choice(("GET", "HEAD"))

        spelled, headers = sign_read(method, host, target.encode(), scope, keys, at)

        ours = {name.decode().lower(): value.decode() for name, value in headers}
        theirs = botocore_headers(monkeypatch, method, host, spelled.decode(), scope, keys, at)
        assert ours == {**theirs, "host": host}
        assert (b"Host", host.encode()) == headers[0]


def botocore_headers(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    host: str,
    target: str,
    scope: Scope,
    keys: AwsKeys,
    at: datetime,
) -> dict[str, str]:
    """What botocore adds to the same request at the same time."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: at.replace(tzinfo=None))
    kind = botocore.auth.S3SigV4Auth if scope.service == "s3" else botocore.auth.SigV4Auth
    credentials = Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    request: Any = AWSRequest(method, f"https://{host}{target}")
    if scope.service == "s3":
        # It signs no empty body of S3 over TLS by itself.
        request.context["client_config"] = None
        request.context["payload_signing_enabled"] = True
    kind(credentials, scope.service, scope.region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


SIGNED = {
    "as botocore writes it": (
        b"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, Signature=0",
        Scope("us-east-1", "s3"),
    ),
    "without spaces, in another order": (
        b"AWS4-HMAC-SHA256 SignedHeaders=host,Credential=A/20260101/eu-west-1/ec2/aws4_request",
        Scope("eu-west-1", "ec2"),
    ),
    "signed for several regions": (
        b"AWS4-ECDSA-P256-SHA256 Credential=AKID/20260101/s3/aws4_request", None,
    ),
    "no scope": (b"AWS4-HMAC-SHA256 Credential=AKID", None),
    "a scope with more in it": (
        b"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/x/aws4_request", None,
    ),
    "a host for a region": (
        b"AWS4-HMAC-SHA256 Credential=AKID/20260101/evil.com#/s3/aws4_request", None,
    ),
    "a key of a bearer": (b"Bearer x", None),
}  # fmt: skip


@pytest.mark.parametrize(("authorization", "scope"), SIGNED.values(), ids=SIGNED.keys())
def test_the_scope_of_a_signature(authorization: bytes, scope: Scope | None) -> None:
    """Region and service as the agent's own signature names them; nothing is guessed."""
    assert scope_of(authorization) == scope


S3, EC2, IAM = Scope("eu-west-1", "s3"), Scope("eu-west-1", "ec2"), Scope("us-east-1", "iam")
ENDPOINTS = {
    "ec2.eu-west-1.amazonaws.com": (EC2, True),
    "ec2.eu-west-1.api.aws": (EC2, True),
    "ec2.us-east-1.amazonaws.com": (EC2, False),
    "iam.amazonaws.com": (IAM, True),
    "s3.amazonaws.com": (S3, True),
    "s3.eu-west-1.amazonaws.com": (S3, True),
    "s3.dualstack.eu-west-1.amazonaws.com": (S3, True),
    "ledger.s3.eu-west-1.amazonaws.com": (S3, True),
    "a.b-c.s3.amazonaws.com": (S3, True),
    "ledger.s3-website.eu-west-1.amazonaws.com": (S3, False),
    "x.execute-api.eu-west-1.amazonaws.com": (Scope("eu-west-1", "execute-api"), False),
    "x.eu-west-1.elb.amazonaws.com": (Scope("eu-west-1", "elb"), False),
    "ec2-1-2-3-4.eu-west-1.compute.amazonaws.com": (EC2, False),
    "abc.lambda-url.eu-west-1.on.aws": (Scope("eu-west-1", "lambda"), False),
    "evil.ec2.eu-west-1.amazonaws.com": (EC2, False),
    "ec2.eu-west-1.amazonaws.com.evil.test": (EC2, False),
    "ec2xeu-west-1xamazonaws.com": (EC2, False),
    "ec2.eu-west-1.localhost.localstack.cloud": (EC2, False),
}


@pytest.mark.parametrize(("host", "row"), ENDPOINTS.items(), ids=ENDPOINTS.keys())
def test_only_a_service_itself_is_looked_at(host: str, row: tuple[Scope, bool]) -> None:
    """Not what customers run under names of AWS, and on no other port."""
    scope, is_one = row
    assert is_endpoint(Authority(host, 443), scope) is is_one
    assert not is_endpoint(Authority(host, 8443), scope)


def test_keys_are_not_shown() -> None:
    """Whatever prints them by mistake prints no secret."""
    shown = repr(AwsKeys("AKID", "very-secret", "very-token"))
    assert "very" not in shown
