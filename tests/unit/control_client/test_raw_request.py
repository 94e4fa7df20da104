"""What a reviewer sees of a request beside its params: all of the body, and no secret in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control_client.raw_request import SHOWN_BYTES_MAX, raw_request_json
from gateway.model.action import Canonical
from gateway.model.exchange import Exchange
from tests.support.entries import an_action, an_exchange

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"

BODIES = {
    "a field that no mapper reads": (
        FORM,
        b"charge=ch_1&reverse_transfer=true&metadata[note]=hi",
        {"charge": "ch_1", "reverse_transfer": "true", "metadata[note]": "[redacted]"},
    ),
    "what a mapper reads, in other letters": (
        JSON,
        b'{"c":"USD","x":"EUR"}',
        {
            "c": "USD",
            "x": "[redacted]",
        },
    ),
    "a field twice": (FORM, b"a=1&a=2", {"a": ["1", "2"]}),
    "nested": (JSON, b'{"a":{"b":[1,{"c":null}]}}', {"a": {"b": [1, {"c": None}]}}),
    "a list": (JSON, b"[1,2]", [1, 2]),
    "a number with a point": (JSON, b'{"a":1.50}', {"a": "1.50"}),
    "a secret by its name": (JSON, b'{"password":"hunter2"}', {"password": "[redacted]"}),
    "a secret by its shape": (
        JSON,
        b'{"note":"see AKIAIOSFODNN7EXAMPLE here"}',
        {"note": "[redacted]"},
    ),
    "nothing": (JSON, b"", None),
    "cut off": (JSON, b'{"a":', None),
    "a key twice": (JSON, b'{"a":1,"a":2}', None),
    "bytes": (b"application/octet-stream", b"\x00\xff", None),
    "two types": (b"application/json, text/plain", b"{}", None),
    "too long": (JSON, b'"' + b"a" * SHOWN_BYTES_MAX + b'"', None),
}


def sent(body: bytes, content_type: bytes, *headers: tuple[bytes, bytes]) -> Exchange:
    """A request with this body."""
    exchange = an_exchange()
    sent_headers = ((b"Content-Type", content_type), *headers)
    request = replace(
        exchange.request,
        body=body,
        headers=sent_headers,
        fields={name.lower(): value for name, value in sent_headers},
        repeated=frozenset(),
    )
    return replace(exchange, request=request)


@pytest.mark.parametrize(("content_type", "body", "shown"), BODIES.values(), ids=BODIES.keys())
def test_a_body_is_shown_whole_and_redacted(
    content_type: bytes, body: bytes, shown: object
) -> None:
    """And where it can't be, its length is."""
    raw = raw_request_json(sent(body, content_type), Canonical((an_action(),), "stripe", "stripe"))
    assert raw["body"] == shown
    assert raw["bodyBytes"] == len(body)


def test_headers_that_the_approval_is_bound_to_are_shown() -> None:
    """Not those that clients renew, and no credentials."""
    exchange = sent(
        b"{}",
        JSON,
        (b"Authorization", b"Bearer abcdefgh12345678"),
        (b"Stripe-Account", b"acct_1"),
        (b"PayPal-Auth-Assertion", b"eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0."),
        (b"Idempotency-Key", b"k"),
    )
    raw = raw_request_json(exchange, Canonical((an_action(),), "stripe", "stripe"))
    assert raw["headers"] == {
        "content-type": "application/json",
        "paypal-auth-assertion": "[redacted]",
        "stripe-account": "acct_1",
    }
