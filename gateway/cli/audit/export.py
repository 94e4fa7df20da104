"""`checkrein audit export`: the log as a file that proves itself, or its decisions as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.output import Output

EXPORT_PATH = "/v1/log/export"
DECISIONS_PATH = "/v1/exports/decisions"
WHERE_NAMES = (
    "agent", "effect", "provider", "operation", "action", "kind", "target", "policy", "rule",
    "reason", "run", "mode", "riskMin", "outcome", "since", "until", "decision", "text",
)  # fmt: skip
"""What decisions are chosen by, as the server's route has it."""

BLOCK_BYTES = 1 << 18
HEADER_BYTES_MAX = 16 * 1024 * 1024


@click.command(
    epilog="""\b
Examples:
  checkrein audit export -o log.jsonl
  checkrein audit export --first 120000 --count 5000 -o part.jsonl
  checkrein audit export --lines | checkrein policies baseline -
  checkrein audit export --format csv --where effect=BLOCK -o blocked.csv
  checkrein audit export --format jsonl --where agent=bot --where since=2026-11-21T00:00:00Z
"""
)
@click.option(
    "-o",
    "--output",
    "output_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write here. [default: standard output]",
)
@click.option(
    "--first", type=click.IntRange(0), help="Begin with this record, counted from 0. [default: 0]"
)
@click.option("--count", type=click.IntRange(0), help="So many records. [default: all]")
@click.option(
    "--lines", "only_lines", is_flag=True, help="Only the record lines, without what proves them."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["proof", "jsonl", "csv"]),
    default="proof",
    show_default=True,
    help="A file that proves itself; or decisions with their outcomes, as JSON lines or CSV.",
)
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"Only such decisions; of several, all must fit. Names: {', '.join(WHERE_NAMES)}.",
)
@data_dir_option
@json_option
def export(
    output_file: Path | None,
    first: int | None,
    count: int | None,
    only_lines: bool,
    form: str,
    conditions: tuple[str, ...],
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """Write the log to a file that proves itself.

    It holds every record line exactly as its gateway sealed it, and before them what proves them:
    the checkpoint that the log's key signed, and what each gateway signed. `audit verify FILE`
    checks it anywhere, without the server. Records that were just made are in it.

    With `--format jsonl` or `csv` it holds one line for each decision instead, the newest first,
    with what became of it. Such a file is for spreadsheets and search, and proves nothing.
    """
    is_table = form != "proof"
    if is_table and (only_lines or first is not None or count is not None):
        raise click.UsageError("--first, --count and --lines go with --format proof")
    if conditions and not is_table:
        raise click.UsageError("--where goes with --format jsonl or csv")
    api, out = open_session(data_dir_path, json_wanted)
    query: dict[str, object] = {"first": first, "count": count}
    if is_table:
        query = {**_wanted(conditions), "format": form}
    path = DECISIONS_PATH if is_table else EXPORT_PATH
    if output_file is None:
        with api.stream(path, query) as answer:
            stdout = sys.stdout.buffer
            for block in _blocks(answer, only_lines):
                stdout.write(block)
            stdout.flush()
        return
    part = output_file.with_name(output_file.name + ".part")
    try:
        with api.stream(path, query) as answer, part.open("wb") as file:
            for block in _blocks(answer, only_lines):
                file.write(block)
        part.replace(output_file)
    except OSError as error:
        raise CommandError(f"`{output_file}` can't be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    if is_table:
        _say_written(out, output_file)
    elif not only_lines:
        _say_exported(out, output_file)


def _wanted(conditions: tuple[str, ...]) -> dict[str, str]:
    """The filters of a query. What a value may be, the server knows."""
    parts = [condition.partition("=") for condition in conditions]
    for condition, (name, sign, _) in zip(conditions, parts, strict=True):
        if name == "format":
            raise click.UsageError("the form of the file is said with --format")
        if not sign or name not in WHERE_NAMES:
            near = get_close_matches(name.strip(" !<>"), WHERE_NAMES, 1)
            meant = f"did you mean `--where {near[0]}=...`? " if near else ""
            raise CommandError(
                f"`--where {condition}` is not NAME=VALUE with a known name",
                f"{meant}write it like `--where effect=BLOCK --where agent=billing-bot`; several "
                f"must all fit, and the names are {', '.join(WHERE_NAMES)}",
                status=EXIT_USAGE,
            )
    return {name: value for name, _, value in parts}


def _blocks(answer: IO[bytes], only_lines: bool) -> Iterator[bytes]:
    """The answer's bytes in pieces; only its record lines, where they are wanted."""
    if not only_lines:
        while block := answer.read(BLOCK_BYTES):
            yield block
        return
    from gateway.record.verifying.line_facts import BESIDE_RECORDS
    from gateway.record.verifying.reading import Lines

    for batch in Lines(answer).batches():
        yield b"".join(line + b"\n" for line in batch if not line.startswith(BESIDE_RECORDS))


def _say_written(out: Output, file: Path) -> None:
    size = file.stat().st_size
    if out.as_json:
        out.emit({"file": str(file), "bytes": size})
    else:
        out.say(f"{size} bytes in {file}")


def _say_exported(out: Output, file: Path) -> None:
    with file.open("rb") as stream:
        header = json.loads(stream.readline(HEADER_BYTES_MAX))
    said = {"file": str(file), "records": header["count"], "first": header["first"]}
    if out.as_json:
        out.emit({**said, "size": header["size"], "key": header["log_key"]})
        return
    out.say(f"{header['count']} records of a log of {header['size']} in {file}")
    out.say(
        f"verify it anywhere:  checkrein audit verify {file} --key '{header['log_key']}'", "dim"
    )
