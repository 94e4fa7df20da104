"""`checkrein stop`, `resume`, `stops`: the kill switch.

The stop is sent first and everything else comes after it: questions about its name, and the wait
for gateways to say that they obey.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session, person_here
from gateway.cli.short_ids import find_short_id, short_id

if TYPE_CHECKING:
    from gateway.cli.api import Api

HEARD_SECONDS_MAX = 2.0
"""Gateways obey within a second; their records of it are here a moment later."""

QUIET_SECONDS = 0.6
"""After the last gateway that was heard, others would have been too."""

LOOK_SECONDS = 0.15
RECORDS_LOOKED_AT = 500

_reason_option = click.option(
    "--reason", required=True, help="Agents read it, and it is kept in the record."
)


@click.group(
    epilog="""\b
Examples:
  checkrein stop agent billing-bot --reason "refunds in a loop"
  checkrein stop provider stripe --reason "incident 4711"
  checkrein stop everything --reason "incident 4711"
"""
)
def stop() -> None:
    """Stop an agent, a run, a provider or everything, at once, on every gateway.

    New requests are refused, those that wait for a person too, and an agent's uninspected tunnels
    are cut; a stop of a provider leaves such tunnels open, since nobody reads in them. What has
    been sent whole is awaited, so that its outcome is known. `checkrein resume` ends a stop.
    """


@stop.command(epilog='Example: checkrein stop agent billing-bot --reason "refunds in a loop"')
@click.argument("name")
@_reason_option
@data_dir_option
@json_option
def agent(name: str, reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Stop one agent, whatever it calls its runs."""
    _stop("agent", name, reason, data_dir_path, json_wanted)


@stop.command(epilog='Example: checkrein stop run nightly-4711 --reason "wrong input"')
@click.argument("name", metavar="ID")
@_reason_option
@data_dir_option
@json_option
def run(name: str, reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Stop one run. A run has the name that its program gives it: to be certain, stop the agent.

    ID is that name, or AGENT+NAME for the run of one agent alone.
    """
    _stop("run", name, reason, data_dir_path, json_wanted)


@stop.command(epilog='Example: checkrein stop provider stripe --reason "incident 4711"')
@click.argument("name")
@_reason_option
@data_dir_option
@json_option
def provider(name: str, reason: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Stop all calls to one provider, by the name that policies have for it."""
    _stop("provider", name, reason, data_dir_path, json_wanted)


@stop.command(epilog='Example: checkrein stop everything --reason "incident 4711"')
@_reason_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_dir_option
@json_option
def everything(reason: str, yes: bool, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Stop every call of every agent."""
    from gateway.cli.terminal import has_terminal

    if not yes and has_terminal():
        click.confirm("Stop every call of every agent?", abort=True, err=True)
    _stop("everything", None, reason, data_dir_path, json_wanted)


@click.command(
    epilog="""\b
Examples:
  checkrein resume 3f2a --reason "fixed in 1.4.2"
  checkrein resume --all --reason "incident 4711 is over"
"""
)
@click.argument("stop_id", metavar="[STOP_ID]", required=False)
@click.option("--all", "lifts_all", is_flag=True, help="Every stop that is in force.")
@click.option("--reason", required=True, help="Kept in the record.")
@data_dir_option
@json_option
def resume(
    stop_id: str | None,
    lifts_all: bool,
    reason: str,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """End a stop, or all of them. `checkrein stops` shows their ids; the first characters do."""
    if (stop_id is None) is not lifts_all:
        raise CommandError(
            "name one stop, or give `--all`", "`checkrein stops` shows them", status=EXIT_USAGE
        )
    api, out = open_session(data_dir_path, json_wanted)
    found = api.get("/v1/stops")["stops"]
    meant = [str(each["stopId"]) for each in found]
    if stop_id is not None:
        meant = [find_short_id(meant, stop_id, "stops in force", "`checkrein stops` shows them")]
    body = {"reason": reason, "by": person_here()}
    lifted = [api.post(f"/v1/stops/{each}/lift", body)["stop"] for each in meant]
    if out.as_json:
        out.emit({"stops": lifted})
        return
    for each in lifted:
        out.say(f"{_what(each)} may act again.", "green")
    if not lifted:
        out.say("Nothing was stopped.")


@click.command(epilog="Example: checkrein stops --all")
@click.option("--all", "with_lifted", is_flag=True, help="Those that were lifted too.")
@data_dir_option
@json_option
def stops(with_lifted: bool, data_dir_path: Path | None, json_wanted: bool) -> None:
    """List what is stopped."""
    from gateway.cli.moments import time_since
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    found = api.get("/v1/stops", {"all": "true"} if with_lifted else None)["stops"]
    if out.as_json:
        out.emit({"stops": found})
        return
    if not found:
        out.say("Nothing was ever stopped." if with_lifted else "Nothing is stopped.")
        return
    out.table(
        (
            Column("ID", is_fixed=True),
            Column("WHAT"),
            Column("REASON"),
            Column("BY"),
            Column("SINCE", is_fixed=True),
            Column("LIFTED"),
        ),
        (
            (
                short_id(each["stopId"]),
                _what(each),
                each["reason"],
                each["by"],
                time_since(each["at"]),
                f"{time_since(each['liftedAt'])} by {each['liftedBy']}: {each['liftReason']}"
                if each.get("liftedAt")
                else "",
            )
            for each in found
        ),
    )


def _stop(
    scope: str, name: str | None, reason: str, data_dir_path: Path | None, json_wanted: bool
) -> None:
    api, out = open_session(data_dir_path, json_wanted)
    body = {"scope": scope, "name": name, "reason": reason, "by": person_here()}
    made = api.post("/v1/stops", body)["stop"]
    if not out.as_json:
        out.say(f"{_what(made)} is stopped.", "red")
    gateways = _gateways_that_obey(api, str(made["stopId"]))
    try:
        hint = _hint(api, scope, name)
    except CommandError:
        hint = ""  # this key may stop, and not look: the stop is in force
    if out.as_json:
        out.emit({"stop": made, "gateways": gateways, "hint": hint or None})
        return
    if gateways:
        plural = "" if gateways == 1 else "s"
        out.say(f"In force on {gateways} gateway{plural}.")
    elif gateways == 0:
        out.say("No gateway has said yet that it obeys; `checkrein audit tail` shows it.", "yellow")
    if hint:
        out.say(hint, "yellow")
    short = short_id(made["stopId"])
    out.say(f"`checkrein resume {short} --reason WHY` ends it.", "dim")


def _gateways_that_obey(api: Api, stop_id: str) -> int | None:
    """How many gateways have recorded that the stop is in force; None where nobody may ask."""
    heard: set[str] = set()
    now = time.monotonic()
    deadline = now + HEARD_SECONDS_MAX
    while now < deadline:
        time.sleep(LOOK_SECONDS)
        try:
            page = api.get("/v1/records", {"kind": "gateway", "last": RECORDS_LOOKED_AT})
        except CommandError:
            return None
        found = {
            str(record["gatewayId"])
            for record in page["records"]
            if '"stop_in_force"' in record["line"] and stop_id in record["line"]
        }
        now = time.monotonic()
        if found - heard:
            deadline = min(deadline, now + QUIET_SECONDS)
        heard |= found
    return len(heard)


def _hint(api: Api, scope: str, name: str | None) -> str:
    """What should be looked at twice: a name that nothing has."""
    if scope == "agent" and all(each["name"] != name for each in api.pages("/v1/agents", "agents")):
        return f"No agent is called `{name}`; `checkrein agents list` shows who there is."
    if scope == "provider" and name is not None and name.casefold() not in _providers():
        return (
            f"No shipped mapper has the provider `{name}`; `checkrein mappers list` shows who "
            "there is beside your own."
        )
    return ""


def _providers() -> frozenset[str]:
    from gateway.canonicalize.canonicalizer import Canonicalizer
    from gateway.content import mappers_dir

    return frozenset(Canonicalizer.load([mappers_dir()]).vocabulary().providers)


def _what(made: dict[str, Any]) -> str:
    """What a stop is of, as the subject of a sentence."""
    name, scope = made.get("name"), str(made["scope"])
    return scope.capitalize() if not name else f"{scope.capitalize()} `{name}`"
