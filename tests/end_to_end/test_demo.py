"""`checkrein demo` shows what it promises, and leaves nothing behind however it ends."""

from __future__ import annotations

import json
import os
import re
import resource
import select
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.support.command import Checkrein
from tests.support.terminal import on_terminal, read_until

SECONDS_MAX = 60.0
INSTALLED_CPU_SECONDS_MAX = 20.0
"""The promise: under 20 seconds after installation. Counted is what it has the processors do, as a
busy machine makes everything take longer; `SECONDS_MAX` bounds what it waits for besides."""


@pytest.fixture
def checkrein(tmp_path: Path) -> Checkrein:
    """A place of its own."""
    return Checkrein(tmp_path)


def assert_nothing_stays(checkrein: Checkrein) -> None:
    """No process and no file of the demo is left."""
    assert checkrein.wait_no_leftovers() == []
    assert list(checkrein.temporary.iterdir()) == []


@pytest.mark.slow
def test_the_whole_story_by_itself(checkrein: Checkrein) -> None:
    """Allowed, blocked, held, approved, recorded, verified: as one JSON object, with exit 0."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = checkrein.run("demo", "--yes", "--json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is True
    assert [(d["effect"], d["action"], d["outcome"]) for d in told["decisions"]] == [
        ("ALLOW", "get_balance", "executed"),
        ("ALLOW", "create_charge", "executed"),
        ("BLOCK", "create_payout", "refused"),
        ("REQUIRE_APPROVAL", "create_refund", "executed"),
    ]
    assert told["reached_provider"] == {
        "GET /v1/balance": 1,
        "GET /v1/charges/ID": 2,  # what is refunded: when a person is asked, and before the release
        "POST /v1/charges": 1,
        "POST /v1/payouts": 0,
        "POST /v1/refunds": 1,
    }
    blocked = next(line for line in told["agent"] if "PermissionError" in line)
    assert "agents may not pay money out" in blocked
    assert told["audit"]["intact"] is True
    assert 0 < seconds < INSTALLED_CPU_SECONDS_MAX
    assert_nothing_stays(checkrein)


@pytest.mark.slow
def test_the_story_is_told_in_sentences(checkrein: Checkrein) -> None:
    """Without a terminal it asks nobody, and writes plain text without a control sequence."""
    done = checkrein.run("demo")

    assert done.returncode == 0, done.stderr
    assert "BLOCK create_payout (MONEY_OUT_FORBIDDEN, rule money-out)" in done.stdout
    assert "0 x POST /v1/payouts" in done.stdout
    assert re.search(r"VERIFIED: \d+ records", done.stdout), done.stdout
    assert "\x1b" not in done.stdout


ANSWERS = {
    "a approves, and the refund is made": ("a", "approved", b"succeeded", 1),
    "d denies, and the SDK raises": ("d", "denied", b"PermissionError", 0),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "word", "agent_says", "refunds"), ANSWERS.values(), ids=ANSWERS.keys()
)
def test_one_key_on_a_terminal(
    key: str, word: str, agent_says: bytes, refunds: int, checkrein: Checkrein
) -> None:
    """The question comes on a terminal, one key answers it, and the provider's count proves it."""
    with on_terminal(checkrein, "demo") as (process, terminal):
        read_until(terminal, b"[a]pprove / [d]eny ?")
        os.write(terminal, key.encode())
        shown = read_until(terminal, b"Next: checkrein up")
        assert process.wait(SECONDS_MAX) == 0

    assert f"you        {word}".encode() in shown
    assert agent_says in shown
    assert f"{refunds} x POST /v1/refunds".encode() in shown
    assert_nothing_stays(checkrein)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [b"Starting PostgreSQL", b"ready after", b"paying out", b"[a]pprove / [d]eny ?"],
    ids=["while the database starts", "when all is ready", "amid calls", "at the question"],
)
def test_ctrl_c_at_any_point_leaves_nothing(moment: bytes, checkrein: Checkrein) -> None:
    """A real Ctrl-C typed at the terminal ends it with 130, and nothing of it stays."""
    with on_terminal(checkrein, "demo") as (process, terminal):
        read_until(terminal, moment)
        os.write(terminal, b"\x03")
        read_until(terminal, None)
        assert process.wait(SECONDS_MAX) == 130

    assert_nothing_stays(checkrein)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.4, 0.8, 1.2, 1.8])
def test_sigint_at_any_time_leaves_nothing(delay: float, checkrein: Checkrein) -> None:
    """Wherever in its start a signal meets it, processes, lock and directory are gone after."""
    process = checkrein.start("demo", "--yes", "--json")
    wait_for_directory(checkrein)
    select.select([], [], [], delay)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS_MAX)

    assert process.returncode == 130
    assert_nothing_stays(checkrein)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs the kernel's parent-death signal")
def test_kill_9_leaves_no_process(checkrein: Checkrein) -> None:
    """Even a killed demo takes every process with it; only its files can stay."""
    process = checkrein.start("demo", "--yes", "--json")
    wait_for_directory(checkrein)
    deadline = time.monotonic() + SECONDS_MAX
    while len(psutil.Process(process.pid).children(recursive=True)) < 4:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)
    process.kill()
    process.communicate(timeout=SECONDS_MAX)

    assert checkrein.wait_no_leftovers(10) == []


def wait_for_directory(checkrein: Checkrein) -> None:
    """Until the demo has begun to make what it must take away again."""
    deadline = time.monotonic() + SECONDS_MAX
    while not list(checkrein.temporary.iterdir()):
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)
