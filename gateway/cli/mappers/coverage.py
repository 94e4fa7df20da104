"""`checkrein mappers coverage`: how much of some traffic is mapped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.mappers.loading import (
    load,
    mapper_problems,
    mappers_option,
    opened,
    recording_argument,
    written,
)
from gateway.cli.options import json_option
from gateway.cli.output import Column, Output, complain

if TYPE_CHECKING:
    from gateway.authoring.coverage import Coverage

GAPS_SHOWN = 30


@click.command(
    epilog="""\b
Examples:
  checkrein mappers coverage recording.har
  checkrein audit export | checkrein mappers coverage -
  checkrein mappers coverage recording.har --mappers shop.yaml --draft > rest.yaml
"""
)
@recording_argument
@mappers_option
@click.option("--draft", is_flag=True, help="Write a mapper for what is not mapped.")
@click.option("--host", "hosts", multiple=True, help="Only this host in the draft; repeatable.")
@click.option("--pages", is_flag=True, help="Count what a browser loads by itself too.")
@click.option(
    "-o", "--output", "target", type=click.Path(dir_okay=False, path_type=Path),
    help="Write the draft here. [default: standard output]",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
def coverage(
    file: Path,
    paths: tuple[Path, ...],
    draft: bool,
    hosts: tuple[str, ...],
    pages: bool,
    target: Path | None,
    force: bool,
    json_wanted: bool,
) -> None:
    """Say how much of a recording, or of the recorded traffic, is mapped, and what is not.

    FILE is a HAR file of a browser, flows of mitmproxy, JSON lines of requests, or what
    `checkrein audit export` wrote; `-` reads standard input.
    """
    from gateway.authoring.coverage import measure
    from gateway.authoring.recordings.recording import read_recording
    from gateway.authoring.recordings.traffic import RecordingError

    output = Output(json_wanted=json_wanted)
    with mapper_problems(), opened(file) as stream:
        try:
            found = measure(read_recording(stream), load(paths), with_pages=pages)
        except RecordingError as error:
            raise CommandError(
                error.message, "see `checkrein mappers coverage --help`", status=EXIT_USAGE
            ) from error
    if draft:
        written(_draft(found, hosts), target, force=force)
    elif output.as_json:
        _emit(output, found)
    else:
        _show(output, found)


def _draft(found: Coverage, hosts: tuple[str, ...]) -> str:
    from gateway.authoring.drafts import draft_of
    from gateway.authoring.proposals import ProposalError, text_of

    try:
        proposal = draft_of(found, hosts)
        for host, count in proposal.left_out:
            complain(f"{count} more at `{host}` are not in this draft", f"add `--host {host}`")
        return text_of(proposal.proposal)
    except ProposalError as error:
        raise CommandError(
            error.message, "see the table that stands there without `--draft`"
        ) from (error)


def _emit(output: Output, found: Coverage) -> None:
    output.emit(
        {
            "requests": found.requests,
            "mapped": found.mapped,
            "undecided": found.undecided,
            "refused": dict(found.refused),
            "unread": found.unread_count,
            "pages": found.pages,
            "hosts": {
                host: {"requests": total, "mapped": mapped}
                for host, (total, mapped) in sorted(found.by_host.items())
            },
            "unmapped": [
                {
                    "count": gap.count,
                    "host": gap.host,
                    "method": gap.method,
                    "template": gap.template,
                }
                for gap in found.gaps()
            ],
        }
    )


def _percent(part: int, whole: int) -> str:
    """Rounded down, so that 100 % means all."""
    return f"{part * 1000 // whole / 10} %" if whole else "-"


def _show(output: Output, found: Coverage) -> None:
    share = _percent(found.mapped, found.requests)
    style = "green" if found.mapped == found.requests else "yellow"
    output.say(f"{found.mapped} of {found.requests} requests are mapped ({share})", style)
    if found.undecided:
        output.say(f"{found.undecided} of them to kind unknown: somebody has to decide", "yellow")
    for code, count in found.refused.most_common():
        output.say(f"{count} are refused as {code}", "red")
    if found.pages:
        output.say(f"{found.pages} page loads of the browser are left out; `--pages` counts them")
    for place in found.unread:
        output.say(f"no request: {place}", "dim")
    if len(found.by_host) > 1:
        rows = sorted(found.by_host.items(), key=lambda item: -item[1][0])
        output.table(
            [
                Column("HOST"),
                Column("REQUESTS", justify="right"),
                Column("MAPPED", justify="right"),
            ],
            [(host, total, _percent(mapped, total)) for host, (total, mapped) in rows],
        )
    gaps = found.gaps()
    if gaps:
        output.say("")
        output.table(
            [Column("TIMES", justify="right"), Column("HOST"), Column("NOT MAPPED")],
            [(gap.count, gap.host, f"{gap.method} {gap.template}") for gap in gaps[:GAPS_SHOWN]],
        )
        if len(gaps) > GAPS_SHOWN:
            output.say(f"and {len(gaps) - GAPS_SHOWN} more; `--json` shows all", "dim")
        output.say("`--draft` proposes a mapper for these", "dim")
