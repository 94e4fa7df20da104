"""Generated SDKs of smaller providers, driven without a network, against the shipped mappers."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from tests.contract.mappers_real_sdks.figures import Figures, Sent, judge
from tests.contract.mappers_real_sdks.generated import Driver
from tests.contract.mappers_real_sdks.sdk import catalog_operations

CLIENTS = {
    "lithic": ("lithic", "Lithic"),
    "increase": ("increase", "Increase"),
    "modern_treasury": ("modern_treasury", "ModernTreasury"),
    "groq": ("groq", "Groq"),
    "knock": ("knockapi", "Knock"),
    "orb": ("orb", "Orb"),
}
"""Module and class of each client."""
READS = {
    "events.search": "a search with its filters in the body",
    "prices.evaluate": "computes what events would cost",
    "prices.evaluate_multiple": "computes what events would cost",
    "prices.evaluate_preview_events": "computes what events would cost",
}
"""What reads by another method than GET, all of it Orb's."""
NAMES = pytest.mark.parametrize("name", CLIENTS)


def calls(name: str) -> Iterator[Sent]:
    """The requests of every method, by its place in the client."""
    module, client = CLIENTS[name]
    made = Driver(module, client, api_key="none", organization_id="none")
    for sent in made.every_call():
        yield Sent(sent.operation.removeprefix(f"{module}."), sent.request)


@functools.cache
def figures(name: str) -> Figures:
    """What came of calling every method."""
    return judge(calls(name), READS)


@NAMES
def test_each_call_has_its_own_name(name: str) -> None:
    """Every operation is called, and every request of every method is recognised."""
    assert catalog_operations(name) - figures(name).methods == set()
    assert figures(name).wrong == []


@NAMES
def test_no_write_is_a_read(name: str) -> None:
    """What isn't a GET is no read, but what is listed with its reason."""
    assert figures(name).mild == []
