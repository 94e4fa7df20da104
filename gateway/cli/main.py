"""The `checkrein` command: finds the subcommand, runs it, and turns failures into sentences.

Nothing else is imported here: `checkrein --help` must not wait for what it doesn't use. A
subcommand's module is imported when the subcommand is called or its own help is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from gateway.cli.failures import EXIT_INTERRUPTED, EXIT_USAGE, CommandError, Interrupted

_COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("gateway.cli.demo:demo", "Watch a real SDK being governed; needs nothing."),
    "up": ("gateway.cli.up:up", "Start database, control plane and gateway; stop with Ctrl-C."),
    "run": ("gateway.cli.run:run", "Run a program governed, whatever language it is in."),
    "env": ("gateway.cli.env:env", "Print the variables that make a program governed."),
    "doctor": ("gateway.cli.doctor:doctor", "Find out which runtimes are governed, and why not."),
    "approvals": (
        "gateway.cli.approvals.group:approvals",
        "List, show and answer what waits for you.",
    ),
    "grants": ("gateway.cli.grants:grants", "Look after answers that hold for a while."),
    "runs": ("gateway.cli.runs:runs", "See what agents do, step by step; cancel a run."),
    "incidents": ("gateway.cli.incidents:incidents", "See what went wrong; say who looks at it."),
    "outcomes": ("gateway.cli.incidents:outcomes", "Settle acts whose end nobody saw."),
    "stop": ("gateway.cli.stops:stop", "Stop an agent, a run, a provider or everything, now."),
    "resume": ("gateway.cli.stops:resume", "End a stop, or all of them."),
    "stops": ("gateway.cli.stops:stops", "List what is stopped."),
    "audit": (
        "gateway.cli.audit.group:audit",
        "Follow the record; export, verify, prove and keep it.",
    ),
    "agents": ("gateway.cli.agents:agents", "List agents; create one and its key."),
    "keys": ("gateway.cli.keys:keys", "Give people keys of their own; revoke them."),
    "channels": ("gateway.cli.channels:channels", "Say where people are reached; try it."),
    "policies": ("gateway.cli.policies.group:policies", "Check, test and try out policies."),
    "bundles": ("gateway.cli.bundles:bundles", "Give policies to all gateways; go back."),
    "gateways": ("gateway.cli.bundles:gateways", "List gateways and what each of them runs."),
    "mappers": ("gateway.cli.mappers.group:mappers", "Check, test and try out mappers."),
    "gateway": ("gateway.cli.up:gateway", "Run the gateway alone, in the foreground."),
    "controlplane": ("gateway.cli.up:controlplane", "Run the control plane alone."),
    "mitmproxy": ("gateway.cli.mitmproxy:mitmproxy", "Govern what mitmproxy captures."),
}
"""Name -> where the command is, and its line in the help (so that no module need be imported)."""


class LazyGroup(click.Group):
    """A group whose commands stay unimported until they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module_name, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module_name), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"checkrein {version('checkrein')}")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and end.",
)
def cli() -> None:
    """Hold the actions of AI agents where you want them.

    \b
    See it:       checkrein demo
    Start it:     checkrein up
    Use it:       checkrein run -- python agent.py
    Answer it:    checkrein approvals watch
    Look back:    checkrein audit tail
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process: 0 done, 1 a check failed, 2 usage."""
    raise SystemExit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status; failures become sentences on standard error."""
    from gateway.cli.output import complain

    try:
        status = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="checkrein",
            standalone_mode=False,
        )
    except CommandError as error:
        complain(error.message, error.advice)
        return error.status
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return EXIT_USAGE
    except click.ClickException as error:
        complain(_lowered(error.format_message()), _usage_help(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except Interrupted as error:
        return 128 + error.signal_number
    return status if isinstance(status, int) else 0


def _lowered(sentence: str) -> str:
    text = sentence.strip().removesuffix(".")
    return text[:1].lower() + text[1:]


def _usage_help(error: click.ClickException) -> str:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"see `{error.ctx.command_path} --help`"
    return ""


if __name__ == "__main__":
    main()
