"""Generated SDKs of smaller providers, driven without a network, against the shipped mappers."""

from __future__ import annotations

import functools

import pytest

from gateway.authoring.imports.providers import groq, increase, lithic, modern_treasury
from tests.contract.mappers_real_sdks.figures import Figures, judge
from tests.contract.mappers_real_sdks.generated import Driver
from tests.contract.mappers_real_sdks.sdk import catalog_operations, catalog_rows

CLIENTS = {
    "lithic": ("Lithic", lithic.READS),
    "increase": ("Increase", increase.READS),
    "modern_treasury": ("ModernTreasury", modern_treasury.READS),
    "groq": ("Groq", groq.READS),
}
NAMES = pytest.mark.parametrize("name", CLIENTS)


@functools.cache
def figures(name: str) -> Figures:
    """What came of calling every method."""
    client, reads = CLIENTS[name]
    return judge(Driver(name, client, api_key="none", organization_id="none").every_call(), reads)


@NAMES
def test_each_call_has_its_own_name(name: str) -> None:
    """Every operation is called, and every request of every method is recognised."""
    assert catalog_operations(name) - figures(name).methods == set()
    assert figures(name).wrong == []


@NAMES
def test_no_write_is_a_read(name: str) -> None:
    """What isn't a GET is no read, but what is listed with its reason; no reason is left over."""
    assert figures(name).mild == []
    assert set(CLIENTS[name][1]) - catalog_operations(name) == set()


@pytest.mark.parametrize(
    "operation",
    [
        "increase.wire_transfers.create",
        "increase.ach_transfers.create",
        "lithic.payments.create",
        "lithic.external_payments.create",
        "modern_treasury.payment_orders.create",
    ],
)
def test_money_that_leaves_is_irreversible(operation: str) -> None:
    """What moves money out is marked."""
    (row,) = [
        row
        for row in catalog_rows(operation.partition(".")[0])
        if row.operation == operation
    ]  # fmt: skip

    assert not row.reversible
