"""A notice -> Slack's blocks: the question with its buttons, or what became of it. Pure.

INVARIANT(no-agent-markup): what an agent wrote stands in plain text or in code, escaped as Slack
wants it and with automatic links off, so that it mentions nobody and leads nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from controlplane.notify.notice import Notice
from controlplane.notify.wording import facts_of, printable
from gateway.model.codec import JsonValue

HEADER_LENGTH_MAX: Final = 150
FIELD_LENGTH_MAX: Final = 1900
"""Slack's own limits: 150 characters of a header, 2000 of a field, 10 fields of a section."""

FIELDS_MAX: Final = 10
FALLBACK_LENGTH_MAX: Final = 300
REASON_LENGTH_MAX: Final = 500

APPROVE: Final = "checkrein_approve"
DENY: Final = "checkrein_deny"
OPEN: Final = "checkrein_open"
ANSWER_VIEW: Final = "checkrein_answer"
REASON_BLOCK: Final = "reason"
REASON_FIELD: Final = "text"

DENIAL_PRESETS: Final = (
    "Not expected of this agent",
    "Wrong target or amount",
    "Ask me first in person",
)

_BREAKERS: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def message_of(notice: Notice, now: datetime) -> dict[str, JsonValue]:
    """`text`, `blocks` and the switches that keep Slack from reading links out of them."""
    facts = facts_of(notice, now)
    blocks: list[JsonValue] = [
        {"type": "header", "text": _plain(facts.headline, HEADER_LENGTH_MAX)},
    ]
    lines = facts.lines
    for first in range(0, len(lines), FIELDS_MAX):
        fields: list[JsonValue] = [
            _field(label, text) for label, text in lines[first : first + FIELDS_MAX]
        ]
        blocks.append({"type": "section", "fields": fields})
    buttons = _buttons(notice)
    if buttons:
        blocks.append({"type": "actions", "block_id": "answer", "elements": buttons})
    return {
        "text": escape(printable(facts.headline, FALLBACK_LENGTH_MAX)),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def answer_view(approval: Mapping[str, Any], *, approves: bool) -> dict[str, JsonValue]:
    """The dialog that asks for a reason; it carries which approval it is about."""
    wants_comment = approves and comment_is_wanted(approval)
    asks: dict[str, JsonValue] = {
        "type": "plain_text_input",
        "action_id": REASON_FIELD,
        "multiline": True,
        "max_length": REASON_LENGTH_MAX,
    }
    blocks: list[JsonValue] = [
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "verbatim": True,
                "text": _code(str(approval.get("summary", "")), FIELD_LENGTH_MAX),
            },
        }
    ]
    if not approves:
        options: list[JsonValue] = [
            {"text": _plain(words, 75), "value": words} for words in DENIAL_PRESETS
        ]
        blocks.append(
            {
                "type": "input",
                "block_id": "preset",
                "optional": True,
                "label": _plain("Reason", 75),
                "element": {
                    "type": "radio_buttons",
                    "action_id": REASON_FIELD,
                    "options": options,
                },
            }
        )
    blocks.append(
        {
            "type": "input",
            "block_id": REASON_BLOCK,
            "optional": not wants_comment,
            "label": _plain("Comment" if approves else "Or in your own words", 75),
            "hint": _plain("The agent reads it, and it is kept in the record.", 75),
            "element": asks,
        }
    )
    verb = "Approve" if approves else "Deny"
    return {
        "type": "modal",
        "callback_id": ANSWER_VIEW,
        "private_metadata": json.dumps(
            {"approvalId": approval.get("approvalId"), "approves": approves}
        ),
        "title": _plain(f"{verb} this act?", 24),
        "submit": _plain(verb, 24),
        "close": _plain("Back", 24),
        "blocks": blocks,
    }


def comment_is_wanted(approval: Mapping[str, Any]) -> bool:
    """Whether a yes needs words."""
    terms = approval.get("terms") or {}
    return bool(terms.get("commentRequired"))


def escape(text: str) -> str:
    """Slack's three control characters, as its documentation says; without them there is no mention
    and no link."""
    return text.translate(_BREAKERS)


def _buttons(notice: Notice) -> list[JsonValue]:
    buttons: list[JsonValue] = []
    if notice.wants_answer:
        value = notice.subject_id
        buttons += [
            {
                "type": "button",
                "action_id": APPROVE,
                "style": "primary",
                "text": _plain("Approve", 75),
                "value": value,
            },
            {
                "type": "button",
                "action_id": DENY,
                "style": "danger",
                "text": _plain("Deny…", 75),
                "value": value,
            },
        ]
    if notice.open_url:
        buttons.append(
            {
                "type": "button",
                "action_id": OPEN,
                "text": _plain("Open", 75),
                "url": notice.open_url,
            }
        )
    return buttons


def _plain(text: str, length_max: int) -> dict[str, JsonValue]:
    return {"type": "plain_text", "text": printable(text, length_max) or "-", "emoji": False}


def _field(label: str, text: str) -> dict[str, JsonValue]:
    return {
        "type": "mrkdwn",
        "verbatim": True,
        "text": f"*{_letters(label)}*\n{_code(text, FIELD_LENGTH_MAX)}",
    }


def _letters(label: str) -> str:
    """A label may hold a name that a provider gave; nothing in it is markup."""
    return "".join(sign if sign.isalnum() or sign in " :" else " " for sign in label)


def _code(text: str, length_max: int) -> str:
    """As code, which Slack neither formats nor links. Escaping makes it up to five times longer."""
    quoted = printable(text, length_max // 5).replace("`", "ˋ")  # noqa: RUF001 - looks alike
    return f"`{escape(quoted) or '-'}`"
