"""`checkrein agents`: who may send traffic, and the keys by which they are known."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session


@click.group(
    epilog="""\b
Examples:
  checkrein agents create billing-bot --label team=finance
  checkrein run --agent billing-bot -- python agent.py
"""
)
def agents() -> None:
    """List agents; create one and its key."""


@agents.command("list", epilog="Example: checkrein agents list --json")
@data_dir_option
@json_option
def list_(data_dir_path: Path | None, json_wanted: bool) -> None:
    """List the agents that are known."""
    from gateway.cli.moments import clock_time
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    found = api.pages("/v1/agents", "agents")
    if out.as_json:
        out.emit({"agents": found})
        return
    out.table(
        (Column("NAME"), Column("LABELS"), Column("ENABLED"), Column("CREATED", is_fixed=True)),
        (
            (
                agent["name"],
                ", ".join(f"{name}={value}" for name, value in agent["labels"].items()),
                "yes" if agent.get("enabled", True) else "no",
                clock_time(agent["createdAt"]),
            )
            for agent in found
        ),
    )


@agents.command(epilog="Example: checkrein agents create billing-bot --label team=finance")
@click.argument("name")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="Policies can match labels; repeatable.",
)
@data_dir_option
@json_option
def create(
    name: str, labels: tuple[str, ...], data_dir_path: Path | None, json_wanted: bool
) -> None:
    """Create an agent and its key.

    The key is shown this once. Where the stack runs on this machine it is also kept in the data
    directory (mode 0600), so that `checkrein run --agent NAME` finds it.
    """
    from gateway.cli.datadir import load_running, open_data_dir
    from gateway.cli.run_credentials import agent_key_file, create_agent

    api, out = open_session(data_dir_path, json_wanted)
    data_dir = open_data_dir(data_dir_path)
    agent_key_file(data_dir, name)
    running = load_running(data_dir)
    is_here = running is not None and running.api_url == api.url
    key = create_agent(data_dir if is_here else None, api, name, _parse_labels(labels))
    if out.as_json:
        out.emit({"name": name, "key": key})
        return
    out.say(f"Agent {name} is created. Its key, shown this once:")
    out.say(f"  {key}", "bold")


def _parse_labels(words: tuple[str, ...]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise CommandError(
                f"`{word}` is not NAME=VALUE", "for example `team=finance`", status=EXIT_USAGE
            )
        labels[name] = value
    return labels
