"""`checkrein mappers explain`: how one request is read."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import EXIT_FAILED, EXIT_USAGE, CommandError
from gateway.cli.mappers.loading import load, mapper_problems, mappers_option
from gateway.cli.options import json_option
from gateway.cli.output import Column, Output

if TYPE_CHECKING:
    from gateway.model.exchange import HttpRequest

INPUT_BYTES_MAX = 40_000_000
"""A body of 32 MB, the largest that a gateway would inspect, and its command."""

ACTIONS_SHOWN = 20


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  checkrein mappers explain GET https://slack.com/api/chat.postMessage
  checkrein mappers explain POST https://api.stripe.com/v1/refunds --body charge=ch_1
  checkrein mappers explain MESSAGE wss://api.openai.com/v1/realtime --body '{"type": "x"}'
  checkrein mappers explain --curl "curl https://api.stripe.com/v1/refunds -d charge=ch_1"
  checkrein mappers explain -- curl -X DELETE https://api.github.com/repos/o/r
  checkrein mappers explain -             then paste a curl command, and end with Ctrl-D
""",
)
@click.argument("request", nargs=-1, metavar="METHOD URL | - | -- curl ...")
@click.option("--header", "-H", "headers", multiple=True, metavar="NAME:VALUE", help="Repeatable.")
@click.option("--body", "-d", default="", help="The body; `@FILE` reads a file.")
@click.option("--curl", "curl_text", metavar="COMMAND", help="A curl command, in one argument.")
@mappers_option
@json_option
def explain(
    request: tuple[str, ...],
    headers: tuple[str, ...],
    body: str,
    curl_text: str | None,
    paths: tuple[Path, ...],
    json_wanted: bool,
) -> None:
    """Show how one request is read: candidates, why one won, where each value comes from.

    Nothing is sent. What looks like a secret is masked. Exit status 1 where the request would be
    refused whatever a policy says.
    """
    from gateway.authoring import explain as authoring
    from gateway.authoring.requests import MalformedRequestError

    try:
        asked = _request(request, headers, body, curl_text)
    except MalformedRequestError as error:
        raise CommandError(
            error.message, "see `checkrein mappers explain --help`", status=EXIT_USAGE
        ) from error
    with mapper_problems(status=EXIT_USAGE):
        result = authoring.explain(load(paths, status=EXIT_USAGE), asked)
    output = Output(json_wanted=json_wanted)
    if output.as_json:
        output.emit(result)
    else:
        _show(output, result)
    if result["refused"]:
        raise click.exceptions.Exit(EXIT_FAILED)


def _request(
    words: Sequence[str], headers: Sequence[str], body: str, curl_text: str | None
) -> HttpRequest:
    from gateway.authoring.curl import parse_curl, parse_curl_words
    from gateway.authoring.requests import build_request, guess_content_type

    if curl_text is not None:
        return parse_curl(curl_text)
    if list(words) == ["-"]:
        return parse_curl(_standard_input())
    if words and words[0] == "curl":
        return parse_curl_words(words)
    if len(words) == 1 and words[0].lstrip().startswith("curl "):
        return parse_curl(words[0])
    if len(words) != 2:
        raise CommandError(
            "a request is METHOD and URL, or a curl command",
            "see `checkrein mappers explain --help`",
            status=EXIT_USAGE,
        )
    pairs = [_split_header(text) for text in headers]
    data = _body(body)
    if data and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("content-type", guess_content_type(data[:1].decode("latin-1"))))
    return build_request(words[0].upper(), words[1], pairs, data)


def _standard_input() -> str:
    data = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
    if len(data) > INPUT_BYTES_MAX:
        raise CommandError("the command is too long", status=EXIT_USAGE)
    return data.decode("utf-8", "replace")


def _body(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    try:
        with Path(text[1:]).open("rb") as file:
            data = file.read(INPUT_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(
            f"`{text[1:]}` can't be read: {error.strerror}", status=EXIT_USAGE
        ) from error
    if len(data) > INPUT_BYTES_MAX:
        raise CommandError(f"`{text[1:]}` is too large", status=EXIT_USAGE)
    return data


def _split_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise CommandError(f"`{text}` is no header", "write `NAME: VALUE`", status=EXIT_USAGE)
    return name.strip(), value.strip()


# --- for a person ---------------------------------------------------------------------------------


def _show(output: Output, result: Mapping[str, Any]) -> None:
    output.say(f"{result['method']} at {result['host']}, provider {result['provider']}", "bold")
    if result.get("selected"):
        output.say(f"the request names the operation {result['selected']}")
    for candidate in result["candidates"]:
        conditions = f" when {', '.join(candidate['when'])}" if candidate["when"] else ""
        lost = f": {candidate['lost']}" if candidate["lost"] else ""
        mark, style = ("*", "green") if candidate["won"] else (" ", "dim")
        output.say(
            f"  {mark} {candidate['entry']}{conditions}  ({candidate['origin']}){lost}", style
        )
    if result["why"]:
        output.say(f"why: {result['why']}")
    if result["refused"]:
        output.say(f"refused: {result['refused']}: {result['detail']}", "red")
    actions, family = result["actions"], result["expand"]
    if family:
        output.say(f"the body carries acts, read as {family}: {len(actions)}")
    for action in actions[:ACTIONS_SHOWN]:
        _show_action(output, action, with_params=bool(family))
    if len(actions) > ACTIONS_SHOWN:
        output.say(f"and {len(actions) - ACTIONS_SHOWN} more; `--json` shows all", "dim")
    if result["values"]:
        output.table(
            [Column("VALUE"), Column("FROM"), Column("TYPE"), Column("FOUND")],
            [(row["name"], row["from"], row["type"], row["value"]) for row in result["values"]],
        )


def _show_action(output: Output, action: Mapping[str, Any], *, with_params: bool) -> None:
    target = action["target"]
    where = f" on {target['type']} {target['id']}".rstrip() if target["type"] else ""
    marks = [] if action["reversible"] else ["can't be undone"]
    marks += [f"sensitive: {action['sensitive']}"] if action["sensitive"] else []
    shown = f"; {', '.join(marks)}" if marks else ""
    output.say(
        f"action: {action['action']} ({action['kind']}, {action['operation']}){where}{shown}",
        "magenta" if action["kind"] == "unknown" else "bold",
    )
    if with_params and action["params"]:
        shown = ", ".join(f"{name} {value}" for name, value in action["params"].items())
        output.say(f"  with {shown}")
    if action["missing"]:
        output.say(f"missing: {', '.join(action['missing'])}", "yellow")
    if action["unreadable"]:
        output.say(f"  of them may be there: {', '.join(action['unreadable'])}", "yellow")
