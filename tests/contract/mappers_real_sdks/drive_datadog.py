"""Drives the Datadog client: every endpoint of both versions, with made-up arguments. No network:
the transport keeps the request."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pkgutil
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from datadog_api_client import ApiClient, Configuration
from datadog_api_client.api_client import Endpoint

from tests.contract.mappers_real_sdks.figures import Sent
from tests.contract.mappers_real_sdks.sdk import as_request


class Kept(Exception):
    """The request is kept; nothing is to be sent."""


class Transport:
    """Stands for the client's own transport."""

    def __init__(self) -> None:
        self.last: Any = None

    def request(
        self, method: str, url: str, query_params: Any = None, headers: Any = None, **given: Any
    ) -> None:
        query = urlencode(query_params or [], doseq=True)
        body = json.dumps(given["body"]) if given.get("body") is not None else None
        self.last = as_request(method, url + ("?" + query if query else ""), headers or {}, body)
        raise Kept


def every_call(site: str = "datadoghq.com") -> Iterator[Sent]:
    """One request of every endpoint, named as the client names it (`create_monitor`)."""
    configuration = Configuration(server_variables={"site": site}, check_input_type=False)
    for name in list(configuration.unstable_operations.values):
        configuration.unstable_operations.values[name] = True
    client = ApiClient(configuration)
    transport = client.rest_client = Transport()
    for version in ("v1", "v2"):
        package = importlib.import_module(f"datadog_api_client.{version}.api")
        for module in pkgutil.iter_modules(package.__path__):
            namespace = importlib.import_module(f"{package.__name__}.{module.name}")
            for owner in list(vars(namespace).values()):
                if isinstance(owner, type) and owner.__name__.endswith("Api"):
                    yield from _calls_of(owner(client), transport, site)


def _calls_of(api: Any, transport: Transport, site: str) -> Iterator[Sent]:
    for endpoint in vars(api).values():
        if not isinstance(endpoint, Endpoint):
            continue
        given = {
            name: _value(param["location"], str(param["openapi_types"]))
            for name, param in endpoint.params_map.items()
            if param["location"] == "body" or param.get("required")
        }
        configuration = api.api_client.configuration
        servers = endpoint.settings.get("servers") or [{}]
        sites = servers[0].get("variables", {}).get("site", {}).get("enum_values", [site])
        # Some endpoints are at hosts of their own, and their sites have other names.
        configuration.server_variables = {"site": site} if site in sites else {}
        transport.last = None
        with warnings.catch_warnings(), contextlib.suppress(Kept):
            warnings.simplefilter("ignore")
            endpoint.call_with_http_info(**given)
        assert transport.last is not None, endpoint.settings["operation_id"]
        yield Sent(endpoint.settings["operation_id"], transport.last)


class Upload(io.BytesIO):
    """A file with a name."""

    name = "x.txt"


def _value(place: str, types: str) -> Any:
    if place == "body":
        return {}
    if place == "form":
        return Upload(b"x")
    if "[" in types:
        return [7] if "int" in types else ["x"]
    return 7 if "int" in types else True if "bool" in types else "x"
