"""Our own candidates: the product as it is delivered, and what tells where its cost comes from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from gateway.settings import setting_names
from tests.benchmarks.candidates import HOST, Candidate, Unavailable, end
from tests.support.stack import Gateway, Stack, Upstreams, start_stack

GOVERNED = "Checkrein, fully governed"
UNSYNCED = "Checkrein, record in memory"
BARE = "Checkrein's data path, nothing governed"
TWO_WORKERS = "Checkrein, fully governed, 2 workers"

_MEMORY = Path("/dev/shm")
_LIMITS = {"CHECKREIN_HOLD_SECONDS_MAX": "600"}
"""All else is as delivered. Held requests are measured with all of them there, however long it
takes to make so many."""


def start_ours(upstreams: Upstreams) -> tuple[Stack, Candidate]:
    """The gateway as it is delivered: mapped, decided, recorded, with its control plane."""
    stack = start_stack("bench", upstreams)
    try:
        gateway = stack.add_gateway("ordinary", _LIMITS)
    except BaseException:
        stack.close()
        raise
    return stack, _candidate(GOVERNED, stack, gateway)


def start_unsynced(stack: Stack, rows: frozenset[str]) -> Candidate:
    """The same, with its record on a file system in memory: what syncing costs is the
    difference."""
    if not _MEMORY.is_dir():
        raise Unavailable("there is no file system in memory")
    folder = Path(tempfile.mkdtemp(prefix="cr-bench-", dir=_MEMORY))
    gateway = Gateway(folder, "unsynced", stack.control, stack.upstreams)
    try:
        gateway.start()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise

    def stop() -> None:
        gateway.process.close()
        shutil.rmtree(folder, ignore_errors=True)

    found = _candidate(UNSYNCED, stack, gateway)
    found.stop, found.only_rows = stop, rows
    return found


def start_two_workers(stack: Stack, rows: frozenset[str]) -> Candidate:
    """The same, as two processes on one port, on all CPUs."""
    if "workers" not in setting_names():
        raise Unavailable("this version has one worker")
    gateway = stack.add_gateway(
        "two-workers", {**_LIMITS, "CHECKREIN_WORKERS": "2", "CHECKREIN_LIMITS_STORE": "shared"}
    )
    found = _candidate(TWO_WORKERS, stack, gateway)
    found.stop, found.only_rows = gateway.process.close, rows
    return found


def start_bare(folder: Path, upstreams: Upstreams) -> Candidate:
    """See `passthrough`."""
    own = folder / "passthrough"
    own.mkdir()
    with (own / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.passthrough"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=dict(os.environ),
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    wanted = {
        "connect_to": f"{HOST}:443:127.0.0.1:{upstreams.port}",
        "upstream_ca": str(upstreams.ca_file),
        "folder": str(own / "ca"),
    }
    process.stdin.write(json.dumps(wanted).encode() + b"\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise Unavailable(f"it did not start: {(own / 'log').read_text()[-300:]}")
    told = json.loads(line)

    def stop() -> None:
        end(process)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()

    return Candidate(BARE, process.pid, told["port"], Path(told["ca"]), stop, "agent:any")


def _candidate(name: str, stack: Stack, gateway: Gateway) -> Candidate:
    return Candidate(
        name,
        gateway.process.pid,
        gateway.port,
        gateway.ca_file,
        stack.close,
        f"agent:{stack.control.key('agent')}",
    )
