"""Hands a mail to a server: TLS from the beginning or by STARTTLS, never a plain password.

The standard library's client, in a thread of its own for each mail; the address that it dials was
looked at before, as for webhooks.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from enum import StrEnum
from typing import Final

from controlplane.notify.notice import NotSent, Outcome, Sent
from controlplane.notify.outbound import OutboundError, OutboundGuard, tls_context
from controlplane.notify.threads import run_apart
from controlplane.notify.wording import printable

STEP_SECONDS_MAX: Final = 10.0
MAIL_SECONDS_MAX: Final = 30.0
"""A mail takes five or six steps; a server that needs longer for all of them is tried again."""


class SmtpSecurity(StrEnum):
    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SmtpAt:
    """A mail server. NONE is for a relay that the operator has allowed, and takes no password."""

    host: str
    port: int
    security: SmtpSecurity
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


async def send_mail(
    at: SmtpAt,
    message: EmailMessage,
    recipient: str,
    guard: OutboundGuard,
    context: ssl.SSLContext | None = None,
) -> Outcome:
    """Hand it over once."""
    if at.security is SmtpSecurity.NONE and not guard.allows_plain(at.host):
        problem = "without TLS, mail goes only to hosts in CHECKREIN_WEBHOOK_ALLOW"
        return NotSent(problem, is_final=True)
    if at.security is SmtpSecurity.NONE and at.password is not None:
        return NotSent("a password is never sent without TLS", is_final=True)
    try:
        address = (await guard.addresses(at.host, at.port))[0]
    except OutboundError as error:
        return NotSent(error.message, error.is_final)
    try:
        async with asyncio.timeout(MAIL_SECONDS_MAX):
            trusted = context or tls_context()
            return await run_apart(lambda: _hand_over(at, address, message, recipient, trusted))
    except TimeoutError:
        return NotSent("the mail server was too slow")


def _hand_over(
    at: SmtpAt, address: str, message: EmailMessage, recipient: str, context: ssl.SSLContext
) -> Outcome:
    try:
        with _Client(at, address, context) as server:
            if at.security is SmtpSecurity.STARTTLS:
                server.starttls(context=context)
            if at.user is not None and at.password is not None:
                server.login(at.user, at.password)
            server.send_message(message, at.sender, [recipient])
    except smtplib.SMTPAuthenticationError:
        return NotSent("the mail server refuses the user or the password", is_final=True)
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        return NotSent(f"the mail server refuses the recipient ({code})", is_final=code >= 500)
    except smtplib.SMTPNotSupportedError:
        return NotSent("the mail server does not offer STARTTLS or a login", is_final=True)
    except smtplib.SMTPResponseException as error:
        said = (
            printable(error.smtp_error.decode("utf-8", "replace"), 100)
            if isinstance(error.smtp_error, bytes)
            else ""
        )
        problem = f"the mail server answered {error.smtp_code} {said}".strip()
        return NotSent(problem, is_final=error.smtp_code >= 500)
    except ssl.SSLCertVerificationError:
        return NotSent("the mail server's certificate is not trusted")
    except (smtplib.SMTPException, OSError, UnicodeError):
        return NotSent("no conversation with the mail server came about")
    return Sent()


class _Client(smtplib.SMTP):
    """Dials the checked address, and verifies the certificate for the name."""

    def __init__(self, at: SmtpAt, address: str, context: ssl.SSLContext) -> None:
        self._at = at
        self._address = address
        self._context = context
        super().__init__(at.host, at.port, timeout=STEP_SECONDS_MAX)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        dialled = socket.create_connection((self._address, port), timeout)
        if self._at.security is not SmtpSecurity.TLS:
            return dialled
        try:
            return self._context.wrap_socket(dialled, server_hostname=self._at.host)
        except BaseException:
            dialled.close()
            raise
