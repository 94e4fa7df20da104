"""`checkrein approvals`: what waits for a person, and the person's answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.grant_options import GrantOptions, grant_options
from gateway.cli.options import data_dir_option, json_option, limit_option
from gateway.cli.session import open_session
from gateway.cli.short_ids import find_id, short_id

if TYPE_CHECKING:
    from gateway.cli.api import Api

_STATES = ("PENDING", "APPROVED", "DENIED", "EXPIRED", "CANCELLED", "CONSUMED", "LAPSED")


@click.group(
    epilog="""\b
Examples:
  checkrein approvals list
  checkrein approvals approve 3f2a --reason "ticket 4711"
  checkrein approvals watch
"""
)
def approvals() -> None:
    """List, show and answer what waits for a person.

    An answer is bound to one exact act and is used once. An id may be shortened to the first
    characters that tell it from the others.
    """


@approvals.command("list", epilog="Example: checkrein approvals list --status PENDING")
@click.option("--status", type=click.Choice(_STATES, case_sensitive=False), help="Only these.")
@click.option("--agent", help="Only of this agent.")
@click.option("--mine", is_flag=True, help="Only what your key may approve by its groups.")
@limit_option
@data_dir_option
@json_option
def list_(
    status: str | None,
    agent: str | None,
    mine: bool,
    limit: int,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """List approvals, newest first."""
    from gateway.cli.approvals.card import sentence
    from gateway.cli.moments import time_left, time_since
    from gateway.cli.output import STATE_STYLES, Column

    api, out = open_session(data_dir_path, json_wanted)
    query = {
        "status": status.upper() if status else None,
        "agent": agent,
        "mine": "true" if mine else None,
        "limit": limit,
    }
    found = api.get("/v1/approvals", query)["approvals"]
    if out.as_json:
        out.emit({"approvals": found})
        return
    if not found:
        out.say("Nothing waits." if status in (None, "PENDING") else f"No approval is {status}.")
        return
    out.table(
        (
            Column("ID", is_fixed=True),
            Column("STATUS", STATE_STYLES, is_fixed=True),
            Column("WHAT"),
            Column("AGENT"),
            Column("RISK", justify="right"),
            Column("ASKED", is_fixed=True),
            Column("LEFT", is_fixed=True),
        ),
        (
            (
                short_id(a["approvalId"]),
                a["status"],
                sentence(a),
                a["agent"],
                a["risk"]["score"],
                time_since(a["createdAt"]),
                time_left(a["expiresAt"]) if a["status"] in ("PENDING", "APPROVED") else "",
            )
            for a in found
        ),
    )


@approvals.command(epilog="Example: checkrein approvals show 3f2a")
@click.argument("approval_id", metavar="ID")
@data_dir_option
@json_option
def show(approval_id: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show one approval: the act, who asks, why it is held, the risk, and what was before."""
    from gateway.cli.approvals.card import show_card
    from gateway.cli.approvals.context import show_context

    api, out = open_session(data_dir_path, json_wanted)
    context = api.get(f"/v1/approvals/{_find_id(api, approval_id)}/context")
    approval = context.pop("approval")
    if out.as_json:
        out.emit({**approval, "context": context})
    else:
        show_card(out, approval)
        show_context(out, context)


@approvals.command(
    epilog="""\b
Examples:
  checkrein approvals approve 3f2a --reason "ticket 4711"
  checkrein approvals approve 3f2a --for 30m --times 10 --up-to 500.00 --this-run
"""
)
@click.argument("approval_id", metavar="ID")
@click.option("--reason", "--comment", "reason", help="Kept in the record; some rules want one.")
@grant_options
@data_dir_option
@json_option
def approve(
    approval_id: str,
    reason: str | None,
    data_dir_path: Path | None,
    json_wanted: bool,
    **grant: Any,
) -> None:
    """Let this one act through, once; with --for, --times or --up-to also the next of its kind.

    Without --up-to no further one may be larger than this one. `checkrein grants` shows what was
    let through, and ends it.
    """
    options = GrantOptions(**grant)
    if options.are_given:
        _answer_granting(approval_id, reason, options, data_dir_path, json_wanted)
    else:
        _answer(approval_id, "APPROVE", reason, data_dir_path, json_wanted)


@approvals.command(epilog='Example: checkrein approvals deny 3f2a --reason "already refunded"')
@click.argument("approval_id", metavar="ID")
@click.option("--reason", required=True, help="The agent reads it, and it is kept in the record.")
@data_dir_option
@json_option
def deny(approval_id: str, reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Refuse this act; the agent is told why."""
    _answer(approval_id, "REJECT", reason, data_dir_path, json_wanted)


@approvals.command(epilog='Example: checkrein approvals escalate 3f2a --reason "not mine to say"')
@click.argument("approval_id", metavar="ID")
@click.option("--reason", "--comment", "reason", help="Shown to whoever is asked next.")
@data_dir_option
@json_option
def escalate(
    approval_id: str, reason: str | None, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """Put a question to the next groups as well; its time stays what it was.

    The rule says which they are: `approval: {escalate: {groups: [...]}}`.
    """
    from gateway.cli.approvals.answer import resolve
    from gateway.cli.approvals.card import sentence, still_needed

    api, out = open_session(data_dir_path, json_wanted)
    approval = resolve(api, _find_id(api, approval_id), "ESCALATE", reason)
    if out.as_json:
        out.emit(approval)
        return
    out.say(f"Escalated: {sentence(approval)}", "yellow")
    out.say(f"{still_needed(approval)}.", "dim")


@approvals.command(epilog="Example: checkrein approvals watch")
@data_dir_option
@json_option
def watch(data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show what waits as it comes; on a terminal answer with one key.

    In a pipe, or with --json, writes one JSON line for every approval that is new or changed.
    Ctrl-C ends it.
    """
    from gateway.cli.approvals.watch import watch_lines, watch_terminal
    from gateway.cli.signals import SignalQueue
    from gateway.cli.terminal import has_terminal

    api, out = open_session(data_dir_path, json_wanted)
    with SignalQueue() as signals:
        if out.as_json or not has_terminal():
            watch_lines(api, out, signals)
        else:
            watch_terminal(api, out, signals)


def _find_id(api: Api, text: str) -> str:
    return find_id(api, "approvals", "approvalId", text)


def _answer_granting(
    text: str,
    reason: str | None,
    options: GrantOptions,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    from gateway.cli.approvals.answer import resolve_granting
    from gateway.cli.approvals.card import sentence, still_needed
    from gateway.cli.grant_options import grant_sentence

    api, out = open_session(data_dir_path, json_wanted)
    approval, grant = resolve_granting(api, _find_id(api, text), reason, options)
    if out.as_json:
        out.emit({**approval, "grant": grant})
        return
    out.say(f"Approved: {sentence(approval)}", "green")
    if grant is not None:
        out.say(f"The like of it goes through too: {grant_sentence(grant)}.")
        out.say(
            f"`checkrein grants revoke {short_id(grant['grantId'])} --reason WHY` ends it.", "dim"
        )
    elif approval["status"] == "PENDING":
        out.say(f"Your answer counts; {still_needed(approval)}, and grant as much.", "dim")
    else:
        out.say("No grant: not everybody who approved gave one. It goes through once.", "yellow")


def _answer(
    text: str, resolution: str, reason: str | None, data_dir_path: Path | None, json_wanted: bool
) -> None:
    from gateway.cli.approvals.answer import resolve
    from gateway.cli.approvals.card import sentence, still_needed

    api, out = open_session(data_dir_path, json_wanted)
    approval = resolve(api, _find_id(api, text), resolution, reason)
    if out.as_json:
        out.emit(approval)
        return
    is_yes = resolution == "APPROVE"
    out.say(
        f"{'Approved' if is_yes else 'Denied'}: {sentence(approval)}", "green" if is_yes else "red"
    )
    if is_yes and approval["status"] == "PENDING":
        out.say(f"Your answer counts; {still_needed(approval)}.", "dim")
    elif is_yes:
        out.say("It goes through once, when the agent sends it or still waits with it.", "dim")
