"""An interpreter that has a client's libraries loaded and becomes an agent each time it is asked.

    python warm_interpreter.py       # its standard input is a socket; see `serve`

To import boto3 takes longer than all that an agent does with it. So an interpreter is started once
for each environment, with exactly the variables that the agent is to have, and what a script
imports is imported in it before it forks for the first time. The agent is the fork: a process of
its own, which only its script tells what to do.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from functools import cache
from pathlib import Path

REQUEST_BYTES_MAX = 16_384


def serve(asked: socket.socket) -> tuple[str, list[str]] | None:
    """Fork for every request until the other end closes and all agents have ended.

    A request is a JSON list, the script and its arguments, with three descriptors: the agent's
    output, its errors, and a pipe that is told its pid, and its exit status once it has ended.
    Returns in the agent what it is to run, and None in the interpreter itself.
    """
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    statuses: dict[int, int] = {}
    is_open = True
    while is_open or statuses:
        ready, _, _ = select.select([woken, *([asked] if is_open else [])], [], [])
        if woken in ready:
            os.read(woken, 512)
            _tell_ends(statuses)
        if asked not in ready:
            continue
        message, (*descriptors,), _, _ = socket.recv_fds(asked, REQUEST_BYTES_MAX, 3)
        if not message:
            is_open = False
            continue
        script, *arguments = json.loads(message)
        _import_all(script)
        output, errors, status = descriptors
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(output, errors, [asked.fileno(), woken, waker, status, *statuses.values()])
            return script, arguments
        statuses[pid] = status
        os.close(output)
        os.close(errors)
        os.write(status, b"%d\n" % pid)
    return None


def _tell_ends(statuses: dict[int, int]) -> None:
    """Say of every agent that ended how it did, as `Popen.returncode` would."""
    while statuses:
        pid, how = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        status = statuses.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
            os.write(status, b"%d\n" % os.waitstatus_to_exitcode(how))
        os.close(status)


@cache
def _import_all(script: str) -> None:
    """Import what the script does, except what stands beside it."""
    for node in ast.parse(Path(script).read_text()).body:
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module)):
                names = [module]
            case _:
                names = []
        for name in names:
            if not Path(script).with_name(f"{name}.py").exists():
                importlib.import_module(name)


def _become(output: int, errors: int, others: list[int]) -> None:
    """Give the fork the streams of a process that was started, and nothing else of ours."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, stream in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(descriptor, stream)
    for descriptor in {nothing, output, errors, *others} - {0, 1, 2}:
        os.close(descriptor)


if __name__ == "__main__":
    # What we import from our own folder must not shadow what an agent imports.
    del sys.path[0]
    with socket.socket(fileno=0) as requests:
        chosen = serve(requests)
        if chosen is not None:
            requests.detach()
    if chosen is not None:
        sys.argv = [chosen[0], *chosen[1]]
        sys.path.insert(0, str(Path(chosen[0]).parent))
        runpy.run_path(chosen[0], run_name="__main__")
