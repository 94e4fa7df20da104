"""The process that enters fresh namespaces, gives up every right, and becomes the program.

Its parent talks to it over a stream socket, whose descriptor is the argument: the plan comes, the
word that the user is mapped, and the word to go; listeners and words about progress leave. When the
program is executed the socket closes by itself. Whatever fails here is told and ends the process:
the program is never run with less than all of it.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import sys
from pathlib import Path
from typing import Final, NoReturn

from gateway.cli.isolation import kernel, loopback, scenery
from gateway.cli.isolation.plan import Plan, receive_plan
from gateway.cli.isolation.system_calls import refused_calls

UNSHARED: Final = b"unshared\n"
"""The parent maps the user then, and answers with one byte."""

EXIT_FAILED: Final = 125
"""As `env` and container engines end when the program was not run."""

_FRESH: Final = (
    kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC
)


class _Step:
    """What is being done, for the word about its failure."""

    def __init__(self) -> None:
        self.name = "starting"


def main() -> NoReturn:
    """Do all of it, and execute the program."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    step = _Step()
    try:
        plan = receive_plan(channel)
        _enter(channel, plan, step)
        _become(plan, step)
    except (OSError, ValueError, scenery.TooManySockets) as error:
        number = error.errno if isinstance(error, OSError) else None
        _tell(channel, {"failed": step.name, "errno": number})
        sys.exit(EXIT_FAILED)


def _enter(channel: socket.socket, plan: Plan, step: _Step) -> None:
    step.name = "sockets"
    # Of the network namespace that is about to be left.
    sockets = scenery.socket_paths(Path("/proc/net/unix").read_text(errors="surrogateescape"))
    as_root = os.geteuid() == 0
    step.name = "namespaces"
    kernel.unshare(_FRESH)
    channel.sendall(UNSHARED)
    step.name = "user"
    _await_word(channel)
    step.name = "network"
    has_ipv6 = loopback.make_every_address_local()
    streams, resolvers = loopback.listen(plan.ports, has_ipv6=has_ipv6)
    fds = [sock.fileno() for sock in (*streams, *resolvers)]
    word = json.dumps({"streams": len(streams), "resolvers": len(resolvers)}).encode() + b"\n"
    socket.send_fds(channel, [word], fds)
    loopback.close_all((*streams, *resolvers))
    step.name = "mounts"
    scenery.arrange(plan.hidden, plan.kept, plan.read_only, sockets, as_root=as_root)
    _stand_anew()
    step.name = "forwarder"
    _await_word(channel)


def _stand_anew() -> None:
    """Look up anew where we stand: a folder that was covered would else stay open to us."""
    try:
        os.chdir(Path.cwd())
    except FileNotFoundError:
        os.chdir("/")


def _become(plan: Plan, step: _Step) -> NoReturn:
    step.name = "rights"
    program = refused_calls(platform.machine())
    if program is None or sys.byteorder != "little":
        raise ValueError("the system calls of this machine aren't known")
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # the interpreter ignores them, and exec keeps that
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.keep_signals_inside()  # who kills the gateway gets no further, but need not be able to
    kernel.drop_all_capabilities()
    kernel.set_seccomp(program)
    # Last, since a change of rights clears it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != plan.parent:
        os._exit(1)
    step.name = "program"
    os.execve(plan.program, plan.arguments, plan.environment)


def _await_word(channel: socket.socket) -> None:
    if not channel.recv(1):
        os._exit(EXIT_FAILED)  # the parent gave up


def _tell(channel: socket.socket, word: dict[str, object]) -> None:
    try:
        channel.sendall(json.dumps(word).encode() + b"\n")
    except OSError:
        print(json.dumps(word), file=sys.stderr)


if __name__ == "__main__":
    main()
