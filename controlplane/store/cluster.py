"""One Postgres cluster on disk: made once, owned by the right user, found again after a crash.

    <home>/lock         held (flock) by the control plane that supervises the cluster
    <home>/secrets.json the cluster's mark and the passwords of its roles, mode 0600
    <home>/cluster/     Postgres's own files; `cluster.new` while they are being made
    <home>/socket/      the Unix socket

On Linux the server gets `cluster` and `socket` as open folders (`/proc/self/fd/N`), so that
neither the length of the path nor a private folder above it (root's 0700) is in its way.
Nothing outside `home` is written, and no permission outside it is changed.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from controlplane.faults import StartError
from controlplane.private_file import create_private
from controlplane.store.binaries import Identity

SOCKET_PORT = 5432
"""Only the name of the socket file: nothing listens on TCP."""

SOCKET_PATH_BYTES_MAX = 103
"""A Unix socket's whole path must fit in 107 bytes on Linux and 103 on macOS."""

SOCKET_NAME = f".s.PGSQL.{SOCKET_PORT}"

SCRAM_ITERATIONS = 4096

HAS_PROC = Path("/proc/self/fd").is_dir()


@dataclass(frozen=True, slots=True)
class Secrets:
    """Written once. `mark` is the cluster's name in the process list: by it we know our own."""

    mark: str
    superuser_password: str
    owner_password: str
    application_password: str

    def __repr__(self) -> str:
        return f"Secrets(mark={self.mark!r})"


class Cluster:
    """The files under `home`. Made by `open_cluster`; hold it for as long as the server runs."""

    def __init__(self, home: Path, cluster_secrets: Secrets, identity: Identity, lock: int) -> None:
        self.home = home
        self.secrets = cluster_secrets
        self.identity = identity
        self._lock = lock
        self._home_number = -1
        self._short_socket_dir: Path | None = None

    @property
    def data(self) -> Path:
        return self.home / "cluster"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def socket_dir(self) -> Path:
        """The socket's folder as this process and people reach it."""
        return self._short_socket_dir or self.home / "socket"

    def own(self, path: Path) -> None:
        """Give a folder of ours, and what is in it, to the user that Postgres runs as."""
        uid = self.identity.uid
        if uid is None:
            return
        for folder, _, names in os.walk(path):
            os.chown(folder, uid, uid)
            for name in names:
                os.chown(Path(folder, name), uid, uid, follow_symlinks=False)

    def reset_socket_dir(self) -> None:
        """Make the socket's folder anew: a lock file left in it could name a stranger's pid."""
        folder = self.home / "socket"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        self.own(folder)
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES_MAX:
            self._shorten_socket_dir()

    def _shorten_socket_dir(self) -> None:
        """Find a short name for the socket's folder: an open folder's, or a new temporary one."""
        if self._short_socket_dir is not None:
            return
        if HAS_PROC:
            self._home_number = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._short_socket_dir = Path(f"/proc/self/fd/{self._home_number}/socket")
        else:
            self._short_socket_dir = Path(tempfile.mkdtemp(prefix="checkrein-"))

    def release(self) -> None:
        """Let another control plane supervise the cluster."""
        if self._home_number >= 0:
            os.close(self._home_number)
            self._home_number = -1
        elif self._short_socket_dir is not None:
            shutil.rmtree(self._short_socket_dir, ignore_errors=True)
        self._short_socket_dir = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@contextlib.contextmanager
def inherited(*folders: Path) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Open folders for a child; yields their descriptors and the paths that the child uses."""
    if not HAS_PROC:
        yield (), tuple(str(folder) for folder in folders)
        return
    opened: list[int] = []
    try:
        for folder in folders:
            number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.append(number)
        yield tuple(opened), tuple(f"/proc/self/fd/{number}" for number in opened)
    finally:
        for number in opened:
            os.close(number)


def lock_home(home: Path) -> int:
    """Make `home` and lock it.

    INVARIANT(one-supervisor): who holds the lock is the only control plane that may touch this
    cluster, so a server of it that still runs is an orphan.

    Raises:
        StartError: another control plane holds it.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(
            "postgres.no_home",
            f"the folder `{home}` can't be used: {error.strerror}",
            "choose another folder with --data-dir or CHECKREIN_DATA_DIR",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StartError(
            "postgres.in_use",
            f"another control plane uses the embedded Postgres in `{home}`",
            "stop it, choose another data directory, or give both CHECKREIN_DATABASE_URL",
        ) from error
    return lock


def load_secrets(home: Path) -> Secrets:
    """Read the cluster's secrets, making them when there are none."""
    file = home / "secrets.json"
    if (home / "cluster").exists() and not file.exists():
        raise StartError(
            "postgres.lost_secrets",
            f"`{file}` is missing, and the data beside it can't be opened without it",
            "restore it from a backup, or move the folder away to begin anew",
        )
    made = Secrets(
        f"checkrein-{secrets.token_hex(8)}", *(secrets.token_urlsafe(32) for _ in range(3))
    )
    try:
        return Secrets(**json.loads(create_private(file, json.dumps(asdict(made)))))
    except (OSError, ValueError, TypeError) as error:
        raise StartError(
            "postgres.bad_secrets",
            f"`{file}` can't be read",
            "restore it from a backup; the data beside it can't be opened without it",
        ) from error


def scram_verifier(password: str) -> str:
    """Return what Postgres stores for a password (RFC 5803), so that no statement carries it."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    first, second, third = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{first}${second}:{third}"


def cluster_owner(home: Path) -> int | None:
    """Uid of an existing cluster's files, None when there is no cluster."""
    try:
        return (home / "cluster").stat().st_uid
    except FileNotFoundError:
        return None


def processes_of(cluster: Cluster) -> tuple[int, ...]:
    """Pids of the cluster's server processes, by owner and mark; never by a pid file alone.

    A pid file outlives its process, and after a restart of a container its number belongs to
    somebody else. Empty where there is no /proc.
    """
    if not HAS_PROC:
        return ()
    mark = cluster.secrets.mark.encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if entry.stat().st_uid != cluster.identity.owner:
                continue
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if _is_server_command(command, mark):
            found.append(int(entry.name))
    return tuple(found)


def _is_server_command(command: bytes, mark: bytes) -> bool:
    """The server itself carries the mark as an argument, its children in their titles."""
    arguments = command.split(b"\0")
    is_server = arguments[0].endswith(b"/postgres") and b"cluster_name=" + mark in arguments
    return is_server or command.startswith(b"postgres: " + mark + b":")


def read_pid_file(file: Path) -> tuple[int, str]:
    """Pid and state (`starting`, `ready`, `stopping`, ...) of postmaster.pid; (0, "") without."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0, ""
    pid = lines[0].strip() if lines else ""
    state = lines[7].strip() if len(lines) > 7 else ""
    return (int(pid) if pid.isdecimal() else 0), state


def disown_pid_file(cluster: Cluster) -> None:
    """Make a stale postmaster.pid harmless when its number now belongs to a stranger.

    The file is not deleted: by its shared memory key Postgres sees for itself whether something
    of the old server still runs. Only the pid is replaced, by ours: Postgres knows that its
    parent can't be the old server.
    """
    try:
        # The folder belongs to Postgres's user and we may be root: never write through a link.
        number = os.open(cluster.pid_file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    with os.fdopen(number, "r+", encoding="utf-8", errors="replace") as stream:
        _, _, rest = stream.read().partition("\n")
        stream.seek(0)
        stream.write(f"{os.getpid()}\n{rest}")
        stream.truncate()
