"""`checkrein policies check`: what is wrong with policies, and what in them can never happen."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.options import json_option
from gateway.cli.policies.loading import (
    load_vocabulary,
    mappers_option,
    paths_argument,
    paths_or_shipped,
    show_problems,
)


@click.command(epilog="Example: checkrein policies check policies/ --mappers mappers/")
@paths_argument
@mappers_option
@click.option("--any-names", is_flag=True, help="Don't check names against mappers.")
@json_option
def check(
    paths: tuple[Path, ...], mappers_paths: tuple[Path, ...], any_names: bool, json_wanted: bool
) -> int:
    """Find everything that is wrong with policy files."""
    from gateway.cli.output import Output
    from gateway.decide.loader import load_bundle
    from gateway.model.errors import ConfigurationError

    out = Output(json_wanted=json_wanted)
    try:
        vocabulary = None if any_names else load_vocabulary(mappers_paths)
        bundle = load_bundle(paths_or_shipped(paths), vocabulary)
    except ConfigurationError as error:
        return show_problems(out, error)
    if out.as_json:
        counts = [{"name": each.name, "rules": len(each.rules)} for each in bundle.policies]
        out.emit({"ok": True, "policies": counts, "revision": bundle.revision, "problems": []})
        return 0
    for policy in bundle.policies:
        out.say(f"{policy.name}: {len(policy.rules)} rules, {policy.place.file}")
    out.say(f"good; revision {bundle.revision[:12]}", "green")
    return 0
