"""`checkrein grants`: answers that hold for a while, what was done with them, and their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import data_dir_option, json_option, limit_option
from gateway.cli.session import open_session, person_here
from gateway.cli.short_ids import find_id, short_id

if TYPE_CHECKING:
    from gateway.cli.api import Api

_STATES = ("ACTIVE", "REVOKED", "EXPIRED")
_STYLES = {"ACTIVE": "green", "REVOKED": "red"}


@click.group(
    epilog="""\b
Examples:
  checkrein approvals approve 3f2a --for 30m --times 10 --up-to 500.00
  checkrein grants list
  checkrein grants show 7c1e
  checkrein grants revoke 7c1e --reason "ticket 4711 is closed"
"""
)
def grants() -> None:
    """Look after answers that hold for a while, so that nobody is asked the same all day.

    A grant is given with `checkrein approvals approve`. It covers what its question said and no
    more: the same agent, rule, operation and address. Each use is decided, recorded and counted.
    """


@grants.command("list", epilog="Example: checkrein grants list --status ACTIVE")
@click.option("--status", type=click.Choice(_STATES, case_sensitive=False), help="Only these.")
@click.option("--agent", help="Only of this agent.")
@limit_option
@data_dir_option
@json_option
def list_(
    status: str | None, agent: str | None, limit: int, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """List grants, newest first."""
    from gateway.cli.grant_options import grant_sentence
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    query = {"status": status.upper() if status else None, "agent": agent, "limit": limit}
    found = api.get("/v1/grants", query)["grants"]
    if out.as_json:
        out.emit({"grants": found})
        return
    if not found:
        out.say("There is no grant; `checkrein approvals approve --help` says how to give one.")
        return
    out.table(
        (
            Column("ID", is_fixed=True),
            Column("STATUS", _STYLES, is_fixed=True),
            Column("AGENT"),
            Column("WHAT"),
            Column("LEFT"),
            Column("BY"),
        ),
        (
            (
                short_id(each["grantId"]),
                each["status"],
                each["agent"],
                each["action"],
                grant_sentence(each),
                ", ".join(each["givenBy"]),
            )
            for each in found
        ),
    )


@grants.command(epilog="Example: checkrein grants show 7c1e")
@click.argument("grant_id", metavar="ID")
@data_dir_option
@json_option
def show(grant_id: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show what a grant covers, and each of its uses."""
    api, out = open_session(data_dir_path, json_wanted)
    found = api.get(f"/v1/grants/{_find_id(api, grant_id)}")
    if out.as_json:
        out.emit(found)
        return
    _show(out, found["grant"], found["uses"])


@grants.command(epilog='Example: checkrein grants revoke 7c1e --reason "ticket 4711 is closed"')
@click.argument("grant_id", metavar="ID")
@click.option("--reason", required=True, help="Kept in the record.")
@data_dir_option
@json_option
def revoke(grant_id: str, reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """End a grant now, and what it let through that was not sent yet."""
    api, out = open_session(data_dir_path, json_wanted)
    body = {"reason": reason, "by": person_here()}
    grant = api.post(f"/v1/grants/{_find_id(api, grant_id)}/revoke", body)["grant"]
    if out.as_json:
        out.emit(grant)
        return
    out.say(f"Revoked: {grant['action']} of {grant['agent']} asks again from now on.", "green")


def _show(out: Any, grant: dict[str, Any], uses: list[dict[str, Any]]) -> None:
    from gateway.cli.grant_options import grant_sentence
    from gateway.cli.moments import clock_time
    from gateway.cli.output import Column, cut, plain
    from gateway.model.money import money_text

    out.say("")
    out.say(f"{grant['action']} of {grant['agent']}: {grant_sentence(grant)}", "bold")
    covers = f"{grant['operation']} ({grant['method']} {grant['authority']})"
    ended = f" {clock_time(grant['endedAt'])}" if grant["endedAt"] else ""
    why = "".join(f", {text}" for text in (grant["endedBy"], grant["endReason"]) if text)
    lines = (
        ("given with", f"{grant['summary']}, by {', '.join(grant['givenBy'])}"),
        ("covers", covers),
        ("rule", f"{grant['policy']}/{grant['rule']}"),
        ("risk", f"up to {grant['riskMax']} of 100"),
        ("status", f"{grant['status']}{ended}{why}"),
        ("id", grant["grantId"]),
    )
    for name, value in lines:
        out.say(
            f"  {name:<10} {cut(plain(value))}",
            _STYLES.get(grant["status"], "") if name == "status" else "",
        )
    amount = grant["amount"]
    out.table(
        (
            Column("APPROVAL", is_fixed=True),
            Column("USED", is_fixed=True),
            Column("AMOUNT", justify="right"),
            Column("GIVEN BACK"),
        ),
        (
            (
                short_id(use["approvalId"]),
                clock_time(use["usedAt"]),
                ""
                if amount is None
                else money_text(use["amount"], amount["currency"], grant["provider"]),
                clock_time(use["givenBackAt"]),
            )
            for use in uses
        ),
    )


def _find_id(api: Api, text: str) -> str:
    return find_id(api, "grants", "grantId", text)
