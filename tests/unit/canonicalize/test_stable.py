"""The same call, made again with a new idempotency token, is the same act; nothing else is."""

from __future__ import annotations

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.request.reader import RequestReader
from gateway.canonicalize.request.stable import stable_body
from gateway.content import mappers_dir
from gateway.model.action import action_digest
from gateway.model.exchange import Exchange, Principal

NAMES = frozenset({"ClientToken", "idempotency_key"})
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

SAME: dict[str, tuple[str, str, str]] = {
    "a form": (FORM, "Action=RunInstances&ClientToken=a&MaxCount=1",
               "Action=RunInstances&ClientToken=b&MaxCount=1"),
    "JSON": (JSON, '{"idempotency_key": "a-1", "amount": 5}',
             '{"idempotency_key": "b-2", "amount": 5}'),
    "the last key": (JSON, '{"amount": 5, "ClientToken":"a"}', '{"amount": 5, "ClientToken":"b"}'),
}  # fmt: skip

OTHER: dict[str, tuple[str, str, str]] = {
    "another value beside it": (FORM, "ClientToken=a&MaxCount=1", "ClientToken=a&MaxCount=9"),
    "a key that looks alike": (FORM, "ClientToken=a&clienttoken=1", "ClientToken=a&clienttoken=2"),
    "an encoded key": (FORM, "ClientToken=a&Client%54oken=1", "ClientToken=a&Client%54oken=2"),
    "the same key deeper down": (JSON, '{"ClientToken": "a", "data": {"ClientToken": "x"}}',
                                 '{"ClientToken": "a", "data": {"ClientToken": "y"}}'),
    "only deeper down": (JSON, '{"data": {"ClientToken": "x"}}', '{"data": {"ClientToken": "y"}}'),
    "spelled otherwise at the top": (
        JSON, '{"Client\\u0054oken": "x", "data": {"ClientToken": "x"}}',
        '{"Client\\u0054oken": "y", "data": {"ClientToken": "y"}}',
    ),
    "in a text": (JSON, '{"ClientToken": "a", "t": "\\"ClientToken\\": \\"x\\""}',
                  '{"ClientToken": "a", "t": "\\"ClientToken\\": \\"y\\""}'),
    "a number": (JSON, '{"ClientToken": 1}', '{"ClientToken": 2}'),
    "a list": (JSON, '[{"ClientToken": "a"}]', '[{"ClientToken": "b"}]'),
    "another content type": ("text/plain", "ClientToken=a", "ClientToken=b"),
}  # fmt: skip


def bound_to(media: str, text: str) -> bytes:
    """The body that an approval would be bound to."""
    body = text.encode()
    request = build_request("POST", "https://api.test/", [("content-type", media)], body)
    stable = stable_body(RequestReader(request, ""), NAMES)
    return body if stable is None else stable


@pytest.mark.parametrize(("media", "one", "two"), SAME.values(), ids=SAME)
def test_a_new_token_is_the_same_act(media: str, one: str, two: str) -> None:
    """Only the token differs, so an approval of one is an approval of the other."""
    assert bound_to(media, one) == bound_to(media, two)
    assert b"5" in bound_to(media, one) or b"MaxCount=1" in bound_to(media, one)


@pytest.mark.parametrize(("media", "one", "two"), OTHER.values(), ids=OTHER)
def test_anything_else_is_another_act(media: str, one: str, two: str) -> None:
    """Whatever else differs, however it is spelled, is not covered by the approval."""
    assert bound_to(media, one) != bound_to(media, two)


def test_a_call_to_aws_made_again_joins_its_approval() -> None:
    """botocore gives each call a token of its own; the digest is that of the call without it."""
    canonicalizer = Canonicalizer.load([mappers_dir()])
    digests = []
    for token, count in (("11111111-a", 1), ("22222222-b", 1), ("33333333-c", 9)):
        body = f"Action=RunInstances&Version=2016-11-15&MaxCount={count}&ClientToken={token}"
        request = build_request(
            "POST", "https://ec2.eu-west-1.amazonaws.com/", [("content-type", FORM)], body.encode()
        )
        exchange = Exchange("req", Principal("agent"), request, 0)
        digests.append(action_digest(exchange, canonicalizer.canonicalize(request)))

    assert digests[0] == digests[1] != digests[2]
