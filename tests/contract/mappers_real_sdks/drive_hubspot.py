"""Drives the HubSpot client: every API of every discovery class. No network: the connection pool
keeps the request."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any
from unittest import mock

import hubspot
import urllib3
from hubspot.discovery.discovery_base import DiscoveryBase

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request

TEXT = "x_1"


class Kept(Exception):
    """The request is kept; nothing is to be sent."""

    def __init__(self, request: Any) -> None:
        super().__init__("stopped before sending")
        self.request = request


def keep(
    self: Any, method: str, url: str, fields: Any = None, headers: Any = None, **more: Any
) -> Any:
    """What stands in for `PoolManager.request`."""
    if fields and method in ("GET", "HEAD", "DELETE"):
        url = f"{url}?{urllib3.request.urlencode(fields)}"
    body = more.get("body")
    if fields and method == "POST":
        body, content_type = urllib3.encode_multipart_formdata(fields)
        headers = {**(headers or {}), "Content-Type": content_type}
    raise Kept(as_request(method, url, headers or {}, body))


def methods() -> Iterator[tuple[str, Any]]:
    """Every method of every API, by its place in the client."""
    yield from _methods(hubspot.HubSpot(access_token="none"), "hubspot", set())


def _methods(owner: Any, path: str, seen: set[type]) -> Iterator[tuple[str, Any]]:
    for name, _ in inspect.getmembers(type(owner), lambda member: isinstance(member, property)):
        below = getattr(owner, name)
        if isinstance(below, DiscoveryBase):
            yield from _methods(below, f"{path}.{name}", seen)
        elif type(below).__name__.endswith("Api"):
            for method, _ in inspect.getmembers(type(below), inspect.isfunction):
                if not method.startswith("_") and not method.endswith("_with_http_info"):
                    yield f"{path}.{name}.{method}", getattr(below, method)


def every_call() -> Iterator[Sent]:
    """The requests of every method, once with texts and once with empty objects for bodies."""
    with mock.patch.object(urllib3.PoolManager, "request", keep):
        for operation, method in methods():
            required = [
                name
                for name, parameter in inspect.signature(method).parameters.items()
                if parameter.default is parameter.empty
                and parameter.kind is not parameter.VAR_KEYWORD
            ]
            for body in ({}, TEXT):
                request = _call(method, required, body)
                if request is not None:
                    yield Sent(operation, request)


def _call(method: Any, required: list[str], body: object) -> Any:
    arguments = {
        name: TEXT if name.endswith(("_id", "_type", "_name", "path", "_state")) else body
        for name in required
    }
    # The client checks patterns and lengths of some arguments before it sends anything.
    with contextlib.suppress(Exception):
        try:
            method(**arguments)
        except Kept as kept:
            return kept.request
    return None
