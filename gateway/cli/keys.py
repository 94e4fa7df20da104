"""`checkrein keys`: the keys of the people who answer, and of gateways."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session
from gateway.cli.short_ids import find_short_id, short_id

if TYPE_CHECKING:
    from gateway.cli.api import Api

PERMISSIONS = (
    "Admin", "ApprovalRead", "ApprovalWrite", "RecordRead", "AgentRead", "AgentWrite",
    "PolicyRead", "PolicyWrite", "RunRead", "RunWrite", "IncidentRead", "IncidentWrite",
    "LearnerRead", "LearnerWrite", "Gateway",
)  # fmt: skip


@click.group(
    epilog="""\b
Examples:
  checkrein keys create alice --group finance
  checkrein keys list
  checkrein keys rotate 3f2a1b90 --grace-minutes 60
  checkrein keys revoke 3f2a1b90
"""
)
def keys() -> None:
    """Give people keys of their own, so that it is known who approved.

    A person uses their key by CHECKREIN_API_KEY (and CHECKREIN_API_URL on another machine).
    """


@keys.command("list", epilog="Example: checkrein keys list --json")
@data_dir_option
@json_option
def list_(data_dir_path: Path | None, json_wanted: bool) -> None:
    """List keys by name; a key itself is never shown again."""
    from gateway.cli.moments import clock_time
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    found = api.pages("/v1/keys", "keys")
    if out.as_json:
        out.emit({"keys": found})
        return
    out.table(
        (
            Column("ID", is_fixed=True),
            Column("BEGINS", is_fixed=True),
            Column("NAME", is_fixed=True),
            Column("PERMISSIONS"),
            Column("GROUPS"),
            Column("STATE", is_fixed=True),
            Column("LAST USED", is_fixed=True),
        ),
        (
            (
                short_id(key["keyId"]),
                key["prefix"],
                key["name"],
                ", ".join(key["permissions"]),
                ", ".join(key["groups"]),
                _state(key),
                clock_time(key["lastUsedAt"]) if key["lastUsedAt"] else "never",
            )
            for key in found
        ),
    )


@keys.command(epilog="Example: checkrein keys create alice --group finance --days 90")
@click.argument("name")
@click.option("--group", "groups", multiple=True, help="A group of approvers; repeatable.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice(PERMISSIONS),
    help="Repeatable. [default: ApprovalRead, ApprovalWrite]",
)
@click.option("--days", type=click.IntRange(1, 3660), help="After how many days it ends.")
@data_dir_option
@json_option
def create(
    name: str,
    groups: tuple[str, ...],
    permissions: tuple[str, ...],
    days: int | None,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> None:
    """Make a key for NAME; it is shown this once.

    NAME stands for the person: of two keys of one name, only one counts towards a quorum.
    """

    body: dict[str, object] = {
        "name": name,
        "permissions": list(permissions or ("ApprovalRead", "ApprovalWrite")),
        "groups": list(groups),
    }
    if days is not None:
        body["expiresInSeconds"] = days * 86_400
    api, out = open_session(data_dir_path, json_wanted)
    made = api.post("/v1/keys", body)
    if out.as_json:
        out.emit(made)
        return
    out.say(f"The key of {name}, shown this once:")
    out.say(f"  {made['key']}", "bold")


@keys.command(epilog="Example: checkrein keys rotate 3f2a1b90 --grace-minutes 60")
@click.argument("key_id", metavar="ID")
@click.option(
    "--grace-minutes",
    type=click.IntRange(0, 7 * 24 * 60),
    default=0,
    show_default=True,
    help="How long the secret before stays good.",
)
@data_dir_option
@json_option
def rotate(key_id: str, grace_minutes: int, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Give a key another secret; it is shown this once.

    It stays the same key: whose it is, what it may do, and what was answered with it. Where its
    secret lies in a file of the data directory, the file gets the new one; a running `checkrein up`
    reads it when it is started again. Revoke a key whose secret somebody else may know, and make a
    new one: that ends its sessions too.
    """
    from gateway.cli.key_files import files_of_key, keep_key

    api, out = open_session(data_dir_path, json_wanted)
    whole = _whole(api, key_id)
    files = files_of_key(data_dir_path, api, whole)
    made = api.post(f"/v1/keys/{whole}/rotate", {"graceSeconds": grace_minutes * 60})
    for file in files:
        keep_key(file, made["key"])
    if out.as_json:
        out.emit({**made, "files": [str(file) for file in files]})
        return
    out.say(f"The key of {made['name']}, shown this once:")
    out.say(f"  {made['key']}", "bold")
    for file in files:
        out.say(f"It is in {file} too; start `checkrein up` again for its servers to use it.")


@keys.command(epilog="Example: checkrein keys revoke 3f2a1b90")
@click.argument("key_id", metavar="ID")
@data_dir_option
@json_option
def revoke(key_id: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """End a key at once. Approvals that it was counted for wait for another person."""
    api, out = open_session(data_dir_path, json_wanted)
    key = api.post(f"/v1/keys/{_whole(api, key_id)}/revoke", {})["key"]
    if out.as_json:
        out.emit(key)
        return
    out.say(f"The key of {key['name']} is revoked.", "green")


def _whole(api: Api, key_id: str) -> str:
    """The id that this is, or begins."""
    ids = (str(key["keyId"]) for key in api.pages("/v1/keys", "keys"))
    return find_short_id(ids, key_id, "keys", "`checkrein keys list` shows them")


def _state(key: dict[str, Any]) -> str:
    if key["revokedAt"]:
        return "revoked"
    ends_at = key["expiresAt"]
    is_over = ends_at is not None and datetime.fromisoformat(ends_at) <= datetime.now(UTC)
    return "expired" if is_over else "valid"
