"""Runs the `checkrein` command as a person would, and finds what it leaves behind.

Every process that a command starts carries a mark in its environment, by which leftovers are
found however they were orphaned.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "gateway.cli.main")
SECONDS_MAX = 100.0
MARK = "TEST_COMMAND_MARK"


class Checkrein:
    """A place to run commands in: a data directory, a temporary directory, a mark."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data_dir = folder / "data"
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        self.mark = uuid.uuid4().hex
        kept = {n: os.environ[n] for n in ("PATH", "HOME", "LANG") if n in os.environ}
        self.environment = {
            **kept,
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(ROOT),
            MARK: self.mark,
            **(environment or {}),
        }

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *words],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )

    def here(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command against this data directory; options come before any `--`."""
        at = words.index("--") if "--" in words else len(words)
        return self.run(*words[:at], "--data-dir", str(self.data_dir), *words[at:])

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command whose output is read as it comes."""
        return subprocess.Popen(
            [*COMMAND, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def start_up(self, *words: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        """Start `up` on free ports; the process and its ready line."""
        ports = ("--proxy-port", "0", "--api-port", "0", "--metrics-port", "0")
        where = ("--data-dir", str(self.data_dir), "--json")
        process = self.start("up", *ports, *where, *words)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"`up` is not ready: {process.communicate()[1]}")
        ready: dict[str, Any] = json.loads(line)
        return process, ready

    def leftovers(self) -> list[str]:
        """Processes that carry the mark, as `pid command line`."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def wait_no_leftovers(self, seconds: float = 20.0) -> list[str]:
        """What is still there when it should not be, after a little patience."""
        deadline = time.monotonic() + seconds
        while (found := self.leftovers()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> int:
    """Send a signal, wait, and return the exit status; closes the pipes."""
    process.send_signal(number)
    process.communicate(timeout=SECONDS_MAX)
    return process.returncode


def json_lines(text: str) -> Sequence[Any]:
    """The JSON values of a text, one a line."""
    return [json.loads(line) for line in text.splitlines()]
