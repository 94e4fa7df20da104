"""`checkrein run`: one program in the foreground, governed, and nothing of it changed.

The program has our terminal, our process group and our standard streams; signals that reach only
us are passed on, and its exit status becomes ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import CommandError
from gateway.cli.options import stack_options
from gateway.cli.run_credentials import DEFAULT_AGENT, agent_key, name_run, proxy_url_for

if TYPE_CHECKING:
    from gateway.cli.datadir import DataDir, Running
    from gateway.cli.isolation.isolated import Fence
    from gateway.cli.signals import SignalQueue
    from gateway.cli.stack import Stack, StackPlan

EXIT_NOT_FOUND = 127
EXIT_NOT_EXECUTABLE = 126

_TERMINAL_SIGNALS = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH})
"""What a terminal sends to every process in its foreground, so to the program as well."""

_PASSED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGWINCH,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  checkrein run -- python agent.py
  checkrein run --agent billing-bot --goal "close October tickets" -- node bot.js
  checkrein run --isolate -- node bot.js        no way out but the gateway, whatever it does
""",
)
@click.option(
    "--agent", default=DEFAULT_AGENT, show_default=True, help="Who acts; created when new."
)
@click.option(
    "--goal",
    help="What the run is for: people see it at the run, and its words are in the run's name.",
)
@click.option(
    "--isolate",
    is_flag=True,
    help="Put the program into namespaces of its own (Linux), whose only way out is the gateway: "
    "also for clients that ignore proxy variables. It sees no service of this machine.",
)
@click.option(
    "--isolate-port",
    "isolate_ports",
    multiple=True,
    type=click.IntRange(1, 65_535),
    help="A port beside 80 and 443 whose connections reach the gateway; repeatable. It must be in "
    "CHECKREIN_PORTS_ALLOWED, too.",
)
@stack_options
@click.option(
    "--json",
    "json_wanted",
    is_flag=True,
    help="Say on standard error, as JSON, which agent, run and proxy it is.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    agent: str,
    goal: str | None,
    isolate: bool,
    isolate_ports: tuple[int, ...],
    data_dir_path: Path | None,
    policies_paths: tuple[Path, ...],
    mappers_paths: tuple[Path, ...],
    connect_to: tuple[str, ...],
    upstream_ca: Path | None,
    mode: str,
    json_wanted: bool,
    command: tuple[str, ...],
) -> int:
    """Run a program governed, whatever language it is in.

    Proxy and CA variables of every runtime are set for it. It uses the `checkrein up` that runs on
    the data directory, or starts a stack for as long as the program lives. The exit status is the
    program's own; 127 when there is no such program.
    """
    from gateway.cli.datadir import governing_files, load_running, open_data_dir
    from gateway.cli.isolation.isolated import fence_around
    from gateway.cli.run_report import report_run
    from gateway.cli.signals import SignalQueue
    from gateway.cli.stack import StackPlan
    from gateway.cli.up import gateway_settings, rules_settings

    program = find_program(command[0])
    data_dir = open_data_dir(data_dir_path)
    settings = gateway_settings(connect_to, upstream_ca, mode)
    names_files = bool(policies_paths or mappers_paths)
    run_id = name_run(goal)
    with contextlib.ExitStack() as ending:
        signals = ending.enter_context(SignalQueue(_PASSED_ON))
        stack: Stack | None = None
        running = load_running(data_dir)
        if running is None:
            rules, first = rules_settings(None, policies_paths, mappers_paths, os.environ)
            plan = StackPlan(data_dir, 0, 0, 0, {**settings, **rules}, first)
            stack, running = ending.enter_context(_own_stack(plan, signals))
        elif len(settings) > 1 or names_files or mode != "enforce":
            raise CommandError(
                f"the stack that runs on `{data_dir.path}` has settings of its own",
                "give --policies, --mappers, --connect-to, --upstream-ca and --mode to "
                "`checkrein up`, or choose another `--data-dir`",
            )
        key = key_of(data_dir, running, agent)
        environment = environment_for(data_dir, running, agent, key, run_id)
        reported = report_run(running.api_url, key, run_id, goal, mode)
        if json_wanted:
            _announce(agent, run_id, running)
        if isolate:
            files = governing_files(data_dir)
            fence = fence_around(data_dir.path, data_dir.client, files, isolate_ports)
            status = _isolated(program, command, environment, fence, signals, stack)
        else:
            status = _foreground(program, command, environment, signals, stack)
        if reported is not None:
            reported.end(status)
        return status


def find_program(name: str) -> str:
    """The file that the name means.

    Raises:
        CommandError: status 127 when there is none, 126 when it can't be executed.
    """
    found = shutil.which(name)
    if found is not None:
        return found
    if os.sep in name and Path(name).exists():
        raise CommandError(
            f"`{name}` can't be executed",
            f"make it executable (`chmod +x {name}`), or name its interpreter",
            status=EXIT_NOT_EXECUTABLE,
        )
    raise CommandError(
        f"there is no program `{name}`",
        "write `checkrein run -- PROGRAM ARGUMENTS`; it is looked up on PATH",
        status=EXIT_NOT_FOUND,
    )


@contextlib.contextmanager
def _own_stack(plan: StackPlan, signals: SignalQueue) -> Iterator[tuple[Stack, Running]]:
    """A stack on free ports that lives as long as the block."""
    from gateway.cli.datadir import held
    from gateway.cli.stack import Stack, file_note

    with held(plan.data_dir):
        stack = Stack(plan, signals, file_note(plan.data_dir.logs / "supervisor.log"))
        try:
            yield stack, stack.start()
        finally:
            stack.stop()


def key_of(data_dir: DataDir, running: Running, agent: str) -> str:
    """The agent's key; a new agent is created.

    Raises:
        CommandError: the agent has no key here.
    """
    from gateway.cli.api import Api
    from gateway.cli.datadir import read_key

    return agent_key(data_dir, Api(running.api_url, read_key(data_dir, "admin")), agent)


def environment_for(
    data_dir: DataDir, running: Running, agent: str, key: str, run_id: str
) -> dict[str, str]:
    """The whole environment of a program that acts as `agent` in a run of this name.

    Raises:
        CommandError: the gateway does not let it in.
    """
    from gateway.cli.environment import governed_environment
    from gateway.cli.trust import write_client_dir

    proxy_url = proxy_url_for(running.proxy_url, agent, key, run_id)
    wiring = write_client_dir(data_dir, proxy_url, running.ca_file, running.ca_bundle_file)
    return governed_environment(wiring, os.environ)


def _announce(agent: str, run_id: str, running: Running) -> None:
    """Tell programs which run it is; on standard error, for standard output is the program's."""
    proxy = running.proxy_url.rpartition("@")[2]
    print(json.dumps({"agent": agent, "run": run_id, "proxy": proxy}), file=sys.stderr, flush=True)


def _foreground(
    program: str,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    signals: SignalQueue,
    stack: Stack | None,
) -> int:
    from gateway.cli.processes import bound_to_us

    try:
        child = subprocess.Popen(
            command,
            executable=program,
            env=environment,
            preexec_fn=bound_to_us(),  # noqa: PLW1509 - this process has one thread
        )
    except OSError as error:
        raise CommandError(
            f"`{command[0]}` can't be executed: {(error.strerror or '').lower()}",
            status=EXIT_NOT_EXECUTABLE,
        ) from error
    return wait_and_pass_on(child, signals, stack.tend if stack else None, stack)


def _isolated(
    program: str,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    fence: Fence,
    signals: SignalQueue,
    stack: Stack | None,
) -> int:
    from gateway.cli.isolation.isolated import isolated

    with isolated(program, command, environment, environment["HTTPS_PROXY"], fence) as child:
        return wait_and_pass_on(child, signals, stack.tend if stack else None, stack)


def wait_and_pass_on(
    child: subprocess.Popen[bytes],
    signals: SignalQueue,
    tend: Callable[[], float | None] | None,
    stack: Stack | None,
) -> int:
    """Wait for the program, passing signals on; returns its status as a shell would say it."""
    while (status := child.poll()) is None:
        seconds = tend() if tend else None
        caught, _ = signals.wait(seconds, stack.readers() if stack else ())
        for number in caught:
            if number in _TERMINAL_SIGNALS and shares_terminal():
                continue  # the terminal has sent it to the program, too
            child.send_signal(number)
    return 128 - status if status < 0 else status


def shares_terminal() -> bool:
    """Whether we are in the foreground of a terminal, whose keys then reach our whole group."""
    try:
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(fd)
