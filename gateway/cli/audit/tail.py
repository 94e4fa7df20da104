"""`checkrein audit tail`: what was decided and what became of it, as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.api import Api
    from gateway.cli.signals import SignalQueue

TAIL_COUNT_MAX = 500
FOLLOW_SECONDS = 2.0
"""How long one question for new records waits: so long a Ctrl-C may go unheard."""


@click.command(epilog="Example: checkrein audit tail -f -n 50")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, TAIL_COUNT_MAX),
    default=20,
    show_default=True,
    help="How many of the newest to begin with.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--agent", help="Only of this agent.")
@data_dir_option
@json_option
def tail(
    lines: int, follow: bool, agent: str | None, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """Show the newest decisions and what became of them.

    As JSON it writes the record lines themselves, one a line.
    """
    from gateway.cli.audit.table import show_decisions, show_record_line
    from gateway.cli.signals import SignalQueue

    api, out = open_session(data_dir_path, json_wanted)
    newest = api.get("/v1/records", {"last": max(lines, 1), "agent": agent})
    if out.as_json:
        for record in newest["records"] if lines else ():
            out.stream.write(record["line"] + "\n")
        out.stream.flush()
    elif lines:
        decisions = api.get("/v1/decisions", {"limit": lines, "agent": agent})["decisions"]
        show_decisions(out, list(reversed(decisions)))
    if not follow:
        return
    names: dict[str, str] = {}
    with SignalQueue() as signals:
        for record in _follow(api, str(newest["nextCursor"]), agent, signals):
            if out.as_json:
                out.stream.write(record["line"] + "\n")
                out.stream.flush()
            else:
                show_record_line(out, json.loads(record["line"]), names)


def _follow(
    api: Api, cursor: str, agent: str | None, signals: SignalQueue
) -> Iterator[Mapping[str, Any]]:
    """New records as they come, until a signal."""
    while True:
        caught, _ = signals.wait(0)
        if caught:
            return
        page = api.get("/v1/records", {"after": cursor, "agent": agent}, FOLLOW_SECONDS)
        records: Iterable[Mapping[str, Any]] = page["records"]
        yield from records
        cursor = str(page["nextCursor"])
