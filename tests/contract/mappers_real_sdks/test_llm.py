"""The OpenAI and Anthropic SDKs, driven without a network, against the shipped mappers."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
from collections.abc import Callable
from typing import Any

import anthropic
import anthropic._base_client
import openai
import openai._base_client
import pytest

from gateway.canonicalize.operation import Operation
from gateway.model.action import Kind
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer, operations_of

READING_POSTS = {"vector_stores.search", "messages.count_tokens", "beta.messages.count_tokens"}
"""POSTs that change nothing and spend nothing: searches and counts."""
NOT_IN_THE_SDK = {
    ("openai", "organization.projects.service_accounts.create"),
    ("openai", "organization.admin_api_keys.create"),
    ("openai", "organization.invites.create"),
    ("anthropic", "organizations.invites.create"),
    ("anthropic", "organizations.users.list"),
    ("anthropic", "organizations.users.delete"),
    ("anthropic", "completions.create"),
    ("anthropic", "messages.batches.results"),
}
"""Administration, which has its own keys and clients; a method that the SDK dropped; and one that
follows a URL of an earlier answer."""
WAITS = re.compile("poll|wait")
"""Loops of the SDK that ask again until a job ends; ours never does."""
FILE_NAMES = frozenset({"file", "image", "files", "data", "mask"})

sent: list[HttpRequest] = []


def keep(httpx: Any, request: Any) -> Any:
    """A transport that keeps what it is given."""
    request.read()
    headers = [(name.decode(), value.decode()) for name, value in request.headers.raw]
    sent.append(as_request(request.method, str(request.url), headers, request.content))
    return httpx.Response(200, json={"id": "x", "data": []})


@functools.cache
def client(provider: str) -> Any:
    sdk = openai if provider == "openai" else anthropic
    # Each SDK brings the HTTP library that it was built on, under its own name.
    wrapper: type[Any] = sdk._base_client.SyncHttpxClientWrapper
    httpx: Any = importlib.import_module(wrapper.__mro__[2].__module__.partition(".")[0])
    http = httpx.Client(transport=httpx.MockTransport(functools.partial(keep, httpx)))
    make: Callable[..., Any] = openai.OpenAI if provider == "openai" else anthropic.Anthropic
    more = (
        {"admin_api_key": "none"} if "admin_api_key" in inspect.signature(make).parameters else {}
    )
    return make(api_key="none", http_client=http, max_retries=0, **more)


def argument(name: str) -> object:
    """Something of the right shape for a required parameter."""
    if name in FILE_NAMES:
        return b"x"
    if name.endswith("s") and name not in ("status", "max_tokens"):
        return []
    return 5 if "max" in name else "x_1"


def call(provider: str, operation: str) -> HttpRequest | None:
    """Call one method of the SDK; None where it sends nothing for made-up arguments."""
    target = client(provider)
    for part in operation.split("."):
        target = getattr(target, part)
    given = {
        name: argument(name)
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }
    if operation in ("chat.completions.create", "completions.create", "responses.create",
                     "messages.create", "fine_tuning.jobs.create"):  # fmt: skip
        given |= {"model": "m-1"}
    if operation == "responses.create":
        given |= {"input": "hello"}
    sent.clear()
    try:
        target(**given)
    except (TypeError, ValueError, AttributeError, KeyError, RuntimeError):
        pass  # the empty answer doesn't fit the model; what was sent is what counts
    except (openai.OpenAIError, anthropic.AnthropicError):
        pass
    return sent[0] if sent else None


MAPPED = [
    pytest.param(provider, entry, id=f"{provider} {entry.operation}")
    for provider in ("openai", "anthropic")
    for entry in operations_of(provider)
    if (provider, entry.operation) not in NOT_IN_THE_SDK
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("provider", "entry"), MAPPED)
def test_each_call_has_its_own_name(provider: str, entry: Operation) -> None:
    """Every mapped operation that the SDK offers is recognised exactly, with its kind."""
    request = call(provider, entry.operation)
    assert request is not None, "the SDK sent nothing"

    canonical = canonicalizer().canonicalize(request)

    assert canonical.refused is None, canonical.detail
    assert [action.operation for action in canonical.actions] == [entry.operation]
    assert canonical.actions[0].kind is entry.kind


def every_operation(resource: Any, prefix: str = "", depth: int = 0) -> list[str]:
    """The names of all methods of an SDK's resources."""
    found: list[str] = []
    for name in dir(type(resource)):
        if name.startswith(("_", "with_", "copy", "get_api", "post", "patch", "put", "delete_")):
            continue
        member = inspect.getattr_static(type(resource), name)
        if inspect.isfunction(member) and depth and not WAITS.search(name):
            found.append(f"{prefix}{name}")
        elif type(member).__name__ in ("cached_property", "property") and depth < 5:
            child = getattr(resource, name, None)
            if "resources" in type(child).__module__:
                found += every_operation(child, f"{prefix}{name}.", depth + 1)
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("provider", "called_min"), [("openai", 150), ("anthropic", 20)])
def test_nothing_in_the_whole_sdk_is_milder_than_it_is(provider: str, called_min: int) -> None:
    """Every method of the SDK, mapped or not: what isn't a GET is no read, but a few searches."""
    wrong, called = [], 0
    for name in every_operation(client(provider)):
        request = call(provider, name)
        if request is None:
            continue
        called += 1
        kinds = {action.kind for action in canonicalizer().canonicalize(request).actions}
        if request.method != "GET" and Kind.READ in kinds and name not in READING_POSTS:
            wrong.append(name)

    assert called >= called_min
    assert wrong == []


def test_inference_names_its_model() -> None:
    """A chat completion is `execute` on a model, whatever its messages hold."""
    sent.clear()
    client("openai").chat.completions.create(
        model="gpt-x", messages=[{"role": "user", "content": 'a "quoted": text'}], temperature=0.5
    )

    (action,) = canonicalizer().canonicalize(sent[0]).actions

    assert (action.action, action.kind, action.target.id) == (
        "create_completion",
        Kind.EXECUTE,
        "gpt-x",
    )
    assert json.loads(sent[0].body or b"")["temperature"] == 0.5
