"""Discord's REST API v10, from the routes of discord-api-types.

Operations are the route and the method, as clients write them: `channelMessages.post`. Tokens of
webhooks and interactions stand in the path; they are never a target or a param.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import API_VERSION, Call, Judgement, row_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind

PROVIDER = "discord"
SOURCES = (
    Source(
        "npm",
        "discord-api-types",
        "0.38.57",
        "MIT",
        "1be3d5594db3ab350f3a8a9f9f67adf9183bce6f9ae5cea5bcc891c3428a9e8a",
    ),
)
HOSTS = ("discord.com", "canary.discord.com", "ptb.discord.com", "discordapp.com")
_MESSAGE = {"reply_to": RowParam("body.message_reference.message_id")}
JUDGEMENT = Judgement(
    kinds={
        "channelBulkDelete.post": Kind.DELETE,
        "userApplicationIdentityDelete.post": Kind.DELETE,
        "expirePoll.post": Kind.EXECUTE,
        "channelTyping.post": Kind.EXECUTE,
        "guild.delete": Kind.DELETE,
    },
    sends=re.compile(
        r"^(?:channelMessages|webhookPlatform|channelMessageCrosspost|interactionCallback|webhook"
        r"|sendSoundboardSound|lobbyMessages)\.post$"
    ),
    admin=re.compile(
        r"^(?:channelPermission|guildRoles?|guildMember(?:Role)?|guildBans?|guildBulkBan|guildMFA"
        r"|guildPrune|guildIntegrations?|channelInvites|invite\w*|guild|guildVanityUrl|guildMembers"
        r"|applicationCommandPermissions|guildApplicationCommandsPermissions|channelWebhooks"
        r"|userGuild|guildCurrentMember\w*|oauth2\w+|applicationGuildCommandPermissions"
        r"|applicationCommandPermission\w*|guildIncidentActions|channelRecipient"
        r"|guildMFA|currentApplication)\.(?!get)"
    ),
    credentials=re.compile(
        r"^(?:channelWebhooks\.(?:post|get)|guildWebhooks\.get|webhook\.get|oauth2TokenExchange\.post)$"
    ),
    irreversible=re.compile(r"^(?:guildPrune|channelBulkDelete|guildBulkBan)\.post$"),
    reversible=re.compile(
        r"(?:Reactions?|Pin|guildBan|threadMembers|Follow\w*|guildMemberRole|channelRecipient)"
        r"\.delete$"
    ),
    actions={
        "channelMessages.post": "send_message",
        "webhook.post": "send_message",
        "channelMessage.patch": "update_message",
        "channelMessage.delete": "delete_message",
        "channelBulkDelete.post": "delete_message",
        "channelMessages.get": "list_message",
        "channelMessage.get": "get_message",
        "channelMessageOwnReaction.put": "add_reaction",
        "channelMessageOwnReaction.delete": "remove_reaction",
        "channelMessagesPin.put": "pin_message",
        "channelMessagesPin.delete": "unpin_message",
        "channelPin.put": "pin_message",
        "channelPin.delete": "unpin_message",
        "channel.patch": "update_channel",
        "channel.delete": "delete_channel",
        "guildChannels.post": "create_channel",
        "guildMember.delete": "remove_member",
        "guildMember.put": "add_member",
        "guildMemberRole.put": "grant_role",
        "guildMemberRole.delete": "revoke_role",
        "guildRoles.post": "create_role",
        "guildRole.patch": "update_role",
        "guildRole.delete": "delete_role",
        "guildBan.put": "ban_member",
        "guildPrune.post": "prune_member",
        "channelWebhooks.post": "create_webhook",
        "webhook.delete": "delete_webhook",
    },
    params={
        "channelMessages.post": _MESSAGE,
        "channelBulkDelete.post": {"messages": RowParam("body.messages", "list")},
        "guildMember.patch": {"roles": RowParam("body.roles", "list")},
        "guildRoles.post": {
            "name": RowParam("body.name"),
            "permissions": RowParam("body.permissions"),
        },
        "guildRole.patch": {
            "name": RowParam("body.name"),
            "permissions": RowParam("body.permissions"),
        },
        "channelPermission.put": {
            "allow": RowParam("body.allow"),
            "deny": RowParam("body.deny"),
        },
    },
    posts_act=True,
)
_ROUTE = re.compile(
    r"/\*\*\s*\n     \* Routes? for:\n((?:     \*.*\n)*?)     \*/\s*\n    (\w+)\([^)]*\) \{"
)
_LINE = re.compile(r"- ([A-Z]+)\s+`([^`]+)`")
_VERBS = {"post": "create", "put": "set", "patch": "update", "delete": "delete"}


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: all routes."""
    path = folders["discord-api-types"] / "package" / "rest" / "v10" / "index.js"
    found: dict[tuple[str, str], Call] = {}
    for call in _calls(path.read_text().partition("exports.CDNRoutes = {")[0]):
        shape = shape_of(call.template)
        found.setdefault((call.method, shape), call)
    return [NewSection("discord", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]


def _calls(source: str) -> Iterator[Call]:
    for doc, name in _ROUTE.findall(source):
        for method, path in _LINE.findall(doc):
            yield Call(
                f"{name}.{method.lower()}",
                method,
                f"/api/v{{{API_VERSION}}}{path.replace('$', '')}",
                words_for(name, method.lower()),
            )


def words_for(route: str, method: str) -> tuple[str, ...]:
    """`guildRoles`, `post` -> create guild role."""
    nouns = words_of(route)
    kept = [*nouns[:-1], singular(nouns[-1])]
    if method == "get":
        return ("get" if kept == nouns else "list", *kept)
    return (_VERBS[method], *kept)
