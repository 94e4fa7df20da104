"""Database, control plane and gateway as one thing that starts, is tended, and ends in order.

Turns a `StackPlan` into a `Running`. The control plane supervises the embedded database itself. A
child that dies is started again on the same port with a growing pause; the first start is not
retried, because a person waits for the reason. Nothing here governs anything: with all of it dead
an agent's calls fail.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from urllib.parse import quote, urlsplit

from gateway.cli.datadir import DataDir, Running, read_key, remove_state, write_state
from gateway.cli.environment import service_environment
from gateway.cli.failures import EXIT_USAGE, CommandError, Interrupted
from gateway.cli.processes import (
    BACKOFF_SECONDS,
    STEADY_SECONDS,
    Child,
    ChildError,
    ChildSpec,
    ChildState,
    own_module,
)
from gateway.cli.signals import SignalQueue
from gateway.model.dataclass import dataclass

STOP_SECONDS_MAX = 5.0
"""How long each child may take to end properly; both together stay within ten seconds."""

DRAIN_SECONDS_MAX = 2.5
"""What of that requests in flight may take: who stops the stack on a laptop waits for it."""

HOST = "127.0.0.1"
"""The stack is for one machine; `gateway` and `controlplane` alone listen wherever they're told."""

CONTROL_PLANE = "control plane"
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What a person asked for. Port 0 means any free one; `settings` are more CHECKREIN_ variables
    for the gateway, `control_settings` for the control plane; `inherited` is the environment that
    both servers start from."""

    data_dir: DataDir
    proxy_port: int = 3128
    api_port: int = 8080
    metrics_port: int = 9090
    settings: Mapping[str, str] = field(default_factory=dict)
    control_settings: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    commands: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            CONTROL_PLANE: own_module("controlplane"),
            GATEWAY: own_module("gateway"),
        }
    )


class _Place:
    """A child and what is needed to start it again. `restart_at` is monotonic."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.restart_at: float | None = None
        self.failures = 0


class Stack:
    """The running servers. Everything is called on the main thread, with the lock held."""

    def __init__(self, plan: StackPlan, signals: SignalQueue, note: Callable[[str], None]) -> None:
        self._plan = plan
        self._signals = signals
        self._note = note
        self._places: dict[str, _Place] = {}
        self._running: Running | None = None
        self.restarts = 0

    # --- start ------------------------------------------------------------------------------------

    def start(self) -> Running:
        """Start both servers and wait until they are ready.

        Raises:
            CommandError: one could not be started; the other is stopped by `stop`.
            Interrupted: a signal came meanwhile.
        """
        plan = self._plan
        for option, port in (
            ("--proxy-port", plan.proxy_port),
            ("--api-port", plan.api_port),
            ("--metrics-port", plan.metrics_port),
        ):
            check_port(port, option)
        control = self._bring_up(self._control_spec(plan.api_port))
        api_url = str(control["api_url"])
        gateway = self._bring_up(self._gateway_spec(plan.proxy_port, plan.metrics_port, api_url))
        agent_key = quote(read_key(plan.data_dir, "agent"), safe="")
        self._running = Running(
            proxy_url=f"http://agent:{agent_key}@{HOST}:{gateway['proxy_port']}",
            ca_file=str(gateway["ca_file"]),
            ca_bundle_file=str(gateway["ca_bundle_file"]),
            api_url=api_url,
            metrics_url=str(gateway["metrics_url"]),
            admin_key_file=str(control["admin_key_file"]),
            tenant_id=str(control["tenant_id"]),
            data_dir=str(plan.data_dir.path),
        )
        write_state(plan.data_dir, self._running, self.pids(), self._governing_files())
        return self._running

    def pids(self) -> dict[str, int]:
        """The processes to look at, ours included."""
        found = {name: place.child.process.pid for name, place in self._places.items()}
        return {"supervisor": os.getpid(), **found}

    def _bring_up(self, spec: ChildSpec) -> Mapping[str, object]:
        try:
            child = Child(spec)
        except ChildError as error:
            raise CommandError(error.message, error.advice) from error
        self._places[spec.name] = _Place(child)
        while child.poll() is ChildState.STARTING:
            caught, _ = self._signals.wait(child.seconds_to_deadline, [child.ready_fd])
            if caught:
                raise Interrupted(caught[0])
        if child.state is ChildState.ENDED:
            failed = ChildError(spec, child.failure, child.log_start)
            status = EXIT_USAGE if child.process.returncode == EXIT_USAGE else 1
            raise CommandError(failed.message, failed.advice, status=status)
        return child.ready

    def _control_spec(self, api_port: int) -> ChildSpec:
        return self._spec(
            CONTROL_PLANE,
            {
                **self._plan.control_settings,
                "CHECKREIN_API_HOST": HOST,
                "CHECKREIN_API_PORT": str(api_port),
            },
            # The first start makes a database; crash recovery may take its time.
            ready_seconds_max=60.0,
        )

    def _gateway_spec(self, proxy_port: int, metrics_port: int, api_url: str) -> ChildSpec:
        return self._spec(
            GATEWAY,
            {
                # Programs of this machine get there without the proxy.
                "CHECKREIN_PUBLIC_URL": self._plan.inherited.get("CHECKREIN_PUBLIC_URL", api_url),
                **self._plan.settings,
                "CHECKREIN_PROXY_HOST": HOST,
                "CHECKREIN_PROXY_PORT": str(proxy_port),
                "CHECKREIN_METRICS_HOST": HOST,
                "CHECKREIN_METRICS_PORT": str(metrics_port),
                "CHECKREIN_DRAIN_SECONDS_MAX": str(DRAIN_SECONDS_MAX),
                "CHECKREIN_METRICS_ALSO": f"{api_url}/metrics",
                "CHECKREIN_API_URL": api_url,
                "CHECKREIN_API_KEY_FILE": str(self._plan.data_dir.key_file("gateway")),
            },
        )

    def _spec(
        self, name: str, variables: Mapping[str, str], ready_seconds_max: float = 30.0
    ) -> ChildSpec:
        data_dir = self._plan.data_dir
        environment = service_environment(self._plan.inherited)
        environment |= variables
        environment["CHECKREIN_DATA_DIR"] = str(data_dir.path)
        environment["PYTHONUNBUFFERED"] = "1"
        log_file = data_dir.logs / f"{name.replace(' ', '')}.log"
        return ChildSpec(name, self._plan.commands[name], environment, log_file, ready_seconds_max)

    # --- tend -------------------------------------------------------------------------------------

    def readers(self) -> list[int]:
        """Descriptors that wake a wait when a restarting child has something to say."""
        children = [place.child for place in self._places.values()]
        return [c.ready_fd for c in children if c.state is ChildState.STARTING]

    def tend(self) -> float | None:
        """Look at every child, restart what died; returns seconds until this is worth repeating,
        None when only a signal can make it so."""
        now = time.monotonic()
        waits: list[float] = []
        for name, place in self._places.items():
            before = place.child.state
            state = place.child.poll()
            if state is ChildState.ENDED and place.restart_at is None:
                place.restart_at = now + self._pause(place, before, now)
                self._note(f"the {name} {place.child.failure}; it is started again")
            if place.restart_at is not None and place.restart_at <= now:
                self._restart(name, place)
            elif before is ChildState.STARTING and state is ChildState.RUNNING:
                self._note(f"the {name} is back")
                self._write_state()
            if place.restart_at is not None:
                waits.append(max(0.0, place.restart_at - now))
            elif (left := place.child.seconds_to_deadline) is not None:
                waits.append(left)
        return min(waits, default=None)

    def _pause(self, place: _Place, before: ChildState, now: float) -> float:
        was_steady = (
            before is ChildState.RUNNING and now - place.child.running_since > STEADY_SECONDS
        )
        place.failures = 0 if was_steady else place.failures
        pause = BACKOFF_SECONDS[min(place.failures, len(BACKOFF_SECONDS) - 1)]
        place.failures += 1
        return pause

    def _restart(self, name: str, place: _Place) -> None:
        assert self._running is not None
        place.restart_at = None
        self.restarts += 1
        if name == CONTROL_PLANE:
            spec = self._control_spec(_port_of(self._running.api_url))
        else:
            spec = self._gateway_spec(
                _port_of(self._running.proxy_url),
                _port_of(self._running.metrics_url),
                self._running.api_url,
            )
        try:
            place.child = Child(spec)
        except ChildError as error:
            place.restart_at = time.monotonic() + BACKOFF_SECONDS[-1]
            self._note(error.message)

    def _write_state(self) -> None:
        assert self._running is not None
        with contextlib.suppress(OSError):  # a full disk must not end what still works
            files = self._governing_files()
            write_state(self._plan.data_dir, self._running, self.pids(), files)

    def _governing_files(self) -> list[str]:
        """What the gateway is told to read its rules and settings from."""
        told = {**self._plan.inherited, **self._plan.settings}
        names = ("POLICIES", "MAPPERS", "CONFIG", "UPSTREAM_CA")
        texts = (told.get(f"CHECKREIN_{name}", "") for name in names)
        return [str(Path(part).absolute()) for text in texts for part in text.split(os.pathsep)
                if part]  # fmt: skip

    # --- stop -------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the gateway, then the control plane; a second signal kills what is left."""
        with contextlib.suppress(OSError):
            remove_state(self._plan.data_dir)
        is_patient = True
        for name in (GATEWAY, CONTROL_PLANE):
            place = self._places.get(name)
            if place is None:
                continue
            is_patient = is_patient and self._end(place.child)
            place.child.kill()
            place.child.poll()

    def _end(self, child: Child) -> bool:
        """Ask a child to end and wait; tells whether we may go on being patient."""
        child.ask_to_end()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while child.process.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                self._note(f"the {child.spec.name} did not end by itself and was killed")
                return True
            caught, _ = self._signals.wait(left)
            if caught:
                return False
        return True


def check_port(port: int, option: str) -> None:
    """Say clearly that a port is taken, before anything is started.

    Raises:
        CommandError: it is, or may not be used.
    """
    if port == 0:
        return
    with socket.socket() as probe:
        # As the servers do: a port whose last connections linger in TIME_WAIT is not taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            raise CommandError(
                f"port {port} is taken"
                if is_taken
                else f"port {port} can't be used: {error.strerror}",
                f"choose another with `{option}`, or `{option} 0` for any that is free",
                status=EXIT_USAGE,
            ) from error


def _port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def file_note(log_file: Path) -> Callable[[str], None]:
    """A note-taker that appends to a log file; what it can't write it drops."""

    def note(text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with contextlib.suppress(OSError):
            log_file.parent.mkdir(parents=True, exist_ok=True)
            with log_file.open("a", encoding="utf-8") as file:
                file.write(f"{stamp} {text}\n")

    return note
