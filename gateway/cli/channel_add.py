"""`checkrein channels add`: a webhook, a Slack channel or a mail server, with its secrets.

A secret comes from a file or a prompt, never from the command line, where others could read it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.failures import EXIT_USAGE, CommandError
from gateway.cli.options import data_dir_option, json_option
from gateway.cli.session import open_session

SECRET_BYTES_MAX = 4096

_filters = (
    click.option(
        "--event", "events", multiple=True,
        help="What to hear of, such as approval.pending; repeatable. [default: what wants a "
        "person; a webhook hears everything]",
    ),
    click.option(
        "--group", "groups", multiple=True,
        help="Only questions that are put to this group; repeatable.",
    ),
    click.option(
        "--severity",
        type=click.Choice(("LOW", "MEDIUM", "HIGH", "CRITICAL"), case_sensitive=False),
        help="Only incidents that are at least so bad.",
    ),
)  # fmt: skip

_secret_file = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


def _filtered(command: Any) -> Any:
    for option in reversed((*_filters, data_dir_option, json_option)):
        command = option(command)
    return command


@click.group(epilog="Example: checkrein channels add webhook ops https://hooks.example.com/x")
def add() -> None:
    """Add a channel of one of the three kinds."""


@add.command(
    epilog="""\b
Examples:
  checkrein channels add webhook ops https://hooks.example.com/x
  checkrein channels add webhook siem https://siem.example.com/x --event record.batch
"""
)
@click.argument("name")
@click.argument("url")
@click.option(
    "--record-kind",
    "kinds",
    multiple=True,
    help="Of record.batch only records of this kind, such as decision; repeatable.",
)
@click.option(
    "--record-effect",
    "effects",
    multiple=True,
    help="Of record.batch only decisions with this effect, such as BLOCK; repeatable.",
)
@_filtered
def webhook(
    name: str, url: str, kinds: tuple[str, ...], effects: tuple[str, ...], **rest: Any
) -> None:
    """POST what happens to URL, signed as Standard Webhooks says."""
    settings: dict[str, Any] = {"url": url}
    if kinds or effects:
        settings["records"] = {
            "kinds": list(kinds),
            "effects": [effect.upper() for effect in effects],
        }
    _add(name, {"webhook": settings}, rest)


@add.command(epilog="Example: checkrein channels add slack approvals --channel C0123456")
@click.argument("name")
@click.option("--channel", required=True, help="Slack's id of it: in its details, at the bottom.")
@click.option("--bot-token-file", type=_secret_file, help="Holds the token; - reads it here.")
@click.option("--signing-secret-file", type=_secret_file, help="Holds the app's signing secret.")
@_filtered
def slack(
    name: str,
    channel: str,
    bot_token_file: Path | None,
    signing_secret_file: Path | None,
    **rest: Any,
) -> None:
    """Post questions with buttons, and take the answers of known people.

    The Slack app needs the scope chat:write, and its interactivity URL is
    https://YOUR-CHECKREIN/v1/callbacks/slack/CHANNEL-ID, which this command prints.
    """
    settings = {
        "channel": channel,
        "botToken": _secret("The app's bot token (xoxb-...)", "bot-token", bot_token_file),
        "signingSecret": _secret("The app's signing secret", "signing-secret", signing_secret_file),
    }
    _add(name, {"slack": settings}, rest)


@add.command(
    epilog="Example: checkrein channels add email post --host smtp.example.com "
    "--from checkrein@example.com --username robot"
)
@click.argument("name")
@click.option("--host", required=True, help="The mail server.")
@click.option("--port", type=click.IntRange(1, 65_535), default=587, show_default=True)
@click.option(
    "--security", type=click.Choice(("starttls", "tls", "none")), default="starttls",
    show_default=True, help="none: only to a relay in CHECKREIN_WEBHOOK_ALLOW.",
)  # fmt: skip
@click.option("--from", "sender", required=True, help="The address that mails come from.")
@click.option("--username", help="Asks for the password too.")
@click.option("--password-file", type=_secret_file, help="Holds the password; - reads it here.")
@_filtered
def email(
    name: str,
    host: str,
    port: int,
    security: str,
    sender: str,
    username: str | None,
    password_file: Path | None,
    **rest: Any,
) -> None:
    """Mail each person a link to a page where they answer."""
    settings = {"host": host, "port": port, "security": security, "sender": sender}
    if username is not None:
        settings["username"] = username
        settings["password"] = _secret("The password", "password", password_file)
    _add(name, {"email": settings}, rest)


def _add(name: str, settings: dict[str, Any], rest: dict[str, Any]) -> None:
    body: dict[str, Any] = {"name": name, **settings}
    if rest["events"]:
        body["events"] = list(rest["events"])
    if rest["groups"]:
        body["groups"] = list(rest["groups"])
    if rest["severity"]:
        body["severity"] = rest["severity"].upper()
    api, out = open_session(rest["data_dir_path"], rest["json_wanted"])
    made = api.post("/v1/channels", body)
    if out.as_json:
        out.emit(made)
        return
    channel = made["channel"]
    out.say(f"Added {name}. Try it: `checkrein channels test {name}`.", "green")
    if made["signingSecret"]:
        out.say("Its signing secret, shown this once:")
        out.say(f"  {made['signingSecret']}", "bold")
    if channel["slack"]:
        out.say(f"Interactivity URL of the Slack app: {api.url}{channel['slack']['callbackPath']}")
    if channel["kind"] != "webhook":
        out.say(f"Say who is who: `checkrein channels people {name} --set ADDRESS=PERSON`.", "dim")


def _secret(words: str, option: str, file: Path | None) -> str:
    """A secret from a file, or typed; never from the command line, which others can read."""
    from gateway.cli.terminal import has_terminal

    if file is not None:
        try:
            with click.open_file(str(file), encoding="utf-8") as stream:
                return str(stream.read(SECRET_BYTES_MAX)).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"`{file}` can't be read", "name a readable file") from error
    if not has_terminal():
        raise CommandError(
            f"there is nobody to ask for: {words.lower()}",
            f"give a file with `--{option}-file`",
            status=EXIT_USAGE,
        )
    return str(click.prompt(words, hide_input=True, err=True)).strip()
