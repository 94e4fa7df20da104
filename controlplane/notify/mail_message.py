"""A notice -> an e-mail in text and HTML. Pure.

Nothing in it acts: the one link leads to a page that asks again. Headers are made of one printable
line each, so that no word of an agent begins another header.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from controlplane.notify.notice import Notice
from controlplane.notify.page import render
from controlplane.notify.wording import facts_of, printable

SUBJECT_LENGTH_MAX: Final = 150
ADDRESS_LENGTH_MAX: Final = 320


@dataclass(frozen=True, slots=True)
class MailTo:
    """Whom to; `answer_url` is theirs alone, and empty where nothing can be answered."""

    sender: str
    recipient: str
    answer_url: str = ""


def mail_of(notice: Notice, to: MailTo, now: datetime) -> EmailMessage:
    """The whole message. Its id stays the same when it is sent again."""
    facts = facts_of(notice, now)
    headline = printable(facts.headline, SUBJECT_LENGTH_MAX)
    message = EmailMessage()
    message["From"] = parse_mailbox(to.sender)
    message["To"] = parse_mailbox(to.recipient)
    message["Subject"] = f"Approve? {headline}" if notice.wants_answer else headline
    message["Date"] = format_datetime(now)
    domain = parse_mailbox(to.sender).domain
    message["Message-ID"] = f"<{notice.delivery_id.hex}@{domain}>"
    # Out-of-office replies to a machine help nobody (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    words = {
        "facts": facts,
        "answer_url": to.answer_url,
        "open_url": notice.open_url,
    }
    message.set_content(render("mail.txt", **words))
    message.add_alternative(render("mail.html", **words), subtype="html")
    return message


def parse_mailbox(text: str) -> Address:
    """A bare address, `alice@example.com`.

    Raises:
        ValueError: it is none.
    """
    user, _, domain = text.rpartition("@")
    plain = text.isascii() and text.isprintable() and len(text) <= ADDRESS_LENGTH_MAX
    if not plain or not user or not domain or set(text) & set(' <>()[],;:\\"'):
        raise ValueError("is not an e-mail address like alice@example.com")
    return Address(username=user, domain=domain)
