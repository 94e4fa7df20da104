"""Rows 1, 2, 4 to 6 and 20: the control plane is gone, silent, late or lying. What is allowed goes
on by the last good rules until they are stale, what needs a person is refused, nobody hangs, and
no record is lost or doubled.

The real control plane runs on; between it and the gateway lies a wire that the test breaks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.support.fault_agent import FaultAgent, Said
from tests.support.faulty_wire import FaultyWire, Way
from tests.support.gateway_state import is_ready, readiness
from tests.support.stack import MAPPERS, POLICIES, Gateway, Stack
from tests.support.traffic import verify_chain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECONDS_MAX = 20.0
ANSWER_SECONDS_MAX = 10.0
"""Longer than the deadlines below together; no agent may wait so long."""

QUICK = {
    "CHECKREIN_POLICY_SOURCE": "control",
    "CHECKREIN_POLICIES": "",
    "CHECKREIN_MAPPERS": "",
    "CHECKREIN_CONTROL_SECONDS_MAX": "1",
    "CHECKREIN_CONNECT_SECONDS_MAX": "1",
    "CHECKREIN_ASK_SECONDS_MAX": "0.5",
    "CHECKREIN_CONSUME_SECONDS_MAX": "1",
    "CHECKREIN_RETRY_SECONDS_MAX": "0.2",
    "CHECKREIN_LONG_POLL_SECONDS": "1",
    "CHECKREIN_STOP_POLL_SECONDS": "1",
}
"""Rules come from the control plane, and nothing of it is waited for long."""


@pytest.fixture(scope="module")
def bundle(stack: Stack) -> int:
    """The rules of the tests, as a signed bundle that is in force; its number."""
    mappers = [
        {"name": path.name, "text": path.read_text()} for path in sorted(MAPPERS[1].glob("*.yaml"))
    ]
    proof = {"name": "proof.yaml", "text": (POLICIES / "proof.yaml").read_text()}
    body = {"documents": [proof], "mappers": mappers}
    sequence: int = stack.api.call("POST", "/v1/bundles", body)["bundle"]["sequence"]
    return sequence


@pytest.fixture(scope="module")
def wire(stack: Stack) -> Iterator[FaultyWire]:
    """What lies between the gateway of this file and its control plane."""
    with FaultyWire(lambda: int(stack.control.url.rpartition(":")[2])) as laid:
        yield laid


@contextmanager
def running(stack: Stack, wire: FaultyWire, name: str, **settings: str) -> Iterator[Gateway]:
    """A gateway at the end of the wire."""
    given = {**QUICK, "CHECKREIN_API_URL": wire.url, **settings}
    gateway = Gateway(stack.folder, name, stack.control, stack.upstreams, given)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.process.close()


@pytest.fixture(scope="module")
def wired(stack: Stack, wire: FaultyWire, bundle: int) -> Iterator[Gateway]:
    """The gateway that most rows share. It has a bundle, and every row leaves it whole."""
    with running(stack, wire, "wired") as gateway:
        wait(lambda: is_ready(gateway), "the bundle is there")
        yield gateway


@pytest.fixture
def agent(wired: Gateway, wire: FaultyWire) -> Iterator[FaultAgent]:
    """An agent of it; afterwards the wire is mended."""
    yield FaultAgent(wired, seconds=ANSWER_SECONDS_MAX)
    wire.set(Way.OPEN)


def wait(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {SECONDS_MAX:.0f} s"
        time.sleep(0.02)


def assert_goes_on_without_people(stack: Stack, agent: FaultAgent, tag: str) -> None:
    """What is allowed passes, what is blocked and what needs a person is refused, in time."""
    assert agent.read(f"{tag}xread").status == 200
    assert agent.note(f"{tag}xnote").status == 200
    assert agent.delete(f"{tag}xdelete").reason == "FORBIDDEN_BY_PROOF"
    held = agent.refund(f"{tag}xrefund")
    assert held.reason == "APPROVAL_UNAVAILABLE", held
    assert stack.oracle.about(f"{tag}xdelete") == stack.oracle.about(f"{tag}xrefund") == []
    assert len(stack.oracle.about(f"{tag}xnote")) == 1


def assert_shipped_once(stack: Stack, gateway: Gateway, tag: str) -> None:
    """The intent of a note is stored, once, in a chain without a gap."""
    stack.api.wait_record({"kind": "intent", "gateway": gateway.gateway_id}, tag, SECONDS_MAX)
    chain = verify_chain(stack.api.records(gateway.gateway_id), gateway.gateway_id)
    assert [fields["kind"] for fields in chain.fields if tag in json.dumps(fields)].count(
        "intent"
    ) == 1


# --- at the start ---------------------------------------------------------------------------------


def test_row_01_started_without_control_plane_or_cache(
    stack: Stack, wire: FaultyWire, tag: str
) -> None:
    """It starts, is not ready, and refuses every call; the upstream sees none."""
    wire.set(Way.CUT)
    own = {"CHECKREIN_CONFIGURED_AGENT": "agent"}
    with running(stack, wire, "newborn", **own) as gateway:
        assert not is_ready(gateway)
        assert {"policy", "agents"} <= set(readiness(gateway)["failing"])
        agent = FaultAgent(gateway)
        said = [act(tag) for act in (agent.read, agent.note, agent.refund, agent.delete)]
        assert {each.status for each in said} <= {403, 407, 503}, said
        assert stack.oracle.about(tag) == []
    wire.set(Way.OPEN)


def test_row_02_started_without_control_plane_with_a_cache(
    stack: Stack, wire: FaultyWire, wired: Gateway, agent: FaultAgent, tag: str
) -> None:
    """What it knew decides: it is ready, says that nobody has confirmed its bundle, and serves."""
    wire.set(Way.CUT)
    wired.process.kill()
    wired.start()

    assert is_ready(wired)
    assert "not confirmed" in readiness(wired)["notes"].get("bundle", ""), readiness(wired)
    assert_goes_on_without_people(stack, agent, tag)


# --- while it runs --------------------------------------------------------------------------------


def test_row_05_longer_than_the_rules_may_be_stale(
    stack: Stack, wire: FaultyWire, bundle: int, tag: str
) -> None:
    """After `stale_seconds_max` everything is refused and readiness is taken away; confirmed again,
    the same rules decide."""
    with running(stack, wire, "staling", CHECKREIN_STALE_SECONDS_MAX="1.5") as gateway:
        wait(lambda: is_ready(gateway), "the bundle is there")
        agent = FaultAgent(gateway)
        assert agent.read(f"{tag}fresh").status == 200
        wire.set(Way.CUT)
        wait(lambda: not is_ready(gateway), "it is stale")
        said = [act(f"{tag}stale") for act in (agent.read, agent.note, agent.refund, agent.delete)]
        assert {each.reason for each in said} == {"BUNDLE_STALE"}, said
        assert stack.oracle.about(f"{tag}stale") == []

        wire.set(Way.OPEN)
        wait(lambda: is_ready(gateway), "it is confirmed")
        assert agent.read(f"{tag}again").status == 200


def answer_of(status: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


RUBBISH: Mapping[str, bytes] = {
    "500": answer_of("500 Oops", b'{"error":{"code":"INTERNAL"}}'),
    "garbage": b"\x00\xff not HTTP \r\n\r\n\x1b[2J",
    "JSON that breaks off": answer_of("200 OK", b'{"approval":{"status":"APPR'),
    "200 with a page": answer_of("200 OK", b"<html>Log in to the hotel</html>", "text/html"),
    "200 with something else": answer_of("200 OK", b'["approved",{"status":"APPROVED"}]'),
    "a body shorter than it says": b"HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n{}",
    "a redirect": b"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "nothing for longer than anybody waits": b"",
}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_row_06_a_control_plane_that_answers(
    stack: Stack, wire: FaultyWire, agent: FaultAgent, tag: str, rubbish: str
) -> None:
    """Rubbish is the same as no answer: no approval or rule is read out of it, and nobody hangs."""
    wire.set(Way.LYING, answer=RUBBISH[rubbish])
    assert_goes_on_without_people(stack, agent, tag)


PARTITIONS = {
    "4, reset": Way.CUT,
    "20, both directions": Way.SILENT,
    "20, towards it": Way.UNHEARD,
    "20, back from it": Way.UNANSWERED,
}


@pytest.mark.parametrize("way", PARTITIONS.values(), ids=PARTITIONS)
def test_row_04_and_20_a_partition(
    stack: Stack, wire: FaultyWire, wired: Gateway, agent: FaultAgent, tag: str, way: Way
) -> None:
    """As if it were gone. Healed, what was recorded meanwhile is stored exactly once, also where
    it had arrived and only the answer was lost; and people are asked again."""
    assert agent.note(f"{tag}xbefore").status == 200
    wire.set(way)
    assert_goes_on_without_people(stack, agent, tag)

    wire.set(Way.OPEN)
    assert_shipped_once(stack, wired, f"{tag}xnote")
    known = stack.api.approval_ids()
    held = agent.start("refund", f"{tag}xafter")
    approval = wait_asked(stack, known, f"{tag}xafter")
    stack.api.resolve(approval, "APPROVE")
    said: Said = held.result()
    assert said.status == 200, said
    assert len(stack.oracle.about(f"{tag}xafter")) == 1


def test_row_20_a_partition_in_a_hold(
    stack: Stack, wire: FaultyWire, agent: FaultAgent, tag: str
) -> None:
    """The question stands while the wire is dead; approved meanwhile, the act is done once."""
    known = stack.api.approval_ids()
    held = agent.start("refund", tag)
    approval = wait_asked(stack, known, tag)
    wire.set(Way.SILENT)
    stack.api.resolve(approval, "APPROVE")
    assert stack.oracle.about(tag) == []
    wire.set(Way.OPEN)

    said = held.result()
    if said.status != 200:  # the hold was given up meanwhile; its approval still stands
        said = agent.refund(tag)
    assert said.status == 200, said
    assert len(stack.oracle.about(tag)) == 1
    assert stack.api.approval(approval)["status"] == "CONSUMED"


def wait_asked(stack: Stack, known: frozenset[str], tag: str) -> str:
    """The approval that is new and asked about this."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        for approval in stack.api.approvals("PENDING"):
            if approval["approvalId"] not in known and approval["target"]["id"] == tag:
                return str(approval["approvalId"])
        time.sleep(0.05)
    raise AssertionError(f"nobody was asked about {tag}")
