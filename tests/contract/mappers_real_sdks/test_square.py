"""Square's SDK, driven without a network, against the shipped mapper and its catalog."""

from __future__ import annotations

import functools
from typing import Any

import httpx
from square import Square

from tests.contract.mappers_real_sdks.arguments import methods_of, required_arguments
from tests.contract.mappers_real_sdks.figures import Figures, Sent, judge
from tests.contract.mappers_real_sdks.sdk import as_request, catalog_operations

SEARCHES = """
bookings.search_availability catalog.search catalog.search_items customers.search
events.search_events invoices.search labor.search_scheduled_shifts labor.search_timecards
labor.shifts.search loyalty.accounts.search loyalty.rewards.search loyalty.search_events
orders.search subscriptions.search team_members.search terminal.actions.search
terminal.checkouts.search terminal.refunds.search transfer_orders.search vendors.search
"""
MANY_AT_ONCE = """
bookings.bulk_retrieve_bookings bookings.bulk_retrieve_team_member_booking_profiles
catalog.batch_get channels.bulk_retrieve customers.bulk_retrieve_customers
inventory.batch_get_changes inventory.batch_get_counts inventory.deprecated_batch_get_changes
inventory.deprecated_batch_get_counts orders.batch_get vendors.batch_get
"""
BY_A_SECRET_OF_THE_BUYER = "gift_cards.get_from_gan gift_cards.get_from_nonce"
ANSWERS = """
inventory.retrieve_inventory_adjustment_reason o_auth.retrieve_token_status orders.calculate
reporting.load
"""
"""They compute, or look up, and store nothing."""
READS = frozenset((SEARCHES + MANY_AT_ONCE + BY_A_SECRET_OF_THE_BUYER + ANSWERS).split())
UPLOADS = frozenset(
    {"catalog.images.create", "catalog.images.update", "disputes.create_evidence_file",
     "invoices.create_invoice_attachment"}
)  # fmt: skip
"""Multipart: the SDK wants a file, which made-up arguments aren't."""


@functools.cache
def figures() -> Figures:
    """What came of calling every method."""
    sent: list[Sent] = []
    calling = [""]

    def keep(request: httpx.Request) -> httpx.Response:
        request.read()
        headers = [(key.decode(), value.decode()) for key, value in request.headers.raw]
        kept = as_request(request.method, str(request.url), headers, request.content)
        sent.append(Sent(calling[0], kept))
        return httpx.Response(200, json={})

    client = Square(token="none", httpx_client=httpx.Client(transport=httpx.MockTransport(keep)))
    for name, method in methods_of(client, _is_resource):
        calling[0] = name
        try:
            result: Any = method(**required_arguments(method))
            if hasattr(result, "__next__"):
                next(result, None)
        except (AttributeError, TypeError, ValueError, KeyError):
            pass  # the empty answer doesn't fit the model; what was sent is what counts
    return judge(sent, READS)


def _is_resource(member: Any) -> bool:
    module = type(member).__module__
    return module.startswith("square.") and module.endswith("client")


def test_every_operation_is_called() -> None:
    """No operation of the catalog goes untested, but uploads."""
    assert catalog_operations("square") - figures().methods == UPLOADS


def test_each_call_has_its_own_name() -> None:
    """Every request of every method is recognised, exactly."""
    assert figures().wrong == []
    assert figures().same == []


def test_nothing_in_the_whole_sdk_is_milder_than_it_is() -> None:
    """What isn't a GET is no read, but what is listed; nothing is listed without need."""
    assert figures().mild == []
    assert READS - catalog_operations("square") == set()
