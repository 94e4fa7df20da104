"""Supervision with small fake servers: started in order, tended, ended in order, never orphaned."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gateway.cli import stack as stack_module
from gateway.cli.datadir import DataDir, held, load_running
from gateway.cli.failures import CommandError, Interrupted
from gateway.cli.signals import SignalQueue
from gateway.cli.stack import CONTROL_PLANE, GATEWAY, Stack, StackPlan

FAKE = Path(__file__).with_name("fake_server.py")
COMMANDS = {
    CONTROL_PLANE: (sys.executable, str(FAKE), "control"),
    GATEWAY: (sys.executable, str(FAKE), "gateway"),
}
SECONDS_MAX = 20.0


def plan(folder: Path, behaviour: str = "good", **ports: int) -> StackPlan:
    """A plan of fake servers on free ports."""
    chosen = {"proxy_port": 0, "api_port": 0, "metrics_port": 0, **ports}
    inherited = {**os.environ, "FAKE_BEHAVIOUR": behaviour}
    return StackPlan(DataDir(folder), **chosen, inherited=inherited, commands=COMMANDS)


def events(folder: Path) -> list[str]:
    """What the fakes did, without their process ids."""
    lines = (folder / "events").read_text().splitlines()
    return [" ".join(line.split()[:2]) for line in lines]


def tend_until(stack: Stack, signals: SignalQueue, is_done: Callable[[], bool]) -> None:
    """Tend the stack as `up` does, until something is so."""
    deadline = time.monotonic() + SECONDS_MAX
    while not is_done():
        assert time.monotonic() < deadline
        seconds = stack.tend()
        signals.wait(min(0.1 if seconds is None else seconds, 0.1), stack.readers())


def children_since(before: set[int]) -> set[int]:
    """Children of this process that were not there `before`; other tests' servers may be."""
    return {child.pid for child in psutil.Process().children()} - before


@pytest.fixture
def before() -> set[int]:
    """The children that this process has when the test begins."""
    return children_since(set())


@pytest.fixture
def signals() -> Iterator[SignalQueue]:
    """An open queue of signals."""
    with SignalQueue() as queue:
        yield queue


def test_it_starts_and_ends_in_order(tmp_path: Path, signals: SignalQueue) -> None:
    """The control plane first, the gateway before it at the end; the state file only between."""
    place = DataDir(tmp_path)
    with held(place):
        stack = Stack(plan(tmp_path), signals, lambda _: None)
        running = stack.start()
        assert load_running(place) == running
        stack.stop()
        assert load_running(place) is None

    assert running.proxy_url.startswith("http://agent:cr_agent_x@127.0.0.1:")
    assert events(tmp_path) == ["start control", "start gateway", "end gateway", "end control"]


FAILURES = {
    "its own words are passed on": (
        "refuse-gateway", 2, "the gateway ended with exit status 2: the moon is full",
        "wait a fortnight",
    ),
    "a bug shows the end of its log": (
        "crash-control", 1, "the control plane ended with exit status 1", "RuntimeError: a bug",
    ),
    "a silent one is not waited for for ever": (
        "silent-gateway", 1, "the gateway was not ready after 1 s", "gateway.log",
    ),
    "a ready line that is none": (
        "garbage-gateway", 1, "the gateway wrote a ready line that is not a JSON object",
        "gateway.log",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("behaviour", "status", "message", "advice"), FAILURES.values(), ids=FAILURES.keys()
)
def test_a_failed_start_says_why(
    behaviour: str,
    status: int,
    message: str,
    advice: str,
    tmp_path: Path,
    signals: SignalQueue,
    monkeypatch: pytest.MonkeyPatch,
    before: set[int],
) -> None:
    """Which server, what it said, what to do; and nothing is left running."""
    spec_class = stack_module.ChildSpec
    monkeypatch.setattr(
        stack_module,
        "ChildSpec",
        lambda *words: spec_class(*words[:-1], 1.0 if "silent" in behaviour else words[-1]),
    )
    stack = Stack(plan(tmp_path, behaviour), signals, lambda _: None)

    with pytest.raises(CommandError) as caught:
        stack.start()
    stack.stop()

    assert caught.value.message == message
    assert advice in caught.value.advice
    assert caught.value.status == status
    assert children_since(before) == set()


@pytest.mark.parametrize("name", [GATEWAY, CONTROL_PLANE])
def test_what_dies_comes_back_on_its_port(name: str, tmp_path: Path, signals: SignalQueue) -> None:
    """A killed server is started again where agents expect it, and that is noted."""
    notes: list[str] = []
    stack = Stack(plan(tmp_path), signals, notes.append)
    running = stack.start()
    victim = stack.pids()[name]
    os.kill(victim, signal.SIGKILL)

    try:
        tend_until(stack, signals, lambda: any("is back" in note for note in notes))
        assert stack.pids()[name] != victim
        assert load_state_pids(tmp_path)[name] == stack.pids()[name]
        port = int((running.proxy_url if name == GATEWAY else running.api_url).rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    finally:
        stack.stop()
    assert notes == [f"the {name} ended with signal SIGKILL; it is started again",
                     f"the {name} is back"]  # fmt: skip
    assert stack.restarts == 1


def load_state_pids(folder: Path) -> dict[str, int]:
    """The process ids in checkrein.json."""
    import json

    pids: dict[str, int] = json.loads((folder / "checkrein.json").read_text())["pids"]
    return pids


def test_what_keeps_dying_is_started_ever_more_slowly(
    tmp_path: Path, signals: SignalQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pauses grow, so that a broken server doesn't eat the machine."""
    monkeypatch.setattr(stack_module, "BACKOFF_SECONDS", (0.01, 0.02, 0.05))
    stack = Stack(plan(tmp_path), signals, lambda _: None)
    stack.start()
    stack._plan.inherited["FAKE_BEHAVIOUR"] = "crash-gateway"  # type: ignore[index]
    os.kill(stack.pids()[GATEWAY], signal.SIGKILL)

    try:
        tend_until(stack, signals, lambda: stack.restarts >= 4)
        assert stack._places[GATEWAY].failures >= 4
    finally:
        stack.stop()


def test_a_stubborn_server_is_killed(
    tmp_path: Path, signals: SignalQueue, monkeypatch: pytest.MonkeyPatch, before: set[int]
) -> None:
    """What ignores SIGTERM doesn't keep the others from ending."""
    monkeypatch.setattr(stack_module, "STOP_SECONDS_MAX", 0.3)
    notes: list[str] = []
    stack = Stack(plan(tmp_path, "stubborn-gateway"), signals, notes.append)
    stack.start()

    stack.stop()

    assert notes == ["the gateway did not end by itself and was killed"]
    assert events(tmp_path)[-1] == "end control"
    assert children_since(before) == set()


def test_a_second_signal_kills(
    tmp_path: Path, signals: SignalQueue, monkeypatch: pytest.MonkeyPatch, before: set[int]
) -> None:
    """Who presses Ctrl-C while a stop is under way does not wait for it."""
    monkeypatch.setattr(stack_module, "STOP_SECONDS_MAX", 300.0)
    stack = Stack(plan(tmp_path, "stubborn-gateway"), signals, lambda _: None)
    stack.start()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    began = time.monotonic()
    stack.stop()
    timer.join()

    assert time.monotonic() - began < stack_module.STOP_SECONDS_MAX
    assert children_since(before) == set()


def test_a_signal_during_the_start_ends_it(
    tmp_path: Path, signals: SignalQueue, before: set[int]
) -> None:
    """Ctrl-C while a server is awaited is not lost."""
    stack = Stack(plan(tmp_path, "silent-control"), signals, lambda _: None)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()

    with pytest.raises(Interrupted):
        stack.start()
    stack.stop()
    timer.join()

    assert children_since(before) == set()


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path, signals: SignalQueue) -> None:
    """Which port, and the option that changes it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = Stack(plan(tmp_path, api_port=port), signals, lambda _: None)
        with pytest.raises(CommandError) as caught:
            stack.start()

    assert caught.value.message == f"port {port} is taken"
    assert "--api-port" in caught.value.advice
    assert caught.value.status == 2
    assert not (tmp_path / "events").exists()


SUPERVISOR = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.integration.cli.test_stack import plan
from gateway.cli.signals import SignalQueue
from gateway.cli.stack import Stack
from gateway.cli.up import tend_until_told
with SignalQueue() as signals:
    stack = Stack(plan(Path({folder!r})), signals, print)
    stack.start()
    print(*stack.pids().values(), flush=True)
    tend_until_told(stack, signals)
    stack.stop()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_kill_9_of_the_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    """The kernel ends the servers when their supervisor is gone, however it went."""
    code = SUPERVISOR.format(root=str(Path(__file__).parents[3]), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        found = [psutil.Process(int(pid)) for pid in supervisor.stdout.readline().split()[1:]]
        supervisor.kill()

    _, alive = psutil.wait_procs(found, timeout=SECONDS_MAX)
    assert not alive
