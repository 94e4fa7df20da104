"""Row 23. Promise: after its first byte has left, what became of an approved act is what was seen
or `unknown`; it is never sent again by itself, and never under the same approval."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from tests.support.agents import CLIENTS, start_agent
from tests.support.fault_agent import HOST, FaultAgent
from tests.support.faulty_wire import FaultyWire, Way
from tests.support.providers import BREAKS_OFF
from tests.support.raw_upstream import RawPeer, Script, run_upstream
from tests.support.stack import Gateway, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

URLLIB = next(client for client in CLIENTS if client.name == "urllib")


def test_row_23_an_approved_act_whose_answer_breaks_off_is_unknown(stack: Stack, tag: str) -> None:
    """The provider did it and died while it answered: the agent's client fails, the record says
    `unknown` under the approval that is used up, and the same act asks anew."""
    tag = f"{tag}{BREAKS_OFF}"
    known = set(stack.api.approval_ids())
    agent = start_agent(URLLIB, "risky", tag, stack.gateway.environment_of_agent)
    approval = stack.api.wait_pending(known)
    stack.api.resolve(approval["approvalId"], "APPROVE")

    assert not agent.finish().ok

    wanted = {"kind": "outcome", "decision_id": approval["decisionId"]}
    record = stack.api.wait_record(wanted, approval["approvalId"])
    assert record["outcome"] == "unknown"
    assert record["approval"]["id"] == approval["approvalId"]
    assert len(stack.oracle.about(tag)) == 1
    assert stack.api.approval(approval["approvalId"])["status"] == "CONSUMED"

    known.add(approval["approvalId"])
    again = start_agent(URLLIB, "risky", tag, stack.gateway.environment_of_agent)
    anew = stack.api.wait_pending(known)
    stack.api.resolve(anew["approvalId"], "REJECT", "it may be done already")
    assert "it may be done already" in again.finish().message
    assert len(stack.oracle.about(tag)) == 1


# --- what an upstream may do to an act that was sent ----------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"


async def says_nothing(peer: RawPeer) -> None:
    await peer.read_request()
    await peer.wait_end()


async def resets_at_once(peer: RawPeer) -> None:
    await peer.read_request()
    peer.reset()


async def resets_mid_body(peer: RawPeer) -> None:
    await peer.read_request()
    peer.write(HEAD + b'{"half":')
    await asyncio.sleep(0.05)  # so that the half is read before the reset discards it
    peer.reset()


async def stops_mid_body(peer: RawPeer) -> None:
    await peer.read_request()
    peer.write(HEAD + b'{"half":')
    await peer.wait_end()


async def drips(peer: RawPeer) -> None:
    await peer.read_request()
    for byte in HEAD:
        peer.write(bytes((byte,)))
        await asyncio.sleep(0.02)


async def talks_rubbish(peer: RawPeer) -> None:
    await peer.read_request()
    peer.write(b"\x16\x03\x01 I am no HTTP server\r\n\r\n")
    await peer.wait_end()


TROUBLES: dict[str, tuple[Script, set[int | None], str, int]] = {
    "hangs": (says_nothing, {504, 502, 424}, "unknown", 1),
    "resets the connection": (resets_at_once, {502, 424}, "unknown", 1),
    "resets it in the middle of an answer": (resets_mid_body, {None}, "unknown", 1),
    "stops in the middle of an answer": (stops_mid_body, {None}, "unknown", 1),
    "drips its answer": (drips, {504, 502, 424, None}, "unknown", 1),
    "talks rubbish": (talks_rubbish, {502, 424}, "unknown", 1),
}
"""What it does, what the agent may read (None: the connection broke), what is recorded, and how
often the request was sent."""

IMPATIENT = {
    "CHECKREIN_UPSTREAM_FIRST_BYTE_SECONDS_MAX": "0.5",
    "CHECKREIN_UPSTREAM_QUIET_SECONDS_MAX": "0.5",
    "CHECKREIN_UPSTREAM_WATCH_SECONDS": "0.05",
}


@pytest.fixture(scope="module")
def wire() -> Iterator[FaultyWire]:
    """Leads to whichever upstream a test runs."""
    with FaultyWire(lambda: 1) as laid:
        yield laid


@pytest.fixture(scope="module")
def impatient(stack: Stack, wire: FaultyWire) -> Iterator[Gateway]:
    """A gateway that waits half a second for an upstream."""
    to_wire = {"CHECKREIN_CONNECT_TO": f"{HOST}:443:127.0.0.1:{wire.port}"}
    made = Gateway(
        stack.folder, "impatient", stack.control, stack.upstreams, {**IMPATIENT, **to_wire}
    )
    try:
        made.start()
        yield made
    finally:
        made.process.close()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_row_23_an_upstream_that(
    stack: Stack, impatient: Gateway, wire: FaultyWire, tag: str, trouble: str
) -> None:
    """The agent reads an error in time and never a success, `unknown` is recorded, and what may
    have changed something is never sent again."""
    script, statuses, outcome, sent = TROUBLES[trouble]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = stack.upstreams.ca_file.parent
    context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    async with run_upstream(script, context) as upstream:
        wire.lead_to(lambda: upstream.port)
        said = await asyncio.to_thread(FaultAgent(impatient).note, tag)
        assert said.status in statuses, said
        assert len(upstream.heads) == sent
        wanted = {"kind": "intent", "gateway": impatient.gateway_id}
        intent = await asyncio.to_thread(stack.api.wait_record, wanted, tag)
        wanted = {"kind": "outcome", "decision_id": intent["decision_id"]}
        ended = await asyncio.to_thread(stack.api.wait_record, wanted)
        assert ended["outcome"] == outcome, ended
        assert len(upstream.heads) == sent


async def test_row_23_an_upstream_that_never_took_it(
    stack: Stack, impatient: Gateway, wire: FaultyWire, tag: str
) -> None:
    """No byte of the request was sent: the record says so, and the agent may try again."""
    wire.set(Way.CUT)
    said = await asyncio.to_thread(FaultAgent(impatient).note, tag)
    wire.set(Way.OPEN)
    assert said.status == 502, said
    wanted = {"kind": "intent", "gateway": impatient.gateway_id}
    intent = await asyncio.to_thread(stack.api.wait_record, wanted, tag)
    wanted = {"kind": "outcome", "decision_id": intent["decision_id"]}
    ended = await asyncio.to_thread(stack.api.wait_record, wanted)
    assert ended["outcome"] == "not_sent", ended
