"""One supervised child process: started, awaited until it is ready, restarted, ended.

A child never outlives us: on Linux the kernel sends it SIGTERM when we die, however we die. (macOS
has no such thing; there an orphan remains after kill -9 of the supervisor.) Its output goes to a
log file, never to our terminal.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from gateway.model.dataclass import dataclass

READY_BYTES_MAX = 64 * 1024
"""A longer ready line is no ready line of ours."""

CLOSED_LINE_SECONDS = 1.0
"""How long a process that closed its ready line may take to end by itself."""

LOG_TAIL_LINES = 8
"""How much of a child's log is shown when it fails: the reason is in the last lines."""

LOG_SHOWN_BYTES_MAX = 16 * 1024
"""What is read of a log to find the reason: many problems of one file fit."""

LOG_BYTES_MAX = 16 * 1024 * 1024
"""A log that is longer at a start is moved aside (one old copy), so that logs don't fill a disk."""

BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses before restarts: the first is short, because an agent is waiting for its gateway."""

STEADY_SECONDS = 30.0
"""A child that lived this long starts again with the first pause."""

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to start. `command` gets `--ready-fd N` appended and writes one JSON line there."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log_file: Path
    ready_seconds_max: float = 30.0


class ChildState(Enum):
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


class Child:
    """One process of a spec. `poll` moves its state on and never blocks."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.state = ChildState.STARTING
        self.ready: Mapping[str, object] = {}
        self.failure = ""
        self._received = b""
        self._deadline = time.monotonic() + spec.ready_seconds_max
        self.running_since = time.monotonic()
        _rotate(spec.log_file)
        self.log_start = _size(spec.log_file)
        self.ready_fd, write_fd = os.pipe()
        os.set_blocking(self.ready_fd, False)
        try:
            self.process = _spawn(spec, write_fd)
        except OSError as error:
            os.close(self.ready_fd)
            raise ChildError(spec, f"could not be started: {error.strerror}") from error
        finally:
            os.close(write_fd)

    def poll(self) -> ChildState:
        """Look at the ready line, the deadline and the process; returns the state now."""
        if self.state is ChildState.ENDED:
            return self.state
        if self.state is ChildState.STARTING:
            self._read_ready()
        if self.process.poll() is not None:
            self.failure = self.failure or f"ended with {_in_words(self.process.returncode)}"
            self._set_ended()
        elif self.state is ChildState.STARTING and time.monotonic() > self._deadline:
            self.failure = f"was not ready after {self.spec.ready_seconds_max:g} s"
            self.kill()
            self._set_ended()
        return self.state

    @property
    def seconds_to_deadline(self) -> float | None:
        """How long a starting child may still take; None once it runs."""
        if self.state is not ChildState.STARTING:
            return None
        return max(0.0, self._deadline - time.monotonic())

    def ask_to_end(self) -> None:
        """Send SIGTERM to the child itself; it ends its own children in order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the child's whole process group, and collect it. A child that has ended
        is left alone: its number may by now be somebody else's."""
        if self.process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _read_ready(self) -> None:
        try:
            data = os.read(self.ready_fd, READY_BYTES_MAX)
        except BlockingIOError:
            return
        self._received += data
        line, newline, _ = self._received.partition(b"\n")
        if newline:
            self._accept(line)
        elif not data or len(self._received) > READY_BYTES_MAX:
            # Usually it is just ending; then its exit status says more than the closed line.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(CLOSED_LINE_SECONDS)
                return
            self.failure = "closed its ready line without writing to it"
            self.kill()

    def _accept(self, line: bytes) -> None:
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            self.failure = "wrote a ready line that is not a JSON object"
            self.kill()
            return
        self.ready = value
        self.state = ChildState.RUNNING
        self.running_since = time.monotonic()
        os.close(self.ready_fd)
        self.ready_fd = -1

    def _set_ended(self) -> None:
        self.state = ChildState.ENDED
        if self.ready_fd >= 0:
            os.close(self.ready_fd)
            self.ready_fd = -1


class ChildError(Exception):
    """A child could not be brought up; `message` and `advice` hold what it said itself, if
    anything, since byte `log_start` of its log."""

    def __init__(self, spec: ChildSpec, failure: str, log_start: int = 0) -> None:
        super().__init__(f"the {spec.name} {failure}")
        said, advice = last_words(spec.log_file, log_start)
        self.message = f"the {spec.name} {failure}" + (f": {said}" if said else "")
        self.advice = advice or f"its log is {spec.log_file}"


def last_words(log_file: Path, log_start: int = 0) -> tuple[str, str]:
    """Every `error:` and `help:` sentence since `log_start`; else the last lines as the help."""
    lines = _lines_since(log_file, log_start)
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    advice = [line.removeprefix("help: ") for line in lines if line.startswith("help: ")]
    if said:
        return "\n".join(said), "\n".join(dict.fromkeys(advice))
    shown = "\n".join(lines[-LOG_TAIL_LINES:])
    return "", f"the last lines of {log_file}:\n{shown}" if shown else ""


def _lines_since(log_file: Path, log_start: int) -> list[str]:
    try:
        with log_file.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, log_start, end - LOG_SHOWN_BYTES_MAX))
            return file.read(LOG_SHOWN_BYTES_MAX).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _size(log_file: Path) -> int:
    try:
        return log_file.stat().st_size
    except OSError:
        return 0


def _spawn(spec: ChildSpec, write_fd: int) -> subprocess.Popen[bytes]:
    log_fd = os.open(spec.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            [*spec.command, "--ready-fd", str(write_fd)],
            env=dict(spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=(write_fd,),
            process_group=0,
            preexec_fn=bound_to_us(),  # noqa: PLW1509 - this process has one thread
        )
    finally:
        os.close(log_fd)


def _rotate(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if log_file.stat().st_size > LOG_BYTES_MAX:
            log_file.replace(log_file.with_suffix(".old.log"))


def bound_to_us() -> Callable[[], None] | None:
    """What a child runs before exec so that it gets SIGTERM when we die; None off Linux.

    INVARIANT(main-thread): the kernel watches the *thread* that forks, so only the main thread
    spawns.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # we died before the kernel knew
            os._exit(1)

    return bind


def own_module(module: str) -> tuple[str, ...]:
    """The command that runs a module of ours with the interpreter that we run in."""
    return (sys.executable, "-m", module)


def _in_words(returncode: int) -> str:
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        return f"signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"signal {-returncode}"


def pids(children: Sequence[Child]) -> dict[str, int]:
    """Name to process id, of those that live."""
    return {c.spec.name: c.process.pid for c in children if c.state is not ChildState.ENDED}
