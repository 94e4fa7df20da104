"""Rows 12, 14, 15 and 16: an approval is given once, for one act, and used once; whoever answers at
the same time, whichever gateways release it, and whatever dies between the answer and the act.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.support.control_api import ApiError, ControlApi
from tests.support.fault_agent import HOST, FaultAgent, Said
from tests.support.faulty_wire import FaultyWire, Way
from tests.support.stack import POLICIES, Gateway, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECONDS_MAX = 20.0
PEOPLE = 8


@pytest.fixture
def agent(stack: Stack) -> FaultAgent:
    return FaultAgent(stack.gateway)


@pytest.fixture(scope="module")
def second(stack: Stack) -> Iterator[Gateway]:
    """Another gateway of the same control plane."""
    brief = {"CHECKREIN_HOLD_SECONDS_MAX": "5"}
    gateway = Gateway(stack.folder, "second", stack.control, stack.upstreams, brief)
    gateway.start()
    yield gateway
    gateway.process.close()


@dataclass(frozen=True, slots=True)
class Overdue:
    """An act that is held, with a question whose time runs out."""

    tag: str
    held: Future[Said]
    approval: str


@pytest.fixture(scope="module", autouse=True)
def overdue(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Overdue]:
    """Asked before all else in this file, since no question may have less than ten seconds."""
    tag = f"overdue{uuid.uuid4().hex[:8]}"
    policy = tmp_path_factory.mktemp("hasty") / "hasty.yaml"
    policy.write_text((POLICIES / "proof.yaml").read_text().replace("timeout: 30m", "timeout: 10s"))
    settings = {"CHECKREIN_POLICIES": str(policy)}
    gateway = Gateway(stack.folder, "hasty", stack.control, stack.upstreams, settings)
    try:
        gateway.start()
        held = FaultAgent(gateway).start("refund", tag)
        yield Overdue(tag, held, wait_asked(stack, tag))
    finally:
        gateway.process.close()


def wait_asked(stack: Stack, tag: str, *known: str) -> str:
    """The approval about this, beside the known ones."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        for approval in stack.api.approvals("PENDING"):
            if approval["target"]["id"] == tag and approval["approvalId"] not in known:
                return str(approval["approvalId"])
        time.sleep(0.05)
    raise AssertionError(f"nobody was asked about {tag}")


def answer(stack: Stack, approval: str, resolution: str) -> str:
    """What a person reads who gives this answer: `taken`, or the status of the refusal."""
    try:
        stack.api.resolve(approval, resolution)
    except ApiError as error:
        return f"{error.status}"
    return "taken"


# --- killed between the answer and the act --------------------------------------------------------


def test_row_12_killed_between_approved_and_sent(stack: Stack, tag: str) -> None:
    """The approval is used and the intent is on disk, and no byte has left: after the restart
    nothing is sent by itself, a person is shown that the outcome is unknown, and the same act asks
    anew."""
    assert stack.upstreams.port
    with FaultyWire(lambda: stack.upstreams.port) as wire:
        to_wire = {"CHECKREIN_CONNECT_TO": f"{HOST}:443:127.0.0.1:{wire.port}"}
        gateway = Gateway(stack.folder, "cut-off", stack.control, stack.upstreams, to_wire)
        try:
            gateway.start()
            agent = FaultAgent(gateway)
            held = agent.start("refund", tag)
            approval = wait_asked(stack, tag)
            wire.set(Way.SILENT)
            before = wire.connections
            stack.api.resolve(approval, "APPROVE")
            stack.api.wait_status(approval, "CONSUMED", SECONDS_MAX)
            deadline = time.monotonic() + SECONDS_MAX
            while wire.connections == before:  # the intent is on disk before it dials
                assert time.monotonic() < deadline
                time.sleep(0.01)

            gateway.process.kill()
            assert held.result().status is None
            wire.set(Way.OPEN)
            gateway.start()
            decision = stack.api.approval(approval)["decisionId"]
            stack.api.wait_record({"kind": "intent", "decision_id": decision}, tag, SECONDS_MAX)
            wait_unknown(stack, decision)
            assert stack.oracle.about(tag) == []

            again = agent.start("refund", tag)
            anew = wait_asked(stack, tag, approval)
            stack.api.resolve(anew, "APPROVE")
            assert again.result().status == 200
            assert len(stack.oracle.about(tag)) == 1
        finally:
            gateway.process.close()


def wait_unknown(stack: Stack, decision: str) -> None:
    """Wait until a person is asked what became of it."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        page = stack.api.call("GET", "/v1/outcomes", status="unknown", limit=500)
        if decision in {each["decisionId"] for each in page["outcomes"]}:
            return
        time.sleep(0.1)
    raise AssertionError("nobody is shown that its outcome is unknown")


# --- answered twice -------------------------------------------------------------------------------

ANSWERS = {
    "two approve": ["APPROVE", "APPROVE"],
    "one approves and one denies": ["APPROVE", "REJECT"],
    "a double click": ["APPROVE"] * PEOPLE,
    "a crowd of two minds": ["APPROVE", "REJECT"] * (PEOPLE // 2),
}


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_row_14_answered_at_the_same_time(
    stack: Stack, agent: FaultAgent, tag: str, answers: list[str]
) -> None:
    """One answer is taken and the others read 409; the act is done as it says, once or never."""
    held = agent.start("refund", tag)
    approval = wait_asked(stack, tag)
    with ThreadPoolExecutor(PEOPLE) as people:
        told = list(people.map(lambda each: answer(stack, approval, each), answers))

    assert Counter(told) == {"taken": 1, "409": len(answers) - 1}
    is_approved = answers[told.index("taken")] == "APPROVE"
    said = held.result()
    assert said.status == 200 if is_approved else said.reason == "APPROVAL_DENIED", said
    assert len(stack.oracle.about(tag)) == is_approved
    assert stack.api.approval(approval)["status"] == ("CONSUMED" if is_approved else "DENIED")


# --- for something else ---------------------------------------------------------------------------


def test_row_15_approved_for_another_act(stack: Stack, agent: FaultAgent, tag: str) -> None:
    """What was approved goes through and nothing else: another amount asks anew, and an approval is
    not given out for another digest."""
    held = agent.start("refund", tag, amount=100)
    approval = wait_asked(stack, tag)
    stack.api.resolve(approval, "APPROVE")
    gateway = ControlApi(stack.control.url, stack.control.key("gateway"))
    body = {"requestDigest": "0" * 64, "claimId": f"claim_{tag}"}
    with pytest.raises(ApiError) as refused:
        gateway.call("POST", f"/v1/approvals/{approval}/consume", body)
    assert refused.value.status == 409
    other = agent.start("refund", tag, amount=101)
    asked = wait_asked(stack, tag, approval)

    assert held.result().status == 200
    assert [seen.body for seen in stack.oracle.about(tag)] == [b'{"amount": 100}']
    stack.api.resolve(asked, "REJECT")
    assert other.result().reason == "APPROVAL_DENIED"
    assert len(stack.oracle.about(tag)) == 1


# --- released twice -------------------------------------------------------------------------------


def test_row_16_two_gateways_release_the_same_hold(
    stack: Stack, agent: FaultAgent, second: Gateway, tag: str
) -> None:
    """The same act waits at both for one approval: one of them carries it out, the other's agent is
    told that it was used."""
    here = agent.start("refund", tag)
    approval = wait_asked(stack, tag)
    there = FaultAgent(second).start("refund", tag)
    wanted = {"kind": "decision", "gateway": second.gateway_id}
    stack.api.wait_record(wanted, tag, SECONDS_MAX)
    stack.api.resolve(approval, "APPROVE")

    said = [here.result(), there.result()]
    assert len(stack.oracle.about(tag)) == 1
    assert sorted(each.status == 200 for each in said) == [False, True], said
    # It may have come just too late to wait for the same approval, and asks anew then.
    left = {each.reason for each in said} - {""}
    assert left <= {"APPROVAL_ALREADY_USED", "APPROVAL_PENDING"}, said


# --- too late -------------------------------------------------------------------------------------


def test_row_15_approved_too_late(stack: Stack, overdue: Overdue) -> None:
    """After its time is over it can't be approved, and nothing is sent."""
    assert overdue.held.result().reason == "APPROVAL_EXPIRED"
    assert answer(stack, overdue.approval, "APPROVE") == "409"
    assert stack.oracle.about(overdue.tag) == []
