"""Slack's Web API: the methods that its Python and Node SDKs offer, found by their names.

Slack takes GET and POST for any of them, and arguments in query, form or JSON, so a kind comes from
the method's name alone, by Slack's own families.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.authoring.imports.params import Field, chosen_params
from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.rows import without_repetition
from gateway.authoring.imports.sdk.slack import COMMA, read_slack_methods
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.canonicalize.naming.words import derived_action, singular, words_of
from gateway.model.action import Kind

PROVIDER = "slack"
SOURCES = (
    Source(
        "pypi",
        "slack_sdk",
        "3.47.0",
        "MIT",
        "8cfab3224d149962ef4313c1430d9ff65b8c3baf09f25988a920858ffa90aaa9",
    ),
    Source(
        "npm",
        "@slack/web-api",
        "8.2.0",
        "MIT",
        "5d046d13a3cda62aae3cc49092542d32655424120ffcbbc0c4d601986b0b00aa",
    ),
)
READING_FAMILY = re.compile(
    r"(?:^|\.)(?:list\w*|info|get[A-Z]\w*|get|history|replies|members|lookup\w*|search)$"
    r"|^search\.\w+$"
)
"""Slack's families of methods that read, by the last part of their names."""
READS = {
    "api.test": "gives back what it was given",
    "auth.test": "says whose token it is",
    "apps.manifest.export": "gives the manifest of an app",
    "apps.manifest.validate": "says whether a manifest is one",
    "blocks.validate": "says whether blocks are well formed",
    "dnd.teamInfo": "says who does not want to be disturbed",
    "migration.exchange": "maps ids of users to their ids in the organisation",
    "openid.connect.userInfo": "says who signed in",
    "team.accessLogs": "lists sign-ins",
    "team.billableInfo": "says which users are paid for",
    "team.integrationLogs": "lists changes of integrations",
    "users.conversations": "lists the channels of a user",
    "users.identity": "says who signed in",
}
JUDGEMENT = Judgement(
    acts={
        # Opens a place for an upload.
        "files.getUploadURLExternal": Kind.CREATE,
        "files.completeUploadExternal": Kind.CREATE,
        "files.remote.share": Kind.SEND,
        "chat.meMessage": Kind.SEND,
        "chat.appendStream": Kind.SEND,
        "chat.startStream": Kind.SEND,
        "chat.stopStream": Kind.SEND,
        "chat.unfurl": Kind.UPDATE,
        "dialog.open": Kind.UPDATE,
        "dnd.endDnd": Kind.UPDATE,
        "dnd.endSnooze": Kind.UPDATE,
        "views.open": Kind.UPDATE,
        "views.publish": Kind.UPDATE,
        "views.push": Kind.UPDATE,
        # Asks Slackbot to write to the caller.
        "admin.users.unsupportedVersions.export": Kind.EXECUTE,
    },
    admin=re.compile(
        r"^(?:admin|oauth|openid|tooling|apps|usergroups)\.|^auth\.revoke|nvite(?!Requests)"
        r"|\.kick$|\.access\.|xternalTeams\.disconnect|PublicURL$|Permissions\."
    ),
    credentials=re.compile(
        r"^oauth\.|^openid\.connect\.token|^tooling\.tokens|^apps\.connections\.open"
        r"|^apps\.manifest\.create|^apps\.user\.connection\.requestAuth|^rtm\."
    ),
    irreversible=re.compile(
        r"[dD]elete|\.remove$|\.uninstall$|^auth\.revoke|sharedPublicURL|\.invalidate$"
        r"|session\.reset|admin\.conversations\.convertTo"
    ),
    reversible=re.compile(
        r"^(?:pins|stars|reactions|bookmarks)\.remove$|\.(?:collaborators|featured|library)\.remove"
        r"|chat\.deleteScheduledMessage|conversations\.(?:canvases|restrictAccess)\."
        r"|^chat\.scheduleMessage$"
    ),
)
_TARGETS = {
    "channel": "channel", "channel_id": "channel", "user": "user", "user_id": "user",
    "file": "file", "usergroup": "group", "usergroup_id": "group", "view_id": "view",
    "canvas_id": "canvas", "list_id": "list", "app_id": "app", "bookmark_id": "bookmark",
    "reminder": "reminder", "barrier_id": "barrier", "invite_id": "invite",
    "invite_request_id": "invite_request", "request_id": "request", "team_id": "team",
    "target_team": "team", "role_id": "role", "function_id": "function", "id": "", "bot": "bot",
    "scheduled_message_id": "message", "call_id": "call", "skill_id": "skill", "name": "",
}  # fmt: skip
"""Arguments that say what a method acts on, and its type; empty: the type that the method names."""
_THINGS = {
    "users": "user", "files": "file", "chat": "channel", "conversations": "channel",
    "usergroups": "group", "bookmarks": "bookmark", "reminders": "reminder", "calls": "call",
    "canvases": "canvas", "slackLists": "list", "apps": "app", "views": "view", "roles": "role",
    "teams": "team", "barriers": "barrier", "bots": "bot", "inviteRequests": "invite_request",
    "channels": "channel", "groups": "channel", "im": "channel", "mpim": "channel",
}  # fmt: skip


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    methods = read_slack_methods(folders["slack_sdk"], folders["@slack/web-api"])
    return [NewSection(PROVIDER, [_row(name, fields) for name, fields in methods.items()])]


def _row(name: str, fields: Sequence[Field]) -> Row:
    *things, last = name.split(".")
    kind = kind_of(name)
    target_type, key = _target(things, fields)
    params: dict[str, RowParam] = {}
    if kind is not Kind.READ:
        params = {
            param: RowParam(value.source, "list", ",") if value.type == COMMA else value
            for param, value in chosen_params(f for f in fields if f.name != key).items()
        }
    return Row(
        name,
        "",
        kind,
        _action(things, last, kind),
        target_type,
        f"any.{key}" if key else "",
        params,
        {},
        JUDGEMENT.is_reversible(name, kind, "POST"),
        JUDGEMENT.sensitive(name),
    )


def kind_of(name: str) -> Kind:
    """The kind of a method, by its family."""
    if name in JUDGEMENT.acts:
        return JUDGEMENT.acts[name]
    if name in READS or (READING_FAMILY.search(name) and not JUDGEMENT.credentials.search(name)):
        return Kind.READ
    return JUDGEMENT.kind_of(name, words_of(name.rpartition(".")[2]), "POST")


def _target(things: Sequence[str], fields: Sequence[Field]) -> tuple[str, str]:
    """Type and argument of what a method acts on; what it is named after comes first."""
    named = next((_THINGS[thing] for thing in reversed(things) if thing in _THINGS), "")
    present = {field.name for field in fields if not field.type.startswith("list")}
    keys = [key for key in _TARGETS if key in present]
    own = [key for key in keys if named and _TARGETS[key] == named]
    own += [key for key in keys if key == "id"]
    key = next(iter(own), next(iter(keys), ""))
    kind = _TARGETS.get(key) or named or singular(words_of(things[-1])[-1])
    return kind, key


def _action(things: Sequence[str], last: str, kind: Kind) -> str:
    nouns: list[str] = []
    for thing in [thing for thing in things if thing not in ("admin", "v2")][-2:]:
        words = words_of(thing)
        nouns += [*words[:-1], singular(words[-1])]
    verb, *rest = words_of(last)
    if nouns == ["search"]:
        return derived_action("search", [verb, *rest])
    if last == "info":
        return derived_action("get", nouns)
    if kind is Kind.READ and verb not in KIND_BY_VERB:
        return derived_action("get", [*nouns, verb, *rest])
    return derived_action(verb, [*nouns, *without_repetition(nouns, rest)])
