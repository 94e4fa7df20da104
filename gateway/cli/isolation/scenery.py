"""What an isolated program sees of the file system: all of it, but for what would lead it out.

Called inside a fresh mount namespace, with its capabilities. Covers folders that hold keys or the
sockets of daemons which would act for the program, and write-protects what governs it. What other
people's programs read and execute later (a shell's start file, a cron table) it can write as far as
its user may: isolation is of the network.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.cli.isolation.kernel import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    mount,
)

SOCKETS_MAX: Final = 2_000
"""Sockets with a path that are covered; a desktop has 200. With more the program is not run."""

RUNTIME_FOLDERS: Final = ("/run", "/var/run")
"""Where daemons have their sockets: buses, service managers, container engines."""

KEPT_OF_RUNTIME: Final = (
    "/run/current-system", "/run/booted-system", "/run/opengl-driver",  # programs, on NixOS
    "/run/lock", "/run/shm",
)  # fmt: skip

_KERNEL_FOLDERS: Final = (
    "/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/sys",
)  # fmt: skip
"""What root may write by its user alone, without any capability."""

_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty", "pts", "shm")
_DEVICE_LINKS: Final = {
    "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
}  # fmt: skip

_SMALL: Final = "size=16m,mode=755"
_NO_MOUNT_THERE: Final = (errno.EINVAL, errno.ENOENT, errno.ENOTDIR)
"""Of a place that something else was mounted over: nobody gets there."""
_LOCKED: Final = {os.ST_NOSUID: MS_NOSUID, os.ST_NODEV: MS_NODEV, os.ST_NOEXEC: MS_NOEXEC}


_SOCKET_LINE: Final = re.compile(r"^[0-9a-f]+: (?:\S+ +){6}(/.*)$", re.MULTILINE)


class TooManySockets(Exception):
    """More than can be covered."""


def socket_paths(table: str) -> list[str]:
    """The paths of UNIX sockets in `/proc/net/unix`, each once.

    Raises:
        TooManySockets: there are more than SOCKETS_MAX.
    """
    found = sorted(set(_SOCKET_LINE.findall(table)))
    if len(found) > SOCKETS_MAX:
        raise TooManySockets
    return found


def arrange(
    hidden: Iterable[str],
    kept: Iterable[str],
    read_only: Iterable[str],
    sockets: Iterable[str],
    *,
    as_root: bool,
) -> None:
    """Mount all of it.

    Raises:
        OSError: the kernel refuses; the program must not run then.
    """
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    pinned: set[Path] = set()
    for path in (*hidden, *read_only):
        _pin(path, pinned)
    open_kept = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in kept if _is_there(path)}
    for path in read_only:
        if _is_there(path):
            _protect(path)
    if as_root:
        for path in _KERNEL_FOLDERS:
            if _is_there(path):
                _protect(path)
        _cover_devices()
    for path in sockets:
        with suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISSOCK(Path(path).stat().st_mode):
                mount("/dev/null", path, "", MS_BIND)
    for path in hidden:
        if Path(path).is_dir() and not Path(path).is_symlink():
            mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, _SMALL)
    for path, descriptor in open_kept.items():
        _put_back(path, descriptor)


def _put_back(path: str, descriptor: int) -> None:
    """Show again what was covered, without write access; harmless where it was not covered."""
    is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    if is_folder:
        Path(path).mkdir(parents=True, exist_ok=True)
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    mount(f"/proc/self/fd/{descriptor}", path, "", MS_BIND)
    os.close(descriptor)
    _remount_read_only(path)


def _pin(path: str, pinned: set[Path]) -> None:
    """Let no folder above a path be renamed, which would put another in its place for those who
    look from outside: a folder on which something is mounted can't be."""
    for folder in reversed(Path(path).parents):
        if folder not in pinned and folder.is_dir() and os.access(folder.parent, os.W_OK):
            pinned.add(folder)
            if folder != folder.parent:
                mount(str(folder), str(folder), "", MS_BIND | MS_REC)


def _protect(path: str) -> None:
    """Take write access to a folder or file, and to all that is mounted below it: the flag is of
    one mount, and the groups of processes below `/sys` are mounts of their own."""
    mount(path, path, "", MS_BIND | MS_REC)
    _remount_read_only(path)
    table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    for below in mounts_below(table, path):
        try:
            _remount_read_only(below)
        except OSError as error:
            if error.errno not in _NO_MOUNT_THERE:
                raise


def mounts_below(table: str, path: str) -> list[str]:
    """Where something is mounted below a path, by `/proc/self/mountinfo`; each place once."""
    places = (line.split(" ")[4] for line in table.splitlines())
    names = (re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), each) for each in places)
    return list(dict.fromkeys(name for name in names if name.startswith(path + "/")))


def _remount_read_only(path: str) -> None:
    """Flags that came with the file system are locked for us and have to be given again."""
    there = os.statvfs(path).f_flag
    locked = sum(flag for mark, flag in _LOCKED.items() if there & mark)
    mount("none", path, "", MS_BIND | MS_REMOUNT | MS_RDONLY | locked | _times(there))


def _times(flags: int) -> int:
    """How access times are kept, which is locked as well; the bits differ between the two calls."""
    pairs = ((os.ST_NOATIME, 0x400), (os.ST_NODIRATIME, 0x800), (os.ST_RELATIME, 0x20_0000))
    return sum(bit for mark, bit in pairs if flags & mark)


def _cover_devices() -> None:
    """Leave root the devices that every program may have, and no disk."""
    opened = {}
    for name in _DEVICES:
        with suppress(FileNotFoundError):
            opened[name] = os.open(f"/dev/{name}", os.O_PATH | os.O_CLOEXEC)
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, _SMALL)
    for name, descriptor in opened.items():
        place = Path("/dev") / name
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            place.mkdir()
        else:
            place.touch()
        mount(f"/proc/self/fd/{descriptor}", str(place), "", MS_BIND | MS_REC)
        os.close(descriptor)
    for name, target in _DEVICE_LINKS.items():
        (Path("/dev") / name).symlink_to(target)


def _is_there(path: str) -> bool:
    return Path(path).exists()
