"""The Stripe SDK, driven without a network, against the shipped mapper."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
import stripe

from gateway.canonicalize.operation import Operation
from gateway.model.action import Kind
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer, operations_of

NOT_IN_THE_SDK = {
    "stripe.charges.refund": "an alias of refunds that the API still answers",
    "stripe.charges.refunds.create": "an alias of refunds that the API still answers",
}


class Transport(stripe.HTTPClient):
    """Keeps the last request and answers with an empty object."""

    name = "recorder"

    def __init__(self) -> None:
        super().__init__(verify_ssl_certs=False)
        self.last: HttpRequest | None = None

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        self.last = as_request(method, url, headers or {}, post_data)
        return '{"id": "x", "object": "thing", "data": [], "has_more": false}', 200, {}

    def close(self) -> None:
        pass


def call(operation: str) -> HttpRequest:
    """Call the SDK method that an operation is named after."""
    transport = Transport()
    client = stripe.StripeClient("sk_test_none", http_client=transport)
    target: Any = client.v1
    for part in operation.split(".")[1:]:
        target = getattr(target, part)
    required = [
        parameter
        for parameter in inspect.signature(target).parameters.values()
        if parameter.default is parameter.empty
    ]
    arguments: list[object] = [{} if p.name == "params" else "x_1" for p in required]
    if operation.endswith(".search"):
        arguments = [{"query": "email:'a@b'"}]
    target(*arguments)
    assert transport.last is not None
    return transport.last


SDK_OPERATIONS = [
    entry for entry in operations_of("stripe") if entry.operation not in NOT_IN_THE_SDK
]


@pytest.mark.parametrize("entry", SDK_OPERATIONS, ids=lambda entry: entry.operation)
def test_each_call_has_its_own_name(entry: Operation) -> None:
    """Every mapped operation that the SDK offers is recognised exactly, with its kind."""
    canonical = canonicalizer().canonicalize(call(entry.operation))

    assert canonical.refused is None, canonical.detail
    assert [action.operation for action in canonical.actions] == [entry.operation]
    assert canonical.actions[0].kind is entry.kind


def test_enough_operations_are_mapped() -> None:
    """At least sixty operations of the SDK are named."""
    assert len(SDK_OPERATIONS) >= 60


def every_operation(service: Any, prefix: str = "stripe") -> list[str]:
    """The names of all methods of a service and of those below it."""
    kind = type(service)
    methods = [
        f"{prefix}.{name}"
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and name[0] != "_" and not name.endswith("_async")
    ]
    for name in getattr(kind, "__annotations__", {}):
        methods += every_operation(getattr(service, name), f"{prefix}.{name}")
    return methods


def test_no_call_of_the_whole_sdk_is_milder_than_its_method() -> None:
    """Every method of the v1 SDK, mapped or not: a request that isn't a GET is never a read."""
    client = stripe.StripeClient("sk_test_none", http_client=Transport())
    wrong, called = [], 0
    for name in every_operation(client.v1):
        try:
            request = call(name)
        except (TypeError, NotImplementedError, AssertionError, stripe.StripeError):
            continue  # takes a file, or streams: this driver does neither
        called += 1
        canonical = canonicalizer().canonicalize(request)
        kinds = {action.kind for action in canonical.actions}
        named = {action.operation for action in canonical.actions} - {"unknown"}
        if request.method != "GET" and Kind.READ in kinds:
            wrong.append(f"{name} is called a read")
        if named - {name}:
            wrong.append(f"{name} is called {named}")

    assert called > 300
    assert wrong == []


def test_a_refund_carries_amount_currency_and_target() -> None:
    """The SDK's own encoding of a refund gives typed params and the charge."""
    transport = Transport()
    client = stripe.StripeClient("sk_test_none", http_client=transport)
    client.v1.refunds.create(
        {"charge": "ch_1", "amount": 9000, "metadata": {"Why": "a b&c"}, "expand": ["charge"]}
    )
    assert transport.last is not None

    (action,) = canonicalizer().canonicalize(transport.last).actions

    assert (action.action, action.target.id) == ("create_refund", "ch_1")
    assert action.params["amount"] == 9000
