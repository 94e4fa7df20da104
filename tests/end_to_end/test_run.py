"""`checkrein run -- CMD` changes nothing of a program but that it is governed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command import COMMAND, Checkrein, end

pytestmark = pytest.mark.slow

SECONDS_MAX = 30.0


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkrein]:
    """A running stack that `run` finds."""
    checkrein = Checkrein(tmp_path_factory.mktemp("run"), {"CHECKREIN_API_KEY": "cr_admin_private"})
    process, _ = checkrein.start_up()
    yield checkrein
    assert end(process) == 0


STATUSES = {
    "success": (("true",), 0, ""),
    "its own status": (("sh", "-c", "exit 7"), 7, ""),
    "a signal, as a shell says it": (("sh", "-c", "kill -TERM $$"), 143, ""),
    "a kill, as a shell says it": (("sh", "-c", "kill -KILL $$"), 137, ""),
    "no such program": (("no-such-program",), 127, "error: there is no program"),
    "no program but a folder": (("/tmp",), 126, "error: `/tmp` can't be executed"),
}


@pytest.mark.parametrize(("command", "status", "said"), STATUSES.values(), ids=STATUSES.keys())
def test_the_exit_status_is_the_programs(
    command: tuple[str, ...], status: int, said: str, up: Checkrein
) -> None:
    """What the program ends with is what `run` ends with, and it says nothing of its own."""
    done = up.here("run", "--", *command)

    assert done.returncode == status
    assert done.stdout == ""
    assert (said in done.stderr) if said else (done.stderr == "")


def test_people_see_what_a_run_was_for_and_how_it_ended(up: Checkrein) -> None:
    """Its goal as it was given, and whether the program was content."""
    for status, state in ((0, "COMPLETED"), (3, "FAILED")):
        up.here("run", "--goal", "Close: Öctober!", "--", "sh", "-c", f"exit {status}")
        # The data directory's own key: the environment holds one that is nobody's.
        newest = json.loads(up.here("runs", "list", "--json").stdout)["runs"][0]
        assert (newest["goal"], newest["status"]) == ("Close: Öctober!", state)


def test_standard_streams_are_the_programs(up: Checkrein) -> None:
    """What comes in goes to the program, bytes as they are; what it writes comes out alone."""
    done = subprocess.run(
        [*COMMAND, "run", "--data-dir", str(up.data_dir), "--", "sh", "-c", "cat; echo err >&2"],
        env=up.environment, input=b"\x00\xff\r\n", capture_output=True, check=False,
        timeout=SECONDS_MAX,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == (b"\x00\xff\r\n", b"err\n")


def test_options_of_the_program_are_its_own(up: Checkrein) -> None:
    """What stands behind `--` is not read by us, `--help` and `--agent` included."""
    done = up.here("run", "--", "printf", "%s\n", "--help", "--agent", "--", "-x")

    assert done.stdout.splitlines() == ["--help", "--agent", "--", "-x"]


def test_the_agent_gets_no_key_of_ours(up: Checkrein) -> None:
    """Its environment has its own proxy credentials, and nothing that opens the control plane."""
    done = up.here("run", "--", "env", "-0")

    variables = dict(part.split("=", 1) for part in done.stdout.split("\0") if part)
    assert not [name for name in variables if name.startswith("CHECKREIN_")]
    assert "_admin_" not in done.stdout
    assert "_gateway_" not in done.stdout
    assert variables["HTTPS_PROXY"].startswith("http://agent+run-")


SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]

TRAP = """
import os, signal, time
def tell(number, frame):
    os.write(1, (signal.Signals(number).name + "\\n").encode())
    os._exit(9)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, tell)
os.write(1, b"ready\\n")
time.sleep(60)
"""


@contextmanager
def not_ignored(number: signal.Signals) -> Iterator[None]:
    """A program started here has the signal; those below `nohup` and a shell's `&` ignore it."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signals_reach_the_program(number: signal.Signals, up: Checkrein) -> None:
    """A signal sent to `run` is the program's to answer, and its status is ours."""
    with not_ignored(number):
        process = up.start("run", "--data-dir", str(up.data_dir), "--", sys.executable, "-c", TRAP)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    process.send_signal(number)
    said, _ = process.communicate(timeout=SECONDS_MAX)

    assert (said, process.returncode) == (f"{number.name}\n", 9)


def test_a_run_is_named_in_the_record(up: Checkrein) -> None:
    """Agent and run stand beside every decision; a new agent is created on the way."""
    done = up.here(
        "run", "--agent", "closer", "--goal", "Close October tickets", "--json", "--",
        "curl", "-sS", "https://api.stripe.com/v1/payouts", "-d", "a=1",
    )  # fmt: skip

    said = json.loads(done.stderr)
    assert said["agent"] == "closer"
    assert said["run"].startswith("close-october-tickets-")
    # The record is shipped a moment after the answer.
    deadline = time.monotonic() + SECONDS_MAX
    while ("closer", said["run"]) not in recorded_runs(up):
        assert time.monotonic() < deadline


def recorded_runs(up: Checkrein) -> set[tuple[str | None, str | None]]:
    """Agent and run of the newest records."""
    lines = up.here("audit", "tail", "-n", "20").stdout.splitlines()
    return {(line.get("agent"), line.get("run")) for line in map(json.loads, lines)}


def test_settings_are_those_of_the_running_stack(up: Checkrein) -> None:
    """A policy given to `run` can't be silently ignored because another stack is running."""
    done = up.here("run", "--mode", "monitor", "--", "true")

    assert done.returncode == 1
    assert "has settings of its own" in done.stderr


def test_without_up_a_stack_lives_as_long_as_the_program(tmp_path: Path) -> None:
    """One command is enough: a stack is started, the program is governed, and all of it ends."""
    checkrein = Checkrein(tmp_path)

    done = checkrein.here("run", "--", "curl", "-sS", "https://api.stripe.com/v1/payouts", "-d",
                          "a=1")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "MONEY_OUT_FORBIDDEN" in done.stdout
    assert checkrein.wait_no_leftovers() == []
    assert not (checkrein.data_dir / "checkrein.json").exists()


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs the kernel's parent-death signal")
def test_kill_9_of_run_ends_the_program_and_its_stack(tmp_path: Path) -> None:
    """A program whose governor was killed does not go on."""
    checkrein = Checkrein(tmp_path)
    process = checkrein.start("run", "--data-dir", str(checkrein.data_dir), "--", "sh", "-c",
                              "echo ready; exec sleep 60")  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS_MAX)

    assert checkrein.wait_no_leftovers(10) == []


def test_interrupting_the_start_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C before the program runs ends with 130, and the program never ran."""
    checkrein = Checkrein(tmp_path)
    mark = tmp_path / "ran"
    process = checkrein.start("run", "--data-dir", str(checkrein.data_dir), "--", "touch",
                              str(mark))  # fmt: skip
    deadline = time.monotonic() + SECONDS_MAX
    while not (checkrein.data_dir / "logs").exists():
        assert time.monotonic() < deadline

    assert end(process, signal.SIGINT) == 130
    assert not mark.exists()
    assert checkrein.wait_no_leftovers() == []
