"""Every method of the Kubernetes Python client, with a transport that only keeps what it is given.

Each is called with its required parameters, and with all of them.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import kubernetes.client.api
import pytest
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import Action, Kind
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import as_request

HOST = "https://kubernetes.default.svc"
TAGLESS = frozenset({"version", "apis", "logs", "openid", "wellknown", "customobjects"})
"""Classes whose name is no part of their operations' names."""
OTHER_NAMES = {
    "getcode": "getcodeversion",
    "listcustomobjectforallnamespaces": "listclustercustomobject",
}
"""`get_code` by its specified name, and a method that sends what another one sends."""
READING = ("get_", "read_", "list_", "log_")
"""How the methods begin that only read."""


class Kept(Exception):
    """What would have been sent."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__("kept")
        self.request = request


class Recording:
    """Stands where the client's connection pools stand."""

    def request(self, method: str, url: str, **more: Any) -> Any:
        body = more.get("body")
        data = json.dumps(body) if isinstance(body, dict | list) else body
        raise Kept(as_request(method, url, more.get("headers") or {}, data))


@dataclass(frozen=True)
class Call:
    """One method, called."""

    expected: str
    method: str
    action: Action | None
    problem: str


@functools.cache
def judge() -> Canonicalizer:
    """The shipped mapper of Kubernetes alone."""
    return Canonicalizer.load([mappers_dir() / "kubernetes.yaml"])


def classes() -> Iterator[type[Any]]:
    """Every API class of the client."""
    package = kubernetes.client.api
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        found = vars(importlib.import_module(f"{package.__name__}.{module}"))
        yield from (value for name, value in sorted(found.items()) if _is_api(name, value))


def _is_api(name: str, value: object) -> bool:
    return inspect.isclass(value) and name.endswith("Api")


def example(name: str, annotation: str) -> object:
    """A value for a parameter."""
    if name == "body":
        return {"metadata": {"name": "x1"}, "spec": {"replicas": 2}}
    if name == "group":
        return "example.com"
    if re.search(r"\bbool\b", annotation):
        return True
    return 1 if re.search(r"\bint\b", annotation) else "x1"


@functools.cache
def calls() -> tuple[Call, ...]:
    """Every method of every class, called twice."""
    client, made = ApiClient(Configuration(host=HOST)), []
    client.rest_client.pool_manager = Recording()
    for one in classes():
        owner = one(client)
        for name, function in sorted(vars(one).items()):
            # The undecorated function: the decorator only checks types.
            raw = getattr(function, "raw_function", None)
            if raw is None or name.endswith(("_with_http_info", "_without_preload_content")):
                continue
            made += [_call(owner, name, raw, everything) for everything in (False, True)]
    return tuple(made)


def _call(owner: Any, name: str, raw: Any, everything: bool) -> Call:
    arguments = {
        parameter.name: example(parameter.name, str(parameter.annotation))
        for parameter in inspect.signature(raw).parameters.values()
        if parameter.name not in ("self", "async_req")
        and not parameter.name.startswith("_")
        and (everything or parameter.default is inspect.Parameter.empty)
    }
    try:
        raw(owner, **arguments)
    except Kept as kept:
        canonical = judge().canonicalize(kept.request)
    else:
        raise AssertionError(f"{name} sent nothing")
    group = type(owner).__name__.removesuffix("Api").lower()
    verb, *rest = name.split("_")
    expected = "".join([verb, "" if group in TAGLESS else group, *rest])
    found = canonical.actions[0] if canonical.actions else None
    return Call(OTHER_NAMES.get(expected, expected), name, found, canonical.detail)


def test_methods_have_their_own_names() -> None:
    """At least 99.5 % are recognised as exactly what they are."""
    wrong = [
        f"{call.expected}: {call.action and call.action.operation} {call.problem}"
        for call in calls()
        if call.action is None or call.action.operation.lower() != call.expected
    ]

    assert len(calls()) > 1_400
    assert len(wrong) <= len(calls()) * 0.005, wrong[:20]


def test_no_act_is_called_a_read() -> None:
    """Only what begins like a read is one; running a command by GET is not."""
    kinds = {(call.method, call.action.kind) for call in calls() if call.action is not None}
    wrong = {name for name, kind in kinds if kind is Kind.READ and not name.startswith(READING)}
    acts = {name for name, kind in kinds if kind is not Kind.READ and name.startswith(READING)}

    assert not wrong
    assert not acts


def test_targets_are_namespace_and_name() -> None:
    """Whatever has a name in its path has it in its target, after its namespace."""
    named = [
        call.action
        for call in calls()
        if call.action is not None
        and call.method.startswith(("read_namespaced_", "delete_namespaced_", "patch_namespaced_"))
        and "custom" not in call.method
    ]

    assert len(named) > 300
    assert {action.target.id for action in named} == {"x1/x1"}


@pytest.mark.parametrize(
    ("method", "path", "kind", "sensitive"),
    [
        ("GET", "/api/v1/namespaces/a/pods/b/exec?command=sh", Kind.EXECUTE, None),
        ("GET", "/api/v1/namespaces/a/pods/b/portforward?ports=80", Kind.EXECUTE, None),
        ("GET", "/api/v1/nodes/a/proxy/run/x", Kind.EXECUTE, None),
        ("GET", "/api/v1/secrets", Kind.READ, "credentials"),
        ("GET", "/api/v1/watch/secrets", Kind.READ, "credentials"),
        ("DELETE", "/api/v1/namespaces/a/pods", Kind.DELETE, None),
        ("DELETE", "/api/v1/namespaces/a/secrets", Kind.ADMIN, None),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", Kind.ADMIN, "credentials"),
        ("PUT", "/apis/rbac.authorization.k8s.io/v1/clusterroles/a", Kind.ADMIN, None),
        ("POST", "/api/v1/namespaces/a/pods/b/eviction", Kind.DELETE, None),
        ("GET", "/apis/x.example/v1/namespaces/a/things/b/console", Kind.UNKNOWN, None),
        ("GET", "/api/v1/namespaces/a/pods/b/unheard", Kind.UNKNOWN, None),
    ],
)
def test_what_must_not_be_mistaken(
    method: str, path: str, kind: Kind, sensitive: str | None
) -> None:
    """Commands sent by GET, secrets in lists, tokens, and subresources that nobody described."""
    (action,) = judge().canonicalize(as_request(method, HOST + path, {}, b"")).actions

    assert (action.kind, action.sensitive) == (kind, sensitive)
