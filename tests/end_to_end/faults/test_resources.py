"""Rows 10, 22 and 25: the gateway runs out of something, or is told to end. Nothing passes that was
not decided, nothing that was begun is lost, and it goes on by itself."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from tests.support.fault_agent import FaultAgent
from tests.support.gateway_state import is_healthy, is_ready
from tests.support.stack import Gateway, Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SECONDS_MAX = 20.0
MEBIBYTE = 2**20


@contextmanager
def running(stack: Stack, name: str, *prefix: str, **settings: str) -> Iterator[Gateway]:
    """A gateway of one's own on the shared control plane; `prefix` runs it."""
    gateway = Gateway(stack.folder, name, stack.control, stack.upstreams, settings)
    gateway.process.prefix = prefix
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.process.close()


def wait(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {SECONDS_MAX:.0f} s"
        time.sleep(0.02)


# --- told to end ----------------------------------------------------------------------------------

IN_FLIGHT = 200


def test_row_10_sigterm_with_200_requests_in_flight(stack: Stack, tag: str) -> None:
    """Who comes now is refused, all that is in flight is answered, it ends with status 0 and every
    outcome is recorded."""
    release = stack.oracle.hold(tag)
    with running(stack, "ending", CHECKREIN_DRAIN_SECONDS_MAX="20") as gateway:
        agent = FaultAgent(gateway)
        calls = [agent.start("note", f"{tag}n{number}n") for number in range(IN_FLIGHT)]
        wait(lambda: len(stack.oracle.about(tag)) == IN_FLIGHT, "all are at the upstream")

        gateway.process.terminate()
        wait(lambda: is_refused(gateway.port), "nobody new is taken")
        release.set()
        said = [call.result() for call in calls]
        assert {each.status for each in said} == {200}
        assert gateway.process.wait(SECONDS_MAX) == 0
    assert len(stack.oracle.about(tag)) == IN_FLIGHT

    # Its last records were shipped or lie in the spool for the next start.
    gateway.start()
    try:
        ended = wait_outcomes(stack, gateway, tag)
        assert ended == {"executed"}
    finally:
        gateway.process.close()


def is_refused(port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def wait_outcomes(stack: Stack, gateway: Gateway, tag: str) -> set[str]:
    """What became of all notes that carry the tag, once all of them are stored."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        found = [each.fields for each in stack.api.records(gateway.gateway_id)]
        ids = {
            each["decision_id"]
            for each in found
            if each["kind"] == "intent" and tag in each["path"]
        }
        ended = [each for each in found if each["kind"] == "outcome" and each["decision_id"] in ids]
        if len(ended) == IN_FLIGHT:
            return {each["outcome"] for each in ended}
        time.sleep(0.1)
    raise AssertionError("the outcomes are not stored")


# --- too much -------------------------------------------------------------------------------------

CONNECTIONS = 40


def test_row_22_ten_times_too_many_agents(stack: Stack, tag: str) -> None:
    """Who finds a place is decided as ever, all others read 503 at once and leave nothing behind;
    health answers meanwhile, memory stays where it was, and afterwards everybody is served."""
    settings = {"CHECKREIN_CONNECTIONS_MAX": str(CONNECTIONS)}
    with running(stack, "crowded", **settings) as gateway:
        agent = FaultAgent(gateway)
        assert agent.note(f"{tag}first").status == 200
        process = psutil.Process(gateway.process.pid)
        before = process.memory_info().rss
        acts = ["note", "read", "delete", "note"] * (10 * CONNECTIONS // 4)
        calls = [agent.start(act, f"{tag}n{number}n") for number, act in enumerate(acts)]
        while not all(call.done() for call in calls):
            assert is_healthy(gateway)
            time.sleep(0.05)
        said = [call.result() for call in calls]
        grown = process.memory_info().rss - before

        for number, (act, each) in enumerate(zip(acts, said, strict=True)):
            seen = len(stack.oracle.about(f"{tag}n{number}n"))
            if act == "delete":
                assert each.reason == "FORBIDDEN_BY_PROOF" or each.status in {503, None}
                assert seen == 0
            else:
                assert each.status in {200, 503, None}, each
                assert seen == (each.status == 200), (act, each)
        assert {200, 403, 503} <= {each.status for each in said}
        assert grown < 32 * MEBIBYTE
        assert agent.note(f"{tag}last").status == 200


def test_row_25_no_file_descriptor_is_left(stack: Stack, tag: str) -> None:
    """Connections wait or are refused, nobody who has one is lost, and it recovers by itself."""
    with ExitStack() as held:
        gateway = held.enter_context(running(stack, "poor", "prlimit", "--nofile=96", "--"))
        agent = FaultAgent(gateway, seconds=5)
        kept = agent.connect()
        held.callback(kept.close)
        assert agent.kept(kept, "POST", f"/v1/orders/{tag}first/note", {"note": 1}).status == 200
        crowd = [
            held.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            for _ in range(120)
        ]
        wait(lambda: "no file descriptor is left" in gateway.process.log, "it has none left")

        said = agent.kept(kept, "DELETE", f"/v1/orders/{tag}kept")
        assert said.reason == "FORBIDDEN_BY_PROOF", said
        assert gateway.process.is_running
        for each in crowd:
            each.close()
        wait(lambda: agent.note(f"{tag}later").status == 200, "it takes agents again")
        assert is_ready(gateway)


BIG_BYTES, BIG_COUNT = 8 * MEBIBYTE, 10


def test_row_25_no_memory_is_left(stack: Stack, tag: str) -> None:
    """Bodies that together need more than there is: some are refused, none passes unseen, and it
    does not end."""
    with running(stack, "lean") as gateway:
        agent = FaultAgent(gateway, seconds=30)
        assert agent.note(f"{tag}first").status == 200
        process = psutil.Process(gateway.process.pid)
        limit = process.memory_info().vms + 4 * BIG_BYTES
        process.rlimit(psutil.RLIMIT_AS, (limit, limit))
        big = {"note": "x" * BIG_BYTES}
        calls = [
            agent.start("call", "POST", path=f"/v1/orders/{tag}n{number}n/note", body=big)
            for number in range(BIG_COUNT)
        ]
        said = [call.result() for call in calls]

        assert gateway.process.is_running
        for number, each in enumerate(said):
            seen = len(stack.oracle.about(f"{tag}n{number}n"))
            assert seen == 1 if each.status == 200 else seen <= 1, each
        assert {each.status for each in said} != {200}, "there was memory for all of it"
        assert agent.note(f"{tag}last").status == 200


def test_row_25_nobody_reads_the_log(stack: Stack, tag: str) -> None:
    """Its standard streams are a pipe that is full: it decides, records and ends all the same."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4_096)
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 512)
    os.set_blocking(writer, True)
    gateway = Gateway(stack.folder, "unread", stack.control, stack.upstreams)
    gateway.process.environment["CHECKREIN_LOG_LEVEL"] = "DEBUG"
    gateway.process.output = writer
    try:
        gateway.start()
        agent = FaultAgent(gateway)
        for number in range(20):
            assert agent.note(f"{tag}n{number}n").status == 200
            assert agent.delete(f"{tag}d{number}n").reason == "FORBIDDEN_BY_PROOF"
        assert is_ready(gateway)
        assert gateway.process.stop() == 0
    finally:
        gateway.process.close()
        os.close(reader)
        os.close(writer)
