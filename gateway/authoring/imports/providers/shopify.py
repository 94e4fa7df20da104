"""Shopify's Admin REST API, from the resource classes of its JavaScript SDK in all its versions.

Operations are class and method (`Order.cancel`); reads are `all` and `find`, as in the SDK. The
host is the shop's own. The GraphQL endpoint at the same host is another mapper's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.calls import API_VERSION, Call, Judgement, row_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind

PROVIDER = "shopify"
SOURCES = (
    Source(
        "npm",
        "@shopify/shopify-api",
        "13.1.0",
        "MIT",
        "4f5099c5bb06c17b125b40024f9ab2cb49ad34af58c28556431dfb6e6d0646b4",
    ),
)
HOSTS = ("*.myshopify.com",)
_REFUND = {
    "currency": RowParam("body.refund.currency", "currency"),
    "reason": RowParam("body.refund.note"),
}
_REFUND_AMOUNT = RowParam(
    "body.refund.transactions[0].amount", "money_decimal", "body.refund.currency"
)
JUDGEMENT = Judgement(
    kinds={"CancellationRequest.post": Kind.CREATE},
    reads=re.compile(r"^Refund\.calculate$|^Checkout\.shipping_rates$"),
    sends=re.compile(r"\.(?:send_invoice|send_invite|send|account_activation_url)$"),
    admin=re.compile(r"^(?:StorefrontAccessToken|User|Webhook|ApplicationC\w+|AccessScope)\."),
    credentials=re.compile(r"^StorefrontAccessToken\.|\.account_activation_url$"),
    irreversible=re.compile(
        r"^(?:Refund|Payment|Transaction|GiftCard|Fulfillment)\.post$|\.(?:cancel|disable|complete)$"
    ),
    actions={
        "Refund.post": "create_refund",
        "Order.cancel": "cancel_order",
        "Order.post": "create_order",
        "Order.put": "update_order",
        "Order.delete": "delete_order",
        "Order.find": "get_order",
        "Order.all": "list_order",
        "GiftCard.post": "create_gift_card",
        "Customer.send_invite": "invite_customer",
        "InventoryLevel.set": "update_inventory",
        "InventoryLevel.adjust": "update_inventory",
        "Transaction.post": "create_transaction",
    },
    params={
        "Refund.post": _REFUND,
        "Order.cancel": {
            "amount": RowParam("body.amount", "money_decimal", "body.currency"),
            "currency": RowParam("body.currency", "currency"),
            "reason": RowParam("body.reason"),
        },
        "Transaction.post": {
            "amount": RowParam(
                "body.transaction.amount", "money_decimal", "body.transaction.currency"
            ),
            "currency": RowParam("body.transaction.currency", "currency"),
            "type": RowParam("body.transaction.kind"),
        },
        "GiftCard.post": {
            "amount": RowParam(
                "body.gift_card.initial_value", "money_decimal", "body.gift_card.currency"
            ),
            "currency": RowParam("body.gift_card.currency", "currency"),
        },
        "Customer.post": {"email": RowParam("body.customer.email")},
        "Product.post": {"title": RowParam("body.product.title")},
        "InventoryLevel.set": {"available": RowParam("body.available", "integer")},
        "PriceRule.post": {"value": RowParam("body.price_rule.value")},
        "Webhook.post": {"url": RowParam("body.webhook.address")},
    },
    posts_act=True,
)
_CLASS = re.compile(r"^class (\w+) extends Base", re.MULTILINE)
_PATH = re.compile(r'\{ ("http_method": .*?"path": "[^"]*") \}')
_VERBS = {"post": "create", "put": "update", "all": "list", "find": "get"}


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: the newest spelling of what any version has."""
    root = folders["@shopify/shopify-api"] / "package" / "dist" / "esm" / "rest" / "admin"
    found: dict[tuple[str, str, bool], Call] = {}
    for version in sorted(root.iterdir(), reverse=True):
        for path in sorted(version.glob("*.mjs")):
            for call in _calls(path.read_text()):
                shape = shape_of(call.template)
                found.setdefault((call.method, shape, bool(call.when)), call)
    return [NewSection("shopify", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]


def _calls(source: str) -> Iterator[Call]:
    owner = _CLASS.search(source)
    for text in _PATH.findall(source) if owner else ():
        entry = json.loads(f"{{{text}}}")
        if owner is None or "path" not in entry:
            continue
        call = _call(owner.group(1), entry)
        if call.operation == "Refund.post":
            # Of several transactions there is no one amount; without it a limit can't be passed.
            yield replace(call, when={"body.refund.transactions[1]": True})
            call = replace(call, params={"amount": _REFUND_AMOUNT})
        yield call


def _call(owner: str, entry: Mapping[str, object]) -> Call:
    verb, path = str(entry["operation"]), str(entry["path"])
    if verb == "get":
        verb = "find" if path.endswith(">.json") or not path.endswith("s.json") else "all"
    template = re.sub(r"<(\w+)>", r"{\1}", path)
    noun = words_of(owner)
    words = verb.split("_")
    return Call(
        f"{owner}.{verb}",
        str(entry["http_method"]).upper(),
        f"/admin/api/{{{API_VERSION}}}/{template}",
        (_VERBS.get(verb, words[0]), *noun[:-1], singular(noun[-1]), *words[1:]),
    )
