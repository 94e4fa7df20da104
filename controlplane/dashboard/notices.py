"""What to say at the top of the next page: a short sentence in a cookie that only we can write.

Signed with the session's secret, so that nobody else can put words into the dashboard's mouth.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controlplane.services.access.sessions import Session

SECONDS: Final = 60
_TEXT_LENGTH_MAX: Final = 600
"""Longer ones are cut: a browser keeps 4 KB for a cookie."""


class Tone(StrEnum):
    DONE = "done"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Notice:
    tone: Tone
    text: str


def seal_notice(session: Session, notice: Notice) -> str:
    """A cookie's value."""
    data = json.dumps([notice.tone.value, notice.text[:_TEXT_LENGTH_MAX]]).encode()
    text = base64.urlsafe_b64encode(data).decode().rstrip("=")
    return f"{text}.{session.proof('notice:' + text)}"


def open_notice(session: Session, sealed: str) -> Notice | None:
    """What `seal_notice` sealed in this session; None for anything else."""
    text, _, proof = sealed.partition(".")
    if not hmac.compare_digest(
        proof.encode("utf-8", "replace"), session.proof("notice:" + text).encode()
    ):
        return None
    try:
        tone, words = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Notice(Tone(tone), str(words))
    except (ValueError, TypeError, binascii.Error):
        return None
