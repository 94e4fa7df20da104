"""Drives the generated SDKs (OpenAI, Anthropic, Cloudflare): every resource, every method, with
arguments made up from the signatures. No network: the transport keeps what it is given."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request

TEXT = "x_1"
MANAGED = {"extra_headers", "extra_query", "extra_body", "timeout", "idempotency_key"}
"""Arguments that say how to send, and nothing about what."""
UNTYPED: tuple[Any, ...] = ({}, TEXT, b"x", {"file": b"x"})
"""What is tried for a parameter whose type is the SDK's own, until something is sent."""
_LITERAL = re.compile(r"Literal\[['\"]?([^'\",\]]+)")


class Kept(Exception):
    """The request is kept; nothing is to be sent."""


class Driver:
    """One client of one SDK. `name` is the module's, and the provider's."""

    def __init__(self, name: str, client_class: str, **arguments: Any) -> None:
        self.name = name
        self.broken: list[str] = []
        """Resources whose own modules can't be imported, as the SDK is published."""
        self._sent: list[Any] = []
        sdk = importlib.import_module(name)
        base = importlib.import_module(f"{name}._base_client")
        # Each SDK brings the HTTP library that it was built on, under its own name.
        wrapper: type[Any] = base.SyncHttpxClientWrapper
        httpx: Any = importlib.import_module(wrapper.__mro__[2].__module__.partition(".")[0])
        http = httpx.Client(transport=httpx.MockTransport(self._keep))
        make: Callable[..., Any] = getattr(sdk, client_class)
        accepted = inspect.signature(make).parameters
        given = {key: value for key, value in arguments.items() if key in accepted}
        self.client = make(http_client=http, max_retries=0, **given)
        self._resource: type[Any] = importlib.import_module(f"{name}._resource").SyncAPIResource

    def _keep(self, request: Any) -> Any:
        request.read()
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers.raw]
        self._sent.append(as_request(request.method, str(request.url), headers, request.content))
        raise Kept

    def every_call(self) -> Iterator[Sent]:
        """The requests of every method, in up to three variants of its arguments."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for operation, method in self.methods():
                yield from self.calls_of(operation, method)

    def calls_of(self, operation: str, method: Callable[..., Any]) -> Iterator[Sent]:
        """The requests of one method, without repetition."""
        seen: set[tuple[bytes, bytes | None]] = set()
        for arguments in itertools.chain(*(variants(method, other) for other in UNTYPED)):
            if len(seen) > 1:
                return
            self._sent.clear()
            # An empty answer fits no model, and helpers stumble over made-up arguments: only what
            # was sent counts.
            with contextlib.suppress(Exception):
                method(**arguments)
            for request in self._sent[:1]:
                if (request.target, request.body) not in seen:
                    seen.add((request.target, request.body))
                    yield Sent(operation, request)

    def methods(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Every public method of every resource, by its place in the client."""
        yield from self._methods(self.client, self.name)

    def _methods(self, owner: Any, path: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        for name in dir(type(owner)):
            if name.startswith(("_", "with_")):
                continue
            member = inspect.getattr_static(type(owner), name)
            if isinstance(member, functools.cached_property | property):
                try:
                    below = getattr(owner, name)
                except ImportError:
                    self.broken.append(f"{path}.{name}")
                    continue
                if isinstance(below, self._resource):
                    yield from self._methods(below, f"{path}.{name}")
            elif inspect.isfunction(member) and owner is not self.client:
                yield f"{path}.{name}", getattr(owner, name)


def variants(method: Callable[..., Any], other: object) -> Iterator[Mapping[str, Any]]:
    """Arguments: the required ones, once for an account and once for a zone; then all of them.
    `other` stands for what has a type of the SDK's own."""
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and name not in MANAGED
    }
    required = {
        name: value_of(name, str(parameter.annotation), other)
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
    }
    places = [name for name in ("account_id", "zone_id") if name in parameters]
    for place in places or [""]:
        yield {**required, **({place: TEXT} if place else {})}
    everything = {
        name: value_of(name, str(parameter.annotation), other)
        for name, parameter in parameters.items()
    }
    yield {name: value for name, value in everything.items() if name not in places[1:]}


def value_of(name: str, annotation: str, other: object) -> Any:
    """Something of the right shape for a parameter."""
    if name == "betas":
        return [TEXT]
    text = annotation.replace("typing.", "")
    if "FileTypes" in text or "FileContent" in text or "IO[" in text:
        return b"x"
    found = _LITERAL.search(text)
    if found is not None and not text.startswith(("List", "Iterable", "Dict", "Union[List")):
        return found.group(1)
    if re.match(r"(?:Optional\[)?(?:Union\[)?(?:List|Iterable|Sequence)", text):
        return [TEXT] if "str" in text else []
    if re.match(r"(?:Optional\[)?(?:Union\[)?(?:str|SequenceNotStr)", text):
        return [TEXT] if "SequenceNotStr" in text and not text.startswith("str") else TEXT
    if re.match(r"(?:Optional\[)?(?:Union\[)?(?:int|float)", text):
        return 5
    if re.match(r"(?:Optional\[)?(?:Union\[)?bool", text):
        return True
    if "Dict" in text:
        return {}
    if "bytes" in text:
        return b"x"
    return other
