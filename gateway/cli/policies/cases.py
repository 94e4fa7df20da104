"""`checkrein policies test`: whether policies do what their cases say."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.failures import EXIT_FAILED, CommandError
from gateway.cli.options import json_option
from gateway.cli.policies.loading import paths_argument, paths_or_shipped, show_problems


@click.command(epilog="Example: checkrein policies test policies/starter.yaml")
@paths_argument
@json_option
def test(paths: tuple[Path, ...], json_wanted: bool) -> int:
    """Run the cases beside policy files: `starter.cases.yaml` for `starter.yaml`."""
    from gateway.authoring.cases import run_cases
    from gateway.cli.output import Output
    from gateway.model.errors import ConfigurationError

    out = Output(json_wanted=json_wanted)
    try:
        results = run_cases(paths_or_shipped(paths))
    except ConfigurationError as error:
        return show_problems(out, error)
    if not results:
        raise CommandError(
            "there are no cases", "put them beside the policy, as in `starter.cases.yaml`"
        )
    failed = [result for result in results if not result.holds]
    if out.as_json:
        out.emit(
            {
                "ok": not failed,
                "cases": len(results),
                "failed": [
                    {
                        "file": each.file,
                        "line": each.line,
                        "name": each.name,
                        "wrong": list(each.wrong),
                    }
                    for each in failed
                ],
            }
        )
    else:
        for each in failed:
            out.say(f"{each.file}:{each.line}: {each.name}: {'; '.join(each.wrong)}", "red")
        held = len(results) - len(failed)
        out.say(f"{held} of {len(results)} cases hold", "red" if failed else "green")
    return EXIT_FAILED if failed else 0
