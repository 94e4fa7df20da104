"""Two network namespaces joined by a cable: a pod, and everything else in the world.

Made by the test and gone with it; this machine's own network is never touched. Needs root and `ip`;
where they are absent a test skips, visibly.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 20.0
NOBODY = 65_534
WORLD_V4, POD_V4 = "10.213.0.1", "10.213.0.2"
WORLD_V6, POD_V6 = "fd13::1", "fd13::2"


def missing(*programs: str) -> str:
    """Why a test that needs root and these programs can't run here; empty when it can."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    absent = [name for name in programs if shutil.which(name) is None]
    if absent:
        return f"needs the programs {', '.join(absent)}"
    return "" if _may_unshare() else "this system makes no network namespaces"


def _may_unshare() -> bool:
    done = subprocess.run(
        ["unshare", "-n", "-m", "true"], check=False, capture_output=True, timeout=SECONDS_MAX
    )
    return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace, held by a process that does nothing."""

    pid: int

    def inside(self, *command: str) -> list[str]:
        """The command that runs a command in it."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *command]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root, to its end."""
        return subprocess.run(
            self.inside(*command), check=False, capture_output=True, text=True,
            timeout=SECONDS_MAX,
        )  # fmt: skip

    def must(self, *words: str) -> None:
        """Run a command that may not fail."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"


@contextlib.contextmanager
def pod_and_world() -> Iterator[tuple[Namespace, Namespace]]:
    """A pod whose route to every address leads into a world where every address is."""
    with _namespace() as pod, _namespace() as world:
        pod.must("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        pod.must("ip", "link", "set", "eth1", "netns", str(world.pid))
        for place, name, v4, v6 in (
            (pod, "eth0", POD_V4, POD_V6),
            (world, "eth1", WORLD_V4, WORLD_V6),
        ):
            place.must("ip", "link", "set", "lo", "up")
            place.must("ip", "address", "add", f"{v4}/30", "dev", name)
            place.must("ip", "-6", "address", "add", f"{v6}/64", "dev", name, "nodad")
            place.must("ip", "link", "set", name, "up")
        pod.must("ip", "route", "add", "default", "via", WORLD_V4)
        pod.must("ip", "-6", "route", "add", "default", "via", WORLD_V6)
        world.must("ip", "route", "add", "local", "default", "dev", "lo")
        world.must("ip", "-6", "route", "add", "local", "default", "dev", "lo")
        # More specific than the last line, which would else take the answers.
        for flag, address in (("-4", f"{POD_V4}/32"), ("-6", f"{POD_V6}/128")):
            world.must("ip", flag, "route", "add", address, "dev", "eth1", "table", "local")
        yield pod, world


@contextlib.contextmanager
def _namespace() -> Iterator[Namespace]:
    holder = subprocess.Popen(
        ["unshare", "-n", "--", "sh", "-c", "echo ready; exec sleep 600"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        yield Namespace(holder.pid)
    finally:
        holder.kill()
        holder.communicate()


def as_user(uid: int, *command: str) -> list[str]:
    """The command that runs a command as another user, without any right beyond those.

    Where our interpreter lies below a folder that is closed to others, that folder looks open to
    it, and holds nothing but what the product runs from.
    """
    user = f"--reuid={uid} --regid={uid} --clear-groups --no-new-privs"
    base = Path(sys.base_prefix).resolve()
    closed = _closed_folder(base)
    if closed is None:
        return ["setpriv", *user.split(), "--", *command]
    needed = {base, Path(sys.prefix).resolve(), ROOT}
    shown = sorted(str(path) for path in needed if path.is_relative_to(closed))
    lines = ["set -e", "aside=$(mktemp -d)", f"mount --bind {closed} $aside"]
    lines.append(f"mount -t tmpfs -o mode=755 none {closed}")
    for path in shown:
        lines.append(f"mkdir -p {path}")
        lines.append(f"mount --bind $aside/{Path(path).relative_to(closed)} {path}")
    lines += ["umount -l $aside", "rmdir $aside", f'exec setpriv {user} -- "$@"']
    script = "; ".join(lines)
    return ["unshare", "-m", "--propagation", "private", "--", "sh", "-c", script, "sh", *command]


def _closed_folder(path: Path) -> Path | None:
    """The outermost folder on the way there that others can't pass through."""
    for folder in reversed([path, *path.parents]):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None
