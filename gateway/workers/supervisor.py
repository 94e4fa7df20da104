"""Starts the workers, keeps them alive, hands signals on, and ends with them.

One plain process without an event loop. It holds the agents' port (bound, never listening), so
that every worker gets the same one and no stranger takes it between two of them; the kernel spreads
connections over the workers that listen.

INVARIANT(one-chain): each worker has a record, a chain and a key of its own, in its own folder; the
first one's is that of a gateway without workers.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import field
from types import FrameType
from typing import Any, Final

from gateway.model.dataclass import dataclass
from gateway.model.errors import ConfigurationError, Problem
from gateway.process import service_manager
from gateway.process.log_lines import configure_logging
from gateway.settings import PREFIX, GatewaySettings
from gateway.workers.front import Front

log = logging.getLogger(__name__)

READY_SECONDS_MAX: Final = 60.0
BACKOFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS: Final = 30.0
"""A worker that lived this long starts again with the first pause."""

FAILURES_MAX: Final = 5
"""Ends in a row before the gateway as a whole gives up: its own manager then sees it fail."""

LOOK_SECONDS: Final = 0.2
"""How late the end of a worker may be noticed."""

GRACE_SECONDS: Final = 10.0
"""Beyond the drain, for the last records; then a worker is killed."""

READY_BYTES_MAX: Final = 64 * 1024


@dataclass(slots=True, eq=False)
class Worker:
    """One process, or the place of one that is to be started at `start_at` (monotonic)."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    ready_fd: int = -1
    received: bytes = b""
    ready: Mapping[str, Any] = field(default_factory=dict)
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0


class Supervisor:
    """`run` it; it returns the exit status."""

    def __init__(self, settings: GatewaySettings, ready_fd: int | None) -> None:
        refuse_impossible(settings)
        self._settings = settings
        self._ready_fd = ready_fd
        self._workers = [Worker(number) for number in range(1, settings.life.workers + 1)]
        self._holder = _hold_port(settings)
        self._lifeline = os.pipe()
        self._wakeup = os.pipe()
        self._signals: list[int] = []
        self._front: Front | None = None
        self._is_announced = False
        self._watchdog = service_manager.watchdog_seconds()

    def run(self) -> int:
        """Run until SIGTERM or SIGINT (0), or until a worker can't be kept alive (1)."""
        admin = self._settings.admin
        self._front = Front(
            admin.metrics_host, admin.metrics_port, self._addresses, admin.metrics_also
        )
        self._front.start()
        self._catch_signals()
        try:
            return self._supervise()
        finally:
            self._end_all()
            self._front.stop()
            self._holder.close()

    # --- the loop ---------------------------------------------------------------------------------

    def _supervise(self) -> int:
        while True:
            now = time.monotonic()
            for worker in self._workers:
                if worker.process is None and now >= worker.start_at:
                    self._start(worker)
            self._wait()
            for number in self._take_signals():
                if number in (signal.SIGTERM, signal.SIGINT):
                    return 0
                self._hand_on(number)
            for worker in self._workers:
                if not self._look_after(worker):
                    log.error("a worker can't be kept alive", extra={"count": worker.failures})
                    return 1
            if not self._is_announced and all(worker.ready for worker in self._workers):
                self._announce()

    def _wait(self) -> None:
        """Until a signal, a ready line, or it is time to look at the children."""
        fds = [self._wakeup[0]]
        fds += [worker.ready_fd for worker in self._workers if worker.ready_fd >= 0]
        seconds = min(LOOK_SECONDS, self._watchdog or LOOK_SECONDS)
        readable, _, _ = select.select(fds, [], [], seconds)
        if self._wakeup[0] in readable:
            os.read(self._wakeup[0], 4_096)
        if self._watchdog is not None:
            service_manager.tell("WATCHDOG=1")
        for worker in self._workers:
            if worker.ready_fd in readable:
                self._hear(worker)

    def _hear(self, worker: Worker) -> None:
        piece = os.read(worker.ready_fd, READY_BYTES_MAX)
        worker.received += piece
        if piece and b"\n" not in worker.received and len(worker.received) < READY_BYTES_MAX:
            return
        os.close(worker.ready_fd)
        worker.ready_fd = -1
        try:
            worker.ready = json.loads(worker.received or b"{}")
        except ValueError:
            log.error("a worker's ready line can't be read")

    def _look_after(self, worker: Worker) -> bool:
        """Note that it ended, and when to start it again; False when that is hopeless."""
        process, now = worker.process, time.monotonic()
        if process is None:
            return True
        status = process.poll()
        if status is None:
            if not worker.ready and now - worker.started_at > READY_SECONDS_MAX:
                process.kill()
            return True
        was_steady = bool(worker.ready) and now - worker.started_at >= STEADY_SECONDS
        worker.failures = 1 if was_steady else worker.failures + 1
        log.error("a worker ended", extra={"count": worker.number, "detail": f"status {status}"})
        if worker.ready_fd >= 0:
            os.close(worker.ready_fd)
        worker.process, worker.ready_fd, worker.ready = None, -1, {}
        pause = BACKOFF_SECONDS[min(worker.failures, len(BACKOFF_SECONDS)) - 1]
        worker.start_at = now + pause
        return worker.failures < FAILURES_MAX

    def _start(self, worker: Worker) -> None:
        assert self._front is not None
        read_fd, write_fd = os.pipe()
        own = f"{self._front.address[0]}:{self._front.address[1]}"
        command = [
            sys.executable, "-m", "gateway", "--worker", str(worker.number),
            "--lifeline-fd", str(self._lifeline[0]), "--ready-fd", str(write_fd),
            "--own-address", own,
        ]  # fmt: skip
        host, port = self._holder.getsockname()[:2]
        environment = {
            **{name: text for name, text in os.environ.items() if name not in _MANAGERS},
            PREFIX + "PROXY_HOST": str(host),
            PREFIX + "PROXY_PORT": str(port),
            PREFIX + "METRICS_HOST": "127.0.0.1",
            PREFIX + "METRICS_PORT": "0",
            PREFIX + "METRICS_ALSO": "",
        }
        try:
            worker.process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command, env=environment, pass_fds=(write_fd, self._lifeline[0])
            )
        finally:
            os.close(write_fd)
        worker.ready_fd, worker.received, worker.ready = read_fd, b"", {}
        worker.started_at = time.monotonic()

    def _addresses(self) -> dict[int, str | None]:
        """Where each worker tells of itself."""
        return {worker.number: _base(worker.ready.get("metrics_url")) for worker in self._workers}

    # --- ready, signals, the end ------------------------------------------------------------------

    def _announce(self) -> None:
        assert self._front is not None
        self._is_announced = True
        first = self._workers[0].ready
        host, port = self._front.address
        ready = {
            **first,
            "metrics_url": f"http://{host}:{port}/metrics",
            "gateway_ids": [worker.ready.get("gateway_id") for worker in self._workers],
            "worker_pids": [
                worker.process.pid for worker in self._workers if worker.process is not None
            ],
        }
        if self._ready_fd is not None:
            with os.fdopen(self._ready_fd, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(ready) + "\n")
        service_manager.tell(service_manager.READY)
        log.info("all workers are ready", extra={"count": len(self._workers)})

    def _catch_signals(self) -> None:
        os.set_blocking(self._wakeup[1], False)
        signal.set_wakeup_fd(self._wakeup[1])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note_signal)

    def _note_signal(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    def _take_signals(self) -> list[int]:
        taken, self._signals = self._signals, []
        return taken

    def _hand_on(self, number: int) -> None:
        for worker in self._workers:
            if worker.process is not None and worker.process.poll() is None:
                worker.process.send_signal(number)

    def _end_all(self) -> None:
        """Ask all at once, so that they drain at the same time; then wait."""
        service_manager.tell(service_manager.STOPPING)
        self._hand_on(signal.SIGTERM)
        os.close(self._lifeline[1])
        deadline = time.monotonic() + self._settings.life.drain_seconds_max + GRACE_SECONDS
        for worker in self._workers:
            if worker.process is None:
                continue
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("a worker did not end in time", extra={"count": worker.number})
                worker.process.kill()
                worker.process.wait()


_MANAGERS: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
"""The supervisor's own: a worker that tells its manager would speak for all."""


def refuse_impossible(settings: GatewaySettings) -> None:
    """Refuse what several processes can't do together.

    Raises:
        ConfigurationError: `workers.impossible`.
    """
    limits, entrances = settings.limits, settings.entrances
    alone = "several workers would each count limits for themselves"
    shared = "set it to `shared`, so that the control plane counts for all"
    same = "several workers can't all take the same free port"
    rules = {
        "LIMITS_STORE": (limits.limits_store != "shared", alone, shared),
        "LIMITS_FALLBACK": (limits.limits_fallback == "local", alone, "set it to `block`"),
        "TRANSPARENT_PORT": (entrances.transparent_port == 0, same, "name a port"),
        "REVERSE_PORT": (entrances.reverse_port == 0, same, "name a port"),
    }
    problems = [
        _problem(name, message, help_text)
        for name, (is_impossible, message, help_text) in rules.items()
        if is_impossible
    ]
    if problems:
        raise ConfigurationError("workers.impossible", problems)


def _problem(name: str, message: str, help_text: str) -> Problem:
    return Problem(PREFIX + name, 0, 0, message, help_text)


def _hold_port(settings: GatewaySettings) -> socket.socket:
    """Take the agents' port without listening."""
    host, port = settings.intercept.proxy_host, settings.intercept.proxy_port
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(address)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        reason = (error.strerror or "failed").lower()
        problem = _problem(
            "PROXY_PORT", f"can't listen on `{host}:{port}`: {reason}",
            "name another port, or 0 for any free one",
        )  # fmt: skip
        raise ConfigurationError("intercept.cannot_listen", [problem]) from error
    return sock


def _base(url: object) -> str | None:
    return url.removesuffix("/metrics") if isinstance(url, str) else None


def run_workers(settings: GatewaySettings, ready_fd: int | None) -> int:
    """Run a supervisor and its workers; the exit status.

    Raises:
        CheckreinError: it can't start.
    """
    configure_logging(settings.files.log_level, ("count", "detail"))
    return Supervisor(settings, ready_fd).run()
