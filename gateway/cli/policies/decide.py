"""`checkrein policies decide`: a filter over JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from gateway.cli.policies.loading import load, paths_argument


@click.command(epilog="Example: checkrein policies decide policies/ < actions.jsonl")
@paths_argument
@click.option(
    "--mode",
    "mode_name",
    type=click.Choice(["enforce", "monitor"]),
    default="enforce",
    show_default=True,
    help="The gateway's own mode.",
)
@click.option("--json", "_json_wanted", is_flag=True, help="JSON is all that this writes.")
def decide(paths: tuple[Path, ...], mode_name: str, _json_wanted: bool) -> None:
    """Decide actions: JSON lines in, JSON lines out, one for one and in order.

    A line is an action as `mappers map` writes it, or its whole answer with `actions` and
    `refused`; beside them `context` may give agent, run, now, labels and environment. A line that
    can't be read is answered with a BLOCK.
    """
    from gateway.authoring.policies import LINE_BYTES_MAX, decide_line
    from gateway.cli.output import Output
    from gateway.model.effect import Mode

    out = Output(json_wanted=True)
    bundle, mode = load(paths), Mode(mode_name)
    for line in _lines(sys.stdin.buffer, LINE_BYTES_MAX):
        out.emit(decide_line(bundle, line, mode))


def _lines(stream: IO[bytes], bytes_max: int) -> Iterator[bytes]:
    """Lines by line feed alone. One that is too long is cut a byte beyond the limit, so that it is
    refused, and its rest is skipped."""
    while line := stream.readline(bytes_max + 2):
        rest = line
        while not rest.endswith(b"\n") and (rest := stream.readline(bytes_max)):
            pass
        yield line.removesuffix(b"\n")
