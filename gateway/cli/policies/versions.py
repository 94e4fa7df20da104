"""`checkrein policies list`, `create`, `activate`, `deactivate`, `history`: the control plane's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.failures import EXIT_FAILED, CommandError
from gateway.cli.options import PolicyPath, data_dir_option, json_option
from gateway.cli.session import open_session

if TYPE_CHECKING:
    from gateway.cli.api import Api, Refused
    from gateway.cli.output import Output

WORK_SECONDS_MAX = 60.0
"""The control plane checks the whole set that a version is to stand in."""

_STATES = {"ACTIVE": "green", "DRAFT": "yellow", "ARCHIVED": "dim"}

comment_option = click.option("--comment", help="Why; kept with it.")


@click.command(
    "list",
    epilog="""\b
Examples:
  checkrein policies list
  checkrein policies list --status active --json
""",
)
@click.option(
    "--status",
    type=click.Choice(["draft", "active", "archived"], case_sensitive=False),
    help="Only those in this state.",
)
@data_dir_option
@json_option
def list_(status: str | None, data_dir_path: Path | None, json_wanted: bool) -> None:
    """List the control plane's policies, and which version of each is in force."""
    from gateway.cli.moments import time_since
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    found = api.pages("/v1/policies", "policies", {"status": status})
    if out.as_json:
        out.emit({"policies": found})
        return
    if not found:
        out.say("No policy yet. Make one with `checkrein policies create FILE`.")
        return
    out.table(
        (
            Column("NAME"),
            Column("STATUS", _STATES, is_fixed=True),
            Column("VERSION", justify="right", is_fixed=True),
            Column("DRAFT", justify="right", is_fixed=True),
            Column("AGENTS"),
            Column("DEFAULT", is_fixed=True),
            Column("CHANGED", is_fixed=True),
        ),
        (
            (
                one["name"],
                one["status"],
                one["version"],
                one["draftVersion"] or "",
                one["scope"]["scopeId"] if one["scope"]["scopeType"] == "AGENT" else "all",
                one["defaultAction"],
                time_since(one["updatedAt"]),
            )
            for one in found
        ),
    )


@click.command(
    epilog="""\b
Examples:
  checkrein policies create mine.yaml --comment "ticket 4711"
  checkrein policies create mine.yaml --activate
"""
)
@click.argument("path", type=PolicyPath(), metavar="FILE")
@comment_option
@click.option("--activate", "activate_wanted", is_flag=True, help="Put it in force at once.")
@data_dir_option
@json_option
def create(
    path: Path,
    comment: str | None,
    activate_wanted: bool,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Give the control plane a policy, or a new version of the policy of that name, as a draft.

    A draft decides nothing until it is activated. The file holds one policy.
    """
    from gateway.cli.api import Refused

    api, out = open_session(data_dir_path, json_wanted)
    body = {"document": _text_of(path), "comment": comment}
    try:
        policy_id, name, number = _keep(api, body)
        answer = _activate(api, policy_id, number, comment) if activate_wanted else None
    except Refused as error:
        return _show_refusal(out, error, {f"{path.stem}.yaml": str(path), "policy.yaml": str(path)})
    if out.as_json:
        out.emit({"policyId": policy_id, "name": name, "version": number, "activated": answer})
    elif answer is not None:
        _show_activated(out, answer)
    else:
        out.say(f"Policy {name}, version {number}, is a draft.", "green")
        out.say(f"Put it in force with `checkrein policies activate {name}`.")
    return 0


@click.command(
    epilog="""\b
Examples:
  checkrein policies activate payments-guardrails
  checkrein policies activate payments-guardrails --version 3     go back to what it said
"""
)
@click.argument("policy", metavar="NAME")
@click.option("--version", type=click.IntRange(1), help="[default: the newest draft]")
@comment_option
@data_dir_option
@json_option
def activate(
    policy: str,
    version: int | None,
    comment: str | None,
    data_dir_path: Path | None,
    json_wanted: bool,
) -> int:
    """Put a version of a policy in force, in the place of the one that was.

    Gateways that take their rules from the control plane decide by it within a second. It is
    checked together with every other active policy; a set that can't be used changes nothing. An
    archived version comes back as a new one with its text.
    """
    from gateway.cli.api import Refused

    api, out = open_session(data_dir_path, json_wanted)
    policy_id = _id_of(api, policy)
    try:
        answer = _activate(api, policy_id, version, comment)
    except Refused as error:
        return _show_refusal(out, error, {})
    if out.as_json:
        out.emit({"ok": True, **answer})
    else:
        _show_activated(out, answer)
    return 0


@click.command(epilog="Example: checkrein policies deactivate payments-guardrails")
@click.argument("policy", metavar="NAME")
@comment_option
@data_dir_option
@json_option
def deactivate(
    policy: str, comment: str | None, data_dir_path: Path | None, json_wanted: bool
) -> None:
    """Take a policy out of force. The last one stays: without any, everything is blocked."""
    api, out = open_session(data_dir_path, json_wanted)
    path = f"/v1/policies/{_id_of(api, policy)}/deactivate"
    answer = api.post(path, {"comment": comment}, WORK_SECONDS_MAX)
    if out.as_json:
        out.emit({"ok": True, **answer})
    else:
        out.say(f"Policy {policy} is no longer in force.", "green")


@click.command(epilog="Example: checkrein policies history payments-guardrails")
@click.argument("policy", metavar="NAME")
@data_dir_option
@json_option
def history(policy: str, data_dir_path: Path | None, json_wanted: bool) -> None:
    """Show the versions of a policy: who wrote them, when, why, and which one is in force."""
    from gateway.cli.moments import clock_time
    from gateway.cli.output import Column

    api, out = open_session(data_dir_path, json_wanted)
    found = api.pages(f"/v1/policies/{_id_of(api, policy)}/versions", "versions")
    if out.as_json:
        out.emit({"versions": found})
        return
    out.table(
        (
            Column("VERSION", justify="right", is_fixed=True),
            Column("STATUS", _STATES, is_fixed=True),
            Column("WRITTEN", is_fixed=True),
            Column("BY"),
            Column("IN FORCE FROM", is_fixed=True),
            Column("UNTIL", is_fixed=True),
            Column("COMMENT"),
        ),
        (
            (
                one["version"],
                one["status"],
                clock_time(one["createdAt"]),
                one["createdBy"],
                clock_time(one["activatedAt"]) if one["activatedAt"] else "",
                clock_time(one["archivedAt"]) if one["archivedAt"] else "",
                one["comment"],
            )
            for one in found
        ),
    )


def _text_of(path: Path) -> str:
    from gateway.decide.loader import load_text
    from gateway.model.errors import Problem

    if path.is_dir():
        raise CommandError(f"`{path}` is a folder", "name the file of one policy")
    problems: list[Problem] = []
    text = load_text(path, problems)
    if text is None:
        raise CommandError(str(problems[0]), problems[0].help)
    return text


def _keep(api: Api, body: Mapping[str, object]) -> tuple[str, str, int]:
    """Make a policy, or a version of the one of that name: its id, name and version."""
    from gateway.cli.api import Refused

    try:
        policy = api.post("/v1/policies", body, WORK_SECONDS_MAX)["policy"]
    except Refused as error:
        policy_id = str(error.detail.get("policyId", ""))
        if not policy_id:
            raise
        answer = api.post(f"/v1/policies/{policy_id}/versions", body, WORK_SECONDS_MAX)
        name = api.get(f"/v1/policies/{policy_id}")["policy"]["name"]
        return policy_id, str(name), int(answer["version"]["version"])
    return str(policy["policyId"]), str(policy["name"]), int(policy["version"])


def _activate(api: Api, policy_id: str, version: int | None, comment: str | None) -> dict[str, Any]:
    body = {"version": version, "comment": comment}
    return api.post(f"/v1/policies/{policy_id}/activate", body, WORK_SECONDS_MAX)


def _id_of(api: Api, name: str) -> str:
    """The id of the policy of that name.

    Raises:
        CommandError: there is none.
    """
    found = api.get("/v1/policies", {"name": name, "limit": 1})["policies"]
    if not found:
        raise CommandError(
            f"there is no policy `{name}`", "`checkrein policies list` shows those that there are"
        )
    return str(found[0]["policyId"])


def _show_activated(out: Output, answer: Mapping[str, Any]) -> None:
    policy, bundle = answer["policy"], answer["bundle"]
    out.say(f"Policy {policy['name']}, version {policy['version']}, is in force.", "green")
    if answer["isNew"] and bundle is not None:
        out.say(f"It is in bundle {bundle['sequence']}; `checkrein gateways` shows who runs it.")
    else:
        out.say("It means what was in force before, so gateways have nothing to take.", "dim")


def _show_refusal(out: Output, error: Refused, places: Mapping[str, str]) -> int:
    """Show the problems that a refusal carries, at the places of the files here; any other refusal
    is raised again."""
    from gateway.cli.bundle_source import problems_of
    from gateway.cli.policies.loading import show_problems
    from gateway.model.errors import ConfigurationError

    problems = problems_of(error.detail, places)
    if problems is None:
        raise error
    show_problems(out, ConfigurationError("policy.invalid", problems))
    return EXIT_FAILED
