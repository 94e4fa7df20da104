"""Adyen's and Resend's SDKs, driven without a network, against the shipped mappers."""

from __future__ import annotations

import functools
import inspect
import json
from typing import Any

import Adyen
import pytest
import resend
from Adyen.httpclient import HTTPClient
from Adyen.services.base import AdyenServiceBase
from resend.http_client import HTTPClient as ResendHttpClient

from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.arguments import methods_of, required_arguments
from tests.contract.mappers_real_sdks.figures import Figures, Sent, judge
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer, catalog_operations

READS = """
    balancePlatform.bank_account_validation_api.validate_bank_account_identification
    balancePlatform.transfer_routes_api.calculate_transfer_routes
    binlookup.bin_lookup_api.get3ds_availability binlookup.bin_lookup_api.get_cost_estimate
    capital.dynamic_offers_api.calculate_preliminary_offer_from_dynamic_offer
    checkout.orders_api.get_balance_of_gift_card checkout.payments_api.card_details
    checkout.payments_api.payment_methods
    disputes.disputes_api.retrieve_applicable_defense_reasons
    legalEntityManagement.pci_questionnaires_api.calculate_pci_status_of_legal_entity
    legalEntityManagement.terms_of_service_api.get_terms_of_service_document
    payment.payments_api.get_authentication_result recurring.recurring_api.list_recurring_details
    storedValue.stored_value_api.check_balance
"""
"""Adyen asks by POST: they look up or compute, and move nothing."""

calling = [""]
sent: list[Sent] = []


def adyen_client(platform: str) -> Any:
    """A client whose transport keeps what it is given."""
    client = Adyen.Adyen(
        xapikey="none",
        platform=platform,
        live_endpoint_prefix="1797a841fbb37ca7-Shop",
        merchant_account="shop",
    )

    def keep(method: str, url: str, **given: Any) -> Any:
        body = given.get("json")
        data = None if body in (None, "") else json.dumps(body)
        headers = {} if data is None else {"content-type": "application/json"}
        sent.append(Sent(calling[0], as_request(method, url, headers, data)))
        raise ConnectionError

    http = HTTPClient(user_agent_suffix="x", lib_version="1", force_request="requests")
    http.request = keep  # an attribute of the instance: the library binds its choice there as well
    client.client.http_client = http
    client.client.http_init = True
    return client


@functools.cache
def adyen_figures(platform: str) -> Figures:
    """What came of calling every method, on the test or the live hosts."""
    client = adyen_client(platform)
    sent.clear()
    for name, method in methods_of(client, lambda member: isinstance(member, AdyenServiceBase)):
        if name.count(".") != 2:
            continue
        calling[0] = name
        given = {
            key: {} if key == "request" else f"x{position}"
            for position, key in enumerate(inspect.signature(method).parameters)
            if key not in ("kwargs", "idempotency_key")
        }
        with pytest.raises((ConnectionError, AttributeError, TypeError)):
            method(**given)
    return judge(sent, READS.split())


@pytest.mark.parametrize("platform", ["test", "live"])
def test_each_call_of_adyen_has_its_own_name(platform: str) -> None:
    """Every request is recognised on the hosts of tests and on those of a merchant."""
    found = adyen_figures(platform)

    assert found.wrong == []
    assert len(found.methods & catalog_operations("adyen")) >= 330


@pytest.mark.parametrize("platform", ["test", "live"])
def test_nothing_in_adyen_is_milder_than_it_is(platform: str) -> None:
    """What isn't a GET is no read, but what is listed."""
    assert adyen_figures(platform).mild == []


class KeepingResend(ResendHttpClient):  # type: ignore[misc]
    """Keeps what it is given, and answers with an empty object."""

    def request(
        self, method: str, url: str, headers: Any = None, json: Any = None, **_: object
    ) -> Any:
        sent.append(Sent(calling[0], as_request(method, url, {}, None)))
        return b"{}", 200, {"content-type": "application/json"}


@functools.cache
def resend_figures() -> Figures:
    """What came of calling every method of every resource class."""
    resend.api_key = "none"
    resend.default_http_client = KeepingResend()
    sent.clear()
    for name, owner in sorted(vars(resend).items()):
        if not inspect.isclass(owner) or not owner.__module__.startswith("resend."):
            continue
        for verb, _ in inspect.getmembers(owner, inspect.ismethod):
            if verb.endswith("_async"):
                continue
            calling[0] = f"{owner.__name__}.{verb}"
            method = getattr(owner, verb)
            given = required_arguments(method)
            given |= {key: AnyKey() for key in given if "params" in key}
            try:
                method(**given)
            except (TypeError, ValueError, KeyError, AttributeError, resend.exceptions.ResendError):
                continue
        assert name
    return judge(sent, frozenset())


RENAMED = {"Audiences.get", "Audiences.remove"}
"""What the SDK still calls audiences; it sends the bytes of segments."""


class AnyKey(dict[str, object]):
    """A typed dictionary's stand-in: every key is there."""

    def __missing__(self, key: str) -> str:
        return "x1"

    def get(self, key: str, default: object = None) -> object:
        return default


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_each_call_of_resend_has_its_own_name() -> None:
    """Every request is recognised, and nothing that isn't a GET is a read."""
    found = resend_figures()

    assert {name for name, _ in found.wrong} == RENAMED
    assert found.mild == []
    assert len(found.methods & catalog_operations("resend")) >= 80


def test_an_email_is_sent_to_its_recipients() -> None:
    """What the SDK sends names them, in the order that it was given."""
    request = as_request(
        "POST",
        "https://api.resend.com/emails",
        {"content-type": "application/json"},
        '{"from": "a@example.com", "to": ["b@example.com"], "cc": "c@example.com", "subject": "x"}',
    )

    (action,) = canonicalizer().canonicalize(request).actions

    assert (action.action, action.kind, action.reversible) == ("send_email", Kind.SEND, False)
    assert action.params["recipients"] == ["b@example.com", "c@example.com"]
