"""`checkrein audit`: follow what was decided and what became of it; export it; verify it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.api import Api
    from gateway.cli.output import Output
    from gateway.cli.signals import SignalQueue
    from gateway.record.audit import AuditReport

TAIL_COUNT_MAX = 500
FOLLOW_SECONDS = 2.0
"""How long one question for new records waits: so long a Ctrl-C may go unheard."""

LINE_BYTES_MAX = 16 * 1024 * 1024
"""A longer line is no record of ours; reading stops there instead of filling the memory."""


@click.group(
    epilog="""\b
Examples:
  checkrein audit tail -f
  checkrein audit export > record.jsonl
  checkrein audit verify record.jsonl
"""
)
def audit() -> None:
    """Follow the record, export it, verify it.

    Every decision is recorded, and the intent of every change before it is sent. Records are
    chained by their hashes, so that a changed, removed or inserted one shows.
    """


@audit.command(epilog="Example: checkrein audit tail -f -n 50")
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
    from gateway.cli.audit_table import show_decisions, show_record_line
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


@audit.command(epilog="Example: checkrein audit export -o record.jsonl")
@click.option(
    "-o",
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write here. [default: standard output]",
)
@data_dir_option
@json_option
def export(output_file: Path | None, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Write every record line exactly as its gateway sealed it.

    The lines are JSON already; `audit verify FILE` checks them anywhere, without the server.
    """
    api, out = open_session(data_dir_path, json_wanted)
    count = 0
    if output_file is None:
        for line in _stored_lines(api):
            out.stream.write(line.decode("utf-8", "surrogatepass") + "\n")
        out.stream.flush()
        return
    try:
        with output_file.open("wb") as file:
            for line in _stored_lines(api):
                file.write(line + b"\n")
                count += 1
    except OSError as error:
        raise CommandError(f"`{output_file}` can't be written: {error.strerror}") from error
    if out.as_json:
        out.emit({"records": count, "file": str(output_file)})
    else:
        out.say(f"{count} records in {output_file}")


@audit.command(
    epilog="""\b
Examples:
  checkrein audit verify                 the running stack's record
  checkrein audit verify record.jsonl    an export, without any server
"""
)
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--part", is_flag=True, help="The lines are a part: chains may begin anywhere.")
@data_dir_option
@json_option
def verify(file: Path | None, part: bool, data_dir_path: Path | None, json_wanted: bool) -> int:
    """Recompute every chain; names the first bad record. Exit status 1 when there is one.

    A chain can't know that its end was cut off: compare the head it prints with the one that the
    gateway holds, or with one that you kept.
    """
    from gateway.cli.output import Output
    from gateway.record.audit import verify_lines

    if file is not None:
        out = Output(json_wanted=json_wanted)
        lines = _file_lines(file)
    else:
        api, out = open_session(data_dir_path, json_wanted)
        lines = _stored_lines(api)
    report = verify_lines(lines, is_whole=not part)
    show_report(out, report)
    return 0 if report.is_intact else 1


def show_report(out: Output, report: AuditReport) -> None:
    """Write the verdict on every gateway's chain."""
    if out.as_json:
        out.emit(report_json(report))
        return
    if not report.line_count:
        out.say("There is no record yet, so there is nothing to verify.", "dim")
    for chain in report.chains:
        out.say(f"{chain.gateway}: {chain.count} records, intact", "green")
        out.say(f"  head {chain.head}", "dim")
    for broken in report.breaks:
        name = broken.gateway or "lines without a gateway"
        out.say(f"{name}: BROKEN, first at record {broken.seq}: {broken.message}", "red")
    for intent in report.open_intents:
        out.say(f"no outcome yet: {intent.gateway} number {intent.seq}, {intent.at}", "yellow")


def report_json(report: AuditReport) -> dict[str, Any]:
    """The verdict as JSON."""
    return {
        "intact": report.is_intact,
        "records": report.line_count,
        "chains": [
            {"gateway": c.gateway, "records": c.count, "lastSeq": c.last_seq, "head": c.head}
            for c in report.chains
        ],
        "breaks": [
            {"gateway": b.gateway, "seq": b.seq, "message": b.message} for b in report.breaks
        ],
        "open": [
            {"gateway": i.gateway, "seq": i.seq, "decisionId": i.decision_id, "at": i.at}
            for i in report.open_intents
        ],
    }


def _stored_lines(api: Api) -> Iterator[bytes]:
    for record in api.records():
        yield str(record["line"]).encode("utf-8", "surrogatepass")


def _file_lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while line := stream.readline(LINE_BYTES_MAX + 1):
            if len(line) > LINE_BYTES_MAX:
                raise CommandError(f"`{file}` has a line of more than {LINE_BYTES_MAX} bytes")
            yield line.removesuffix(b"\n")


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
