"""An approval is bound to the headers that say what is done or for whom; not to those that a client
makes up anew for each try."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import action_digest
from gateway.model.exchange import Exchange, Principal

S3 = "https://reports.s3.eu-west-1.amazonaws.com/a/b.txt"
GCS = "https://storage.googleapis.com/reports/b.txt"
STRIPE = "https://api.stripe.com/v1/payouts"
DROPBOX = "https://content.dropboxapi.com/2/files/upload"
BOX = "https://api.box.com/2.0/files/1"
PAYPAL = "https://api-m.paypal.com/v1/payments/payouts"
SENDGRID = "https://api.sendgrid.com/v3/mail/send"
UNKNOWN = "https://api.example.com/x"

OTHER = {
    "what is copied": (S3, "x-amz-copy-source", "other/harmless", "other/secret"),
    "who may read it": (S3, "x-amz-acl", "private", "public-read-write"),
    "who may read it, header by header": (S3, "x-amz-grant-read", "id=a", "id=b"),
    "what is kept for good": (S3, "x-amz-bypass-governance-retention", "false", "true"),
    "what Google copies": (GCS, "x-goog-copy-source", "a/harmless", "a/secret"),
    "whose account": (STRIPE, "stripe-account", "acct_1", "acct_2"),
    "what Dropbox writes": (DROPBOX, "dropbox-api-arg", '{"path":"/a"}', '{"path":"/b"}'),
    "which part of a file": (GCS, "content-range", "bytes 0-1/4", "bytes 2-3/4"),
    "in which schema": (UNKNOWN, "content-profile", "public", "private"),
    "for which merchant": (PAYPAL, "paypal-auth-assertion", "a", "b"),
    "as which user of Box": (BOX, "as-user", "1", "2"),
    "as which user of Dropbox": (DROPBOX, "dropbox-api-select-user", "1", "2"),
    "for which customer of SendGrid": (SENDGRID, "on-behalf-of", "one", "two"),
    "as which user of a cluster": (UNKNOWN, "impersonate-user", "reader", "cluster-admin"),
    "past which checks": (UNKNOWN, "sforce-duplicate-rule-header", "a", "b"),
    "how the body is read": (UNKNOWN, "content-type", "text/plain", "application/json"),
    "how the body is packed": (UNKNOWN, "content-encoding", "identity", "br"),
}

SAME = {
    "the time": (S3, "x-amz-date", "20260101T000000Z", "20260101T000005Z"),
    "who signs": (S3, "authorization", "AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 b"),
    "a token of a session": (S3, "x-amz-security-token", "a", "b"),
    "the count of tries": (S3, "amz-sdk-request", "attempt=1", "attempt=2"),
    "Google's count of tries": (GCS, "x-goog-api-client", "gccl-invocation-id/a", "b"),
    "an idempotency key": (STRIPE, "idempotency-key", "a", "b"),
    "telemetry": (STRIPE, "x-stripe-client-telemetry", "a", "b"),
    "an id of the request": (UNKNOWN, "x-request-id", "a", "b"),
}


@pytest.fixture(scope="module")
def canonicalizer() -> Canonicalizer:
    return Canonicalizer.load([mappers_dir()])


def digest(canonicalizer: Canonicalizer, url: str, *headers: tuple[str, str]) -> str:
    request = build_request("PUT", url, list(headers), b"")
    exchange = Exchange("req", Principal("agent"), request, 0)
    return action_digest(exchange, canonicalizer.canonicalize(request))


@pytest.mark.parametrize("row", OTHER.values(), ids=OTHER)
def test_another_value_is_another_act(
    canonicalizer: Canonicalizer, row: tuple[str, str, str, str]
) -> None:
    """Approved with the one, it can't be sent with the other, nor without."""
    url, name, one, two = row
    found = {
        digest(canonicalizer, url, (name, one)),
        digest(canonicalizer, url, (name, two)),
        digest(canonicalizer, url),
        digest(canonicalizer, url, (name, one), (name, two)),
        digest(canonicalizer, url, (name, two), (name, one)),
    }
    assert len(found) == 5


@pytest.mark.parametrize("row", SAME.values(), ids=SAME)
def test_another_try_is_the_same_act(
    canonicalizer: Canonicalizer, row: tuple[str, str, str, str]
) -> None:
    """A client that sends it again joins the approval that it waited for."""
    url, name, one, two = row
    assert digest(canonicalizer, url, (name, one)) == digest(canonicalizer, url, (name, two))


def test_the_case_of_a_name_says_nothing(canonicalizer: Canonicalizer) -> None:
    """And a name can't be moved into its value."""
    lower = digest(canonicalizer, S3, ("x-amz-acl", "private"))
    assert digest(canonicalizer, S3, ("X-Amz-Acl", "private")) == lower
    assert digest(canonicalizer, S3, ("x-amz-aclp", "rivate")) != lower


OWN = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: own}
spec:
  hosts: [own.test]
  provider: own
  errors: problem
  operations:
    POST /pay:
      operation: own.pay
      action: create_payout
      kind: create
      target: {type: account, id: header.x-account}
      params: {amount: header.x-amount}
"""


def test_what_a_mapper_reads_of_a_header_is_bound(tmp_path: Path) -> None:
    """Whatever the header's name: rules decided by it, and a person saw it."""
    (tmp_path / "own.yaml").write_text(OWN)
    own = Canonicalizer.load([tmp_path])
    found = set()
    for amount, other in (("5", "a"), ("500", "a"), ("5", "b")):
        headers = [("x-account", "acct_1"), ("x-amount", amount), ("x-other", other)]
        request = build_request("POST", "https://own.test/pay", headers, b"")
        canonical = own.canonicalize(request)
        assert canonical.actions[0].action == "create_payout"
        found.add(action_digest(Exchange("req", Principal("agent"), request, 0), canonical))
    assert len(found) == 2
