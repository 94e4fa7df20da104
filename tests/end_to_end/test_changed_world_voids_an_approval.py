"""Promise: what a person approved is sent only while the world is as they saw it, and only once as
many people as the policy wants have said so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import providers
from tests.support.agents import CLIENTS, run_agent, start_agent
from tests.support.command import Checkrein
from tests.support.oracle import Answer, Oracle, Understood
from tests.support.stack import Stack, Upstreams, with_own_gateway
from tests.support.upstream_files import make_upstream_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

STRIPE = next(client for client in CLIENTS if client.name == "stripe")

POLICY = """
apiVersion: checkrein/v1
kind: Policy
metadata: {name: careful}
spec:
  rules:
    - id: refunds
      priority: 1
      match: {action: create_refund}
      effect: REQUIRE_APPROVAL
      approval: {groups: [finance], quorum: 2, witness: required}
"""


class Charges:
    """A payment provider whose charges somebody else may refund too. It answers `state` to whoever
    reads one."""

    def __init__(self) -> None:
        self.refunded = 0
        self.is_out_of_order = False

    def answer(self, request: Understood) -> Answer:
        """As `providers.answer`, with a state."""
        if request.method != "GET" or not request.path.startswith("/v1/charges/"):
            return providers.answer(request)
        if self.is_out_of_order:
            return Answer(302, b"", headers=(("location", "https://api.stripe.com/v1/else"),))
        name = request.path.rpartition("/")[2]
        state = {"id": name, "amount": 9000, "amount_refunded": self.refunded, "receipt": "x"}
        return Answer(200, json.dumps(state).encode())


@pytest.fixture
def charges() -> Charges:
    return Charges()


@pytest.fixture
def careful(stack: Stack, charges: Charges, tmp_path: Path) -> Iterator[Stack]:
    """A gateway of one's own, whose refunds need two people of finance and an unchanged charge."""
    policy = tmp_path / "careful.yaml"
    policy.write_text(POLICY)
    files = make_upstream_files(tmp_path)
    with Oracle(files.certificate, files.key, charges.answer) as oracle:
        upstreams = Upstreams(oracle.port, files.ca, oracle)
        with with_own_gateway(stack, {"CHECKREIN_POLICIES": str(policy)}, upstreams) as own:
            yield own


def make_person(stack: Stack, name: str, *groups: str) -> str:
    """The key of a person who may answer."""
    body = {"name": name, "permissions": ["ApprovalRead", "ApprovalWrite"], "groups": groups}
    key: str = stack.api.call("POST", "/v1/keys", body)["key"]
    return key


def approve(stack: Stack, folder: Path, key: str, approval: dict[str, Any]) -> tuple[int, str]:
    """Answer by command, as a person with this key; the exit status, and what they read."""
    where = {"CHECKREIN_API_URL": stack.control.url, "CHECKREIN_API_KEY": key}
    command = Checkrein(folder / key[-8:], where)
    done = command.run("approvals", "approve", approval["approvalId"])
    return done.returncode, done.stdout + done.stderr


def refunds(stack: Stack, tag: str) -> list[Understood]:
    return [seen for seen in stack.oracle.about(tag) if seen.method == "POST"]


def test_two_people_let_an_unchanged_refund_through_once(
    careful: Stack, tmp_path: Path, tag: str
) -> None:
    """By command: one of the group is not enough, one twice neither, nor somebody else."""
    ann, bob = (make_person(careful, f"{name}-{tag}", "finance") for name in ("ann", "bob"))
    second_of_ann = make_person(careful, f"Ann-{tag}", "finance")
    eve = make_person(careful, f"eve-{tag}", "security")
    known = careful.api.approval_ids()
    agent = start_agent(STRIPE, "risky", tag, careful.gateway.environment_of_agent)
    approval = careful.api.wait_pending(known)
    shown = careful.api.approval(approval["approvalId"])["witness"]["state"]
    assert shown == {"amount": 9000, "amount_refunded": 0}

    status, read = approve(careful, tmp_path / "a", ann, approval)
    assert (status, '"status":"PENDING"' in read) == (0, True), read
    for key, sentence in ((ann, "you have approved this"), (eve, "only `finance` can approve")):
        status, read = approve(careful, tmp_path / "b", key, approval)
        assert (status, sentence in read) == (1, True), read
    status, read = approve(careful, tmp_path / "c", second_of_ann, approval)
    assert (status, '"status":"PENDING"' in read) == (0, True), read
    assert agent.is_running
    assert refunds(careful, tag) == []

    assert approve(careful, tmp_path / "d", bob, approval)[0] == 0
    assert agent.finish().ok
    assert len(refunds(careful, tag)) == 1
    assert careful.api.approval(approval["approvalId"])["status"] == "CONSUMED"
    # Looked at twice: for the people, and before it was sent.
    looks = [seen for seen in careful.oracle.about(tag) if seen.method == "GET"]
    assert [(look.path, look.body) for look in looks] == [(f"/v1/charges/ch_{tag}", b"")] * 2
    assert {look.header("authorization") for look in looks} == {"Bearer sk_test_51Checkrein"}


def test_a_charge_that_changed_is_not_refunded(
    careful: Stack, charges: Charges, tmp_path: Path, tag: str
) -> None:
    """Somebody refunds it while people think: their answer is void, the SDK raises, and the same
    call asks anew with the new state. Where the state can't be read, nothing is sent either."""
    people = [make_person(careful, f"{name}-{tag}", "finance") for name in ("ann", "bob")]
    known = careful.api.approval_ids()
    agent = start_agent(STRIPE, "risky", tag, careful.gateway.environment_of_agent)
    first = careful.api.wait_pending(known)
    charges.refunded = 9000
    for key in people:
        assert approve(careful, tmp_path / "first", key, first)[0] == 0

    told = agent.finish()

    assert not told.ok
    assert STRIPE.exception in told.kinds, told
    assert "WITNESS_HASH_MISMATCH" in told.message
    assert "has changed since a person was asked" in told.message
    voided = careful.api.approval(first["approvalId"])
    assert (voided["status"], voided["comment"]) == ("CANCELLED", "WITNESS_HASH_MISMATCH")

    agent = start_agent(STRIPE, "risky", tag, careful.gateway.environment_of_agent)
    second = careful.api.wait_pending({*known, first["approvalId"]})
    assert second["witness"]["state"] == {"amount": 9000, "amount_refunded": 9000}
    charges.is_out_of_order = True
    for key in people:
        assert approve(careful, tmp_path / "second", key, second)[0] == 0
    told = agent.finish()
    assert not told.ok
    assert "WITNESS_UNAVAILABLE" in told.message
    assert careful.api.approval(second["approvalId"])["status"] == "APPROVED"
    assert refunds(careful, tag) == []
    assert careful.oracle.about("/v1/else") == []

    charges.is_out_of_order = False
    assert run_agent(STRIPE, "risky", tag, careful.gateway.environment_of_agent).ok
    assert len(refunds(careful, tag)) == 1
