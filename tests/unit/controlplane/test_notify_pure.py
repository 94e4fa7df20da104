"""What notifications are made of, without a network: pauses, signatures, words, who is meant."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks import Webhook

from controlplane.notify.audience import Wish, is_for, is_news_for_people, may_be_answered_by
from controlplane.notify.backoff import ATTEMPTS_MAX, PAUSES_SECONDS, pause_after
from controlplane.notify.mail_message import MailTo, mail_of, parse_mailbox
from controlplane.notify.notice import EVENT_OF, EVENTS, Notice
from controlplane.notify.outbound import Reply
from controlplane.notify.slack_signature import is_signed
from controlplane.notify.standard_webhooks import is_secret, make_secret, sign
from controlplane.notify.webhook import retry_after_seconds
from controlplane.notify.wording import facts_of, printable, state_of
from controlplane.services.reaching.sending import rotated, signing_secrets
from gateway.model.approval import ApprovalState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def notice(kind: str, event: str, **subject: Any) -> Notice:
    return Notice(uuid.UUID(int=7), event, NOW, kind, str(uuid.UUID(int=8)), subject)


# --- pauses ---------------------------------------------------------------------------------------


def test_eight_attempts_lie_within_about_an_hour():
    """Each pause is longer than the one before, whatever the jitter."""
    pauses = [pause_after(number, 0.5, None) for number in range(1, ATTEMPTS_MAX + 1)]
    assert pauses == [*PAUSES_SECONDS, None]
    assert 50 * 60 <= sum(PAUSES_SECONDS) <= 70 * 60
    for number in range(1, len(PAUSES_SECONDS)):
        longest, next_shortest = pause_after(number, 1, None), pause_after(number + 1, 0, None)
        assert longest is not None
        assert next_shortest is not None
        assert longest < next_shortest


WANTED = {
    "nothing": (None, 5.0),
    "less than it takes anyway": (1.0, 5.0),
    "more": (120.0, 120.0),
    "for ever": (1e12, 3600.0),
}


@pytest.mark.parametrize("case", WANTED)
def test_what_a_receiver_asks_for_is_honoured_within_bounds(case: str):
    """It may ask for more time, and not for silence."""
    wanted, seconds = WANTED[case]
    assert pause_after(1, 0.5, wanted) == seconds


RETRY_AFTER = {
    "seconds": ("120", 120.0),
    "a date": ("Sat, 21 Nov 2026 12:01:00 GMT", 60.0),
    "a date that is over": ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
    "words": ("soon", None),
    "less than nothing": ("-1", None),
    "other digits": ("\u0663", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize("case", RETRY_AFTER)
def test_retry_after_is_read_in_both_forms(case: str):
    """RFC 9110 section 10.2.3."""
    text, seconds = RETRY_AFTER[case]
    assert retry_after_seconds(Reply(429, {"Retry-After": text}, b""), NOW) == seconds


# --- signatures -----------------------------------------------------------------------------------


def test_a_signature_is_the_specifications_own():
    """The vector of the Standard Webhooks specification's repository."""
    headers = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_during_a_rotation_both_secrets_sign():
    """Afterwards the new one alone."""
    old, new = make_secret(), make_secret()
    kept = rotated(rotated({}, old, NOW, 0), new, NOW, 60)
    assert signing_secrets(kept, NOW) == [new, old]
    assert signing_secrets(kept, NOW + timedelta(seconds=61)) == [new]
    now = datetime.now(UTC)
    headers = sign([new, old], "msg_1", int(now.timestamp()), b"{}")
    for secret in (old, new):
        assert Webhook(secret).verify(b"{}", headers) == {}


SECRETS = {
    "one that is made": (make_secret(), True),
    "too short": ("whsec_" + "QUFB" * 7, False),
    "too long": ("whsec_" + "QUFB" * 22, False),
    "no base64": ("whsec_" + "!" * 40, False),
    "without its beginning": ("QUFB" * 10, False),
}


@pytest.mark.parametrize("case", SECRETS)
def test_only_a_long_secret_is_one(case: str):
    """24 to 64 bytes, as the specification wants."""
    text, verdict = SECRETS[case]
    assert is_secret(text) is verdict


class _At(Clock):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds


@pytest.mark.parametrize("age", [0, 299, 300, 301, -299, -301])
def test_slacks_own_library_agrees_on_what_is_signed(age: int):
    """Both sides of the five minutes."""
    secret, body, at = "8f742231b10e8888abcd99yyyzzz85a5", b"payload=%7B%7D", 1_700_000_000
    clock = _At(at + age)
    verifier = SignatureVerifier(secret, clock)
    signature = verifier.generate_signature(timestamp=str(at), body=body)
    assert signature is not None
    theirs = verifier.is_valid(body, str(at), signature)
    assert is_signed(secret, str(at), body, signature, clock.seconds) is theirs
    assert not is_signed(secret, str(at), body + b"x", signature, clock.seconds)
    assert not is_signed("other", str(at), body, signature, clock.seconds)


# --- words ----------------------------------------------------------------------------------------


def test_every_event_has_words():
    """Also when a field is missing: an agent's odd record must not stop the news."""
    for (kind, _), event in EVENT_OF.items():
        assert facts_of(notice(kind, event), NOW) is not None


PRINTABLE = {
    "lines": ("a\r\nBcc: x", 40, "a Bcc: x"),
    "a terminal's commands": ("\x1b[31mred", 40, "\ufffd[31mred"),
    "another direction": ("abc\u202edef", 40, "abc\ufffddef"),
    "nothing visible": ("\u200b\x00", 40, "\ufffd\ufffd"),
    "too much": ("x" * 50, 10, "x" * 9 + "…"),
    "a number": (7, 10, "7"),
    "nothing": (None, 10, ""),
}


@pytest.mark.parametrize("case", PRINTABLE)
def test_words_are_one_printable_line(case: str):
    """Before any medium escapes them in its own way."""
    value, length_max, shown = PRINTABLE[case]
    assert printable(value, length_max) == shown


def test_the_state_of_an_answered_approval_says_who_and_where():
    """Every state that ends a question has words."""
    answered = {
        "status": "DENIED",
        "resolvedBy": "alice",
        "comment": "too much",
        "answers": [{"through": "slack"}],
    }
    assert state_of(answered) == "Denied by alice (slack): too much"
    for state in set(ApprovalState) - {ApprovalState.PENDING}:
        assert state_of({"status": state.value})
    assert state_of({"status": "PENDING"}) == ""


def test_time_left_counts_from_now():
    """In words that are short enough for a phone."""
    for seconds, words in ((30, "30 s"), (780, "13 min"), (9000, "2 h"), (-5, "none")):
        until = (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        asked = notice("approval", "approval.pending", status="PENDING", expiresAt=until)
        assert dict(facts_of(asked, NOW).lines)["Time left"] == words


# --- mails ----------------------------------------------------------------------------------------

MAILBOXES = {
    "a plain one": ("alice@example.com", True),
    "two": ("a@example.com, b@example.com", False),
    "a name beside it": ("Alice <a@example.com>", False),
    "a line": ("a@example.com\r\nBcc: b@example.com", False),
    "no domain": ("alice@", False),
    "no user": ("@example.com", False),
    "other letters": ("älice@example.com", False),
    "too long": ("a" * 400 + "@example.com", False),
    "a source route": ("@a,@b:c@example.com", False),
}


@pytest.mark.parametrize("case", MAILBOXES)
def test_only_a_bare_mailbox_is_mailed_to(case: str):
    """One recipient, nothing that a header or an envelope would read otherwise."""
    text, verdict = MAILBOXES[case]
    if verdict:
        assert str(parse_mailbox(text)) == text
    else:
        with pytest.raises(ValueError, match="not an e-mail address"):
            parse_mailbox(text)


def test_a_mail_sent_again_has_the_same_id():
    """So that a mail program shows it once."""
    asked = notice("approval", "approval.pending", status="PENDING", summary="refund 90.00 USD")
    to = MailTo("checkrein@example.com", "alice@example.com", "https://a.test/answer/x")
    first, second = mail_of(asked, to, NOW), mail_of(asked, to, NOW + timedelta(hours=1))
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Subject"] == "Approve? Refund 90.00 USD"
    assert first["Auto-Submitted"] == "auto-generated"


# --- who is meant ---------------------------------------------------------------------------------

ASKED = {"status": "PENDING", "terms": {"groups": ["finance"], "escalateTo": ["leads"]}}

AUDIENCES: dict[str, tuple[Wish, str, dict[str, Any], bool]] = {
    "everything": (Wish(EVENTS, (), None, False), "grant.made", {}, True),
    "not what it did not ask for": (
        Wish(("stop.pulled",), (), None, False), "approval.pending", ASKED, False,
    ),
    "a change of what Slack showed": (
        Wish(("approval.pending",), (), None, True), "approval.answered", ASKED, True,
    ),
    "no change of what Slack never showed": (
        Wish(("stop.pulled",), (), None, True), "approval.answered", ASKED, False,
    ),
    "its own group": (
        Wish(EVENTS, ("finance",), None, False), "approval.pending", ASKED, True,
    ),
    "another group": (
        Wish(EVENTS, ("security",), None, False), "approval.pending", ASKED, False,
    ),
    "a group that it is escalated to": (
        Wish(EVENTS, ("leads",), None, False), "approval.escalated",
        {**ASKED, "escalation": {"at": "now"}}, True,
    ),
    "that group, before": (
        Wish(EVENTS, ("leads",), None, False), "approval.pending", ASKED, False,
    ),
    "bad enough": (
        Wish(EVENTS, (), "HIGH", False), "incident.opened", {"severity": "CRITICAL"}, True,
    ),
    "not bad enough": (
        Wish(EVENTS, (), "HIGH", False), "incident.opened", {"severity": "MEDIUM"}, False,
    ),
    "a group says nothing of stops": (
        Wish(EVENTS, ("finance",), "HIGH", False), "stop.pulled", {}, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AUDIENCES)
def test_a_channel_hears_what_it_asked_for(case: str):
    """By event, group and severity."""
    wish, event, subject, verdict = AUDIENCES[case]
    assert is_for(wish, event, subject) is verdict


def test_only_those_who_are_asked_get_a_mail():
    """Never the requester; everybody where no group is named; nobody once it is over."""
    assert may_be_answered_by(ASKED, "alice", {"finance"})
    assert not may_be_answered_by(ASKED, "bob", {"leads"})
    assert may_be_answered_by({**ASKED, "escalation": {"at": "now"}}, "bob", {"leads"})
    assert not may_be_answered_by({**ASKED, "requesters": ["alice"]}, "Alice", {"finance"})
    assert may_be_answered_by({"terms": {"groups": []}}, "bob", ())
    assert not is_news_for_people("approval.pending", {"status": "DENIED"})
    assert is_news_for_people("approval.answered", {"status": "DENIED"})
