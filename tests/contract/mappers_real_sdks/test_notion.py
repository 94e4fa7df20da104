"""The Notion client, driven without a network, against the shipped mapper and its catalog."""

from __future__ import annotations

import functools

from gateway.authoring.imports.providers.notion import READS
from tests.contract.mappers_real_sdks import drive_notion
from tests.contract.mappers_real_sdks.figures import Figures, judge
from tests.contract.mappers_real_sdks.sdk import catalog_operations


@functools.cache
def figures() -> Figures:
    """What came of calling every method."""
    return judge(drive_notion.every_call(), READS)


def test_every_operation_is_called_and_has_its_own_name() -> None:
    """The client's methods and the catalog's operations are the same, each recognised exactly."""
    assert catalog_operations("notion") == figures().methods
    assert (figures().wrong, figures().same) == ([], [])


def test_no_write_is_a_read() -> None:
    """What isn't a GET is no read, but what is listed with its reason; no reason is left over."""
    assert figures().mild == []
    assert READS.keys() - figures().methods == set()
