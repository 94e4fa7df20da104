"""`checkrein audit retention`: for how long bodies are kept, legal holds, and what was erased."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option, limit_option
from gateway.cli.session import open_session, person_here

if TYPE_CHECKING:
    from gateway.cli.output import Output

Json = dict[str, Any]

RULE_PATH = "/v1/retention"
ERASURES_PATH = "/v1/erasures"
DAYS_MAX = 36_500
NEWEST_SHOWN = 10

_reason_option = click.option(
    "--reason", required=True, help="Kept for good: nothing else says why something is missing."
)


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  checkrein audit retention                                   the rule, and what was erased last
  checkrein audit retention set --days 400 --reason "policy 7"
  checkrein audit retention hold --reason "case 4711"         nothing is erased from now on
  checkrein audit retention release --reason "case 4711 is closed"
  checkrein audit retention erase dec_01K... --reason "request 42 under GDPR article 17"
""",
)
@data_dir_option
@json_option
@click.pass_context
def retention(context: click.Context, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show and change for how long bodies are kept, and erase those of a decision.

    A body is the line of a record and what repeats it: parameters, targets, what a person was
    asked. What stays is its place in the log, its hash, who acted when with which effect, and what
    people answered: so every export and proof verifies as before, and says what is erased.
    """
    if context.invoked_subcommand is not None:
        if data_dir_path is not None or json_wanted:
            raise click.UsageError(f"write the options behind `{context.invoked_subcommand}`")
        return
    api, out = open_session(data_dir_path, json_wanted)
    rule = api.get(RULE_PATH)
    found = api.get(ERASURES_PATH, {"limit": NEWEST_SHOWN})["erasures"]
    if out.as_json:
        out.emit({**rule, "erasures": found})
        return
    _say_rule(out, rule)
    _show_erasures(out, found)


@retention.command(
    "set",
    epilog="""\b
Examples:
  checkrein audit retention set --days 400 --reason "policy 7"
  checkrein audit retention set --for-ever --reason "the regulator asked"
  checkrein audit retention set --default --reason "as everybody here"
""",
)
@click.option("--days", type=click.IntRange(1, DAYS_MAX), help="Erase what is older.")
@click.option("--for-ever", "for_ever", is_flag=True, help="Erase nothing by its age.")
@click.option(
    "--default", "as_default", is_flag=True, help="As CHECKREIN_RETENTION_DAYS says there."
)
@_reason_option
@data_dir_option
@json_option
def set_(
    days: int | None,
    for_ever: bool,
    as_default: bool,
    reason: str,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """Say for how long this organisation's bodies are kept. A legal hold stays as it is.

    What is older is erased within some ten minutes, for good.
    """
    if (days is not None) + for_ever + as_default != 1:
        raise CommandError(
            "say one of `--days N`, `--for-ever` and `--default`",
            "`checkrein audit retention` shows what holds now",
            status=EXIT_USAGE,
        )
    _change(data_dir_path, json_wanted, reason, {"days": 0 if for_ever else days})


@retention.command(epilog='Example: checkrein audit retention hold --reason "case 4711"')
@_reason_option
@data_dir_option
@json_option
def hold(reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Put everything under a legal hold: nothing is erased, by age or on request."""
    _change(data_dir_path, json_wanted, reason, {"legalHold": True})


@retention.command(
    epilog='Example: checkrein audit retention release --reason "case 4711 is closed"'
)
@_reason_option
@data_dir_option
@json_option
def release(reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """End the legal hold. What is too old by then is erased within some ten minutes."""
    _change(data_dir_path, json_wanted, reason, {"legalHold": False})


@retention.command(
    epilog="""\b
Examples:
  checkrein audit retention erase dec_01K... --reason "request 42 under GDPR article 17"
  checkrein audit export --format jsonl --where agent=billing-bot | jq -r .decisionId \\
    | xargs checkrein audit retention erase --yes --reason "request 42"
"""
)
@click.argument("decisions", metavar="DECISION_ID...", nargs=-1, required=True)
@_reason_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_dir_option
@json_option
def erase(
    decisions: tuple[str, ...],
    reason: str,
    yes: bool,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """Erase the bodies of decisions, for good.

    Not under a legal hold, nor while a person is asked or an incident about it is open. A gateway's
    spool, backups and what was exported or sent on are not reached from here. Of several, it ends
    at the first that can't be erased.
    """
    from urllib.parse import quote

    from gateway.cli.terminal import has_terminal

    if not yes and has_terminal():
        count = len(decisions)
        what = decisions[0] if count == 1 else f"{count} decisions"
        click.confirm(f"Erase the bodies of {what} for good?", abort=True, err=True)
    api, out = open_session(data_dir_path, json_wanted)
    body = {"reason": reason, "erasedBy": person_here()}
    for decision in decisions:
        try:
            done = api.post(f"/v1/decisions/{quote(decision, safe='')}/erase", body)["erasure"]
        except CommandError as error:
            raise CommandError(f"{decision}: {error.message}", error.advice) from None
        if out.as_json:
            out.emit(done)
        else:
            out.say(f"Erased {decision}: {_counted(done)}.", "green")


@retention.command(epilog="Example: checkrein audit retention erasures -n 100")
@limit_option
@data_dir_option
@json_option
def erasures(limit: int, data_dir_path: Path | None, json_wanted: bool) -> None:
    """List what was erased, when, by whom and why, the newest first."""
    api, out = open_session(data_dir_path, json_wanted)
    found = api.get(ERASURES_PATH, {"limit": limit})["erasures"]
    if out.as_json:
        out.emit({"erasures": found})
        return
    _show_erasures(out, found)


def _change(data_dir_path: Path | None, json_wanted: bool, reason: str, change: Json) -> None:
    """Set the rule as it is, but for one part of it."""
    api, out = open_session(data_dir_path, json_wanted)
    now = api.get(RULE_PATH)
    kept = {"days": now["days"], "legalHold": now["legalHold"]}
    body = {**kept, **change, "reason": reason, "setBy": person_here()}
    rule = api.put(RULE_PATH, body)
    if out.as_json:
        out.emit(rule)
        return
    _say_rule(out, rule)


def _say_rule(out: Output, rule: Json) -> None:
    from gateway.cli.moments import time_since

    own, default = rule["days"], rule["defaultDays"]
    out.say(f"Bodies are kept {_days(default if own is None else own)}.", "bold")
    if own is None:
        out.say("That is the installation's rule; `checkrein audit retention set` makes your own.")
    else:
        out.say(f"That is your organisation's own rule; the installation's is {_days(default)}.")
    if rule["legalHold"]:
        out.say("A legal hold stops every erasure.", "yellow")
    if rule["setBy"]:
        out.say(f"Set by {rule['setBy']} {time_since(rule['setAt'])}: {rule['reason']}", "dim")


def _days(days: int) -> str:
    if days == 0:
        return "for ever"
    return "1 day" if days == 1 else f"{days} days"


def _counted(erasure: Json) -> str:
    parts = ((erasure[f"{noun}s"], noun) for noun in ("record", "approval", "incident"))
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in parts)


def _show_erasures(out: Output, found: list[Json]) -> None:
    from gateway.cli.moments import clock_time, time_since
    from gateway.cli.output import Column

    if not found:
        out.say("Nothing was ever erased.")
        return
    out.table(
        (
            Column("ERASED", is_fixed=True),
            Column("WHAT"),
            Column("HOW MUCH"),
            Column("BY"),
            Column("WHY"),
        ),
        (
            (
                time_since(each["erasedAt"]),
                each["decisionId"] or f"older than {clock_time(each['before'])}",
                _counted(each),
                each["erasedBy"],
                each["reason"],
            )
            for each in found
        ),
    )
