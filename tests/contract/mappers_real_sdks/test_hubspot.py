"""The HubSpot client, driven without a network, against the shipped mapper and its catalog."""

from __future__ import annotations

import functools

from gateway.authoring.imports.providers.hubspot import READING_POSTS
from tests.contract.mappers_real_sdks import drive_hubspot
from tests.contract.mappers_real_sdks.figures import Figures, judge
from tests.contract.mappers_real_sdks.sdk import catalog_operations

BRACES = {
    "hubspot.cms.source_code.validation_api.do_validate",
    "hubspot.crm.pipelines.pipeline_stage_audits_api.get_audit",
}
"""Methods that forget to fill one variable in: their path has braces, which is refused."""


@functools.cache
def figures() -> Figures:
    """What came of calling every method."""
    reads = {
        name
        for name in catalog_operations("hubspot")
        if any(pattern.search(name) for pattern, _ in READING_POSTS)
    }
    return judge(drive_hubspot.every_call(), reads)


def test_each_call_has_its_own_name() -> None:
    """Every request that is well formed is recognised, and nearly all of them are."""
    assert {name for name, _ in figures().wrong} == BRACES
    assert {refused for _, refused in figures().wrong} == {"ambiguous_path"}
    assert figures().share >= 0.995


def test_every_method_sends() -> None:
    """All methods but a few, which refuse made-up arguments, were called."""
    silent = {name for name, _ in drive_hubspot.methods()} - figures().methods

    assert len(silent) <= 2
    assert silent <= catalog_operations("hubspot")


def test_no_write_is_a_read() -> None:
    """What isn't a GET is no read, but what a pattern names with its reason; no pattern is idle."""
    names = catalog_operations("hubspot")

    assert figures().mild == []
    assert [p.pattern for p, _ in READING_POSTS if not any(map(p.search, names))] == []
