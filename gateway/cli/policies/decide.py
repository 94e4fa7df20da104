"""`checkrein policies decide`: a filter over JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import click

from gateway.cli.policies.loading import load, paths_argument

PIECE_BYTES: Final = 262_144


@click.command(
    epilog="""\b
Examples:
  checkrein policies decide policies/ < actions.jsonl
  checkrein mappers map < requests.jsonl | checkrein policies decide mine.yaml > decisions.jsonl
  echo '{"provider":"stripe","action":"create_payout","kind":"create"}' |
      checkrein policies decide --trace

\b
A line:  {"provider":"stripe","operation":"stripe.refunds.create","action":"create_refund",
          "kind":"create","target":{"type":"charge","id":"ch_1"},"params":{"amount":9000},
          "context":{"agent":"billing-bot","run":"r1","now":"2026-11-21T09:00:00Z",
                     "labels":{"team":"payments"},"environment":"production"}}
"""
)
@paths_argument
@click.option(
    "--mode",
    "mode_name",
    type=click.Choice(["enforce", "monitor"]),
    default="enforce",
    show_default=True,
    help="The gateway's own mode.",
)
@click.option("--trace", "with_trace", is_flag=True, help="Add what every rule says.")
@click.option("--json", "_json_wanted", is_flag=True, help="JSON is all that this writes.")
def decide(paths: tuple[Path, ...], mode_name: str, with_trace: bool, _json_wanted: bool) -> None:
    """Decide actions: JSON lines in, JSON lines out, one for one and in order.

    A line is an action as `mappers map` writes it, or its whole answer with `actions` and
    `refused`; beside them `context` may give agent, run, run_state, now, labels and environment.
    A line that can't be read is answered with a BLOCK. Limits are named, not counted: nothing is
    remembered from line to line.
    """
    from gateway.authoring.policies.answers import LineDecider
    from gateway.authoring.policies.questions import LINE_BYTES_MAX
    from gateway.model.effect import Mode

    decider = LineDecider(load(paths), Mode(mode_name), with_trace=with_trace)
    write = sys.stdout.write
    for lines in _line_groups(sys.stdin.buffer, LINE_BYTES_MAX):
        write("".join([f"{decider.decide(line)}\n" for line in lines]))
        # A reader may wait for these answers before it writes its next line.
        sys.stdout.flush()


def _line_groups(stream: IO[bytes], bytes_max: int) -> Iterator[list[bytes]]:
    """All lines that are complete so far, again and again: what can be answered without waiting.

    One that is too long is cut behind the limit, so that it is refused, and its rest is skipped.
    """
    pending = b""
    read1 = getattr(stream, "read1", stream.read)
    while piece := read1(PIECE_BYTES):
        *whole, rest = piece.split(b"\n")
        if whole:
            whole[0] = pending + whole[0] if len(pending) <= bytes_max else pending
            yield whole
            pending = rest
        elif len(pending) <= bytes_max:
            pending += rest
    if pending:
        yield [pending]
