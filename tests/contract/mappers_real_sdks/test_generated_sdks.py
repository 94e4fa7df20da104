"""Generated SDKs of smaller providers, driven without a network, against the shipped mappers."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from tests.contract.mappers_real_sdks.figures import Figures, Sent, judge
from tests.contract.mappers_real_sdks.generated import Driver
from tests.contract.mappers_real_sdks.sdk import catalog_operations

CLIENTS = {
    "lithic": "Lithic",
    "increase": "Increase",
    "modern_treasury": "ModernTreasury",
    "groq": "Groq",
}
NAMES = pytest.mark.parametrize("name", CLIENTS)


def calls(name: str) -> Iterator[Sent]:
    """The requests of every method, by its place in the client."""
    made = Driver(name, CLIENTS[name], api_key="none", organization_id="none")
    for sent in made.every_call():
        yield Sent(sent.operation.removeprefix(f"{name}."), sent.request)


@functools.cache
def figures(name: str) -> Figures:
    """What came of calling every method."""
    return judge(calls(name), reads=())


@NAMES
def test_each_call_has_its_own_name(name: str) -> None:
    """Every operation is called, and every request of every method is recognised."""
    assert catalog_operations(name) - figures(name).methods == set()
    assert figures(name).wrong == []


@NAMES
def test_nothing_but_a_get_is_a_read(name: str) -> None:
    """These providers read by GET alone."""
    assert figures(name).mild == []
