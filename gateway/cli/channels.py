"""`checkrein channels`: where people are reached, whether it works, what was sent there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.channel_add import add
from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option, limit_option
from gateway.cli.session import open_session
from gateway.cli.short_ids import find_id, short_id

if TYPE_CHECKING:
    from gateway.cli.api import Api

TEST_SECONDS = 60.0
"""A test tries up to ten recipients, one after the other."""

EVENTS_SHOWN = 4


@click.group(
    epilog="""\b
Examples:
  checkrein channels add webhook ops https://hooks.example.com/checkrein
  checkrein channels add slack approvals --channel C0123456
  checkrein channels people approvals --set U0ALICE=alice
  checkrein channels test approvals
"""
)
def channels() -> None:
    """Say where people are reached: webhooks, Slack, e-mail.

    Each channel can be tried with one command. Secrets go in by a prompt or a file, are sealed,
    and are never shown again.
    """


channels.add_command(add)


@channels.command("list", epilog="Example: checkrein channels list --json")
@data_dir_option
@json_option
def list_(data_dir_path: Path | None, json_wanted: bool) -> None:
    """List channels; never their secrets."""
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    found = api.get("/v1/channels")["channels"]
    if out.as_json:
        out.emit({"channels": found})
        return
    if not found:
        out.say("Nobody is reached yet. Add a channel: `checkrein channels add --help`.")
        return
    out.table(
        (
            Column("NAME", is_fixed=True),
            Column("KIND", is_fixed=True),
            Column("WHERE"),
            Column("EVENTS"),
            Column("ONLY"),
            Column("STATE", is_fixed=True),
        ),
        (
            (
                one["name"],
                one["kind"],
                _where(one),
                _some(one["events"]),
                ", ".join([*one["groups"], *([one["severity"]] if one["severity"] else [])]),
                "on" if one["enabled"] else "off",
            )
            for one in found
        ),
    )


@channels.command(epilog="Example: checkrein channels test approvals")
@click.argument("name")
@data_dir_option
@json_option
def test(name: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Send a test there now. Exit status 1: it did not arrive."""
    api, out = open_session(data_dir_path, json_wanted)
    path = f"/v1/channels/{find_channel(api, name)['channelId']}/test"
    results = api.post(path, {}, TEST_SECONDS)["results"]
    failed = [one for one in results if not one["delivered"]]
    if out.as_json:
        out.emit({"results": results})
    else:
        for one in results:
            to = f" to {one['recipient']}" if one["recipient"] else ""
            if one["delivered"]:
                out.say(f"Delivered{to}.", "green")
            else:
                out.say(f"Not delivered{to}: {one['problem']}.", "red")
    if failed:
        raise click.exceptions.Exit(1)


@channels.command(
    epilog="""\b
Examples:
  checkrein channels people approvals
  checkrein channels people approvals --set U0ALICE=alice --set U0BOB=bob
  checkrein channels people post --set alice@example.com=alice
"""
)
@click.argument("name")
@click.option(
    "--set", "wanted", multiple=True, metavar="ADDRESS=PERSON",
    help="A Slack user's id or a mailbox, and the name of the person's key; all of them anew.",
)  # fmt: skip
@data_dir_option
@json_option
def people(
    name: str, wanted: tuple[str, ...], data_dir_path: Path | None, json_wanted: bool
) -> None:
    """Show who is reached and may answer there, or say it anew."""
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    path = f"/v1/channels/{find_channel(api, name)['channelId']}/people"
    if wanted:
        found = api.post(path, {"people": _people(api, wanted)})["people"]
    else:
        found = api.get(path)["people"]
    if out.as_json:
        out.emit({"people": found})
        return
    if not found:
        out.say("Nobody is known here. Say who is who with `--set ADDRESS=PERSON`.")
        return
    out.table(
        (Column("ADDRESS", is_fixed=True), Column("PERSON"), Column("GROUPS")),
        ((one["address"], one["name"], ", ".join(one["groups"])) for one in found),
    )


@channels.command(epilog="Example: checkrein channels remove ops")
@click.argument("name")
@data_dir_option
@json_option
def remove(name: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Send nothing there any more, and forget its secrets."""
    api, out = open_session(data_dir_path, json_wanted)
    removed = api.post(f"/v1/channels/{find_channel(api, name)['channelId']}/remove", {})
    if out.as_json:
        out.emit(removed["channel"])
    else:
        out.say(f"{name} is removed.", "green")


@channels.command(epilog="Example: checkrein channels disable approvals")
@click.argument("name")
@data_dir_option
@json_option
def disable(name: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Send nothing there for a while, and take no answer from there; nothing is forgotten."""
    _switch(name, False, data_dir_path, json_wanted)


@channels.command(epilog="Example: checkrein channels enable approvals")
@click.argument("name")
@data_dir_option
@json_option
def enable(name: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Use a disabled channel again, for what happens from now on."""
    _switch(name, True, data_dir_path, json_wanted)


@channels.command(epilog="Example: checkrein channels rotate ops --keep-hours 24")
@click.argument("name")
@click.option(
    "--keep-hours", type=click.IntRange(0, 720), default=24, show_default=True,
    help="How long the old secret signs as well.",
)  # fmt: skip
@data_dir_option
@json_option
def rotate(name: str, keep_hours: int, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Make a webhook a new signing secret; it is shown this once."""
    api, out = open_session(data_dir_path, json_wanted)
    path = f"/v1/channels/{find_channel(api, name)['channelId']}/rotate"
    made = api.post(path, {"keepSeconds": keep_hours * 3600})
    if out.as_json:
        out.emit(made)
    else:
        out.say("The new signing secret, shown this once:")
        out.say(f"  {made['signingSecret']}", "bold")


@channels.command(epilog="Example: checkrein channels deliveries --status DEAD")
@click.option("--channel", "name", help="Only of this channel.")
@click.option(
    "--status",
    type=click.Choice(("PENDING", "DELIVERED", "SKIPPED", "DEAD"), case_sensitive=False),
    help="Only these.",
)
@limit_option
@data_dir_option
@json_option
def deliveries(
    name: str | None, status: str | None, limit: int, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """List what was sent, newest first; DEAD is what was given up."""
    from gateway.cli.moments import time_since
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    query = {
        "channelId": find_channel(api, name)["channelId"] if name else None,
        "status": status.upper() if status else None,
        "limit": limit,
    }
    found = api.get("/v1/deliveries", query)["deliveries"]
    if out.as_json:
        out.emit({"deliveries": found})
        return
    if not found:
        out.say("Nothing was sent.")
        return
    names = {one["channelId"]: one["name"] for one in api.get("/v1/channels")["channels"]}
    out.table(
        (
            Column("ID", is_fixed=True),
            Column("CHANNEL"),
            Column("EVENT", is_fixed=True),
            Column("ABOUT", is_fixed=True),
            Column("STATUS", is_fixed=True),
            Column("TRIES", justify="right"),
            Column("WHEN", is_fixed=True),
            Column("PROBLEM"),
        ),
        (
            (
                short_id(one["deliveryId"]),
                names.get(one["channelId"], "(removed)"),
                one["event"],
                short_id(one["subjectId"]),
                one["status"],
                one["attempts"],
                time_since(one["happenedAt"]),
                one["problem"] or "",
            )
            for one in found
        ),
    )


@channels.command(epilog="Example: checkrein channels resend 3f2a")
@click.argument("delivery_id", metavar="ID")
@data_dir_option
@json_option
def resend(delivery_id: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Send once more what was given up, under the same message id."""
    api, out = open_session(data_dir_path, json_wanted)
    whole = find_id(api, "deliveries", "deliveryId", delivery_id, "channels deliveries")
    again = api.post(f"/v1/deliveries/{whole}/resend", {})["delivery"]
    if out.as_json:
        out.emit(again)
    else:
        out.say("It is on its way again.", "green")


def find_channel(api: Api, name: str) -> dict[str, Any]:
    """The channel of this name.

    Raises:
        CommandError: there is none.
    """
    found: list[dict[str, Any]] = api.get("/v1/channels")["channels"]
    for one in found:
        if str(one["name"]).lower() == name.lower():
            return one
    names = ", ".join(str(one["name"]) for one in found) or "none"
    raise CommandError(f"there is no channel `{name}`", f"there are: {names}")


def _switch(name: str, is_on: bool, data_dir_path: Path | None, json_wanted: bool) -> None:
    api, out = open_session(data_dir_path, json_wanted)
    path = f"/v1/channels/{find_channel(api, name)['channelId']}"
    channel = api.patch(path, {"enabled": is_on})["channel"]
    if out.as_json:
        out.emit(channel)
    else:
        out.say(f"{name} is {'on' if is_on else 'off'}.", "green")


def _people(api: Api, wanted: tuple[str, ...]) -> list[dict[str, str]]:
    machines = {"Gateway", "Agent"}
    keys = [
        key
        for key in api.pages("/v1/keys", "keys")
        if not key["revokedAt"] and not machines & set(key["permissions"])
    ]
    by_name = {str(key["name"]).lower(): str(key["keyId"]) for key in reversed(keys)}
    found = []
    for text in wanted:
        address, equals, person = text.rpartition("=")
        if not equals or not address:
            raise CommandError(
                f"`{text}` does not say who is who",
                "write it like U0ALICE=alice or alice@example.com=alice",
                status=EXIT_USAGE,
            )
        if person.lower() not in by_name:
            raise CommandError(
                f"no person `{person}` has a key", f"make one: `checkrein keys create {person}`"
            )
        found.append({"address": address, "keyId": by_name[person.lower()]})
    return found


def _some(events: list[str]) -> str:
    shown = ", ".join(events[:EVENTS_SHOWN])
    rest = len(events) - EVENTS_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def _where(channel: dict[str, Any]) -> str:
    if channel["webhook"]:
        return str(channel["webhook"]["url"])
    if channel["slack"]:
        return str(channel["slack"]["channel"])
    return f"{channel['email']['host']} as {channel['email']['sender']}"
