"""Everything that the demo needs running, set up and taken down as one thing.

INVARIANT(nothing-stays): however the block ends, no process, lock or file of it is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.api import Api
from gateway.cli.datadir import DataDir, held, read_key
from gateway.cli.demo.provider import HOST, REQUESTS_FILE
from gateway.cli.failures import CommandError, Interrupted
from gateway.cli.processes import Child, ChildError, ChildSpec, ChildState, bound_to_us, own_module
from gateway.cli.run import environment_for, key_of
from gateway.cli.run_credentials import DEFAULT_AGENT, name_run
from gateway.cli.signals import SignalQueue
from gateway.cli.stack import Stack, StackPlan, file_note
from gateway.model.dataclass import dataclass

AGENT_END_SECONDS = 2.0
REMOVE_SECONDS_MAX = 5.0
REMOVE_PAUSE_SECONDS = 0.02
_AGENT_FILE = Path(__file__).with_name("agent.py")


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs: the stack, the stand-in provider, and where its count lies."""

    data_dir: DataDir
    stack: Stack
    api: Api
    environment: dict[str, str]

    def count_requests(self) -> Counter[tuple[str, str]]:
        """What reached the provider, by method and path, as the provider itself wrote it down."""
        file = self.data_dir.path / REQUESTS_FILE
        lines = file.read_text().splitlines() if file.exists() else []
        requests = [json.loads(line) for line in lines]
        return Counter((request["method"], request["path"]) for request in requests)


@contextlib.contextmanager
def set_up(signals: SignalQueue) -> Iterator[Stage]:
    """Start provider, database, control plane and gateway in a directory of their own.

    Raises:
        CommandError: something could not be started.
        Interrupted: a signal came meanwhile.
    """
    with contextlib.ExitStack() as ending:
        path = Path(tempfile.mkdtemp(prefix="checkrein-demo-"))
        ending.callback(_remove, path)
        if os.geteuid() == 0:
            path.chmod(0o711)  # the database runs as another user and must reach its files
        data_dir = DataDir(path)
        ending.enter_context(held(data_dir))
        provider = _start_provider(data_dir, signals, ending)
        settings = {
            "CHECKREIN_CONNECT_TO": f"{HOST}:443:127.0.0.1:{provider['port']}",
            "CHECKREIN_UPSTREAM_CA": str(provider["ca_file"]),
            "CHECKREIN_MODE": "enforce",
        }
        note = file_note(data_dir.logs / "supervisor.log")
        # Settings of another installation (its database!) have no business here.
        inherited = {n: v for n, v in os.environ.items() if not n.startswith("CHECKREIN_")}
        stack = Stack(StackPlan(data_dir, 0, 0, 0, settings, inherited), signals, note)
        ending.callback(stack.stop)
        running = stack.start()
        key = key_of(data_dir, running, DEFAULT_AGENT)
        environment = environment_for(data_dir, running, DEFAULT_AGENT, key, name_run("demo"))
        api = Api(running.api_url, read_key(data_dir, "admin"))
        yield Stage(data_dir, stack, api, environment)


def _remove(path: Path) -> None:
    """Remove the directory; again while what was just ended in its start (initdb) still writes."""
    deadline = time.monotonic() + REMOVE_SECONDS_MAX
    while path.exists():
        shutil.rmtree(path, ignore_errors=True)
        if time.monotonic() > deadline:
            return
        time.sleep(REMOVE_PAUSE_SECONDS)


def _start_provider(
    data_dir: DataDir, signals: SignalQueue, ending: contextlib.ExitStack
) -> dict[str, object]:
    spec = ChildSpec(
        "stand-in provider",
        (*own_module("gateway.cli.demo.provider"), "--directory", str(data_dir.path)),
        dict(os.environ),
        data_dir.logs / "provider.log",
    )
    try:
        child = Child(spec)
    except ChildError as error:
        raise CommandError(error.message, error.advice) from error
    ending.callback(child.kill)
    while child.poll() is ChildState.STARTING:
        caught, _ = signals.wait(child.seconds_to_deadline, [child.ready_fd])
        if caught:
            raise Interrupted(caught[0])
    if child.state is ChildState.ENDED:
        failed = ChildError(spec, child.failure, child.log_start)
        raise CommandError(failed.message, failed.advice)
    return dict(child.ready)


@contextlib.contextmanager
def agent_process(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """The agent in a process of its own, with nothing but its environment; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, str(_AGENT_FILE)],
        # The SDK keeps a file of its own among the user's settings; the demo leaves none there.
        env=stage.environment | {"XDG_CONFIG_HOME": str(stage.data_dir.path / "agent")},
        cwd=stage.data_dir.path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=bound_to_us(),  # noqa: PLW1509 - this process has one thread
    )
    try:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(AGENT_END_SECONDS)
            if process.poll() is None:
                process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
