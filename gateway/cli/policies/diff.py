"""`checkrein policies diff`: what becomes looser and what tighter."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import EXIT_FAILED
from gateway.cli.options import json_option
from gateway.cli.policies.loading import load, mappers_option, mappers_or_shipped

if TYPE_CHECKING:
    from gateway.authoring.policies.diff.compare import Change, Comparison
    from gateway.authoring.policies.diff.rule_changes import RuleChange
    from gateway.cli.output import Output

CHANGES_SHOWN = 40
ACTIONS_SHOWN = 3

_STYLES = {"looser": "red", "tighter": "yellow", "same": "dim"}
_FATES = {"added": "green", "removed": "red", "changed": "yellow"}
_CERTAINTIES = {
    "always": "proven",
    "sometimes": "proven to depend; for example",
    "seen": "seen; for example",
    "possible": "not ruled out; no example found",
}


@click.command(
    epilog="""\b
Examples:
  checkrein policies diff policies/ candidate.yaml
  checkrein policies diff old/ new/ --fail-on looser --json      in a pipeline
"""
)
@click.argument("old", type=click.Path(exists=True, path_type=Path))
@click.argument("new", type=click.Path(exists=True, path_type=Path))
@mappers_option
@click.option(
    "--fail-on", type=click.Choice(["looser", "any"]),
    help="Exit with 1 when such a change is there or can't be ruled out.",
)  # fmt: skip
@json_option
def diff(
    old: Path, new: Path, mappers_paths: tuple[Path, ...], fail_on: str | None, json_wanted: bool
) -> int:
    """Compare two sets of policies over all acts that mappers know: what becomes looser or tighter.

    Where the rules prove it, it is said to be proven, for all acts of a row. Elsewhere questions
    are asked of both sides at every value that a condition names, beside it, and without it; then a
    difference has an example. What is neither proven nor seen is said to be not ruled out. Limits
    are compared as they are written.
    """
    from gateway.authoring.listing import acts_of_mappers
    from gateway.authoring.policies.diff.compare import compare
    from gateway.authoring.policies.diff.rule_changes import rule_changes
    from gateway.authoring.policies.diff.space import classes_of, shapes_of
    from gateway.cli.output import Output

    out = Output(json_wanted=json_wanted)
    before, after = load((old,)), load((new,))
    shapes = shapes_of(acts_of_mappers(mappers_or_shipped(mappers_paths)))
    classes = classes_of(shapes, [*before.policies, *after.policies])
    comparison = compare(before, after, classes)
    rules = rule_changes(before.policies, after.policies)
    if out.as_json:
        out.emit(_as_json(comparison, rules))
    else:
        _show(out, comparison, rules)
    counted = ("looser",) if fail_on == "looser" else ("looser", "tighter", "same")
    is_found = any(change.direction.value in counted for change in comparison.changes)
    return EXIT_FAILED if fail_on is not None and is_found else 0


def _show(out: Output, comparison: Comparison, rules: list[RuleChange]) -> None:
    from gateway.cli.output import Column

    if rules:
        out.table(
            [Column("", _FATES), Column("rule"), Column("effect"), Column("what differs")],
            [
                (each.fate.value, _name(each), each.effect.value, ", ".join(each.fields))
                for each in rules
            ],
        )
        out.say("")
    else:
        out.say("the rules are the same", "green")
    if not comparison.changes:
        out.say("no act is decided otherwise", "green")
    else:
        out.table(
            [
                Column("", _STYLES, is_fixed=True), Column("acts"), Column("was"),
                Column("becomes"), Column("how sure"),
            ],
            [_row(change) for change in comparison.changes[:CHANGES_SHOWN]],
        )  # fmt: skip
        hidden = len(comparison.changes) - CHANGES_SHOWN
        if hidden > 0:
            out.say(f"and {hidden} more; `--json` has them all", "dim")
    out.say(
        f"{comparison.classes} classes of acts: {comparison.proven} by proof, "
        f"{comparison.classes - comparison.proven} by questions alone; "
        f"{comparison.probes} questions asked",
        "dim",
    )


def _name(change: RuleChange) -> str:
    return f"{change.policy}/{change.rule}" if change.rule else f"policy {change.policy}"


def _row(change: Change) -> tuple[str, ...]:
    shown = ", ".join(change.actions[:ACTIONS_SHOWN])
    if len(change.actions) > ACTIONS_SHOWN or change.count > len(change.actions):
        shown = f"{shown}, ... ({change.count} operations)"
    sure = _CERTAINTIES[change.certainty.value]
    if change.example:
        sure = f"{sure} {', '.join(f'{path} {value}' for path, value in change.example)}"
    return (
        change.direction.value,
        f"{'/'.join(change.kinds)}: {shown}",
        f"{change.before.done} by {change.before.speaker}",
        f"{change.after.done} by {change.after.speaker}",
        sure,
    )


def _as_json(comparison: Comparison, rules: list[RuleChange]) -> dict[str, Any]:
    return {
        "rules": [asdict(each) for each in rules],
        "changes": [
            {
                "direction": change.direction.value,
                "certainty": change.certainty.value,
                "was": {"effect": change.before.done, "by": change.before.speaker},
                "becomes": {"effect": change.after.done, "by": change.after.speaker},
                "kinds": list(change.kinds),
                "actions": list(change.actions),
                "operations": change.count,
                "example": dict(change.example),
            }
            for change in comparison.changes
        ],
        "classes": comparison.classes,
        "proven": comparison.proven,
        "questions": comparison.probes,
    }
