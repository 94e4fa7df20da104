"""Rows 17, 21 and 27: the disk, the clock or the engine of a running gateway goes wrong. It blocks
what it can't decide or record, says so, and needs no restart when it is well again.

What no machine does on demand is done by `tests.support.broken_gateway`, the product with faults
that a file switches.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.fault_agent import FaultAgent
from tests.support.gateway_state import is_healthy, is_ready, readiness
from tests.support.stack import Gateway, Stack
from tests.support.traffic import verify_chain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECONDS_MAX = 20.0
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@pytest.fixture(scope="module")
def folder(stack: Stack) -> Path:
    """The switches."""
    made = stack.folder / "switches"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def gateway(stack: Stack, folder: Path) -> Iterator[Gateway]:
    """The product with switches."""
    made = Gateway(stack.folder, "breakable", stack.control, stack.upstreams)
    made.process.module = "tests.support.broken_gateway"
    made.process.environment["FAULTS_FOLDER"] = str(folder)
    try:
        made.start()
        yield made
    finally:
        made.process.close()


@pytest.fixture(scope="module")
def agent(gateway: Gateway) -> FaultAgent:
    return FaultAgent(gateway)


@contextmanager
def fault(folder: Path, name: str) -> Iterator[None]:
    """It is broken so while the block runs."""
    switch = folder / name
    switch.touch()
    try:
        yield
    finally:
        switch.unlink()


def wait(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {SECONDS_MAX:.0f} s"
        time.sleep(0.02)


# --- the disk -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["write EIO", "write EROFS", "sync EIO"])
def test_row_17_the_disk_fails(
    stack: Stack, gateway: Gateway, agent: FaultAgent, folder: Path, tag: str, name: str
) -> None:
    """What would change something is blocked before it is sent, readiness says why; the disk well
    again, it goes on without a restart and without a gap, and says how many it refused."""
    assert agent.note(f"{tag}x1x").status == 200
    with fault(folder, name):
        said = agent.note(f"{tag}x2x")
        assert said.reason == "RECORD_UNAVAILABLE", said
        wait(lambda: "record" in readiness(gateway)["failing"], "it says so")
        assert agent.note(f"{tag}x3x").reason == "RECORD_UNAVAILABLE"
        assert agent.refund(f"{tag}x4x").reason == "RECORD_UNAVAILABLE"
        assert stack.oracle.about(f"{tag}x2x") == stack.oracle.about(f"{tag}x4x") == []

    wait(lambda: is_ready(gateway), "it recovers")
    assert agent.note(f"{tag}x5x").status == 200
    stack.api.wait_record({"kind": "gateway", "event": "record_restored"}, "", SECONDS_MAX)
    stack.api.wait_record({"kind": "intent"}, f"{tag}x5x", SECONDS_MAX)
    verify_chain(stack.api.records(gateway.gateway_id), gateway.gateway_id)


# --- the engine -----------------------------------------------------------------------------------

ENGINE = ["raises", "recurses", "has no memory", "says perhaps", "says nothing"]


@pytest.mark.parametrize("name", ENGINE)
def test_row_27_an_engine_that(
    stack: Stack, gateway: Gateway, agent: FaultAgent, folder: Path, tag: str, name: str
) -> None:
    """Whatever is not one of three effects is no permission: a refusal at once, and no byte to the
    upstream; the next request is decided as ever."""
    with fault(folder, name):
        said = [act(f"{tag}n{n}n") for n, act in enumerate((agent.read, agent.note, agent.refund))]
        assert all(each.status is not None and each.status >= 400 for each in said), said
    assert stack.oracle.about(tag) == []
    assert is_healthy(gateway)
    assert agent.note(f"{tag}after").status == 200


COSTLY = """
apiVersion: checkrein/v1
kind: Policy
metadata: {name: costly}
spec:
  rules:
    - id: searches
      priority: 1
      match: {action: search_orders}
      when: '!params.names.exists(x, params.names.exists(y, params.names.exists(z, x + y == z)))'
      effect: ALLOW
    - {id: reads, priority: 2, match: {action: get_order}, effect: ALLOW}
"""
SEARCHES = """
apiVersion: checkrein/v1
kind: Mapper
metadata: {name: searches}
spec:
  provider: warehouse
  hosts: [warehouse.example.test]
  operations:
    GET /v1/orders/{order}: {operation: orders.get, action: get_order, kind: read}
    POST /v1/orders/search:
      operation: orders.search
      action: search_orders
      kind: read
      params: {names: {from: body.names, type: list}}
"""
NAMES = 900
"""Cubed, they would take hours."""


def test_row_27_a_condition_that_would_take_hours(stack: Stack, tmp_path: Path, tag: str) -> None:
    """Its budget ends it: what can't be told is not allowed, and others are decided meanwhile."""
    policy, mapper = tmp_path / "costly.yaml", tmp_path / "searches.yaml"
    policy.write_text(COSTLY)
    mapper.write_text(SEARCHES)
    settings = {"CHECKREIN_POLICIES": str(policy), "CHECKREIN_MAPPERS": str(mapper)}
    made = Gateway(stack.folder, "costly", stack.control, stack.upstreams, settings)
    with ExitStack() as stopping:
        stopping.callback(made.process.close)
        made.start()
        agent = FaultAgent(made)
        few = agent.call("POST", "/v1/orders/search", {"names": [f"{tag}a", f"{tag}b"]})
        assert few.status == 200, few
        many = {"names": [f"{tag}{number}" for number in range(NAMES)]}
        searches = [
            agent.start("call", "POST", path="/v1/orders/search", body=many) for _ in range(5)
        ]
        assert agent.read(tag).status == 200
        said = [search.result() for search in searches]
        assert {each.reason for each in said} == {"NO_RULE_MATCHED"}, said
    assert len(stack.oracle.about(tag)) == 2


# --- the clock ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["at the port", "by libfaketime"])
def set_clock(
    request: pytest.FixtureRequest, stack: Stack, folder: Path
) -> Iterator[tuple[Gateway, Callable[[int], None]]]:
    """A gateway, and what moves its clock by so many seconds."""
    name = "moved" if request.param == "at the port" else "faked"
    made = Gateway(stack.folder, name, stack.control, stack.upstreams)
    if request.param == "at the port":
        made.process.module = "tests.support.broken_gateway"
        made.process.environment["FAULTS_FOLDER"] = str(folder)
        file = folder / "clock"
    else:
        if not FAKETIME.exists():
            pytest.skip("libfaketime is not installed (apt-get install libfaketime)")
        file = folder / "faketime"
        made.process.environment |= {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def move(seconds: int) -> None:
        file.write_text(f"{seconds:+d}\n")

    move(0)
    try:
        made.start()
        yield made, move
    finally:
        made.process.close()
        file.unlink()


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["an hour ahead", "an hour back"])
def test_row_21_the_clock_is_moved_in_a_hold(
    stack: Stack, set_clock: tuple[Gateway, Callable[[int], None]], tag: str, seconds: int
) -> None:
    """No hold ends by it, no approval expires or comes to life, agents stay known, and the order of
    what is recorded is that of its numbers, whatever the times say."""
    gateway, move = set_clock
    move(0)
    agent = FaultAgent(gateway)
    held = agent.start("refund", tag)
    approval = wait_asked(stack, tag)
    move(seconds)
    assert agent.note(f"{tag}moved").status == 200
    assert not held.done()
    assert stack.oracle.about(f"{tag}/refund") == []
    stack.api.resolve(approval, "APPROVE")
    said = held.result()
    assert said.status == 200, said

    move(0)
    assert agent.note(f"{tag}back").status == 200
    assert len(stack.oracle.about(f"{tag}/refund")) == 1
    stack.api.wait_record({"kind": "intent"}, f"{tag}back", SECONDS_MAX)
    chain = verify_chain(stack.api.records(gateway.gateway_id), gateway.gateway_id)
    times = [fields["at"] for fields in chain.fields if tag in json.dumps(fields)]
    assert times != sorted(times), "the clock was not moved"


def wait_asked(stack: Stack, tag: str) -> str:
    """The approval about this."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        for approval in stack.api.approvals("PENDING"):
            if approval["target"]["id"] == tag:
                return str(approval["approvalId"])
        time.sleep(0.05)
    raise AssertionError(f"nobody was asked about {tag}")
