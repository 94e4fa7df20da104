"""Telegram's Bot API, from the method classes of aiogram: one class a method, its fields typed.

Operations are the API's methods (`sendMessage`), called by GET or POST alike, with arguments in the
query, a form or JSON. The bot's token stands in the path; it is never a target or a param.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.python_source import field_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "telegram"
SOURCES = (
    Source(
        "pypi",
        "aiogram",
        "3.31.0",
        "MIT",
        "d889493c5917a867fc9da81fd6e6b3ae438e98bfe1b004fcdafe7400461a6c1b",
    ),
)
HOSTS = ("api.telegram.org",)
JUDGEMENT = Judgement(
    kinds={
        "getManagedBotToken": Kind.ADMIN,
        "logOut": Kind.ADMIN,
        "readBusinessMessage": Kind.UPDATE,
    },
    sends=re.compile(
        r"^(?:send(?!ChatAction)\w+|forwardMessages?|copyMessages?|answer\w+|giftPremium\w+|post\w+"
        r"|repostStory)$"
    ),
    admin=re.compile(
        r"^(?:(?:un)?ban\w+|restrictChatMember|promoteChatMember|setChatAdministrator\w+|exportChat\w+"
        r"|setChatPermissions|(?:create|edit|revoke)Chat\w*InviteLink|(?:approve|decline)ChatJoin\w+"
        r"|setMyDefaultAdministratorRights|replaceManagedBotToken|setWebhook|deleteWebhook|close)$"
    ),
    executes=re.compile(
        r"^(?:sendChatAction|transfer\w+|convertGift\w+|upgradeGift\w*|leaveChat)$"
    ),
    credentials=re.compile(r"ManagedBotToken$|InviteLink$"),
    irreversible=re.compile(r"^(?:refundStarPayment|transfer\w+|convertGift\w+|leaveChat|ban\w+)$"),
    reversible=re.compile(r"^(?:setMessageReaction|deleteMyCommands|deleteWebhook)$"),
    actions={
        "sendMessage": "send_message",
        "deleteMessage": "delete_message",
        "editMessageText": "update_message",
        "setMessageReaction": "add_reaction",
        "pinChatMessage": "pin_message",
        "unpinChatMessage": "unpin_message",
        "banChatMember": "remove_member",
        "refundStarPayment": "create_refund",
        "createInvoiceLink": "create_payment_link",
        "getMe": "get_caller_identity",
        "setWebhook": "create_webhook",
        "deleteWebhook": "delete_webhook",
    },
    is_rpc=True,
    posts_act=True,
)
_CHAT_IDS = frozenset({"ChatIdUnion", "ChatIdUnion | None"})
_TARGETS = (
    ("chat_id", "chat"),
    ("user_id", "user"),
    ("business_connection_id", "business_connection"),
    ("name", "sticker_set"),
    ("file_id", "file"),
    ("inline_message_id", "message"),
)
"""What an act is on, the first of these that the method must be given."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: the whole Bot API."""
    rows = [
        row_of(call, JUDGEMENT)
        for path in sorted((folders["aiogram"] / "aiogram" / "methods").glob("*.py"))
        for call in _calls(path)
    ]
    return [NewSection("telegram", rows, HOSTS)]


def _calls(path: Path) -> Iterator[Call]:
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ClassDef):
            name, fields = _read(node)
            if name:
                for method in ("POST", "GET"):
                    yield _call(name, method, fields)


def _read(node: ast.ClassDef) -> tuple[str, dict[str, str]]:
    """The API's name of a method class, and its fields' annotations."""
    name, fields = "", {}
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            if line.targets[0].id == "__api_method__" and isinstance(line.value, ast.Constant):
                name = str(line.value.value)
        elif isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            fields[line.target.id.rstrip("_")] = ast.unparse(line.annotation)
    return name, fields


def _call(name: str, method: str, annotations: Mapping[str, str]) -> Call:
    fields: list[Field] = []
    for field, annotation in annotations.items():
        plain = annotation.replace(" | Default", "")
        found = field_of(field, "str" if plain in _CHAT_IDS else plain, "any")
        if found is not None and field not in ("text", "caption"):
            fields.append(found)
    required = {field.name for field in fields if field.required}
    target = next(((kind, f"any.{key}") for key, kind in _TARGETS if key in required), ("", ""))
    return Call(
        name,
        method,
        f"/bot{{token}}/{name}",
        tuple(words_of(name)),
        tuple(field for field in fields if f"any.{field.name}" != target[1]),
        target_type=target[0] or "bot",
        target_id=target[1],
    )
