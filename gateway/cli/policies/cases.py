"""`checkrein policies test`: whether policies do what their cases say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.failures import EXIT_FAILED, CommandError
from gateway.cli.options import json_option
from gateway.cli.policies.loading import paths_argument, paths_or_shipped, show_problems

if TYPE_CHECKING:
    from gateway.authoring.policies.cases import CaseResult, Report
    from gateway.cli.output import Output


@click.command(
    epilog="""\b
Examples:
  checkrein policies test mine.yaml                runs mine.cases.yaml
  checkrein policies test mine.yaml --coverage     and names the rules that no case tries
  checkrein policies test policies/ --coverage --strict

\b
A case:
  cases:
    - name: a refund asks, however small
      action: {provider: stripe, action: create_refund, kind: create, params: {amount: 9000}}
      context: {agent: billing-bot, environment: production}
      expect: {effect: REQUIRE_APPROVAL, rule: refunds, level: high, limits: [refund-budget]}
"""
)
@paths_argument
@click.option("--coverage", is_flag=True, help="Name the rules and limits that no case tries.")
@click.option("--strict", is_flag=True, help="With --coverage: exit with 1 when there is one.")
@json_option
def test(paths: tuple[Path, ...], coverage: bool, strict: bool, json_wanted: bool) -> int:
    """Run the cases beside policy files: `starter.cases.yaml` for `starter.yaml`.

    A case expects any of effect, policy, rule, reason, message, mode, unresolved, score, level
    (low, moderate, high, critical), watched, limits and obligations.
    """
    from gateway.authoring.policies.cases import report_cases
    from gateway.cli.output import Output
    from gateway.model.errors import ConfigurationError

    out = Output(json_wanted=json_wanted)
    try:
        report = report_cases(paths_or_shipped(paths))
    except ConfigurationError as error:
        return show_problems(out, error)
    if not report.results:
        raise CommandError(
            "there are no cases", "put them beside the policy, as in `starter.cases.yaml`"
        )
    failed = [result for result in report.results if not result.holds]
    if out.as_json:
        out.emit(_as_json(report, failed, coverage=coverage))
    else:
        _show(out, report, failed, coverage=coverage)
    is_lacking = coverage and strict and bool(report.untried)
    return EXIT_FAILED if failed or is_lacking else 0


def _show(out: Output, report: Report, failed: list[CaseResult], *, coverage: bool) -> None:
    from gateway.cli.output import Column

    for each in failed:
        out.say(f"{each.file}:{each.line}: {each.name}", "red")
        out.table(
            [Column("  field", is_fixed=True), Column("expected"), Column("came")],
            [(f"  {one.field}", one.expected, one.found) for one in each.differences],
        )
    held = len(report.results) - len(failed)
    out.say(f"{held} of {len(report.results)} cases hold", "red" if failed else "green")
    if not coverage:
        return
    for untried in report.untried:
        out.say(f"{untried.place}: no case tries `{untried.name}` of {untried.policy}", "yellow")
    style = "yellow" if report.untried else "green"
    out.say(f"{report.tried} of {report.speakers} rules and limits are tried", style)


def _as_json(report: Report, failed: list[CaseResult], *, coverage: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "ok": not failed,
        "cases": len(report.results),
        "failed": [
            {
                "file": each.file,
                "line": each.line,
                "name": each.name,
                "wrong": list(each.wrong),
                "differences": [asdict(one) for one in each.differences],
            }
            for each in failed
        ],
    }
    if coverage:
        found["coverage"] = {
            "rules": report.speakers,
            "tried": report.tried,
            "untried": [
                {"policy": each.policy, "rule": each.name, **asdict(each.place)}
                for each in report.untried
            ],
        }
    return found
