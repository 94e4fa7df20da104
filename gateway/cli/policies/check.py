"""`checkrein policies check`: what is wrong with policies, and what in them can never happen."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_FAILED
from gateway.cli.options import json_option
from gateway.cli.policies.loading import (
    load_vocabulary,
    mappers_option,
    mappers_or_shipped,
    paths_argument,
    paths_or_shipped,
    show_problems,
)

if TYPE_CHECKING:
    from gateway.authoring.policies.lint.rules import LintWarning
    from gateway.cli.output import Output
    from gateway.decide.bundle import Bundle
    from gateway.decide.rules.policy import Policy


@click.command(
    epilog="""\b
Examples:
  checkrein policies check                        those that travel with Checkrein
  checkrein policies check mine.yaml --strict     in a pipeline: warnings fail too
  checkrein policies check policies/ --mappers mappers/ --mappers our-api.yaml
"""
)
@paths_argument
@mappers_option
@click.option("--any-names", is_flag=True, help="Don't check names against mappers.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@json_option
def check(
    paths: tuple[Path, ...],
    mappers_paths: tuple[Path, ...],
    any_names: bool,
    strict: bool,
    json_wanted: bool,
) -> int:
    """Find everything that is wrong with policy files.

    Errors are what can't be loaded. Warnings are what loads and can't be meant: rules that can
    never decide, or only on a part of what they name, conditions that are never or always true,
    rules that say what is said anyway, two that contradict each other, operations that are always
    read as another one. What it calls unreachable is so; that it finds everything is not promised.
    """
    from gateway.cli.output import Output
    from gateway.decide.loader import load_bundle
    from gateway.model.errors import ConfigurationError

    out = Output(json_wanted=json_wanted)
    try:
        vocabulary = None if any_names else load_vocabulary(mappers_paths)
        bundle = load_bundle(paths_or_shipped(paths), vocabulary)
    except ConfigurationError as error:
        return show_problems(out, error)
    warnings = _warnings(bundle, () if any_names else mappers_or_shipped(mappers_paths))
    _show(out, bundle, warnings)
    return EXIT_FAILED if strict and warnings else 0


def _warnings(bundle: Bundle, mappers: tuple[Path, ...]) -> list[LintWarning]:
    from gateway.authoring.policies.lint.names import lint_names
    from gateway.authoring.policies.lint.params import lint_params
    from gateway.authoring.policies.lint.rules import lint
    from gateway.authoring.policies.lint.witnesses import lint_witnesses

    found = lint(bundle.policies, bundle.risks.organisation.approver_groups)
    if mappers:
        for against in (lint_names, lint_params, lint_witnesses):
            found += against(bundle.policies, mappers)
    return sorted(found, key=lambda each: (each.place.file, each.place.line))


def _show(out: Output, bundle: Bundle, warnings: list[LintWarning]) -> None:
    if out.as_json:
        counts = [
            {"name": each.name, "rules": len(each.rules), "limits": len(each.limits)}
            for each in bundle.policies
        ]
        out.emit(
            {
                "ok": True,
                "policies": counts,
                "revision": bundle.revision,
                "problems": [],
                "warnings": [_as_json(warning) for warning in warnings],
            }
        )
        return
    for warning in warnings:
        out.say(str(warning), "yellow")
        if warning.help:
            out.say(f"    {warning.help}", "dim")
    for policy in bundle.policies:
        out.say(f"{policy.name}: {_counted(policy)}, {policy.place.file}")
    count = len(warnings)
    said = "good" if not count else f"loads, with {count} warning{'' if count == 1 else 's'}"
    out.say(f"{said}; revision {bundle.revision[:12]}", "yellow" if count else "green")


def _counted(policy: Policy) -> str:
    counts = ((len(policy.rules), "rule"), (len(policy.limits), "limit"))
    shown = [
        f"{count} {what}{'' if count == 1 else 's'}"
        for count, what in counts
        if count or what == "rule"
    ]
    return ", ".join(shown)


def _as_json(warning: LintWarning) -> dict[str, object]:
    fields = asdict(warning)
    place = fields.pop("place")
    return {**fields, "finding": warning.finding.value, **place}
