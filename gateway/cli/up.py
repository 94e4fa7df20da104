"""`checkrein up`: the whole stack in the foreground until it is told to stop; and its two servers
alone, for production."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.options import json_option, stack_options

if TYPE_CHECKING:
    from gateway.cli.datadir import Running
    from gateway.cli.output import Output
    from gateway.cli.signals import SignalQueue
    from gateway.cli.stack import Stack

Command = TypeVar("Command", bound=Callable[..., Any])

_PORT = click.IntRange(0, 65535)


def _port_option(name: str, default: int) -> Callable[[Command], Command]:
    """An option for a port; without it, the variable counts that its server has for it."""
    return click.option(
        f"--{name}-port",
        type=_PORT,
        envvar=f"CHECKREIN_{name.upper()}_PORT",
        show_envvar=True,
        default=default,
        show_default=True,
        help="0: any free.",
    )


@click.command(
    epilog="""\b
Example:
  checkrein up                       in one terminal, and in another
  eval "$(checkrein env)"            set this shell's variables, or
  checkrein run -- python agent.py   run one program governed
"""
)
@_port_option("proxy", 3128)
@_port_option("api", 8080)
@_port_option("metrics", 9090)
@click.option(
    "--policy-source",
    type=click.Choice(["files", "control"]),
    help="`files`: the policy files that you name rule, as they stand on the disk. `control`: the "
    "policies that are active in the control plane do; those that you name are published where "
    "there are none yet. [default: files where you name any policies or mappers, else control]",
)
@stack_options
@json_option
def up(
    proxy_port: int,
    api_port: int,
    metrics_port: int,
    policy_source: str | None,
    data_dir_path: Path | None,
    policies_paths: tuple[Path, ...],
    mappers_paths: tuple[Path, ...],
    connect_to: tuple[str, ...],
    upstream_ca: Path | None,
    mode: str,
    json_wanted: bool,
) -> None:
    """Start database, control plane and gateway; stop with Ctrl-C.

    Everything listens on 127.0.0.1 and keeps its data in one directory, so that the next start
    finds it again. The other commands find a running stack by that directory.
    """
    from gateway.cli.datadir import held, open_data_dir
    from gateway.cli.output import Output
    from gateway.cli.signals import SignalQueue
    from gateway.cli.stack import Stack, StackPlan, file_note

    data_dir = open_data_dir(data_dir_path)
    rules, first = rules_settings(policy_source, policies_paths, mappers_paths, os.environ)
    settings = {**gateway_settings(connect_to, upstream_ca, mode), **rules}
    plan = StackPlan(data_dir, proxy_port, api_port, metrics_port, settings, first)
    out = Output(json_wanted=json_wanted)
    with SignalQueue() as signals, held(data_dir):
        stack = Stack(plan, signals, _note_both(file_note(data_dir.logs / "supervisor.log")))
        try:
            running = stack.start()
            _write_client_dir(running)
            if out.as_json:
                out.emit(running.as_json())
            else:
                _show_ready(out, running.as_json(), mode)
            tend_until_told(stack, signals)
            if not out.as_json:
                out.say("stopping; Ctrl-C again kills", "dim")
        finally:
            stack.stop()


def tend_until_told(stack: Stack, signals: SignalQueue) -> None:
    """Keep the stack going until a signal asks it to end."""
    while True:
        caught, _ = signals.wait(stack.tend(), stack.readers())
        if caught:
            return


def gateway_settings(
    connect_to: tuple[str, ...], upstream_ca: Path | None, mode: str
) -> dict[str, str]:
    """The gateway's CHECKREIN_ variables for the options that stacks share, but for its rules."""
    settings = {"CHECKREIN_MODE": mode}
    if connect_to:
        settings["CHECKREIN_CONNECT_TO"] = ",".join(connect_to)
    if upstream_ca is not None:
        settings["CHECKREIN_UPSTREAM_CA"] = str(upstream_ca.absolute())
    return settings


_SOURCE = "CHECKREIN_POLICY_SOURCE"


def rules_settings(
    source: str | None,
    policies_paths: tuple[Path, ...],
    mappers_paths: tuple[Path, ...],
    inherited: Mapping[str, str],
) -> tuple[dict[str, str], dict[str, str]]:
    """Where the rules come from: the CHECKREIN_ variables of the gateway, and those of the control
    plane.

    Who names files means them: they rule, and are read again when they change. Where nobody names
    any, the policies that are active in the control plane rule; the shipped starter is the first.
    """
    from gateway.content import policies_dir

    names_files = bool(policies_paths or mappers_paths) or any(
        inherited.get(f"CHECKREIN_{name}") for name in ("POLICIES", "MAPPERS")
    )
    source = source or inherited.get(_SOURCE) or ("files" if names_files else "control")
    if source == "files":
        rules = {_SOURCE: source}
        if policies_paths:
            rules["CHECKREIN_POLICIES"] = _joined_paths(policies_paths)
        if mappers_paths:
            rules["CHECKREIN_MAPPERS"] = _joined_paths(mappers_paths)
        return rules, {}
    first = {}
    if policies_paths or not inherited.get("CHECKREIN_BOOTSTRAP_POLICIES"):
        policies = policies_paths or (policies_dir() / "starter.yaml",)
        first["CHECKREIN_BOOTSTRAP_POLICIES"] = _joined_paths(policies)
    if mappers_paths:
        first["CHECKREIN_BOOTSTRAP_MAPPERS"] = _joined_paths(mappers_paths)
    return {_SOURCE: source}, first


def _joined_paths(paths: tuple[Path, ...]) -> str:
    return os.pathsep.join(str(path.absolute()) for path in paths)


def _note_both(write: Callable[[str], None]) -> Callable[[str], None]:
    """Note in the log and on standard error, where whoever runs `up` looks."""

    def note(text: str) -> None:
        write(text)
        print(f"checkrein: {text}", file=sys.stderr, flush=True)

    return note


def _write_client_dir(running: Running) -> None:
    from gateway.cli.datadir import DataDir
    from gateway.cli.trust import write_client_dir

    data_dir = DataDir(Path(running.data_dir))
    write_client_dir(data_dir, running.proxy_url, running.ca_file, running.ca_bundle_file)


def _show_ready(out: Output, running: dict[str, str], mode: str) -> None:
    # The proxy's key stays off the screen; `checkrein env` gives it to who may read the directory.
    address = running["proxy_url"].rpartition("@")[2]
    where = f" --data-dir {running['data_dir']}"
    out.say("")
    out.say("Checkrein is ready.", "bold green")
    if mode == "monitor":
        out.say("Mode is monitor: everything passes, and what would have been held is recorded.")
    out.say("")
    for name, value in (
        ("proxy", address),
        ("dashboard", running["api_url"] + "/"),
        ("API", running["api_url"]),
        ("metrics", running["metrics_url"]),
        ("admin key", running["admin_key_file"]),
        ("CA", running["ca_file"]),
        ("data", running["data_dir"]),
    ):
        out.say(f"  {name:<10} {value}")
    out.say("")
    out.say("In another terminal:", "bold")
    for words in (f'eval "$(checkrein env{where})"', f"checkrein run{where} -- python agent.py"):
        out.say(f"  {words}", "cyan")
    out.say(f"  checkrein approvals watch{where}", "cyan")
    out.say("")
    out.say("Ctrl-C stops it; the data stays.", "dim")


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Example:
  CHECKREIN_DATA_DIR=/data CHECKREIN_API_URL=http://controlplane:8080 \\
  CHECKREIN_API_KEY_FILE=/run/secrets/gateway.key checkrein gateway
""",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def gateway(arguments: tuple[str, ...]) -> None:
    """Run the gateway alone, in the foreground.

    It is configured by CHECKREIN_* variables (controlplane/README.md has the table), reads CA,
    roots and rules again on SIGHUP, and ends on SIGTERM. `--workers N` serves one port by N
    processes.
    """
    _become("gateway", arguments)


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Example:
  CHECKREIN_DATABASE_URL=postgresql://checkrein@db/checkrein checkrein controlplane
""",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def controlplane(arguments: tuple[str, ...]) -> None:
    """Run the control plane alone, in the foreground.

    It is configured by CHECKREIN_* variables (controlplane/README.md has the table)
    and ends on SIGTERM.
    """
    _become("controlplane", arguments)


def _become(module: str, arguments: tuple[str, ...]) -> None:
    """Replace this process, so that signals and the exit status are the server's own."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
