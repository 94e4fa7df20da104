"""`checkrein runs`: what agents do from a start to an end, and the end that a person puts to it."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import LIST_COUNT_MAX, data_dir_option, json_option, limit_option
from gateway.cli.session import open_session, person_here
from gateway.cli.short_ids import find_short_id, short_id

if TYPE_CHECKING:
    from gateway.cli.api import Api
    from gateway.cli.output import Output

STEPS_SHOWN_MAX = 10_000
"""A timeline of more is read by a program: `--json`, page by page."""

_STATES = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
_STATE_STYLES = {"RUNNING": "green", "FAILED": "red", "CANCELLED": "yellow"}


@click.group(
    epilog="""\b
Examples:
  checkrein runs list --status RUNNING
  checkrein runs show 3f2a
  checkrein runs cancel 3f2a --reason "wrong customer list"
"""
)
def runs() -> None:
    """List runs of agents, show what one did, cancel one.

    A run is announced by `checkrein run` or through the API, or is opened by traffic that names a
    new one. An id may be shortened to the first characters that tell it from the others.
    """


@runs.command("list", epilog="Example: checkrein runs list --agent billing-bot")
@click.option("--status", type=click.Choice(_STATES, case_sensitive=False), help="Only these.")
@click.option("--agent", help="Only of this agent.")
@limit_option
@data_dir_option
@json_option
def list_(
    status: str | None, agent: str | None, limit: int, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """List runs, newest first."""
    from gateway.cli.moments import time_since
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    query = {"status": status.upper() if status else None, "agent": agent, "limit": limit}
    found = api.get("/v1/runs", query)["runs"]
    if out.as_json:
        out.emit({"runs": found})
        return
    if not found:
        out.say("No run yet. Run `checkrein run -- python agent.py`.")
        return
    out.table(
        (
            Column("ID", is_fixed=True),
            Column("STATUS", _STATE_STYLES, is_fixed=True),
            Column("AGENT"),
            Column("GOAL OR NAME"),
            Column("STEPS", justify="right"),
            Column("BLOCKED", justify="right"),
            Column("HELD", justify="right"),
            Column("LAST STEP", is_fixed=True),
        ),
        (
            (
                short_id(run["runId"]),
                run["status"],
                run["agent"],
                run["goal"] or run["name"] or "(no name)",
                run["stepCount"],
                run["blockedCount"] or "",
                run["heldCount"] or "",
                time_since(run["lastStepAt"]),
            )
            for run in found
        ),
    )


@runs.command(epilog="Example: checkrein runs show 3f2a")
@click.argument("run_id", metavar="ID")
@data_dir_option
@json_option
def show(run_id: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show one run as a timeline: each decision, in order, and what became of it."""
    api, out = open_session(data_dir_path, json_wanted)
    run = api.get(f"/v1/runs/{find_id(api, run_id)}")
    steps = _steps(api, str(run["runId"]))
    if out.as_json:
        out.emit({"run": run, "steps": steps})
        return
    _show_head(out, run)
    if not steps:
        out.say("No step yet.", "dim")
        return
    _show_timeline(out, steps)
    if run["stepCount"] > len(steps):
        out.say(f"{run['stepCount'] - len(steps)} later steps are not shown; use `--json`.", "dim")


@runs.command(epilog='Example: checkrein runs cancel 3f2a --reason "wrong customer list"')
@click.argument("run_id", metavar="ID")
@click.option("--reason", required=True, help="The agent reads it, and it is kept with the run.")
@data_dir_option
@json_option
def cancel(run_id: str, reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """End a run and stop its traffic on every gateway, at once.

    Other runs of the agent go on. `checkrein stops` shows the stop; `checkrein resume` lifts it.
    """
    api, out = open_session(data_dir_path, json_wanted)
    body = {"reason": reason, "cancelledBy": person_here()}
    run = api.post(f"/v1/runs/{find_id(api, run_id)}/cancel", body)
    if out.as_json:
        out.emit(run)
        return
    out.say(f"Run {short_id(run['runId'])} of {run['agent']} is cancelled.", "yellow")
    out.say("Its traffic is stopped; `checkrein stops` shows it.", "dim")


def find_id(api: Api, text: str) -> str:
    """The whole id that the text means: the first characters of an id, or a run's name.

    Raises:
        CommandError: it means none, or several.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        pass
    found = api.get("/v1/runs", {"limit": LIST_COUNT_MAX})["runs"]
    named = [str(run["runId"]) for run in found if run["name"] == text]
    if named:
        return named[0]  # the newest of that name
    ids = (str(run["runId"]) for run in found)
    return find_short_id(ids, text, "runs", "give more of it; `checkrein runs list` shows them")


def _steps(api: Api, run_id: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    cursor: str | None = "0"
    while cursor is not None and len(steps) < STEPS_SHOWN_MAX:
        query = {"limit": LIST_COUNT_MAX, "cursor": cursor}
        page = api.get(f"/v1/runs/{run_id}/steps", query)
        steps += page["steps"]
        cursor = page["nextCursor"]
    return steps


def _show_head(out: Output, run: dict[str, Any]) -> None:
    from gateway.cli.moments import clock_time

    out.say(run["goal"] or run["name"] or "Traffic that names no run", "bold")
    ended = f", {run['endReason']}" if run["endReason"] else ""
    by = f" by {run['endedBy']}" if run["endedBy"] else ""
    at = f" at {clock_time(run['endedAt'])}{by}{ended}" if run["endedAt"] else ""
    out.say(f"{run['agent']}  {run['status']}{at}")
    name = f"  named {run['name']}" if run["name"] and run["name"] != run["runId"] else ""
    out.say(f"run {run['runId']}{name}", "dim")


def _show_timeline(out: Output, steps: list[dict[str, Any]]) -> None:
    from gateway.cli.audit.table import target_text
    from gateway.cli.moments import clock_time
    from gateway.cli.output import EFFECT_STYLES, OUTCOME_STYLES, Column

    out.table(
        (
            Column("#", justify="right", is_fixed=True),
            Column("TIME", is_fixed=True),
            Column("EFFECT", EFFECT_STYLES, is_fixed=True),
            Column("WHAT"),
            Column("RISK", justify="right"),
            Column("OUTCOME", OUTCOME_STYLES, is_fixed=True),
            Column("WHY"),
        ),
        (
            (
                step["stepIndex"],
                clock_time(step["at"]),
                step["effect"],
                _what(step, target_text(step["target"])),
                "" if step["risk"] is None else step["risk"],
                (step["outcome"] or {}).get("outcome") or step["approvalStatus"] or "open",
                (step["outcome"] or {}).get("code") or step["reasonCode"],
            )
            for step in steps
        ),
    )


def _what(step: dict[str, Any], target: str) -> str:
    more = f" and {step['actionCount'] - 1} more" if step["actionCount"] > 1 else ""
    return f"{step['action'] or step['operation'] or 'unknown'} {target}".strip() + more
