"""`checkrein mappers`: check, test, explain, map and list what requests mean.

Prints what `authoring.mappers` finds out; no rule of reading a request stands here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.options import json_option
from gateway.cli.output import Column, Output, complain

if TYPE_CHECKING:
    from gateway.canonicalize.canonicalizer import Canonicalizer

_KINDS = ("read", "create", "update", "delete", "execute", "send", "admin", "unknown")

paths_argument = click.argument(
    "paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]..."
)
mappers_option = click.option(
    "--mappers",
    "paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Mapper file or folder; repeatable. [default: the shipped mappers]",
)


@click.group(
    epilog="""\b
Examples:
  checkrein mappers check my-api.yaml
  checkrein mappers explain POST https://api.stripe.com/v1/refunds --body charge=ch_1
  checkrein mappers map < requests.jsonl | checkrein policies decide policies/
"""
)
def mappers() -> None:
    """What requests mean: the mappers that turn them into actions."""


def _load(paths: Sequence[Path], *, status: int = EXIT_FAILED) -> Canonicalizer:
    """Load mappers, or end with every problem on its own line."""
    from gateway.canonicalize.canonicalizer import Canonicalizer
    from gateway.content import mappers_dir
    from gateway.model.errors import ConfigurationError

    try:
        return Canonicalizer.load(list(paths) or [mappers_dir()])
    except ConfigurationError as error:
        raise CommandError(
            "\n".join(str(problem) for problem in error.problems),
            f"{len(error.problems)} problem(s); see the README in the mappers folder",
            status=status,
        ) from error


@mappers.command(epilog="Example: checkrein mappers check my-api.yaml")
@paths_argument
@json_option
def check(paths: tuple[Path, ...], json_wanted: bool) -> None:
    """Find every problem in mapper files, with line, column and what to do."""
    from gateway.canonicalize.canonicalizer import Canonicalizer
    from gateway.content import mappers_dir
    from gateway.model.errors import ConfigurationError

    output = Output(json_wanted=json_wanted)
    try:
        canonicalizer = Canonicalizer.load(list(paths) or [mappers_dir()])
    except ConfigurationError as error:
        for problem in error.problems:
            if json_wanted:
                output.emit(
                    {
                        "file": problem.file,
                        "line": problem.line,
                        "column": problem.column,
                        "message": problem.message,
                        "help": problem.help,
                    }
                )
            else:
                place = f"{problem.file}:{problem.line}:{problem.column}"
                complain(f"{place}: {problem.message}", problem.help)
        raise click.exceptions.Exit(EXIT_FAILED) from error
    entries = sum(len(mapper.operations) for mapper in canonicalizer.mappers)
    if json_wanted:
        output.emit({"files": len(canonicalizer.mappers), "entries": entries, "problems": 0})
    else:
        output.say(f"{len(canonicalizer.mappers)} files, {entries} entries, no problem")


@mappers.command(epilog="Example: checkrein mappers test my-api.yaml")
@paths_argument
@json_option
def test(paths: tuple[Path, ...], json_wanted: bool) -> None:
    """Run the inline `tests:` of mapper files."""
    from gateway.authoring.mappers import run_tests

    output = Output(json_wanted=json_wanted)
    results = run_tests(_load(paths))
    failed = [result for result in results if result.differences]
    for result in results if json_wanted else failed:
        place = f"{result.test.file}:{result.test.line}"
        if json_wanted:
            output.emit(
                {
                    "test": place,
                    "request": result.test.request,
                    "passed": not result.differences,
                    "differences": list(result.differences),
                }
            )
        else:
            complain(f"{place}: {result.test.request}\n" + "\n".join(result.differences))
    if not json_wanted:
        output.say(f"{len(results) - len(failed)} of {len(results)} tests passed")
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED)


@mappers.command(
    epilog="Example: checkrein mappers explain GET https://slack.com/api/chat.postMessage"
)
@click.argument("method")
@click.argument("url")
@click.option("--header", "-H", "headers", multiple=True, metavar="NAME:VALUE", help="Repeatable.")
@click.option("--body", "-d", default="", help="The body; `@FILE` reads a file.")
@mappers_option
@json_option
def explain(
    method: str,
    url: str,
    headers: tuple[str, ...],
    body: str,
    paths: tuple[Path, ...],
    json_wanted: bool,
) -> None:
    """Show how one request is read: candidates, why one won, where each value comes from."""
    from gateway.authoring import mappers as authoring
    from gateway.authoring.requests import (
        MalformedRequestError,
        build_request,
        guess_content_type,
    )

    pairs = [_split_header(text) for text in headers]
    data = Path(body[1:]).read_bytes() if body.startswith("@") else body.encode()
    if data and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("content-type", guess_content_type(data[:1].decode("latin-1"))))
    try:
        request = build_request(method.upper(), url, pairs, data)
    except MalformedRequestError as error:
        raise CommandError(
            error.message, "see `checkrein mappers explain --help`", status=EXIT_USAGE
        ) from error
    result = authoring.explain(_load(paths, status=EXIT_USAGE), request)
    output = Output(json_wanted=json_wanted)
    if json_wanted:
        output.emit(result)
    else:
        _show_explanation(output, result)
    if result["refused"]:
        raise click.exceptions.Exit(EXIT_FAILED)


def _split_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise CommandError(f"`{text}` is no header", "write `NAME: VALUE`", status=EXIT_USAGE)
    return name.strip(), value.strip()


def _show_explanation(output: Output, result: Mapping[str, object]) -> None:
    output.say(f"host {result['host']}: provider {result['provider']}")
    candidates = result["candidates"]
    assert isinstance(candidates, list)
    won = result["won"]
    for candidate in candidates:
        is_winner = isinstance(won, Mapping) and won["origin"] == candidate["origin"]
        conditions = f" when {', '.join(candidate['when'])}" if candidate["when"] else ""
        output.say(
            f"  {'*' if is_winner else ' '} {candidate['entry']}{conditions}  ({candidate['origin']})"  # noqa: E501
        )
    if result.get("why"):
        output.say(f"why: {result['why']}")
    if result["refused"]:
        output.say(f"refused: {result['refused']}: {result['detail']}")
    actions = result["actions"]
    assert isinstance(actions, list)
    for action in actions:
        target = action["target"]
        output.say(
            f"action: {action['action']} ({action['kind']}, {action['operation']}) on "
            f"{target['type']} {target['id']}"
        )
    values = result.get("values")
    if isinstance(values, list) and values:
        output.table(
            [Column("VALUE"), Column("FROM"), Column("TYPE"), Column("FOUND")],
            [(row["name"], row["from"], row["type"], row["value"]) for row in values],
        )


@mappers.command(name="map", epilog="Example: checkrein mappers map < requests.jsonl")
@mappers_option
@click.option("--json", is_flag=True, expose_value=False, help="Accepted; output is always JSON.")
def map_command(paths: tuple[Path, ...]) -> None:
    """Filter: read requests as JSON lines, write their actions, one line for each, in order.

    A line is {"method","url","headers","body_b64"}.
    """
    from gateway.authoring.mappers import map_line

    canonicalizer = _load(paths, status=EXIT_USAGE)
    for line in sys.stdin.buffer:
        result = map_line(canonicalizer, line)
        sys.stdout.write(json.dumps(result, ensure_ascii=True, separators=(",", ":")) + "\n")
        # A reader may wait for this answer before it writes its next line.
        sys.stdout.flush()


@mappers.command(name="list", epilog="Example: checkrein mappers list stripe --kind create")
@click.argument("provider", required=False)
@click.option("--kind", type=click.Choice(_KINDS), help="Only operations of this kind.")
@mappers_option
@json_option
def list_command(
    provider: str | None, kind: str | None, paths: tuple[Path, ...], json_wanted: bool
) -> None:
    """List the mapped operations."""
    from gateway.authoring.mappers import list_operations
    from gateway.model.action import Kind

    entries = list_operations(_load(paths), provider, Kind(kind) if kind else None)
    if provider and not entries and not kind:
        raise CommandError(f"no mapper has the provider `{provider}`", "try `mappers list`")
    output = Output(json_wanted=json_wanted)
    if not json_wanted:
        output.table(
            [Column("PROVIDER"), Column("OPERATION"), Column("ACTION"), Column("KIND")],
            [(entry.provider, entry.operation, entry.action, entry.kind) for entry in entries],
        )
        return
    for entry in entries:
        output.emit(
            {
                "provider": entry.provider,
                "operation": entry.operation,
                "action": entry.action,
                "kind": entry.kind.value,
                "entry": entry.template,
                "reversible": entry.reversible,
                "sensitive": entry.sensitive,
            }
        )
