"""`checkrein mappers list`: what is mapped."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.mappers.loading import (
    KIND_STYLES,
    KINDS,
    mapper_problems,
    mappers_option,
    paths_or_shipped,
)
from gateway.cli.options import json_option
from gateway.cli.output import Column, Output, cut, plain, wants_colour

if TYPE_CHECKING:
    from gateway.authoring.listing import Act

_WIDTHS = (10, 42, 30, 8)
_COLOURS = {"green": "32", "red": "31", "yellow": "33", "magenta": "35"}
LINES_BUFFERED = 500


@click.command(
    name="list",
    epilog="""\b
Examples:
  checkrein mappers list stripe --kind create
  checkrein mappers list --grep refund
  checkrein mappers list --catalogs               how many operations, from which packages
  checkrein mappers list aws --sensitive --json | jq -r .operation
""",
)
@click.argument("provider", required=False)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Repeatable.")
@click.option("--grep", "pattern", help="A regular expression in operation, action or path.")
@click.option("--catalogs", "only_catalogs", is_flag=True, help="The catalogs, with their sources.")
@click.option("--sensitive", is_flag=True, help="Only what mints or gives away credentials.")
@mappers_option
@json_option
def list_command(
    provider: str | None,
    kinds: tuple[str, ...],
    pattern: str | None,
    only_catalogs: bool,
    sensitive: bool,
    paths: tuple[Path, ...],
    json_wanted: bool,
) -> None:
    """List the mapped operations, of mapper files and of the catalogs below them."""
    output = Output(json_wanted=json_wanted)
    if only_catalogs:
        _list_catalogs(output, paths, provider)
        return
    with mapper_problems():
        acts = _chosen(paths, provider, frozenset(kinds), pattern, sensitive=sensitive)
        first = next(acts, None)
        if first is None:
            nobody = provider and not (kinds or pattern or sensitive)
            raise CommandError(
                f"no mapper has the provider `{provider}`" if nobody else "nothing fits",
                "try `checkrein mappers list`",
            )
        if output.as_json:
            _write_json(first, acts)
        else:
            # What fits on the screen needs no pager.
            os.environ.setdefault("LESS", "-FRX")
            lines = _lines(first, acts, colour=wants_colour(sys.stdout))
            click.echo_via_pager(lines)


def _list_catalogs(output: Output, paths: tuple[Path, ...], provider: str | None) -> None:
    from gateway.authoring.listing import catalogs_of_mappers

    with mapper_problems():
        found = [
            catalog
            for catalog in catalogs_of_mappers(paths_or_shipped(paths))
            if provider in (None, catalog.provider)
        ]
    if output.as_json:
        for catalog in found:
            output.emit(
                {
                    "catalog": catalog.name,
                    "provider": catalog.provider,
                    "operations": catalog.operations,
                    "digest": catalog.digest,
                    "sources": [
                        {
                            "registry": source.registry,
                            "package": source.package,
                            "version": source.version,
                            "licence": source.licence,
                            "sha256": source.sha256,
                        }
                        for source in catalog.sources
                    ],
                }
            )
        return
    columns = [Column("CATALOG"), Column("OPERATIONS", justify="right"), Column("MADE FROM")]
    rows = []
    for catalog in found:
        first = catalog.sources[0] if catalog.sources else None
        shown = f"{first.package} {first.version} ({first.licence})" if first else ""
        more = len(catalog.sources) - 1
        rows.append(
            (catalog.name, catalog.operations, f"{shown} and {more} more" if more > 0 else shown)
        )
    output.table(columns, rows)
    total = sum(catalog.operations for catalog in found)
    output.say(f"{total} operations in {len(found)} catalogs")


def _chosen(
    paths: tuple[Path, ...],
    provider: str | None,
    kinds: frozenset[str],
    pattern: str | None,
    *,
    sensitive: bool,
) -> Iterator[Act]:
    import re

    from gateway.authoring.listing import acts_of_mappers

    try:
        wanted = re.compile(pattern, re.IGNORECASE) if pattern else None
    except re.error as error:
        raise CommandError(
            f"`{pattern}` is no regular expression: {error}", status=EXIT_USAGE
        ) from error
    for act in acts_of_mappers(paths_or_shipped(paths)):
        if provider is not None and act.provider != provider:
            continue
        if (kinds and act.kind not in kinds) or (sensitive and not act.sensitive):
            continue
        if wanted and not wanted.search(f"{act.operation} {act.action} {act.wire}"):
            continue
        yield act


def _write_json(first: Act, acts: Iterator[Act]) -> None:
    lines = [_json_line(first)]
    for act in acts:
        lines.append(_json_line(act))
        if len(lines) >= LINES_BUFFERED:
            sys.stdout.write("".join(lines))
            lines.clear()
    sys.stdout.write("".join(lines))
    sys.stdout.flush()


def _json_line(act: Act) -> str:
    value = {
        "provider": act.provider,
        "operation": act.operation,
        "action": act.action,
        "kind": act.kind,
        "entry": act.wire or act.operation,
        "target": {"type": act.target_type, "id": act.target_id},
        "params": sorted(act.params),
        "when": dict(act.when),
        "reversible": act.reversible,
        "sensitive": act.sensitive or None,
        "origin": act.origin,
    }
    return json.dumps(value, separators=(",", ":")) + "\n"


def _lines(first: Act, acts: Iterator[Act], *, colour: bool) -> Iterator[str]:
    """Lines of fixed columns: a table would have to know them all before it shows the first."""
    room = max(20, shutil.get_terminal_size().columns - sum(_WIDTHS) - len(_WIDTHS))
    yield _line(("PROVIDER", "OPERATION", "ACTION", "KIND", "CALL"), room) + "\n"
    count = 0
    for act in _chain(first, acts):
        count += 1
        cells = act.provider, act.operation, act.action, act.kind, act.wire
        text = _line(cells, room)
        style = _COLOURS.get(KIND_STYLES.get(act.kind, ""))
        yield f"\x1b[{style}m{text}\x1b[0m\n" if colour and style else f"{text}\n"
    yield f"{count} operations\n"


def _line(cells: tuple[str, ...], room: int) -> str:
    widths = (*_WIDTHS, room)
    return " ".join(
        cut(plain(cell), width).ljust(width) for cell, width in zip(cells, widths, strict=True)
    ).rstrip()


def _chain(first: Act, acts: Iterator[Act]) -> Iterator[Act]:
    yield first
    yield from acts
