"""Drives the Twilio SDK: every list and every context, with made-up ids. No network: the HTTP
client keeps the request."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import twilio.rest
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request

VERBS = {
    "create": "Create", "fetch": "Fetch", "update": "Update", "delete": "Delete", "list": "List",
}  # fmt: skip


class Recorder(HttpClient):
    """Keeps the last request and answers with an empty object."""

    def __init__(self) -> None:
        self.last: Any = None

    def request(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        **_: Any,
    ) -> Response:
        query = urlencode(params or {}, doseq=True)
        is_json = (headers or {}).get("Content-Type") == "application/json"
        body = "{}" if is_json and data else urlencode(data or {}, doseq=True)
        self.last = as_request(method, url + ("?" + query if query else ""), headers or {}, body)
        return Response(200, "{}")


def every_call() -> Iterator[Sent]:
    """The requests of every method, each with the name that it should get: the verb of the method
    and the resource of its class (`Create...Message`)."""
    recorder = Recorder()
    client = Client("AC" + "0" * 32, "none", http_client=recorder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in pkgutil.walk_packages(twilio.rest.__path__, "twilio.rest."):
            parts = module.name.split(".")
            if len(parts) < 5:
                continue
            version = _version(client, parts[2], parts[3])
            for owner in vars(importlib.import_module(module.name)).values():
                is_own = inspect.isclass(owner) and owner.__module__ == module.name
                if is_own and owner.__name__.endswith(("List", "Context")):
                    yield from _calls_of(recorder, owner, version)


def _version(client: Client, domain: str, version: str) -> Any:
    module = importlib.import_module(f"twilio.rest.{domain}.{version}")
    kind = next(
        value
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    )
    return kind(getattr(client, domain))


def _calls_of(recorder: Recorder, owner: type[Any], version: Any) -> Iterator[Sent]:
    count = len(inspect.signature(owner.__init__).parameters) - 2
    resource = owner(version, *["XX1"] * count)
    stem = owner.__name__.removesuffix("List").removesuffix("Context")
    for name, verb in VERBS.items():
        method = getattr(resource, name, None)
        if method is None or (name in ("fetch", "update", "delete") and owner.__name__ == "List"):
            continue
        recorder.last = None
        required = {
            key: "x"
            for key, parameter in inspect.signature(method).parameters.items()
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        }
        # An empty answer is no page and no resource: only what was sent counts.
        with contextlib.suppress(Exception):
            method(**required)
        if recorder.last is not None:
            yield Sent(f"{verb} {stem}", recorder.last)
