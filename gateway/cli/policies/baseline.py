"""`checkrein policies baseline`: records in, what agents usually do out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO

import click

from gateway.cli.failures import CommandError


@click.command(
    epilog="""\b
Examples:
  checkrein audit export | checkrein policies baseline - > policies/baseline.yaml
  checkrein policies baseline october.jsonl november.jsonl > policies/baseline.yaml
"""
)
@click.argument("records", nargs=-1, required=True, type=click.File("rb"))
@click.option("--name", default="usual", show_default=True, help="What the document is called.")
def baseline(records: tuple[IO[bytes], ...], name: str) -> None:
    """Learn from records what each agent usually does; deviation is measured by it.

    Records are lines as `audit export` writes them; `-` is standard input. Counted is what was let
    pass, once for each decision. The document goes to standard output.
    """
    from gateway.authoring.policies.baseline import build_baseline

    with ExitStack() as opened:
        files = [opened.enter_context(file) for file in records]
        built = build_baseline(_lines(files), name)
    if built is None:
        raise CommandError(
            "no record here tells of something that was let pass",
            "take more days: `checkrein audit export > records.jsonl`",
        )
    sys.stdout.write(built.text)
    click.echo(f"decisions that were let pass: {built.records}", err=True)
    if built.unreadable:
        click.echo(f"lines that are no records, and were left out: {built.unreadable}", err=True)
    if built.dropped:
        click.echo(f"actions that agents seldom do, and found no room: {built.dropped}", err=True)


def _lines(files: Iterable[IO[bytes]]) -> Iterator[bytes]:
    """All lines; one that is too long comes in pieces, which are no records."""
    from gateway.authoring.policies.replay.files import LINE_BYTES_MAX

    for file in files:
        while line := file.readline(LINE_BYTES_MAX):
            yield line
