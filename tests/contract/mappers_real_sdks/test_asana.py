"""Asana's client, driven without a network, against the shipped mapper."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Iterator
from typing import Any

import asana
from asana.api_client import ApiClient

from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer


class Kept(Exception):
    """The request is kept; nothing is to be sent."""


class Transport:
    """Stands for the client's own transport: one method for each of HTTP."""

    def __init__(self) -> None:
        self.last: Any = None

    def __getattr__(self, name: str) -> Any:
        if not name.isupper():
            raise AttributeError(name)

        def request(url: str, body: Any = None, **_: Any) -> None:
            data = json.dumps(body) if body is not None else None
            self.last = as_request(name, url, {"Content-Type": "application/json"}, data)
            raise Kept

        return request


def every_call() -> Iterator[Sent]:
    """One request of every method, with made-up ids."""
    configuration = asana.Configuration()
    configuration.return_page_iterator = False
    client = ApiClient(configuration)
    transport = client.rest_client = Transport()
    given: dict[str, Any] = {"opts": {"body": {}}, "body": {}}
    for owner in vars(asana).values():
        if not inspect.isclass(owner) or not owner.__name__.endswith("Api"):
            continue
        for name, method in inspect.getmembers(owner, inspect.isfunction):
            if name.startswith("_") or name.endswith("_with_http_info"):
                continue
            parameters = list(inspect.signature(method).parameters.values())[1:]
            named = [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]
            transport.last = None
            with contextlib.suppress(Kept):
                method(owner(client), *(given.get(one, "x1") for one in named))
            assert transport.last is not None, name
            yield Sent(name, transport.last)


def test_every_method_has_its_own_name_and_no_act_is_a_read() -> None:
    """The operation is the method's name in Asana's spelling; only GETs are reads."""
    sent = list(every_call())
    wrong, mild = [], []
    for one in sent:
        action = canonicalizer().canonicalize(one.request).actions[0]
        if action.operation.lower() != one.operation.replace("_", ""):
            wrong.append((one.operation, action.operation))
        elif (action.kind is Kind.READ) != (one.request.method == "GET"):
            mild.append((one.operation, action.kind))

    assert len(sent) > 230
    assert mild == []
    assert len(wrong) <= len(sent) * 0.005, wrong
