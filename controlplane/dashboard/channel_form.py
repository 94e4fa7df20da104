"""The forms of a channel -> what the service takes. A secret goes in here, and never comes out:
not into a form that is shown again, not into a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controlplane.auth import GROUP
from controlplane.dashboard.forms import Form
from controlplane.faults import ControlFault, Fault
from controlplane.notify.mail_message import parse_mailbox
from controlplane.notify.notice import EVENTS, SEVERITIES
from controlplane.notify.smtp import SmtpSecurity
from controlplane.notify.standard_webhooks import is_secret
from controlplane.services.reaching.channels import (
    CHANNEL_NAME,
    HOST,
    SECRET_LENGTH_MAX,
    SLACK_CHANNEL,
    URL_LENGTH_MAX,
    ChannelDraft,
)
from controlplane.store.channels import ChannelKind
from gateway.model.codec import JsonValue

GROUPS_MAX: Final = 50
SECRET_FIELDS: Final = frozenset({"signing_secret", "bot_token", "slack_secret", "password"})


Parts = tuple[dict[str, JsonValue], dict[str, str]]


def read_draft(form: Form, kind: ChannelKind, *, is_new: bool) -> ChannelDraft:
    """A channel of this kind. Of one that is there already, secrets that are left empty stay.

    Raises:
        ControlFault: INVALID_ARGUMENT.
    """
    name = form.line("name", "The name", is_needed=True)
    if not CHANNEL_NAME.fullmatch(name):
        raise _invalid("a name has letters, digits, `.`, `_` and `-`, at most 100")
    events = tuple(event for event in EVENTS if form.is_set(f"event.{event}"))
    if not events:
        raise _invalid("pick at least one thing to be told")
    severity = form.line("severity", "The severity") or None
    if severity is not None and severity not in SEVERITIES:
        raise _invalid("the severity is none of the choices")
    settings, secrets = _PARTS[kind](form)
    if is_new and kind is ChannelKind.SLACK and not secrets:
        raise _invalid("the bot token and the signing secret are needed")
    return ChannelDraft(
        name,
        kind,
        settings,
        secrets or None,
        events,
        _groups(form),
        severity,
        is_new or form.is_set("enabled"),
    )


def shown_again(form: Form) -> Mapping[str, str]:
    """What was filled in, without its secrets."""
    return {name: value for name, value in form.values().items() if name not in SECRET_FIELDS}


def _webhook(form: Form) -> Parts:
    url = form.text("url", "The address", length_max=URL_LENGTH_MAX, is_needed=True)
    if not (url.isascii() and url.isprintable()):
        raise _invalid("the address must be printable ASCII")
    secret = _secret(form, "signing_secret", "The signing secret")
    if secret and not is_secret(secret):
        raise _invalid("the signing secret is not `whsec_` and the base64 of 24 to 64 bytes")
    return {"url": url}, {"signingSecret": secret} if secret else {}


def _slack(form: Form) -> Parts:
    channel = form.line("channel", "The channel's id", is_needed=True)
    if not SLACK_CHANNEL.fullmatch(channel):
        raise _invalid("the channel's id has large letters and digits, like C0123456789")
    token = _secret(form, "bot_token", "The bot token")
    secret = _secret(form, "slack_secret", "The signing secret")
    if bool(token) != bool(secret):
        raise _invalid("the bot token and the signing secret are given together")
    return {"channel": channel}, {"botToken": token, "signingSecret": secret} if token else {}


def _email(form: Form) -> Parts:
    host = form.line("host", "The mail server", is_needed=True)
    if not HOST.fullmatch(host):
        raise _invalid("the mail server is no host name or address")
    sender = form.line("sender", "The sender", is_needed=True)
    read_mailbox(sender)
    security = form.choice("security", "The security", SmtpSecurity)
    username = _secret(form, "username", "The user")
    password = _secret(form, "password", "The password")
    if security is SmtpSecurity.NONE and (username or password):
        raise _invalid("a user or password is never sent without TLS")
    settings: dict[str, JsonValue] = {
        "host": host,
        "port": form.number("port", "The port", 1, 65_535, 587),
        "security": security.value,
        "from": sender,
    }
    if username:
        settings["username"] = username
    return settings, {"password": password} if password else {}


_PARTS: Final = {
    ChannelKind.WEBHOOK: _webhook,
    ChannelKind.SLACK: _slack,
    ChannelKind.EMAIL: _email,
}


def read_mailbox(text: str) -> str:
    """Raises:
    ControlFault: INVALID_ARGUMENT.
    """
    try:
        parse_mailbox(text)
    except ValueError as error:
        raise _invalid(str(error)) from None
    return text


def _secret(form: Form, name: str, label: str) -> str:
    value = form.text(name, label, length_max=SECRET_LENGTH_MAX)
    if not (value.isascii() and (value.isprintable() or not value)):
        raise _invalid(f"{label.lower()} must be printable ASCII")
    return value


def _groups(form: Form) -> tuple[str, ...]:
    """`finance, leads`."""
    text = form.line("groups", "The groups")
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(found) > GROUPS_MAX or not all(GROUP.fullmatch(one) for one in found):
        raise _invalid("write groups like `finance, leads`: small letters, digits and `-`")
    return found


def _invalid(why: str) -> ControlFault:
    return ControlFault(Fault.INVALID_ARGUMENT, why)
