"""The readers of two families of generated Python SDKs, on sources in their form."""

from __future__ import annotations

from pathlib import Path

from gateway.authoring.imports.sdk import fern, stainless
from gateway.canonicalize.authored.row import RowParam

RAW_CLIENT = """
class RawCardsClient:
    def list(self, customer_id: str, *, limit: typing.Optional[int] = None) -> None:
        _response = self._client_wrapper.httpx_client.request(
            f"v2/customers/{jsonable_encoder(customer_id)}/cards", method="GET", params={}
        )

    def pay(
        self, *, source_id: str, amount_money: MoneyParams, note: typing.Optional[str] = OMIT
    ) -> None:
        with self._client_wrapper.httpx_client.stream(
            "v2/pay", method="POST",
            json={"source_id": source_id, "amount_money": convert(amount_money), "note": note},
        ) as _response:
            pass

    def nothing(self) -> None:
        return None


class AsyncRawCardsClient:
    async def list(self) -> None:
        _response = await self._client_wrapper.httpx_client.request("v2/other", method="GET")
"""
CLIENT = """
from .resources.transfers import TransfersResource

class Bank(SyncAPIClient):
    @cached_property
    def transfers(self) -> TransfersResource:
        from .resources.transfers import TransfersResource
        return TransfersResource(self)
"""
RESOURCE = """
class TransfersResource(SyncAPIResource):
    def create(self, *, account_id: str, amount: int, currency: str, memo: str = omit) -> Transfer:
        return self._post(
            "/transfers",
            body=maybe_transform(
                {"account_id": account_id, "amount": amount, "currency": currency, "memo": memo},
                transfer_create_params.TransferCreateParams,
            ),
            options=make_request_options(),
            cast_to=Transfer,
        )

    def retrieve(self, transfer_id: str) -> Transfer:
        return self._get(path_template("/transfers/{transfer_id}", transfer_id=transfer_id))
"""


def test_raw_clients_become_calls(tmp_path: Path) -> None:
    """One for each method that sends, by the folder of its resource; asynchronous twins are not."""
    folder = tmp_path / "customers/cards"
    folder.mkdir(parents=True)
    (folder / "raw_client.py").write_text(RAW_CLIENT)

    listing, paying = fern.calls_of(tmp_path, prefix="/api", objects=_money)

    assert (listing.operation, listing.method) == ("customers.cards.list", "GET")
    assert listing.template == "/api/v2/customers/{customer_id}/cards"
    assert listing.words == ("list", "customer", "card")
    assert paying.template == "/api/v2/pay"
    assert [(field.name, field.required) for field in paying.fields] == [
        ("source_id", True),
        ("note", False),
    ]
    assert paying.params == {"amount": RowParam("body.amount_money.amount", "money_minor")}


def _money(name: str, annotation: str) -> dict[str, RowParam]:
    if annotation != "MoneyParams":
        return {}
    return {"amount": RowParam(f"body.{name}.amount", "money_minor")}


def test_a_methods_own_nouns_come_before_its_resources() -> None:
    """And `batch` stays before the verb."""
    assert fern.words_for(("inventory",), "deprecated_batch_get_counts") == (
        "batch",
        "get",
        "counts",
    )
    assert fern.words_for(("customers", "cards"), "create") == ("create", "customer", "card")


def test_resources_of_a_client_become_calls(tmp_path: Path) -> None:
    """With an integer amount as money in minor units, and its currency."""
    (tmp_path / "bank/resources").mkdir(parents=True)
    (tmp_path / "bank/_client.py").write_text(CLIENT)
    (tmp_path / "bank/resources/transfers.py").write_text(RESOURCE)

    calls = {call.operation: call for call in stainless.calls_of(tmp_path, "bank", "Bank")}

    creation = calls["transfers.create"]
    assert (creation.method, creation.template) == ("POST", "/transfers")
    assert creation.params == {
        "amount": RowParam("body.amount", "money_minor"),
        "currency": RowParam("body.currency", "currency"),
    }
    assert calls["transfers.retrieve"].template == "/transfers/{transfer_id}"
    assert calls["transfers.retrieve"].words == ("get", "transfer")
