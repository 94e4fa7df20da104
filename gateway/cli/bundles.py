"""`checkrein bundles`: give policies to all gateways, look at what was given, go back."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import EXIT_FAILED, CommandError
from gateway.cli.options import LIST_COUNT_MAX, PolicyPath, data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.bundle_source import Source
    from gateway.cli.output import Output
    from gateway.model.errors import Problem


REVISION_CHARACTERS = 12
"""As many as tell revisions apart; `--json` has all of them."""

WORK_SECONDS_MAX = 60.0
"""The control plane checks ten thousand rules in seconds, one bundle at a time."""


@click.group(
    epilog="""\b
Examples:
  checkrein bundles publish policies/ --comment "refunds need two"
  checkrein bundles list
  checkrein bundles activate 3
  checkrein gateways
"""
)
def bundles() -> None:
    """Give policies to all gateways, and go back to earlier ones.

    A bundle is a set of policy files, and of mappers where you have your own. The control plane
    checks it, signs it and gives it the next number; gateways that were started with
    `--policy-source control` take it within seconds and check the signature themselves.
    """


@bundles.command(
    epilog="""\b
Examples:
  checkrein bundles publish policies/ --comment "ticket 4711"
  checkrein bundles publish refunds.yaml people.yaml --mappers my-api.yaml --dry-run
"""
)
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=PolicyPath(),
    metavar="PATH...",
)
@click.option(
    "--mappers",
    "mappers_paths",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Mapper file or folder of your own, laid over the shipped ones; repeatable.",
)
@click.option("--comment", help="Why; kept with the bundle.")
@click.option("--dry-run", is_flag=True, help="Check here and there, publish nothing.")
@data_dir_option
@json_option
def publish(
    paths: tuple[Path, ...],
    mappers_paths: tuple[Path, ...],
    comment: str | None,
    dry_run: bool,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Check policy files and make them what all gateways run.

    The files that you name are the whole bundle: what is not among them is no longer there. A
    problem in any file publishes nothing. Files that mean what the current bundle means are not
    published again.
    """
    from gateway.cli.api import Refused
    from gateway.cli.bundle_source import load_source, problems_of
    from gateway.model.errors import ConfigurationError

    api, out = open_session(data_dir_path, json_wanted)
    try:
        with _at_work("checking the files"):
            source = load_source(paths, mappers_paths)
    except ConfigurationError as error:
        return _show_problems(out, error.problems)
    body = {**source.body(), "comment": comment, "dryRun": dry_run}
    try:
        with _at_work("asking the control plane" if dry_run else "publishing"):
            answer = api.post("/v1/bundles", body, WORK_SECONDS_MAX)
    except Refused as error:
        problems = problems_of(error.detail, source.places)
        if problems is None:
            raise
        return _show_problems(out, problems, " found by the control plane")
    if out.as_json:
        out.emit({"ok": True, "isDryRun": dry_run, "localRevision": source.revision, **answer})
    elif dry_run:
        _show_dry_run(out, answer, source)
    else:
        _show_published(out, answer)
    return 0


@bundles.command("list", epilog="Example: checkrein bundles list --limit 5")
@click.option("-n", "--limit", type=click.IntRange(1, LIST_COUNT_MAX), default=20, help="How many.")
@data_dir_option
@json_option
def list_(limit: int, data_dir_path: Path | None, json_wanted: bool) -> None:
    """List what was published, newest first."""
    from gateway.cli.moments import clock_time
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    found = api.get("/v1/bundles", {"limit": limit})["bundles"]
    if out.as_json:
        out.emit({"bundles": found})
        return
    if not found:
        out.say("Nothing is published yet.")
        return
    out.table(
        (
            Column("SEQ", justify="right", is_fixed=True),
            Column("", {"current": "green"}, is_fixed=True),
            Column("REVISION", is_fixed=True),
            Column("PUBLISHED", is_fixed=True),
            Column("BY"),
            Column("COMMENT"),
        ),
        (
            (
                one["sequence"],
                "current" if one["isCurrent"] else "",
                _short(one["revision"]),
                clock_time(one["createdAt"]),
                one["createdBy"],
                one["comment"],
            )
            for one in found
        ),
    )


@bundles.command(
    epilog="""\b
Examples:
  checkrein bundles show 3 --documents
  checkrein bundles show 2 --to old && checkrein bundles show 3 --to new
  checkrein policies diff old new          what became looser or tighter
"""
)
@click.argument("sequence", metavar="SEQ", type=click.IntRange(1))
@click.option("--documents", "documents_wanted", is_flag=True, help="Show the files' text too.")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="Write its policy files into this new folder, and its mappers into `mappers` in it.",
)
@data_dir_option
@json_option
def show(
    sequence: int,
    documents_wanted: bool,
    folder: Path | None,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """Show one bundle: who published it, when, why, and which files are in it."""
    from gateway.cli.moments import clock_time

    api, out = open_session(data_dir_path, json_wanted)
    bundle = api.get(f"/v1/bundles/{sequence}")["bundle"]
    if folder is not None:
        _write_files(bundle, folder)
    if out.as_json:
        out.emit(bundle)
        return
    state = "current" if bundle["isCurrent"] else "not current"
    out.say(f"Bundle {bundle['sequence']}, {state}", "bold")
    out.say(f"  revision   {bundle['revision']}")
    out.say(f"  published  {clock_time(bundle['createdAt'])} by {bundle['createdBy']}")
    if bundle["comment"]:
        out.say(f"  comment    {bundle['comment']}")
    out.say(f"  signed by  {bundle['keyId']}")
    if not bundle["isVerified"]:
        out.say("  The key in use did not sign it, so what it says is not shown.", "yellow")
        return
    for kind in ("documents", "mappers"):
        for one in bundle[kind]:
            _show_file(out, kind.removesuffix("s"), one, with_text=documents_wanted)


@bundles.command(epilog="Example: checkrein bundles activate 3")
@click.argument("sequence", metavar="SEQ", type=click.IntRange(1))
@click.option("--comment", help='Why; kept with the new bundle. [default: "bundle SEQ again"]')
@data_dir_option
@json_option
def activate(
    sequence: int, comment: str | None, data_dir_path: Path | None, json_wanted: bool
) -> int:
    """Go back: publish the files of an earlier bundle again, under a new number.

    They are checked anew: a name that they use may be gone since.
    """
    from gateway.cli.api import Refused
    from gateway.cli.bundle_source import problems_of

    api, out = open_session(data_dir_path, json_wanted)
    try:
        with _at_work("publishing"):
            answer = api.post(
                f"/v1/bundles/{sequence}/activate", {"comment": comment}, WORK_SECONDS_MAX
            )
    except Refused as error:
        problems = problems_of(error.detail, {})
        if problems is None:
            raise
        return _show_problems(out, problems, " found by the control plane")
    if out.as_json:
        out.emit({"ok": True, **answer})
    else:
        _show_published(out, answer)
    return 0


@bundles.command(epilog="Example: checkrein bundles key --json")
@data_dir_option
@json_option
def key(data_dir_path: Path | None, json_wanted: bool) -> None:
    """Print the public key by which gateways know that a bundle is yours.

    A gateway that is given this key takes no bundle that another key signed.
    """
    api, out = open_session(data_dir_path, json_wanted)
    found = api.get("/v1/bundles/key")
    if out.as_json:
        out.emit(found)
        return
    out.say(f"Key {found['keyId']}, Ed25519, in base64:")
    out.say(f"  {found['publicKey']}", "bold")


@click.command(epilog="Example: checkrein gateways --json")
@data_dir_option
@json_option
def gateways(data_dir_path: Path | None, json_wanted: bool) -> None:
    """List gateways, and whether each runs the current bundle.

    One that stays behind has refused it, and its log says why. One that is ahead runs a bundle
    that is gone here, as after a database was restored: publish until the numbers are past it.
    One that reads its policies from files of its own shows `files` instead of a bundle.
    """
    from gateway.cli.moments import time_since
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    current = api.get("/v1/gateways", {"limit": 1})["current"]
    answer = {"gateways": api.pages("/v1/gateways", "gateways"), "current": current}
    if out.as_json:
        out.emit(answer)
        return
    if current is None:
        out.say("Nothing is published yet.")
    else:
        out.say(f"Current: bundle {current['sequence']}, revision {_short(current['revision'])}")
    if not answer["gateways"]:
        out.say("No gateway has asked for bundles yet.")
        return
    out.table(
        (
            Column("GATEWAY"),
            Column("BUNDLE", justify="right", is_fixed=True),
            Column("REVISION", is_fixed=True),
            Column("UP TO DATE", {"yes": "green", "no": "yellow", "ahead": "red"}, is_fixed=True),
            Column("SINCE", is_fixed=True),
            Column("LAST SEEN", is_fixed=True),
        ),
        (
            (
                one["gatewayId"],
                "files" if one["source"] == "files" else one["sequence"] or "none",
                _short(one["revision"] or ""),
                _state(one, current),
                time_since(one["runningSince"]),
                time_since(one["lastSeenAt"]),
            )
            for one in answer["gateways"]
        ),
    )


def _state(gateway: dict[str, Any], current: dict[str, Any] | None) -> str:
    """`ahead`: it runs a bundle that the control plane no longer knows, as after a database was
    restored; it refuses everything older."""
    if gateway["source"] == "files":
        return ""
    if gateway["isUpToDate"]:
        return "yes"
    newest = 0 if current is None else current["sequence"]
    return "ahead" if gateway["sequence"] > newest else "no"


def _at_work(words: str) -> AbstractContextManager[Any]:
    """Say on a terminal what is waited for, while it is."""
    from gateway.cli.output import make_console

    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    return make_console(sys.stderr).status(f"{words} ...")


def _show_problems(out: Output, problems: Sequence[Problem], finder: str = "") -> int:
    """Every problem at its place; gives the exit status."""
    from dataclasses import asdict

    if out.as_json:
        out.emit({"ok": False, "problems": [asdict(problem) for problem in problems]})
        return EXIT_FAILED
    for problem in problems:
        out.say(str(problem), "red")
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    out.say(f"{count}{finder}; nothing is published")
    return EXIT_FAILED


def _show_published(out: Output, answer: dict[str, Any]) -> None:
    bundle = answer["bundle"]
    what = f"bundle {bundle['sequence']}, revision {_short(bundle['revision'])}"
    if answer["isNew"]:
        out.say(f"Published: {what}", "green")
        out.say("`checkrein gateways` shows who runs it.")
    else:
        out.say(f"Nothing to do: {what}, is current and means the same.")


def _show_dry_run(out: Output, answer: dict[str, Any], source: Source) -> None:
    if answer["bundle"] is None:
        out.say(f"Good: revision {_short(source.revision)} would be published", "green")
    else:
        _show_published(out, answer)


def _write_files(bundle: dict[str, Any], folder: Path) -> None:
    """Only what the key in use vouches for has files; only names of files are taken."""
    if not bundle["isVerified"]:
        raise CommandError("the key in use did not sign this bundle", "nothing is written")
    files = [(folder / one["name"], one) for one in bundle["documents"]]
    files += [(folder / "mappers" / one["name"], one) for one in bundle["mappers"]]
    for path, one in files:
        if path.name != one["name"]:
            raise CommandError(f"`{one['name']}` is not the name of a file", "nothing is written")
    try:
        folder.mkdir()
        for path, one in files:
            path.parent.mkdir(exist_ok=True)
            path.write_text(one["text"], encoding="utf-8")
    except FileExistsError:
        raise CommandError(f"`{folder}` is there already", "name a new folder") from None
    except OSError as error:
        raise CommandError(f"can't write into `{folder}`: {error.strerror}", "") from error


def _show_file(out: Output, kind: str, file: dict[str, Any], *, with_text: bool) -> None:
    lines = file["text"].splitlines()
    out.say(f"  {kind:<9}  {file['name']}, {len(lines)} lines")
    if with_text:
        for line in lines:
            out.say(f"    {line}")


def _short(revision: str) -> str:
    return revision[:REVISION_CHARACTERS]
