"""`checkrein mappers map`: a filter over JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import click

from gateway.cli.failures import EXIT_USAGE
from gateway.cli.mappers.loading import load, mapper_problems, mappers_option

PIECE_BYTES: Final = 262_144


@click.command(
    name="map",
    epilog="""\b
Example: checkrein mappers map < requests.jsonl
A line:  {"method":"POST","url":"https://...","headers":{"content-type":"..."},"body_b64":"..."}
""",
)
@mappers_option
@click.option("--json", is_flag=True, expose_value=False, help="Accepted; output is always JSON.")
def map_command(paths: tuple[Path, ...]) -> None:
    """Filter: read requests as JSON lines, write their actions, one line for each, in order.

    `headers` is an object or a list of pairs; `body_b64` may be left out. A line that is no
    request gives `"refused":"malformed_input"`.
    """
    from gateway.authoring.mappers import map_line

    canonicalizer = load(paths, status=EXIT_USAGE)
    with mapper_problems():
        for lines in _line_groups(sys.stdin.buffer):
            for line in lines:
                result = map_line(canonicalizer, line)
                sys.stdout.write(json.dumps(result, ensure_ascii=True, separators=(",", ":")))
                sys.stdout.write("\n")
            # A reader may wait for these answers before it writes its next line.
            sys.stdout.flush()


def _line_groups(stream: BinaryIO) -> Iterator[list[bytes]]:
    """All lines that are complete so far, again and again: what can be answered without waiting.

    A line beyond the limit is cut off right behind it, which makes it one that is refused.
    """
    from gateway.authoring.requests import LINE_BYTES_MAX

    pieces: list[bytes] = []
    pending = 0
    read1 = getattr(stream, "read1", stream.read)
    while piece := read1(PIECE_BYTES):
        head, newline, rest = piece.rpartition(b"\n")
        if not newline:
            if pending <= LINE_BYTES_MAX:
                pieces.append(piece)
                pending += len(piece)
            continue
        yield (b"".join(pieces) + head).split(b"\n")
        pieces, pending = [rest] if rest else [], len(rest)
    if pieces:
        yield [b"".join(pieces)]
