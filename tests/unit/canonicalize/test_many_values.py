"""Lists that stand in many places of a request: `[*]`, several places, dots in AWS's forms."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gateway.canonicalize.authored.address import AddressError, parse_address, parse_addresses
from tests.unit.canonicalize.requests import FORM, JSON, load_text, shop

MAIL = base64.b64encode(b"To: a@x.com\r\nSubject: hi\r\nFrom: b@x.com\r\n\r\n").decode()
MAPPER = """apiVersion: checkrein/v1
kind: Mapper
metadata: {name: shop}
spec:
  provider: shop
  hosts: [shop.test]
  operations:
    POST /mail:
      action: send_email
      params:
        recipients:
          from: body.to, body.groups[*].to[*].email, body.groups[*].cc
          type: mail_addresses
    POST /raw:
      action: send_email
      params:
        recipients: {from: "body.raw, body.to", type: mail_recipients}
        subject: {from: body.raw, type: mail_subject}
        sender: {from: body.raw, type: mail_sender}
    POST /anycase:
      action: send_email
      params: {recipients: {from: "body.~message.~to[*].address", type: list}}
    POST /form:
      action: send_email
      params:
        recipients: {from: "any.Destination.To, any.Destination.Cc", type: list}
        sender: any.Message.Sender
    POST /things: {action: update_thing, target: {type: thing, each: "body.things[*].id"}}
"""
BODIES: dict[str, tuple[str, str, tuple[str, str], object]] = {
    "a text": ("/mail", '{"to": "a@x.com"}', JSON, ["a@x.com"]),
    "a list": ("/mail", '{"to": ["a@x.com", "b@x.com"]}', JSON, ["a@x.com", "b@x.com"]),
    "every element of every element": (
        "/mail", '{"groups": [{"to": [{"email": "a@x"}, {"email": "b@x"}]}, {"cc": "c@x"}]}', JSON,
        ["a@x", "b@x", "c@x"],
    ),
    "all places": (
        "/mail", '{"to": "a@x.com", "groups": [{"to": null, "cc": "b@x.com"}]}', JSON,
        ["a@x.com", "b@x.com"],
    ),
    "one place can't be read": (
        "/mail", '{"to": "a@x.com", "groups": [{"to": {"email": "b@x.com"}}]}', JSON, None,
    ),
    "an element that is no text": ("/mail", '{"to": ["a@x.com", {"email": "b"}]}', JSON, None),
    "no place": ("/mail", "{}", JSON, None),
    "a whole mail": ("/raw", f'{{"raw": "{MAIL}"}}', JSON, ["a@x.com"]),
    "a whole mail and more": (
        "/raw", f'{{"raw": "{MAIL}", "to": ["Bo <c@x.com>"]}}', JSON, ["a@x.com", "c@x.com"],
    ),
    "no whole mail, but others": ("/raw", '{"to": "c@x.com"}', JSON, ["c@x.com"]),
    "a whole mail and what is no address": (
        "/raw", f'{{"raw": "{MAIL}", "to": ["Bo"]}}', JSON, None,
    ),
    "nobody": ("/raw", '{"to": []}', JSON, None),
    "no mail": ("/raw", '{"raw": 1}', JSON, None),
    "any case": ("/anycase", '{"Message": {"to": [{"address": "a"}]}}', JSON, ["a"]),
    "any case below": ("/anycase", '{"message": {"TO": [{"address": "a"}]}}', JSON, ["a"]),
    "a form with dots": (
        "/form", "Destination.To.member.1=a&Destination.To.member.2=b&Destination.Cc.member.1=c",
        FORM, ["a", "b", "c"],
    ),
    "JSON where a form could be": (
        "/form", '{"Destination": {"To": ["a"], "Cc": ["b"]}}', JSON, ["a", "b"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_lists_from_many_places(tmp_path: Path, case: str) -> None:
    """All values in order, or none and `missing` where one can't be read."""
    path, body, media, expected = BODIES[case]

    result = load_text(tmp_path, MAPPER).canonicalize(shop(f"POST {path} {body}", media))

    (action,) = result.actions
    assert action.params.get("recipients") == expected
    assert ("recipients" in action.missing) == (expected is None)


def test_headers_of_a_whole_mail(tmp_path: Path) -> None:
    """Subject and sender come out as texts."""
    request = shop(f'POST /raw {{"raw": "{MAIL}"}}', JSON)

    (action,) = load_text(tmp_path, MAPPER).canonicalize(request).actions

    assert (action.params["subject"], action.params["sender"]) == ("hi", "b@x.com")


def test_one_action_for_every_element(tmp_path: Path) -> None:
    """`each` takes `[*]` too."""
    request = shop('POST /things {"things": [{"id": "a"}, {"id": 2}]}', JSON)

    actions = load_text(tmp_path, MAPPER).canonicalize(request).actions

    assert [action.target.id for action in actions] == ["a", "2"]


@pytest.mark.parametrize(
    "body", ["Message.Sender=a&message.sender=b", "Message.Sender=a&Message_Sender=b"]
)
def test_look_alikes_of_dotted_keys_are_refused(tmp_path: Path, body: str) -> None:
    """A key that a server could take for the one that is read refuses the request."""
    result = load_text(tmp_path, MAPPER).canonicalize(shop(f"POST /form {body}", FORM))

    assert result.refused == "ambiguous_body"


def test_two_spellings_are_refused_where_any_case_is_right(tmp_path: Path) -> None:
    """Nobody knows which of them such a server takes."""
    request = shop('POST /anycase {"message": {"to": []}, "Message": {"to": []}}', JSON)

    assert load_text(tmp_path, MAPPER).canonicalize(request).refused == "ambiguous_body"


ADDRESSES: dict[str, str] = {
    "form.~a": "is for JSON only",
    "form.items[*].price": "is for JSON only",
    "query.a[*]": "is for JSON only",
    "body[*].a": "does not begin with",
    "body.a[**]": "not a chain",
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses_that_cannot_be(text: str) -> None:
    """`[*]` stands in JSON, behind a name."""
    with pytest.raises(AddressError, match=ADDRESSES[text]):
        parse_address(text, ())


def test_places_are_bounded() -> None:
    """A list has a few places."""
    with pytest.raises(AddressError, match="more than"):
        parse_addresses(", ".join(["body.a"] * 9), ())


def test_an_address_is_told_as_it_is_written() -> None:
    """For `explain`."""
    assert str(parse_address("body.a[*].b[0]", ())) == "body.a[*].b[0]"


def test_one_value_at_every_element_is_none(tmp_path: Path) -> None:
    """A text can't be many, so it is missing and never the last of them."""
    text = MAPPER.replace(
        "{action: update_thing,", "{action: update_thing, params: {a: 'body.a[*]'},"
    )

    (action,) = (
        load_text(tmp_path, text).canonicalize(shop('POST /things {"a": ["x"]}', JSON)).actions
    )

    assert "a" in action.missing
