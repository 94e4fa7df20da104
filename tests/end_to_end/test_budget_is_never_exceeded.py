"""Promise: a budget holds to the last unit, over kills and over gateways, and says so in the
provider's own words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import CLIENTS, Told, run_agent
from tests.support.stack import Gateway, Stack, Upstreams, start_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

STRIPE = next(client for client in CLIENTS if client.name == "stripe")
SENTENCE = "refunds of more than 180 dollars a day"

POLICY = f"""
apiVersion: checkrein/v1
kind: Policy
metadata: {{name: budgets}}
spec:
  rules:
    - {{id: refunds, priority: 1, match: {{action: create_refund}}, effect: ALLOW}}
  limits:
    - id: refund-budget
      match: {{action: create_refund}}
      sum: params.amount
      per: agent
      window: 1d
      max: 18000
      reason: REFUND_BUDGET
      message: {SENTENCE}
"""
"""An agent's refund is one of 9000."""


@pytest.fixture
def frugal(upstreams: Upstreams) -> Iterator[Stack]:
    """A stack of one's own: its agent has spent nothing yet."""
    running = start_stack("frugal", upstreams)
    try:
        yield running
    finally:
        running.close()


def a_gateway(stack: Stack, name: str, tmp_path: Path, **settings: str) -> Gateway:
    policy = tmp_path / "budgets.yaml"
    policy.write_text(POLICY)
    return stack.add_gateway(name, {"CHECKREIN_POLICIES": str(policy), **settings})


def refund(gateway: Gateway, tag: str) -> Told:
    return run_agent(STRIPE, "risky", tag, gateway.environment_of_agent)


def assert_refused(told: Told, reason: str, sentence: str) -> None:
    assert not told.ok
    assert STRIPE.exception in told.kinds, told
    for words in (reason, sentence, "refund-budget"):
        assert words in told.message


def test_a_budget_holds_over_a_kill(stack: Stack, tmp_path: Path, tag: str) -> None:
    """Two refunds are all; the third raises the SDK's exception, and after a kill -9 still."""
    gateway = a_gateway(stack, "alone", tmp_path)
    for number in (1, 2):
        assert refund(gateway, f"{tag}x{number}x").ok
    spent = f"{SENTENCE} (18000 of 18000 used, 9000 more asked)"
    assert_refused(refund(gateway, f"{tag}x3x"), "REFUND_BUDGET", spent)

    gateway.process.kill()
    gateway.start()

    told = refund(gateway, f"{tag}x4x")
    assert_refused(told, "REFUND_BUDGET", spent)
    assert len(stack.oracle.about(tag)) == 2
    by_it = {"kind": "decision", "gateway": gateway.gateway_id}
    decided = stack.api.wait_record(by_it, "refund-budget")
    assert (decided["effect"], decided["rule"]) == ("BLOCK", "refund-budget")
    assert decided["limits"][0]["used"] == 18000
    gateway.process.close()


def test_a_budget_is_shared_by_gateways(frugal: Stack, tmp_path: Path, tag: str) -> None:
    """What one spends is missing at the other; and without the shared counters nothing is spent."""
    shared = {"CHECKREIN_LIMITS_STORE": "shared"}
    one, other = (a_gateway(frugal, name, tmp_path, **shared) for name in ("one", "other"))
    assert refund(one, f"{tag}x1x").ok
    assert refund(other, f"{tag}x2x").ok
    spent = f"{SENTENCE} (18000 of 18000 used, 9000 more asked)"
    assert_refused(refund(one, f"{tag}x3x"), "REFUND_BUDGET", spent)
    assert_refused(refund(other, f"{tag}x4x"), "REFUND_BUDGET", spent)

    frugal.control.process.stop()

    told = refund(one, f"{tag}x5x")
    assert_refused(told, "LIMIT_STORE_UNAVAILABLE", "counters of limits can't be reached")
    assert len(frugal.oracle.about(tag)) == 2
