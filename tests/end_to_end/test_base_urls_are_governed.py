"""Reverse mode: SDKs that take a base URL are governed by it alone, without proxy or CA."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest
import stripe
from slack_sdk import WebClient

from tests.support.stack import Gateway, Stack

pytestmark = pytest.mark.slow

ROUTES = "stripe=https://api.stripe.com,slack=https://slack.com,s3=https://s3.amazonaws.com"


@pytest.fixture(scope="module")
def gateway(stack: Stack) -> Iterator[Gateway]:
    """A gateway of its own, with base URLs and the sidecar's configured agent."""
    yield stack.add_gateway(
        "base-urls",
        {
            "CHECKREIN_REVERSE": ROUTES,
            "CHECKREIN_REVERSE_PORT": "0",
            "CHECKREIN_CONFIGURED_AGENT": "agent",
        },
    )
    stack.gateways.pop("base-urls").process.close()


def url(gateway: Gateway, name: str) -> str:
    """The base URL of a provider."""
    return f"{gateway.process.ready['reverse_url']}/{name}"


def test_the_stripe_sdk_reads_and_is_blocked(gateway: Gateway, stack: Stack) -> None:
    """A read arrives as it was asked; a payout is refused with Stripe's own exception."""
    tag = uuid.uuid4().hex[:8]
    client = stripe.StripeClient(
        "sk_test_51Checkrein", base_addresses={"api": url(gateway, "stripe")}
    )
    assert client.v1.charges.retrieve(f"ch_{tag}").id == f"ch_{tag}"
    seen = [understood for understood in stack.oracle.requests if tag in understood.path]
    assert [(s.method, s.host, s.path) for s in seen] == [
        ("GET", "api.stripe.com", f"/v1/charges/ch_{tag}")
    ]

    with pytest.raises(stripe.StripeError, match="the proof forbids this act"):
        client.v1.payouts.create({"amount": 100, "currency": "usd", "description": f"po_{tag}"})
    assert sum(tag in understood.path for understood in stack.oracle.requests) == 1


def test_the_slack_sdk_reads(gateway: Gateway, stack: Stack) -> None:
    """Slack's paths begin with `/api/`, which its base URL holds."""
    before = len(stack.oracle.requests)
    client = WebClient(token="xoxb-test", base_url=url(gateway, "slack") + "/api/")
    assert client.conversations_list()["ok"]
    (seen,) = [s for s in stack.oracle.requests[before:] if s.host == "slack.com"]
    assert seen.path == "/api/conversations.list"


def test_a_key_names_the_agent_and_goes_no_further(gateway: Gateway, stack: Stack) -> None:
    """`checkrein-key` wins over the configured agent, and a wrong one opens nothing."""
    place = url(gateway, "stripe") + f"/v1/charges/ch_{uuid.uuid4().hex[:8]}"
    key = stack.control.key("agent")
    with httpx.Client(headers={"Authorization": "Bearer sk_test_51Checkrein"}) as client:
        good = client.get(place, headers={"Checkrein-Key": f"agent+nightly:{key}"})
        bad = client.get(place, headers={"Checkrein-Key": "agent:wrong"})
    assert (good.status_code, bad.status_code) == (200, 401)
    assert "names no agent with that key" in bad.text
    assert "checkrein agents create" in bad.text
    assert "wrong" not in bad.text
    seen = [s for s in stack.oracle.requests if s.path == place[place.index("/v1") :]]
    assert len(seen) == 1
    assert not any(name.lower().startswith("checkrein") for name, _ in seen[0].headers)


def test_what_a_base_url_would_break_is_refused_with_the_reason(gateway: Gateway) -> None:
    """AWS signs the Host header: better our sentence than a signature mismatch of theirs."""
    signed = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request"
    }
    answer = httpx.get(url(gateway, "s3") + "/ledger", headers=signed)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "reverse.signed_host"
