"""What a process has used, by the kernel's own books: CPU time and resident memory.

Wall-clock time on a shared machine says little; utime and stime of the proxy's process tree say
what the proxy itself cost. Linux only.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

_PEERS = {"nginx": r"nginx/([0-9.]+)", "haproxy": r"version ([0-9.]+)"}

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its living descendants, threads included."""
    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return sum(_own_cpu_seconds(each) for each in pids)


def _own_cpu_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0.0
    # The name in brackets may hold spaces; utime and stime are fields 14 and 15 of proc(5).
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its living descendants."""
    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return sum(psutil.Process(each).memory_info().rss for each in pids)


def pin(pid: int, cpu: int) -> None:
    """Keep a process, with all threads it has now, on one CPU."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, {cpu})
    os.sched_setaffinity(pid, {cpu})


def where() -> tuple[str, str]:
    """The machine, and the versions of what is measured, each as one phrase."""
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    machine = f"{os.cpu_count()} x {model}, Linux {platform.release()}"
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("httptools", "uvloop"))
    parts = [
        f"Python {platform.python_version()}",
        ssl.OPENSSL_VERSION.rpartition(" ")[0],
        packages,
    ]
    for command, pattern in _PEERS.items():
        found = shutil.which(command) or shutil.which(command, path="/usr/sbin")
        if found is not None:
            done = subprocess.run([found, "-v"], capture_output=True, text=True, check=False)
            version = re.search(pattern, done.stdout + done.stderr)
            parts.append(f"{command} {version[1] if version else 'unknown'}")
    return machine, ", ".join(parts)


def machine() -> str:
    """One line on where the figures come from."""
    return ", ".join(where())
