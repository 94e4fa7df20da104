"""Drives the Notion client: every endpoint, with and without a body. No network: the transport
keeps the request."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Iterator
from typing import Any

import httpx
import notion_client
from notion_client.api_endpoints import Endpoint

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request

TEXT = "x_1"
_FULL: dict[str, Any] = {
    "query": "x", "filter": {"property": "object", "value": "page"}, "parent": {"page_id": "p_1"},
    "properties": {}, "children": [], "rich_text": [], "in_trash": True, "page_size": 5,
    "filename": "x.txt",
}  # fmt: skip


class Kept(Exception):
    """The request is kept; nothing is to be sent."""


class Recorder:
    """A client whose transport keeps the last request."""

    def __init__(self) -> None:
        self.last: Any = None
        http = httpx.Client(transport=httpx.MockTransport(self._keep))
        self.client = notion_client.Client(auth="none", client=http)

    def _keep(self, request: httpx.Request) -> httpx.Response:
        request.read()
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw]
        self.last = as_request(request.method, str(request.url), pairs, request.content)
        raise Kept


def _methods(owner: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, member in vars(owner).items():
        if isinstance(member, Endpoint):
            yield from _methods(member, f"{path}.{name}")
    if isinstance(owner, Endpoint):
        if "__call__" in vars(type(owner)):
            yield path, owner
        for name, _ in inspect.getmembers(type(owner), inspect.isfunction):
            if not name.startswith("_"):
                yield f"{path}.{name}", getattr(owner, name)


def every_call() -> Iterator[Sent]:
    """The requests of every method, without and with a body."""
    recorder = Recorder()
    for operation, method in _methods(recorder.client, "notion"):
        positional = [
            TEXT
            for parameter in inspect.signature(method).parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        full = {"file": io.BytesIO(b"x")} if operation.endswith(".send") else _FULL
        for more in ({}, full):
            recorder.last = None
            with contextlib.suppress(Kept):
                method(*positional, **more)
            if recorder.last is not None:
                yield Sent(operation, recorder.last)
