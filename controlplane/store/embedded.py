"""Supervises a private Postgres: starts it, watches it, starts it again, and leaves none behind.

    server = EmbeddedPostgres(home, log_file, PostgresSettings())
    await server.start()          # from the main thread: see `_die_with_parent`
    server.endpoint(Role.APPLICATION, "checkrein")
    await server.stop()

It listens on a Unix socket only, every role has a random password (scram), and it runs as
another user than root. It must never signal or trust a process that is not this cluster's own,
and never change a permission outside its folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from controlplane.faults import StartError
from controlplane.store.binaries import (
    ENVIRONMENT,
    Binaries,
    choose_identity,
    find_binaries,
)
from controlplane.store.cluster import (
    SOCKET_PORT,
    Cluster,
    cluster_owner,
    disown_pid_file,
    inherited,
    load_secrets,
    lock_home,
    processes_of,
    read_pid_file,
)
from controlplane.store.endpoint import Endpoint
from controlplane.store.postgres_log import last_complaint, shorten
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

POLL_SECONDS = 0.01
WATCH_SECONDS = 0.25
SLOW_START_SECONDS = 1.0
RESTART_PAUSE_SECONDS_MAX = 10.0

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Role(StrEnum):
    """SUPERUSER makes the other two and is used for nothing else. OWNER owns the tables and
    migrates them. The service connects as APPLICATION, which can't change what was recorded."""

    SUPERUSER = "checkrein_superuser"
    OWNER = "checkrein_owner"
    APPLICATION = "checkrein_app"


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Limits of the private server.

    `start_seconds_max` leaves room for crash recovery on a slow disk. The two stop limits
    together stay below the 5 s within which the whole control plane ends. `connection_count_max`
    is our pool, the listener, and a few for a person with `psql`.
    """

    start_seconds_max: float = 60.0
    initdb_seconds_max: float = 60.0
    old_server_seconds_max: float = 30.0
    old_server_grace_seconds: float = 2.0
    stop_seconds_max: float = 2.5
    quit_seconds_max: float = 1.0
    connection_count_max: int = 40
    log_bytes_max: int = 16 * 1024 * 1024


_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    # Small: it lives beside an application. Its tables are narrow and read by index.
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "io_method": "sync",
    "jit": "off",
    # No replicas: less to write.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # What is acknowledged is on disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and their parameters stay out of the log: they carry what agents sent.
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class EmbeddedPostgres:
    """One private server under `home`. `tell` gets a sentence when starting takes long."""

    def __init__(
        self,
        home: Path,
        log_file: Path,
        settings: PostgresSettings | None = None,
        tell: Callable[[str], None] = _tell,
    ) -> None:
        self._home = home.absolute()
        self._log_file = log_file.absolute()
        self._settings = settings or PostgresSettings()
        self._tell = tell
        self._cluster: Cluster | None = None
        self._binaries: Binaries | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Pid of the running server, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def endpoint(self, role: Role, database: str) -> Endpoint:
        """Where and as whom to connect."""
        cluster = self._opened()
        passwords = {
            Role.SUPERUSER: cluster.secrets.superuser_password,
            Role.OWNER: cluster.secrets.owner_password,
            Role.APPLICATION: cluster.secrets.application_password,
        }
        return Endpoint(str(cluster.socket_dir), SOCKET_PORT, role.value, passwords[role], database)

    async def start(self) -> None:
        """Make the cluster if there is none, end an orphan of it, start, wait until ready.

        Raises:
            StartError: with what to do about it.
        """
        lock = lock_home(self._home)
        try:
            identity = choose_identity(cluster_owner(self._home))
            self._cluster = Cluster(self._home, load_secrets(self._home), identity, lock)
        except BaseException:
            os.close(lock)
            raise
        try:
            self._binaries = find_binaries(identity)
            self._log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._end_old_server()
            if not self._cluster.data.is_dir():
                await self._make_cluster()
            await self._launch()
        except BaseException:
            await self.stop()
            raise
        self._watcher = asyncio.create_task(self._watch(), name="postgres-watch")

    async def stop(self) -> None:
        """Stop the server: politely, then firmly, and let go of the folder. Can be repeated."""
        if self._watcher is not None:
            await end_tasks([self._watcher])
            self._watcher = None
        process, settings = self._process, self._settings
        if process is not None:
            # Fast shutdown, then immediate (the log is replayed at the next start), then none.
            for number, seconds in (
                (signal.SIGINT, settings.stop_seconds_max),
                (signal.SIGQUIT, settings.quit_seconds_max),
                (signal.SIGKILL, settings.quit_seconds_max),
            ):
                if process.poll() is not None:
                    break
                process.send_signal(number)
                await _ends(process, seconds)
            self._process = None
        if self._cluster is not None:
            self._cluster.release()
            self._cluster = None

    def _opened(self) -> Cluster:
        assert self._cluster is not None, "start the server first"
        return self._cluster

    async def _end_old_server(self) -> None:
        """Wait for a server that a dead control plane left, and end it if it stays.

        It normally ends by itself (`_die_with_parent`). Relies on INVARIANT(one-supervisor).
        """
        cluster, settings = self._opened(), self._settings
        started, sent = time.monotonic(), 0
        while pids := processes_of(cluster):
            waited = time.monotonic() - started
            if waited > settings.old_server_seconds_max:
                raise StartError(
                    "postgres.old_server",
                    f"a Postgres of this data directory still runs (process {pids[0]})",
                    "end that process, then start again",
                )
            pid, _ = read_pid_file(cluster.pid_file)
            due = int(waited / settings.old_server_grace_seconds)
            if pid in pids and due > sent:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT if sent == 0 else signal.SIGQUIT)
                sent = due
            await asyncio.sleep(POLL_SECONDS)
        disown_pid_file(cluster)

    async def _make_cluster(self) -> None:
        """Run initdb in a new folder and rename it when done, so that half a cluster is none."""
        cluster = self._opened()
        assert self._binaries is not None
        uid = cluster.identity.initdb_uid
        unfinished = cluster.home / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        cluster.reset_socket_dir()
        scratch = cluster.home / "socket"
        password = scratch / "password"
        password.touch(mode=0o600)
        password.write_text(cluster.secrets.superuser_password + "\n", encoding="ascii")
        if uid is not None:
            for path in (unfinished, scratch, password):
                os.chown(path, uid, uid)
        try:
            with inherited(unfinished, scratch) as (numbers, (data, socket)):
                command = [self._binaries.initdb, "-D", data, "-U", Role.SUPERUSER]
                command += ["-E", "UTF8", "--locale=C", "-A", "scram-sha-256"]
                command += ["--no-instructions", f"--pwfile={socket}/password"]
                process = self._spawn(command, uid, numbers)
                status = await _ends(process, self._settings.initdb_seconds_max)
        finally:
            password.unlink(missing_ok=True)
        if status is None:
            process.kill()
            process.wait()
        if status != 0:
            raise self._failed("the embedded Postgres could not create its files")
        cluster.own(unfinished)
        unfinished.rename(cluster.data)

    async def _launch(self) -> None:
        """Start the server and wait until it takes connections."""
        cluster = self._opened()
        assert self._binaries is not None
        options = {
            **_OPTIONS,
            "cluster_name": cluster.secrets.mark,
            "max_connections": str(self._settings.connection_count_max),
        }
        cluster.reset_socket_dir()
        with inherited(cluster.data, cluster.home / "socket") as (numbers, (data, socket)):
            command = [self._binaries.postgres, "-D", data, "-p", str(SOCKET_PORT)]
            for name, value in options.items():
                command += ["-c", f"{name}={value}"]
            folder = socket if numbers else str(cluster.socket_dir)
            command += ["-c", f"unix_socket_directories={folder}"]
            process = self._spawn(command, cluster.identity.uid, numbers)
        self._process = process
        await self._wait_ready(process)

    async def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        cluster, settings = self._opened(), self._settings
        started, told = time.monotonic(), False
        while read_pid_file(cluster.pid_file) != (process.pid, "ready"):
            waited = time.monotonic() - started
            if process.poll() is not None:
                raise self._failed("the embedded Postgres did not start")
            if waited > settings.start_seconds_max:
                raise self._failed(
                    f"the embedded Postgres was not ready after {waited:.0f} seconds"
                )
            if waited > SLOW_START_SECONDS and not told:
                told = True
                self._tell("waiting for the embedded Postgres to recover its files ...")
            await asyncio.sleep(POLL_SECONDS)

    def _spawn(
        self, command: list[str], uid: int | None, numbers: tuple[int, ...]
    ) -> subprocess.Popen[bytes]:
        """Start a child of ours as `uid`, its output in the log."""
        parent = os.getpid()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        log_number = os.open(self._log_file, flags, 0o600)
        try:
            return subprocess.Popen(  # noqa: S603
                command,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
                pass_fds=numbers,
                # Of its own session: a terminal's Ctrl-C is for us, and we stop it in order.
                start_new_session=True,
                preexec_fn=lambda: _die_with_parent(parent),  # noqa: PLW1509
                cwd="/",
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log_number,
                stderr=log_number,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise StartError(
                "postgres.not_runnable",
                f"the embedded Postgres can't be run: {error}",
                "set CHECKREIN_DATABASE_URL to a server of yours",
            ) from error
        finally:
            os.close(log_number)

    def _failed(self, what: str) -> StartError:
        """The fault, with the newest complaint of Postgres in it."""
        why = last_complaint(self._log_file)
        return StartError(
            "postgres.failed",
            f"{what}: {why}" if why else what,
            f"see `{self._log_file}`",
        )

    async def _watch(self) -> None:
        """Start the server again when it ends by itself, and keep its log short."""
        pause = WATCH_SECONDS
        while True:
            await asyncio.sleep(pause)
            shorten(self._log_file, self._settings.log_bytes_max)
            process = self._process
            if process is None or process.poll() is None:
                pause = WATCH_SECONDS
                continue
            log.error("embedded Postgres ended, starting it again", extra={"detail": "postgres"})
            try:
                await self._end_old_server()
                await self._launch()
            except (StartError, OSError) as error:
                log.error("embedded Postgres did not start again", extra={"detail": str(error)})
                pause = min(max(pause, 1.0) * 2, RESTART_PAUSE_SECONDS_MAX)


def _die_with_parent(parent: int) -> None:
    """In the child before exec: be ended by the kernel when the thread that spawned us ends.

    SIGQUIT is Postgres's immediate shutdown: it waits for nothing, so no server outlives a killed
    control plane by more than a moment; the next start replays the log, as after any crash.
    Set after the change of user, which would clear it. Linux only.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


async def _ends(process: subprocess.Popen[bytes], seconds_max: float) -> int | None:
    """Wait for its end; its status, or None when it still runs after `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    while (status := process.poll()) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        await asyncio.sleep(min(POLL_SECONDS, left))
    return status
