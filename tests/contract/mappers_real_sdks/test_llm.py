"""The OpenAI and Anthropic SDKs, driven without a network, against the shipped mappers."""

from __future__ import annotations

import functools
import json

import pytest

from gateway.authoring.imports.providers import anthropic, openai
from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.figures import Figures, judge
from tests.contract.mappers_real_sdks.generated import Driver
from tests.contract.mappers_real_sdks.sdk import canonicalizer, catalog_operations, catalog_rows

READS = {"openai": openai.READS, "anthropic": anthropic.READS}
CLIENTS = {"openai": "OpenAI", "anthropic": "Anthropic"}
PROVIDERS = pytest.mark.parametrize("provider", CLIENTS)


@functools.cache
def driver(provider: str) -> Driver:
    """A client with made-up keys."""
    return Driver(provider, CLIENTS[provider], api_key="none", admin_api_key="none")


@functools.cache
def figures(provider: str) -> Figures:
    """What came of calling every method."""
    return judge(driver(provider).every_call(), READS[provider])


@PROVIDERS
def test_every_operation_is_called(provider: str) -> None:
    """No operation of the catalog goes untested."""
    assert catalog_operations(provider) - figures(provider).methods == set()
    assert driver(provider).broken == []


@PROVIDERS
def test_each_call_has_its_own_name(provider: str) -> None:
    """Every request of every method is recognised; what differs in name is the same in bytes."""
    assert figures(provider).wrong == []
    assert figures(provider).exact > len(catalog_operations(provider))


@PROVIDERS
def test_nothing_in_the_whole_sdk_is_milder_than_it_is(provider: str) -> None:
    """What isn't a GET is no read, but what is listed with its reason; no reason is left over."""
    assert figures(provider).mild == []
    assert set(READS[provider]) - catalog_operations(provider) == set()


@PROVIDERS
def test_minted_credentials_are_marked(provider: str) -> None:
    """Whatever gives keys or secrets is `admin`, and somebody does."""
    marked = [row for row in catalog_rows(provider) if row.sensitive]

    assert len(marked) >= 8
    assert {row.kind for row in marked} == {Kind.ADMIN}


def test_the_same_api_at_azure() -> None:
    """Every method of the client for Azure is recognised below `/openai`, with its deployments."""
    made = Driver(
        "openai",
        "AzureOpenAI",
        api_key="none",
        api_version="2024-10-21",
        azure_endpoint="https://ours.openai.azure.com",
    )
    found = judge(made.every_call(), READS["openai"])

    assert (found.wrong, found.mild) == ([], [])
    assert catalog_operations("openai") - found.methods == set()


def test_inference_names_its_model() -> None:
    """A chat completion is `execute` on a model, whatever its messages hold."""
    made = driver("openai")

    def call() -> None:
        made.client.chat.completions.create(
            model="gpt-x",
            messages=[{"role": "user", "content": 'a "quoted": text'}],
            temperature=0.5,
        )

    (sent,) = made.calls_of("openai.chat.completions.create", call)
    (action,) = canonicalizer().canonicalize(sent.request).actions

    assert (action.operation, action.action, action.kind, action.target.id) == (
        "openai.chat.completions.create",
        "create_completion",
        Kind.EXECUTE,
        "gpt-x",
    )
    assert json.loads(sent.request.body or b"")["temperature"] == 0.5
