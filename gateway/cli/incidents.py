"""`checkrein incidents`, `checkrein outcomes`: what a person has to look at, and what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import data_dir_option, json_option, limit_option
from gateway.cli.session import open_session, person_here
from gateway.cli.short_ids import find_id, short_id

if TYPE_CHECKING:
    from gateway.cli.api import Api


_STATES = ("OPEN", "ACKNOWLEDGED", "RESOLVED")
_SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
_STYLES = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "OPEN": "yellow"}


@click.group(
    epilog="""\b
Examples:
  checkrein incidents list --status OPEN
  checkrein incidents ack 3f2a
  checkrein incidents resolve 3f2a --note "key rotated, ticket 4711"
"""
)
def incidents() -> None:
    """List what went wrong, say that you look at it, say that it is over.

    They are opened when an approval's world had changed, when nobody saw what became of an act,
    when an agent is blocked again and again, when the kill switch is pulled, when records
    contradict each other; or by a person or program through the API.
    """


@incidents.command("list", epilog="Example: checkrein incidents list --severity HIGH")
@click.option("--status", type=click.Choice(_STATES, case_sensitive=False), help="Only these.")
@click.option("--severity", type=click.Choice(_SEVERITIES, case_sensitive=False), help="Only such.")
@click.option("--agent", help="Only of this agent.")
@limit_option
@data_dir_option
@json_option
def list_(
    status: str | None,
    severity: str | None,
    agent: str | None,
    limit: int,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """List incidents, newest first."""
    from gateway.cli.moments import time_since
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    query = {
        "status": status.upper() if status else None,
        "severity": severity.upper() if severity else None,
        "agent": agent,
        "limit": limit,
    }
    found = api.get("/v1/incidents", query)["incidents"]
    if out.as_json:
        out.emit({"incidents": found})
        return
    if not found:
        out.say("No incident." if not any((status, severity, agent)) else "No such incident.")
        return
    out.table(
        (
            Column("ID", is_fixed=True),
            Column("SEVERITY", _STYLES, is_fixed=True),
            Column("STATUS", _STYLES, is_fixed=True),
            Column("WHAT"),
            Column("TIMES", justify="right"),
            Column("LAST SEEN", is_fixed=True),
        ),
        (
            (
                short_id(each["incidentId"]),
                each["severity"],
                each["status"],
                each["title"],
                each["occurrences"],
                time_since(each["lastSeenAt"]),
            )
            for each in found
        ),
    )


@incidents.command(epilog="Example: checkrein incidents show 3f2a")
@click.argument("incident_id", metavar="ID")
@data_dir_option
@json_option
def show(incident_id: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show one incident with the decisions and approvals that it is about."""
    from gateway.cli.moments import clock_time

    api, out = open_session(data_dir_path, json_wanted)
    found = api.get(f"/v1/incidents/{_find_id(api, incident_id)}")["incident"]
    if out.as_json:
        out.emit(found)
        return
    out.say(found["title"], "bold")
    out.say(f"{found['severity']}  {found['status']}  {found['reasonCode']}")
    if found["summary"]:
        out.say(found["summary"])
    rows = {
        "agent": found["agent"],
        "run": found["runId"],
        "target": found["target"],
        "seen": f"{found['occurrences']} times, last {clock_time(found['lastSeenAt'])}",
        "looked at": _signed(found, "acknowledged"),
        "resolved": _signed(found, "resolved"),
        "note": found["note"],
        "decisions": ", ".join(found["decisionIds"]),
        "approvals": ", ".join(found["approvalIds"]),
    }
    for name, value in rows.items():
        if value:
            out.say(f"{name:<10} {value}")


@incidents.command(epilog="Example: checkrein incidents ack 3f2a")
@click.argument("incident_id", metavar="ID")
@data_dir_option
@json_option
def ack(incident_id: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Say that you look at it, so that others need not."""
    body = {"acknowledgedBy": person_here()}
    _move(incident_id, "acknowledge", body, data_dir_path, json_wanted)


@incidents.command(epilog='Example: checkrein incidents resolve 3f2a --note "key rotated"')
@click.argument("incident_id", metavar="ID")
@click.option("--note", required=True, help="What it was and what was done.")
@data_dir_option
@json_option
def resolve(incident_id: str, note: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Say that it is over. When it happens again, that is a new incident."""
    body = {"note": note, "resolvedBy": person_here()}
    _move(incident_id, "resolve", body, data_dir_path, json_wanted)


@click.group(
    epilog="""\b
Examples:
  checkrein outcomes list --status unknown
  checkrein outcomes settle dec_01h... executed --note "the charge shows the refund"
"""
)
def outcomes() -> None:
    """Acts of which nobody saw the end, and what a person found out about them.

    When a connection breaks after the first byte of an act went out, or a gateway is lost, it can't
    be known whether the provider carried it out. Look there, then settle it here.
    """


@outcomes.command("list", epilog="Example: checkrein outcomes list --status unknown")
@click.option(
    "--status",
    type=click.Choice(("unknown", "settled"), case_sensitive=False),
    help="Only those that wait, or only those that were found out.",
)
@limit_option
@data_dir_option
@json_option
def list_outcomes(
    status: str | None, limit: int, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """List acts whose end nobody saw, newest first."""
    from gateway.cli.audit.table import target_text
    from gateway.cli.moments import clock_time
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    query = {"status": status.lower() if status else None, "limit": limit}
    found = api.get("/v1/outcomes", query)["outcomes"]
    if out.as_json:
        out.emit({"outcomes": found})
        return
    if not found:
        out.say("No outcome is unknown." if status != "settled" else "None was settled yet.")
        return
    out.table(
        (
            Column("DECISION", is_fixed=True),
            Column("TIME", is_fixed=True),
            Column("AGENT"),
            Column("WHAT"),
            Column("FOUND OUT"),
        ),
        (
            (
                each["decisionId"],
                clock_time(each["at"]),
                each["agent"],
                f"{each['action'] or each['operation']} {target_text(each['target'])}".strip(),
                f"{each['outcome']} by {each['settledBy']}: {each['note']}"
                if each["outcome"]
                else "",
            )
            for each in found
        ),
    )


@outcomes.command(
    epilog='Example: checkrein outcomes settle dec_01h... not_executed --note "no such refund"'
)
@click.argument("decision_id", metavar="DECISION")
@click.argument("outcome", type=click.Choice(("executed", "not_executed")))
@click.option("--note", required=True, help="How it was found out.")
@data_dir_option
@json_option
def settle(
    decision_id: str, outcome: str, note: str, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """Write down whether the provider carried an act out. It can be said once."""
    from urllib.parse import quote

    api, out = open_session(data_dir_path, json_wanted)
    body = {"outcome": outcome, "note": note, "settledBy": person_here()}
    path = f"/v1/outcomes/{quote(decision_id, safe='')}/settle"
    found = api.post(path, body)["outcome"]
    if out.as_json:
        out.emit(found)
        return
    out.say(f"Settled: {found['action'] or found['operation']} was {outcome}.", "green")


def _find_id(api: Api, text: str) -> str:
    return find_id(api, "incidents", "incidentId", text)


def _move(
    text: str, verb: str, body: dict[str, str], data_dir_path: Path | None, json_wanted: bool
) -> None:
    api, out = open_session(data_dir_path, json_wanted)
    moved = api.post(f"/v1/incidents/{_find_id(api, text)}/{verb}", body)["incident"]
    if out.as_json:
        out.emit(moved)
    else:
        out.say(f"{moved['status'].capitalize()}: {moved['title']}", "green")


def _signed(found: dict[str, Any], verb: str) -> str:
    from gateway.cli.moments import clock_time

    by = found[f"{verb}By"]
    return f"{clock_time(found[f'{verb}At'])} by {by}" if by else ""
