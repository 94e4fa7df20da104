"""`checkrein policies replay`: what other policies would have said to what was recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.policies.loading import load

if TYPE_CHECKING:
    from gateway.authoring.policies.replay.files import Progress
    from gateway.authoring.policies.replay.tally import Group, Tally
    from gateway.cli.output import Output

GROUPS_SHOWN = 20

_STYLES = {"looser": "red", "tighter": "yellow", "same": "dim"}


@click.command(
    epilog="""\b
Examples:
  checkrein policies replay --against candidate.yaml               the running stack's record
  checkrein policies replay record.jsonl --against candidate.yaml  an export
  checkrein policies replay /var/lib/checkrein/records --against candidate.yaml --fail-on looser
  checkrein policies replay record.jsonl --baseline-policies policies/ --against candidate.yaml
"""
)
@click.argument(
    "records", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[RECORDS]..."
)
@click.option(
    "--against", multiple=True, required=True, type=click.Path(exists=True, path_type=Path),
    metavar="CANDIDATE", help="Policy file or folder to decide by; repeatable.",
)  # fmt: skip
@click.option(
    "--baseline-policies", "baseline", multiple=True,
    type=click.Path(exists=True, path_type=Path), metavar="CURRENT",
    help="Compare with these instead of with what was recorded; repeatable.",
)  # fmt: skip
@click.option(
    "--fail-on", type=click.Choice(["looser", "any"]),
    help="Exit with 1 when such a change is found, or when it can't be ruled out.",
)  # fmt: skip
@data_dir_option
@json_option
def replay(
    records: tuple[Path, ...],
    against: tuple[Path, ...],
    baseline: tuple[Path, ...],
    fail_on: str | None,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Decide recorded decisions again by other policies, and tell what would have changed.

    RECORDS are files of record lines (`audit export`) or folders of them (a gateway's spool); the
    record of the running stack when left out. Time, labels and what the counters of limits held
    are those of the record. Decisions that depend on what the record does not show (redacted or cut
    params, counters that nobody kept) are counted apart.
    """
    from gateway.cli.output import Output

    out = Output(json_wanted=json_wanted)
    load(against)  # What is wrong with policies is told before a long wait.
    if baseline:
        load(baseline)
    if records:
        tally = _replay_files(records, against, baseline)
    else:
        tally = _replay_stored(data_dir_path, against, baseline)
    if out.as_json:
        out.emit(_as_json(tally))
    else:
        _show(out, tally)
    return EXIT_FAILED if _fails(tally, fail_on) else 0


def _fails(tally: Tally, fail_on: str | None) -> bool:
    from gateway.authoring.policies.verdicts import Direction

    if fail_on is None:
        return False
    if tally.inexact_changed or tally.unreadable:
        return True
    return tally.changed > 0 if fail_on == "any" else tally.count(Direction.LOOSER) > 0


def _replay_files(
    records: tuple[Path, ...], against: tuple[Path, ...], baseline: tuple[Path, ...]
) -> Tally:
    from gateway.authoring.policies.replay.files import record_files, replay_files

    try:
        files = record_files(records)
        size = sum(file.stat().st_size for file in files)
        with _progress(size) as progress:
            tally = replay_files(files, against, baseline, progress)
    except OSError as error:
        raise CommandError(f"`{error.filename}` can't be read: {error.strerror}") from error
    if not tally.decisions:
        raise CommandError(
            "there is no recorded decision here",
            "name a file of `checkrein audit export`, or a gateway's folder of records",
            status=EXIT_USAGE,
        )
    return tally


def _replay_stored(
    data_dir_path: Path | None, against: tuple[Path, ...], baseline: tuple[Path, ...]
) -> Tally:
    from gateway.authoring.policies.replay.tally import Replay
    from gateway.cli.api import open_api

    found = Replay(load(against), load(baseline) if baseline else None)
    for record in open_api(data_dir_path).records():
        found.take(str(record["line"]).encode("utf-8", "surrogatepass"))
    return found.tally


@contextmanager
def _progress(size: int) -> Iterator[Progress]:
    """A bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from gateway.cli.output import make_console

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=make_console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=size)
        yield lambda count: bar.advance(task, count)


# --- showing --------------------------------------------------------------------------------------


def _sorted_groups(tally: Tally) -> list[tuple[Group, int]]:
    """What lets more pass first, then by how often."""
    order = ("looser", "tighter", "same")
    return sorted(
        tally.groups.items(),
        key=lambda item: (order.index(item[0].direction), -item[1], item[0].action),
    )


def _show(out: Output, tally: Tally) -> None:
    from gateway.authoring.policies.verdicts import Direction
    from gateway.cli.output import Column

    out.say(f"{tally.decisions} decisions in {tally.lines} records", "bold")
    looser, tighter = tally.count(Direction.LOOSER), tally.count(Direction.TIGHTER)
    out.say(f"{tally.exact - tally.changed} have the same effect", "green")
    out.say(f"{tighter} become tighter", "yellow" if tighter else "dim")
    out.say(f"{looser} become looser", "red" if looser else "dim")
    if tally.not_by_policy:
        out.say(f"{tally.not_by_policy} were decided by no policy (a stop, a fault)", "dim")
    if tally.unreadable:
        out.say(f"{tally.unreadable} lines can't be read as records", "red")
    doubtful = sum(tally.inexact.values())
    if doubtful:
        out.say(
            f"{doubtful} can't be replayed exactly; {tally.inexact_changed} of them seem to change",
            "yellow",
        )
        for why, count in tally.inexact.most_common(GROUPS_SHOWN):
            out.say(f"    {count}: not shown in the record: {why}", "dim")
    if tally.changed:
        out.say("")
        columns = [Column("was"), Column("becomes"), Column("decisions", justify="right")]
        moves = [move for move in tally.matrix.most_common() if move[0][0] != move[0][1]]
        out.table(columns, [(before, after, count) for (before, after), count in moves])
    groups = _sorted_groups(tally)
    if not groups:
        return
    out.say("")
    out.table(
        [
            Column("", _STYLES), Column("action"), Column("was"), Column("becomes"),
            Column("decisions", justify="right"), Column("for example"),
        ],
        [_row(tally, group, count) for group, count in groups[:GROUPS_SHOWN]],
    )  # fmt: skip
    if len(groups) > GROUPS_SHOWN:
        out.say(f"and {len(groups) - GROUPS_SHOWN} more groups; `--json` has them all", "dim")


def _row(tally: Tally, group: Group, count: int) -> tuple[object, ...]:
    examples = tally.examples.get(group, [])
    return (
        group.direction.value,
        group.action,
        f"{group.before.done} by {group.before.speaker}",
        f"{group.after.done} by {group.after.speaker}",
        count,
        examples[0].decision_id if examples else "",
    )


def _as_json(tally: Tally) -> dict[str, Any]:
    from dataclasses import asdict

    from gateway.authoring.policies.verdicts import Direction

    return {
        "records": tally.lines,
        "decisions": tally.decisions,
        "exact": tally.exact,
        "changed": tally.changed,
        "looser": tally.count(Direction.LOOSER),
        "tighter": tally.count(Direction.TIGHTER),
        "notByPolicy": tally.not_by_policy,
        "unreadable": tally.unreadable,
        "inexact": {
            "count": sum(tally.inexact.values()),
            "changed": tally.inexact_changed,
            "because": dict(tally.inexact.most_common()),
        },
        "matrix": [
            {"was": before, "becomes": after, "decisions": count}
            for (before, after), count in tally.matrix.most_common()
        ],
        "groups": [
            {
                "direction": group.direction.value,
                "action": group.action,
                "was": {"effect": group.before.done, "by": group.before.speaker},
                "becomes": {"effect": group.after.done, "by": group.after.speaker},
                "decisions": count,
                "examples": [asdict(example) for example in tally.examples.get(group, [])],
            }
            for group, count in _sorted_groups(tally)
        ],
    }
