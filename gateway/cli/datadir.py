"""The data directory: where everything lies, who holds it, and what a running `up` says of itself.

`lock` is held with flock for the life of a stack, so a crash frees it; `checkrein.json` is written
atomically once the stack is ready and removed when it ends. The file alone proves nothing: a stack
runs when its lock is held.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.model.dataclass import dataclass

LOCK_PATIENCE_SECONDS = 0.5
"""A command that looks whether a stack runs holds the lock for an instant; `up` waits it out."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """The files of one installation."""

    path: Path

    @property
    def lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def state_file(self) -> Path:
        return self.path / "checkrein.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def client(self) -> Path:
        """What governed programs read; holds no secret and can be mounted into a container."""
        return self.path / "client"

    def key_file(self, role: str) -> Path:
        """`admin`, `gateway` or `agent`."""
        return self.path / f"{role}.key"


def default_path(environment: Mapping[str, str] | None = None) -> Path:
    """Where data lies when nobody says: CHECKREIN_DATA_DIR, else the platform's place."""
    env = os.environ if environment is None else environment
    if named := env.get("CHECKREIN_DATA_DIR"):
        return Path(named)
    if os.geteuid() == 0:
        # Not below /root: the database runs as another user and must reach its files.
        return Path("/var/lib/checkrein")
    home = Path(env.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "checkrein"
    return Path(env.get("XDG_DATA_HOME") or home / ".local" / "share") / "checkrein"


def open_data_dir(named: Path | None) -> DataDir:
    """The data directory to use, as an absolute path; it need not exist."""
    return DataDir((named if named is not None else default_path()).expanduser().absolute())


@contextlib.contextmanager
def held(data_dir: DataDir) -> Iterator[None]:
    """Hold the directory's lock while the block runs, creating the directory.

    Raises:
        CommandError: another stack holds it, or the directory can't be used.
    """
    try:
        # Root's directory may be entered by others (the database's user); its files may not be
        # read. Anybody else's directory is their own.
        data_dir.path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        fd = os.open(data_dir.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandError(
            f"the data directory `{data_dir.path}` can't be used: {error.strerror}",
            "choose another with `--data-dir`",
            status=EXIT_USAGE,
        ) from error
    try:
        _take(fd, data_dir)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
        # The lock file stays: removing it would let two stacks each hold "the" lock.
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _take(fd: int, data_dir: DataDir) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _taken(fd, data_dir) from None
            time.sleep(0.05)
        else:
            return


def _taken(fd: int, data_dir: DataDir) -> CommandError:
    holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    state = _read(data_dir)
    where = f"; its proxy is {_without_key(state['proxy_url'])}" if state else ""
    return CommandError(
        f"another `checkrein up` (pid {holder or 'unknown'}) uses the data directory "
        f"`{data_dir.path}`{where}",
        "stop it, or choose another directory with `--data-dir`",
    )


def _without_key(proxy_url: str) -> str:
    scheme, _, rest = proxy_url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def is_held(data_dir: DataDir) -> bool:
    """Whether a stack runs on this directory."""
    try:
        fd = os.open(data_dir.lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Running:
    """What a ready stack says of itself: the one line of `up --json`."""

    proxy_url: str
    ca_file: str
    ca_bundle_file: str
    api_url: str
    metrics_url: str
    admin_key_file: str
    tenant_id: str
    data_dir: str

    def as_json(self) -> dict[str, str]:
        """The fields in the order in which they are documented."""
        return {name: getattr(self, name) for name in self.__slots__}


def load_running(data_dir: DataDir) -> Running | None:
    """What the stack that runs on this directory said when it was ready; None if none runs."""
    if not is_held(data_dir):
        return None
    state = _read(data_dir)
    if state is None:
        return None
    return Running(**{name: str(state[name]) for name in Running.__slots__})


def governing_files(data_dir: DataDir) -> list[Path]:
    """The files and folders that the running stack's gateway reads its rules from."""
    state: Mapping[str, object] = _read(data_dir) or {}
    named = state.get("governing_files")
    return [Path(str(name)) for name in named] if isinstance(named, list) else []


def _read(data_dir: DataDir) -> dict[str, str] | None:
    try:
        state = json.loads(data_dir.state_file.read_text())
    except (OSError, ValueError):
        return None
    is_ours = isinstance(state, dict) and all(name in state for name in Running.__slots__)
    return state if is_ours else None


def write_state(
    data_dir: DataDir,
    running: Running,
    pids: Mapping[str, int],
    governing_files: Sequence[str] = (),
) -> None:
    """Write checkrein.json in one step; its mode is 0600, for `proxy_url` holds an agent's key.
    `governing_files` are those that the gateway reads its rules from."""
    state = {**running.as_json(), "pids": dict(pids), "governing_files": list(governing_files)}
    text = json.dumps(state, indent=1)
    write_atomically(data_dir.state_file, text.encode() + b"\n", 0o600)


def remove_state(data_dir: DataDir) -> None:
    """Remove checkrein.json; the stack has ended."""
    data_dir.state_file.unlink(missing_ok=True)


def write_atomically(file: Path, data: bytes, mode: int) -> None:
    """Write a file that readers see either not at all, or whole."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)
    draft.chmod(mode)
    draft.replace(file)


def read_key(data_dir: DataDir, role: str) -> str:
    """The key of a role.

    Raises:
        CommandError: there is none, or it can't be read by this user.
    """
    file = data_dir.key_file(role)
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        raise CommandError(
            f"there is no {role} key in `{data_dir.path}`",
            "start `checkrein up` first, or name its directory with `--data-dir`",
        ) from None
    except OSError as error:
        raise CommandError(f"`{file}` can't be read: {error.strerror}") from error
