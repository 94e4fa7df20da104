"""The command itself: its table, its help, its exit statuses."""

from __future__ import annotations

import click
import pytest

from gateway.cli.main import cli, run_command

COMMANDS = cli.list_commands(click.Context(cli))


def every_command() -> list[tuple[str, ...]]:
    """Each command and each subcommand, as the words that call it."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.list_commands(click.Context(command))]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there(name: str) -> None:
    """The table of lazily imported commands points at commands of those names."""
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert command.name == name


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_help_teaches_with_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` of every command ends with 0 and shows how it is used."""
    assert run_command([*words, "--help"]) == 0

    shown = capsys.readouterr().out
    assert "Example" in shown
    assert "checkrein" in shown


STATUSES = {
    "help is no failure": (["--help"], 0, ""),
    "an unknown command is usage": (["nope"], 2, "error: no such command 'nope'"),
    "an unknown option is usage": (["up", "--nope"], 2, "error: no such option"),
    "a missing argument is usage": (["approvals", "show"], 2, "error: missing argument 'ID'"),
    "a port that is none is usage": (["up", "--proxy-port", "99999"], 2, "error: invalid value"),
    "no stack is a failure": (
        ["approvals", "list", "--data-dir", "/nonexistent/checkrein"],
        1,
        "error: no `checkrein up` runs on `/nonexistent/checkrein`\nhelp: start it,",
    ),
    "a program that isn't there": (
        ["run", "--", "no-such-program-here"],
        127,
        "error: there is no program `no-such-program-here`",
    ),
}


@pytest.mark.parametrize(("words", "status", "said"), STATUSES.values(), ids=STATUSES.keys())
def test_exit_statuses(
    words: list[str],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0 done, 1 failed, 2 usage; failures are sentences on standard error."""
    monkeypatch.delenv("CHECKREIN_API_URL", raising=False)

    assert run_command(words) == status

    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("name", ["proxy", "api", "metrics"])
def test_up_takes_its_ports_from_the_servers_variables(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever sets CHECKREIN_PROXY_PORT for a gateway means `up` too; the help names it."""
    variable = f"CHECKREIN_{name.upper()}_PORT"
    monkeypatch.setenv(variable, "99999")
    assert run_command(["up"]) == 2
    assert variable in capsys.readouterr().err
    assert run_command(["up", "--help"]) == 0
    assert variable in capsys.readouterr().out
