"""Recipients, however they are written: nobody is overlooked, and what is unclear is nothing."""

from __future__ import annotations

import base64

import pytest

from gateway.canonicalize.request.mail import (
    RAW_CHARS_MAX,
    bare_addresses,
    raw_recipients,
    raw_sender,
    raw_subject,
)

LISTS: dict[str, tuple[list[str], list[str] | None]] = {
    "a bare address": (["a@x.com"], ["a@x.com"]),
    "capitals are no other address": (["A@X.Com"], ["a@x.com"]),
    "a name before it": (["Ann Lee <a@x.com>"], ["a@x.com"]),
    "a quoted name with a comma": (['"Lee, Ann" <a@x.com>'], ["a@x.com"]),
    "a quoted name with an address in it": (['"b@y.com" <a@x.com>'], ["a@x.com"]),
    "two in one text": (["a@x.com, Bob <b@y.com>"], ["a@x.com", "b@y.com"]),
    "two texts": (["a@x.com", "b@y.com"], ["a@x.com", "b@y.com"]),
    "no text at all": ([], []),
    "an address as a name": (["b@y.com <a@x.com>"], None),
    "a group": (["friends: a@x.com, b@y.com;"], None),
    "a comment": (["a@x.com (b@y.com)"], None),
    "a semicolon": (["a@x.com; b@y.com"], None),
    "a comma too many": (["a@x.com,"], None),
    "no address": (["Ann"], None),
    "a route": (["<@y.com:a@x.com>"], None),
    "an encoded address": (["=?utf-8?q?a=40x.com?="], None),
    "one bad text among good ones": (["a@x.com", "?"], None),
    "a line break": (["a@x.com\r\nBcc: b@y.com"], None),
}


@pytest.mark.parametrize("case", LISTS)
def test_bare_addresses(case: str) -> None:
    """A list of mail addresses, or None."""
    texts, expected = LISTS[case]

    assert bare_addresses(texts) == expected


MAIL = b"From: Me <me@x.com>\r\nTo: a@x.com,\r\n b@y.com\r\nSubject: hello\r\n"
MAILS: dict[str, tuple[bytes, list[str] | None]] = {
    "one header over two lines": (MAIL + b"\r\nTo: c@z.com\r\n", ["a@x.com", "b@y.com"]),
    "copies": (
        MAIL + b"Cc: c@z.com\r\nBCC: d@z.com\r\n\r\nx",
        ["a@x.com", "b@y.com", "c@z.com", "d@z.com"],
    ),
    "two of one header": (MAIL + b"to: c@z.com\r\n\r\n", ["a@x.com", "b@y.com", "c@z.com"]),
    "line feeds alone": (MAIL.replace(b"\r", b"") + b"\nx", ["a@x.com", "b@y.com"]),
    "no body": (MAIL, ["a@x.com", "b@y.com"]),
    "nobody": (b"From: me@x.com\r\n\r\nx", []),
    "a carriage return alone": (MAIL + b"X: y\rBcc: c@z.com\r\n\r\n", None),
    "a line that is no header": (MAIL + b"Bcc c@z.com\r\n\r\n", None),
    "a space before the colon": (MAIL + b"Bcc : c@z.com\r\n\r\n", None),
    "a first line that goes on with nothing": (b" Bcc: c@z.com\r\n" + MAIL, None),
    "a zero byte": (MAIL + b"Bcc: \0c@z.com\r\n\r\n", None),
    "bytes that are no UTF-8": (MAIL + b"Bcc: \xff@z.com\r\n\r\n", None),
    "headers without an end": (MAIL + b"X: " + b"y" * RAW_CHARS_MAX, None),
    "headers that end before a long body": (
        MAIL + b"\r\n" + b"y" * RAW_CHARS_MAX, ["a@x.com", "b@y.com"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MAILS)
def test_recipients_of_a_whole_mail(case: str) -> None:
    """Everybody who gets it, in both alphabets of base64, or None."""
    mail, expected = MAILS[case]

    assert raw_recipients(base64.b64encode(mail).decode()) == expected
    assert raw_recipients(base64.urlsafe_b64encode(mail).decode().rstrip("=")) == expected


def test_base64_with_line_breaks() -> None:
    """Clients break base64 into lines; the mail is the same."""
    assert raw_recipients(base64.encodebytes(MAIL).decode()) == ["a@x.com", "b@y.com"]


def test_what_is_no_base64_has_no_recipients() -> None:
    """A mail that is not encoded is no mail here."""
    assert raw_recipients(MAIL.decode()) is None
    assert raw_recipients("a") is None


def test_sender_and_subject() -> None:
    """The one sender, and the subject as a person reads it."""
    encoded = MAIL.replace(b"hello", b"=?utf-8?b?aMOpbGxv?=")

    assert raw_sender(base64.b64encode(MAIL).decode()) == "me@x.com"
    assert raw_sender(base64.b64encode(MAIL + b"From: b@x.com\r\n").decode()) is None
    assert raw_subject(base64.b64encode(encoded).decode()) == "h\u00e9llo"
    assert raw_subject(base64.b64encode(MAIL + b"Subject: b\r\n").decode()) is None
    assert raw_subject(base64.b64encode(b"From: a@x.com").decode()) is None


def test_hostile_lists_take_linear_time() -> None:
    """Nothing here may backtrack: these end at once or never."""
    for text in ('"' * 100_000, "a" * 100_000 + "@", "<" * 100_000, "a, " * 50_000, '"\\' * 50_000):
        assert bare_addresses([text]) is None
