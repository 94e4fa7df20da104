"""Starts a process of the product and learns from its own ready line where it listens.

It ends only what it started, by pid. A process that does not become ready fails the test with the
process's own last words, never with a mere timeout.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

READY_SECONDS_MAX = 45.0
"""Embedded Postgres initialises a new cluster within this on two busy cores."""

STOP_SECONDS_MAX = 10.0
LOG_TAIL_BYTES = 4_000


class NotReady(Exception):
    """The process ended or stayed silent; carries its exit status and what it said."""

    def __init__(self, status: int | None, said: str) -> None:
        super().__init__(f"exit status {status}; it said:\n{said}")
        self.status = status
        self.said = said


class ReadyProcess:
    """One `python -m MODULE --ready-fd N`. May be started again after it ended.

    `prefix` is a command that runs it (`prlimit --nofile=64 --`), `output` a descriptor that takes
    its standard streams in place of the log file.
    """

    def __init__(
        self,
        module: str,
        environment: Mapping[str, str],
        log_file: Path,
        arguments: Sequence[str] = (),
    ) -> None:
        self.environment = dict(environment)
        self.prefix: tuple[str, ...] = ()
        self.output: int | None = None
        self.ready: dict[str, Any] = {}
        self.module = module
        self._arguments = tuple(arguments)
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has written to its standard streams, all starts together."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""

    def start(self, seconds: float = READY_SECONDS_MAX) -> Mapping[str, Any]:
        """Start it and return its ready line.

        Raises:
            NotReady: it ended first, or said nothing for `seconds`.
        """
        assert not self.is_running
        reader, writer = os.pipe()
        command = [
            *self.prefix,
            sys.executable, "-m", self.module, "--ready-fd", str(writer), *self._arguments,
        ]  # fmt: skip
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**_plain_environment(), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log if self.output is None else self.output,
                stderr=log if self.output is None else self.output,
                pass_fds=(writer,),
                cwd=Path(__file__).parents[2],
            )
        os.close(writer)
        try:
            line = _read_line(reader, time.monotonic() + seconds)
        finally:
            os.close(reader)
        if not line:
            status = self._end_unready()
            raise NotReady(status, self.log[-LOG_TAIL_BYTES:])
        self.ready = json.loads(line)
        return self.ready

    def terminate(self) -> None:
        """Tell it to end, and don't wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """End it politely and return its exit status."""
        assert self._process is not None
        self.terminate()
        try:
            return self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_SECONDS_MAX)

    def wait(self, seconds: float) -> int:
        """Wait until it ends by itself; its exit status."""
        assert self._process is not None
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it however it is; for clean-up."""
        if self.is_running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()

    def _end_unready(self) -> int | None:
        assert self._process is not None
        try:
            return self._process.wait(2)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


def _plain_environment() -> dict[str, str]:
    """Nothing of the caller's settings or proxies; coverage and paths only."""
    kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _read_line(descriptor: int, deadline: float) -> bytes:
    """One line, or empty at end of file or deadline."""
    data = b""
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        # Not `select`, which knows no descriptor above 1,023: a test may hold more sockets.
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(max(left, 0) * 1_000):
            return b""
        piece = os.read(descriptor, 4096)
        if not piece:
            return b""
        data += piece
    return data


def end_when_told() -> None:
    """Let SIGTERM end this command as Ctrl-C does, with every process that it started; to whoever
    asked it looks as if the signal had ended it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def descendants(pid: int, name: str) -> list[psutil.Process]:
    """The living descendants of a process whose name contains `name`, oldest first."""
    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    named = [child for child in found if name in child.name()]
    return sorted(named, key=lambda child: child.create_time())
