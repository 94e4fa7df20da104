"""The Cloudflare SDK, driven without a network, against the shipped mapper and its catalog."""

from __future__ import annotations

import functools

import pytest

from gateway.authoring.imports.providers.cloudflare import READS
from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.figures import Figures, judge
from tests.contract.mappers_real_sdks.generated import Driver
from tests.contract.mappers_real_sdks.sdk import catalog_operations, catalog_rows

BROKEN = {
    "cloudflare.pipelines": "its types import each other in a circle, so that Python refuses them",
}
CANT_SEND = {
    "cloudflare.ai.to_markdown.transform": "gives its base class an argument that it refuses",
}
"""What no caller of this SDK can send, as it is published."""


@functools.cache
def driver() -> Driver:
    """A client with a made-up token."""
    return Driver("cloudflare", "Cloudflare", api_token="none")


@functools.cache
def figures() -> Figures:
    """What came of calling every method."""
    return judge(driver().every_call(), READS)


def test_every_operation_is_called() -> None:
    """No operation of the catalog goes untested, but those that the SDK itself breaks on."""
    missing = catalog_operations("cloudflare") - figures().methods

    assert set(driver().broken) == BROKEN.keys()
    assert {name for name in missing if not name.startswith(tuple(BROKEN))} == CANT_SEND.keys()


def test_each_call_has_its_own_name() -> None:
    """Every request of every method is recognised; what differs in name is the same in bytes."""
    assert figures().wrong == []
    assert len({name for name, _ in figures().same}) < len(figures().methods) / 50


def test_nothing_in_the_whole_sdk_is_milder_than_it_is() -> None:
    """What isn't a GET is no read, but what is listed with its reason; no reason is left over."""
    assert figures().mild == []
    assert READS.keys() - catalog_operations("cloudflare") == set()


GETS_THAT_ACT = (
    "cloudflare.alerting.destinations.pagerduty.link",
    "cloudflare.browser_rendering.devtools.browser.targets.close",
    "cloudflare.browser_rendering.devtools.browser.launch",
)


@pytest.mark.parametrize("operation", GETS_THAT_ACT)
def test_a_get_that_acts_is_no_read(operation: str) -> None:
    """The method does not make a kind milder."""
    rows = [row for row in catalog_rows("cloudflare") if row.operation == operation]

    assert [row.wire.partition(" ")[0] for row in rows] == ["GET"]
    assert Kind.READ not in {row.kind for row in rows}
