"""`checkrein audit anchors`: how the log stands, and where its checkpoints are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.output import Output

ANCHORS_MAX = 500
STATES = {"ANCHORED": "kept", "PENDING": "waits", "TOLD": "told"}


@click.command(
    epilog="""\b
Examples:
  checkrein audit anchors                 the log's key, its newest checkpoint, where it is kept
  checkrein audit anchors --json          the same, for a program
"""
)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, ANCHORS_MAX),
    default=20,
    show_default=True,
    help="How many of the newest to show.",
)
@data_dir_option
@json_option
def anchors(limit: int, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show how the log stands, and where its checkpoints are kept outside of the database.

    Places are set for the control plane (CHECKREIN_ANCHOR_FILE, CHECKREIN_ANCHOR_S3_BUCKET), or are
    webhook channels that ask for `checkpoint.signed`. An auditor holds an export against a
    checkpoint from there: `checkrein audit verify log.jsonl --checkpoint FILE`.
    """
    api, out = open_session(data_dir_path, json_wanted)
    log = api.get("/v1/log")
    found = api.get("/v1/log/anchors", {"limit": limit})["anchors"]
    if out.as_json:
        out.emit({**log, "anchors": found})
        return
    _say_log(out, log)
    if not found:
        out.say("No checkpoint is kept elsewhere: set CHECKREIN_ANCHOR_FILE, or add a webhook")
        out.say("that asks for checkpoint.signed (checkrein channels add --help).")
        return
    _show(out, found)


def _say_log(out: Output, log: dict[str, Any]) -> None:
    from gateway.cli.moments import time_since

    out.say(f"Log of {log['size']} records, {log['origin']}")
    if log["key"]:
        out.say(f"Key {log['key']}")
    if log["checkpointAt"]:
        out.say(f"Signed: {log['checkpointSize']} records, {time_since(log['checkpointAt'])}")
    if log["problem"]:
        out.say(f"Nothing is signed: {log['problem']}", "red")
    if log["unsignedGateways"]:
        out.say(f"Gateways without a key: {', '.join(log['unsignedGateways'])}", "yellow")


def _show(out: Output, found: list[dict[str, Any]]) -> None:
    from gateway.cli.moments import time_since
    from gateway.cli.output import Column

    out.table(
        (
            Column("PLACE", is_fixed=True),
            Column("RECORDS", justify="right", is_fixed=True),
            Column("STATE", {"kept": "green", "waits": "yellow"}, is_fixed=True),
            Column("SINCE", is_fixed=True),
            Column("WHERE, OR WHY NOT"),
        ),
        (
            (
                one["place"],
                one["size"],
                STATES[one["status"]],
                time_since(one["endedAt"] or one["madeAt"]),
                one["problem"] or one["reference"] or "",
            )
            for one in found
        ),
    )
