"""Drives the Stripe SDK: every method of `StripeClient`, v1, v2 and OAuth, in two variants of its
arguments. No network: the HTTP client keeps what it is given."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Iterator, Mapping
from typing import Any

import stripe

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request

SENDS_NOTHING = frozenset({"stripe.oauth.authorize_url"})
"""Methods that make a URL for a browser, and send no request."""
_ANSWER = '{"id": "x", "object": "thing", "data": [], "has_more": false}'
_FULL: dict[str, Any] = {
    "amount": 500, "currency": "eur", "customer": "cus_1", "charge": "ch_1", "expand": ["data"],
    "metadata": {"Why": "a b&c"}, "items": [{"price": "price_1", "quantity": 2}],
}  # fmt: skip


class Transport(stripe.HTTPClient):
    """Keeps the last request and answers with an empty object."""

    name = "recorder"

    def __init__(self) -> None:
        super().__init__(verify_ssl_certs=False)
        self.last: Any = None

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        self.last = as_request(method, url, headers or {}, post_data)
        return _ANSWER, 200, {}

    def request_stream(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        self.last = as_request(method, url, headers or {}, post_data)
        return io.BytesIO(b"x"), 200, {}

    def close(self) -> None:
        pass


def methods() -> Iterator[tuple[str, Any]]:
    """Every method of a client, by its place in it."""
    client = stripe.StripeClient("sk_test_none", client_id="ca_none", http_client=Transport())
    yield from _methods(client.v1, "stripe")
    yield from _methods(client.v2, "stripe.v2")
    yield from _methods(client.oauth, "stripe.oauth")


def _methods(service: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    kind = type(service)
    for name, member in vars(kind).items():
        if inspect.isfunction(member) and name[0] != "_" and not name.endswith("_async"):
            yield f"{prefix}.{name}", getattr(service, name)
    for name in getattr(kind, "__annotations__", {}):
        yield from _methods(getattr(service, name), f"{prefix}.{name}")


def every_call() -> Iterator[Sent]:
    """The requests of every method: with what it requires, and with more."""
    for operation, method in methods():
        for params in ({}, _FULL):
            request = _call(operation, method, params)
            if request is not None:
                yield Sent(operation, request)


def call(operation: str, params: Mapping[str, Any]) -> Any:
    """The request of one method."""
    return _call(operation, dict(methods())[operation], params)


def _call(operation: str, method: Any, params: Mapping[str, Any]) -> Any:
    given = dict(params)
    if operation.endswith(".search"):
        given = {"query": "email:'a@b'", "limit": 3} if params else {"query": "email:'a@b'"}
    if operation == "stripe.files.create":
        given = {"file": io.BytesIO(b"x"), "purpose": "dispute_evidence"}
    positional = [
        "x_1"
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is parameter.empty and name != "params"
    ]
    transport: Transport = _transport_of(method)
    transport.last = None
    # The empty answer does not fit every model; what was sent is what counts.
    with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
        method(*positional, given)
    return transport.last


def _transport_of(method: Any) -> Any:
    return method.__self__._requestor._client
