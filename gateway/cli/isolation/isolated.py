"""Starts a program in namespaces of its own, with a forwarder outside of them.

The parent's side: it maps the user, takes the listeners that were made inside, gives them to the
forwarder, and says when the program may begin. Where the kernel does not allow any part of it,
nothing is run.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.isolation.capsule import EXIT_FAILED, UNSHARED
from gateway.cli.isolation.forwarder import Instructions
from gateway.cli.isolation.plan import Plan, send_plan
from gateway.cli.isolation.scenery import KEPT_OF_RUNTIME, RUNTIME_FOLDERS
from gateway.cli.processes import bound_to_us, own_module
from gateway.model.dataclass import dataclass

PORTS: Final = (80, 443)
"""Ports whose connections are forwarded: the two that a gateway lets through when it is told of no
others."""

STEP_SECONDS_MAX: Final = 20.0
"""How long each step of the start may take on a machine that is busy."""

_WORD_BYTES_MAX: Final = 4_096
_FDS_MAX: Final = 250
"""Below what one message of a UNIX socket carries (253)."""

_NOT_ALLOWED: Final = (
    "run it as root, or let users have namespaces of their own: "
    "`sysctl kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu, "
    "`kernel.unprivileged_userns_clone=1` on older Debian, `user.max_user_namespaces` above 0; "
    "in a container, its engine must allow it (`--security-opt seccomp=unconfined` and "
    "`--cap-add SYS_ADMIN`), or put the gateway beside it instead "
    "(`checkrein env --format nftables`)"
)


@dataclass(frozen=True, slots=True)
class Fence:
    """What stands around the program. Folders of `kept` show through `hidden` ones."""

    hidden: tuple[str, ...]
    kept: tuple[str, ...]
    read_only: tuple[str, ...]
    ports: tuple[int, ...] = PORTS


def own_code() -> list[Path]:
    """Whatever the gateway is made of: who could write it would decide at its next start."""
    code = Path(__file__).resolve().parents[2]
    beside = [code.parent / name for name in ("controlplane", "mappers", "policies")]
    python = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "scripts")]
    return [code, *beside, *python]


def fence_around(
    data_dir: Path, client: Path, rules: Sequence[Path], ports: Sequence[int]
) -> Fence:
    """The usual one: keys, records and daemons' sockets are out of sight; the rules, and the code
    that obeys them, can't be written.

    Raises:
        CommandError: the program would stand in a folder that it can't see.
    """
    hidden = data_dir.resolve()
    if Path.cwd().is_relative_to(hidden):
        raise CommandError(
            f"this folder is inside the data directory `{hidden}`, which an isolated program does "
            "not see",
            "start it from another folder",
            status=EXIT_USAGE,
        )
    return Fence(
        hidden=(*RUNTIME_FOLDERS, str(hidden)),
        kept=(*KEPT_OF_RUNTIME, str(client.resolve())),
        read_only=tuple(dict.fromkeys(str(path.resolve()) for path in (*own_code(), *rules))),
        ports=tuple(sorted({*PORTS, *ports})),
    )


@contextlib.contextmanager
def isolated(
    program: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    proxy_url: str,
    fence: Fence,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program's process, while the block runs; its forwarder ends with the block.

    Raises:
        CommandError: the kernel does not allow it, and nothing was run.
    """
    if not sys.platform.startswith("linux"):
        raise CommandError(
            "`--isolate` needs the namespaces of Linux",
            "run it in a Linux virtual machine or container",
        )
    proxy = urlsplit(proxy_url)
    assert proxy.hostname is not None
    assert proxy.port is not None
    plan = Plan(
        program, tuple(arguments), dict(environment), tuple(sorted({*fence.ports, proxy.port})),
        fence.hidden, fence.kept, fence.read_only, os.getpid(),
    )  # fmt: skip
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as ending:
        ending.enter_context(ours)
        ours.settimeout(STEP_SECONDS_MAX)
        with theirs:
            child = _start("capsule", [str(theirs.fileno())], (theirs.fileno(),), in_group=True)
        ending.callback(_kill, child)
        send_plan(ours, plan)
        _expect(ours, child, UNSHARED)
        _map_user(child.pid)
        ours.sendall(b"m")
        streams, resolvers = _receive_listeners(ours, child)
        try:
            forwarder = _start_forwarder(
                Instructions(
                    proxy.hostname, proxy.port, unquote(proxy.username or ""),
                    unquote(proxy.password or ""), streams, resolvers,
                )
            )  # fmt: skip
        finally:
            for descriptor in (*streams, *resolvers):
                os.close(descriptor)
        ending.callback(_kill, forwarder)
        ours.sendall(b"g")
        _expect_end(ours, child)
        yield child


def _start(
    module: str, arguments: Sequence[str], fds: tuple[int, ...], *, in_group: bool
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*own_module(f"gateway.cli.isolation.{module}"), *arguments],
        pass_fds=fds,
        # The program shares our terminal, the forwarder must not hear its keys.
        process_group=None if in_group else 0,
        stdin=None if in_group else subprocess.DEVNULL,
        stdout=None if in_group else subprocess.DEVNULL,
        preexec_fn=bound_to_us(),  # noqa: PLW1509 - this process has one thread
    )


def _start_forwarder(instructions: Instructions) -> subprocess.Popen[bytes]:
    """Start it and wait until it serves. It reads the agent's key from a pipe: arguments and
    environments can be looked at."""
    instructions_fd, write_fd = os.pipe()
    ready_fd, tell_fd = os.pipe()
    fds = (instructions_fd, tell_fd, *instructions.streams, *instructions.resolvers)
    try:
        process = _start("forwarder", [str(instructions_fd), str(tell_fd)], fds, in_group=False)
    finally:
        os.close(instructions_fd)
        os.close(tell_fd)
    with os.fdopen(ready_fd, "rb") as ready:
        with os.fdopen(write_fd, "wb") as stream:
            stream.write(instructions.as_json())
        if ready.read(1) != b"r":
            _kill(process)
            raise CommandError("the forwarder of `--isolate` did not start", status=EXIT_FAILED)
    return process


def _map_user(pid: int) -> None:
    """Make the user inside the user outside. Root stays root over every file and keeps its groups;
    anybody else can be themselves alone."""
    base = Path(f"/proc/{pid}")
    everybody = _identity("/proc/self/uid_map"), _identity("/proc/self/gid_map")
    try:
        if os.geteuid() == 0:
            (base / "uid_map").write_text(everybody[0])
            (base / "gid_map").write_text(everybody[1])
            return
        (base / "setgroups").write_text("deny")
        (base / "uid_map").write_text(f"{os.geteuid()} {os.geteuid()} 1\n")
        (base / "gid_map").write_text(f"{os.getegid()} {os.getegid()} 1\n")
    except OSError as error:
        raise _not_allowed("user", error.errno) from error


def _identity(map_file: str) -> str:
    """Every id that exists here, as itself."""
    rows = (line.split() for line in Path(map_file).read_text().splitlines())
    return "".join(f"{inside} {inside} {count}\n" for inside, _, count in rows)


def _expect(channel: socket.socket, child: subprocess.Popen[bytes], word: bytes) -> None:
    said = _line(channel)
    if said != word:
        raise _failure(said, child)


def _expect_end(channel: socket.socket, child: subprocess.Popen[bytes]) -> None:
    """Wait until the program is executed, which closes the capsule's end."""
    said = _line(channel)
    if said:
        raise _failure(said, child)


def _receive_listeners(
    channel: socket.socket, child: subprocess.Popen[bytes]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    word, fds, _, _ = socket.recv_fds(channel, _WORD_BYTES_MAX, _FDS_MAX)
    if not fds:
        raise _failure(word, child)
    for descriptor in fds:
        os.set_inheritable(descriptor, False)
    count = int(json.loads(word)["streams"])
    return tuple(fds[:count]), tuple(fds[count:])


def _line(channel: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"\n") and len(said) < _WORD_BYTES_MAX:
        piece = channel.recv(1)
        if not piece:
            break
        said += piece
    return said


def _failure(said: bytes, child: subprocess.Popen[bytes]) -> CommandError:
    """What to tell about a capsule that did not get to its end."""
    try:
        word = json.loads(said)
        step, number = str(word["failed"]), word["errno"]
    except (ValueError, KeyError, TypeError):
        child.kill()
        child.wait()
        return CommandError(
            "the process for the isolated program ended early, and nothing was run",
            "try again; `checkrein doctor` says whether this machine allows isolation",
            status=EXIT_FAILED,
        )
    return _not_allowed(step, number)


def _not_allowed(step: str, number: int | None) -> CommandError:
    reason = f": {os.strerror(number).lower()}" if number else ""
    what = {
        "namespaces": "the kernel gives us no namespaces of our own",
        "user": "the kernel does not map our user into a namespace",
        "network": "the network namespace can't be set up",
        "mounts": "the mount namespace can't be set up",
        "sockets": "there are too many sockets to cover",
        "rights": "not every right could be given up",
        "program": "the program can't be executed",
    }.get(step, "the isolated program could not be prepared")
    advice = _NOT_ALLOWED if number in (errno.EPERM, errno.EACCES, errno.ENOSPC) else ""
    if step == "program":
        advice = "is its interpreter there, and outside of the folders that `--isolate` hides?"
    return CommandError(f"{what}{reason}; nothing was run", advice, status=EXIT_FAILED)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
