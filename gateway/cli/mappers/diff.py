"""`checkrein mappers diff`: what another catalog or another mapper would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.mappers.imports import cache_option, made
from gateway.cli.mappers.loading import mapper_problems
from gateway.cli.options import json_option
from gateway.cli.output import Output

if TYPE_CHECKING:
    from gateway.authoring.catalog_diff import Difference
    from gateway.authoring.listing import Act

_STYLES = {"weaker": "bold red", "removed": "yellow", "changed": "cyan", "added": "green"}
_SIGNS = {"weaker": "!", "removed": "-", "changed": "~", "added": "+"}


@click.command(
    epilog="""\b
Examples:
  checkrein mappers diff old/stripe.cat new/stripe.cat
  checkrein mappers diff stripe                  the shipped catalog against a fresh one
  checkrein mappers diff mappers/ /tmp/mappers/
"""
)
@click.argument("old", metavar="OLD|NAME")
@click.argument("new", required=False)
@cache_option
@json_option
def diff(old: str, new: str | None, cache: Path | None, json_wanted: bool) -> None:
    """Show what changes between two catalogs, two mappers, or two folders of them.

    Kinds that became weaker (a delete that would now be a read), and marks that were lost, stand
    on top. Exit status 1 when there is one.
    """
    from gateway.authoring.catalog_diff import Change, compare

    output = Output(json_wanted=json_wanted)
    with mapper_problems(status=EXIT_USAGE):
        if new is None:
            before, after = _shipped_and_fresh(old, cache)
        else:
            before, after = list(_acts(Path(old))), list(_acts(Path(new)))
        found = compare(before, after)
    counts = Counter(difference.change.value for difference in found)
    for difference in found:
        if output.as_json:
            output.emit(_as_json(difference))
        else:
            _show(output, difference)
    if output.as_json:
        output.emit({"changes": {change.value: counts[change.value] for change in Change}})
    else:
        shown = ", ".join(f"{counts[change.value]} {change.value}" for change in Change)
        output.say(shown if found else "no difference", "" if found else "green")
    if counts["weaker"]:
        raise click.exceptions.Exit(EXIT_FAILED)


def _acts(path: Path) -> Iterator[Act]:
    from gateway.authoring.listing import acts_of_catalog, acts_of_mappers
    from gateway.canonicalize.catalog.file import load_catalog

    if not path.exists():
        raise CommandError(
            f"there is no file or folder `{path}`",
            "name two of them, or one shipped catalog",
            status=EXIT_USAGE,
        )
    if path.suffix == ".cat":
        return acts_of_catalog(load_catalog(path))
    catalogs = sorted(path.glob("*.cat")) if path.is_dir() else []
    if catalogs:
        return (act for one in catalogs for act in acts_of_catalog(load_catalog(one)))
    return acts_of_mappers([path])


def _shipped_and_fresh(name: str, cache: Path | None) -> tuple[Sequence[Act], Sequence[Act]]:
    import tempfile

    from gateway.authoring.imports.rebuild import importer_names
    from gateway.content import mappers_dir

    shipped = mappers_dir() / "catalogs" / f"{name}.cat"
    if name not in importer_names() or not shipped.is_file():
        raise CommandError(
            f"there is no catalog `{name}`",
            "name two files, or one of " + ", ".join(importer_names()),
            status=EXIT_USAGE,
        )
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / shipped.name
        fresh.write_bytes(made(name, cache))
        return list(_acts(shipped)), list(_acts(fresh))


def _as_json(difference: Difference) -> dict[str, object]:
    act = difference.act
    return {
        "change": difference.change.value,
        "why": difference.why,
        "provider": act.provider,
        "operation": act.operation,
        "entry": act.wire or act.operation,
        "when": dict(act.when),
        "kind": act.kind,
        "fields": {
            name: {"old": old, "new": new} for name, (old, new) in difference.fields.items()
        },
    }


def _show(output: Output, difference: Difference) -> None:
    act, change = difference.act, difference.change.value
    call = f"  {act.wire}" if act.wire else ""
    why = f": {difference.why}" if difference.why else ""
    text = f"{_SIGNS[change]} {change:7} {act.operation} ({act.kind}){call}{why}"
    output.say(text, _STYLES[change])
    for name, (old, new) in difference.fields.items():
        output.say(f"          {name}: {_text(old)} -> {_text(new)}", "dim")


def _text(value: object) -> str:
    return str(value) if value or value is False else "nothing"
