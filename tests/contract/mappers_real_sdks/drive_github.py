"""Drives githubkit: every REST method it has, named by the operationId that it documents. No
network: what the methods hand to the client is kept."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request

SCHEMAS = "githubkit_schemas.v2026_03_10"
_LITERAL = re.compile(r"Literal\[\s*['\"]([^'\"]+)")


class Models(ModuleType):
    """Stands for the generated models, which take seconds to import and are for answers only."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Recorder:
    """Stands for the client below the methods."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(rest_api_validate_body=False)
        self.last: Any = None

    def request(self, method: str, url: str, **given: Any) -> None:
        params = {key: _plain(value) for key, value in (given.get("params") or {}).items()}
        query = urlencode(params, doseq=True)
        address = url if url.startswith("https:") else f"https://api.github.com{url}"
        body = given.get("content")
        headers = dict(given.get("headers") or {})
        if given.get("json") is not None:
            body = json.dumps(given["json"])
            headers["Content-Type"] = "application/json"
        self.last = as_request(method, address + ("?" + query if query else ""), headers, body)


def _plain(value: object) -> object:
    return "true" if value is True else "false" if value is False else value


def every_call(value: str = "x-1") -> Iterator[Sent]:
    """One request of every method; `value` is what each text in a path is."""
    sys.modules.setdefault(f"{SCHEMAS}.models", Models(f"{SCHEMAS}.models"))
    rest = importlib.import_module(f"{SCHEMAS}.rest")
    for module in pkgutil.iter_modules(rest.__path__):
        namespace = importlib.import_module(f"{rest.__name__}.{module.name}")
        for client in vars(namespace).values():
            if inspect.isclass(client) and client.__name__.endswith("Client"):
                yield from _calls_of(client, value)


def _calls_of(client: type[Any], value: str) -> Iterator[Sent]:
    recorder = Recorder()
    owner = client(recorder)
    for name, method in inspect.getmembers(client, inspect.isfunction):
        operation = (method.__doc__ or "").partition("\n")[0].strip()
        operation = operation.removeprefix("DEPRECATED ")
        if name.startswith(("_", "async_")) or "/" not in operation:
            continue
        recorder.last = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some methods are deprecated
            getattr(owner, name)(**_arguments(method, value))
        assert recorder.last is not None, operation
        yield Sent(operation, recorder.last)


def _arguments(method: Any, value: str) -> Mapping[str, Any]:
    """A value for each parameter that has to be given."""
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name == "self" or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.default is not parameter.empty and name != "data":
            continue
        text = str(parameter.annotation)
        literal = _LITERAL.search(text)
        if name == "data":
            given[name] = (
                "x" if re.search(r"(?:^|\[)(?:str|FileTypes|bytes)", text) else {"name": "x"}
            )
        elif literal is not None:
            given[name] = literal.group(1)
        elif text.startswith(("int", "Union[int", "Missing[int")):
            given[name] = 7
        else:
            given[name] = value
    return given
