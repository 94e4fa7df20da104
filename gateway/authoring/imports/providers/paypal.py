"""PayPal, from the controllers of its TypeScript SDK. What the SDK leaves out (payouts, invoices,
disputes, webhooks) is written by hand in the mapper.

Operations are controller and method (`PaymentsController.refundCapturedPayment`). Money is decimal
text with a `currency_code` beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "paypal"
SOURCES = (
    Source(
        "npm",
        "@paypal/paypal-server-sdk",
        "2.5.0",
        "MIT",
        "d385ec6e2648bdca9183e5807d33fe0fdc914d2670a33e1bc5e9a31e7336f3e7",
    ),
)
HOSTS = (
    "api-m.paypal.com",
    "api-m.sandbox.paypal.com",
    "api.paypal.com",
    "api.sandbox.paypal.com",
)


def _money(at: str) -> dict[str, RowParam]:
    currency = f"{at}.currency_code"
    return {
        "amount": RowParam(f"{at}.value", "money_decimal", currency),
        "currency": RowParam(currency, "currency"),
    }


JUDGEMENT = Judgement(
    kinds={
        "PaymentsController.refundCapturedPayment": Kind.CREATE,
        "PaymentsController.reauthorizePayment": Kind.EXECUTE,
        "OrdersController.authorizeOrder": Kind.EXECUTE,
        "VaultController.createPaymentToken": Kind.CREATE,
        "VaultController.createSetupToken": Kind.CREATE,
        "VaultController.deletePaymentToken": Kind.DELETE,
    },
    admin=re.compile(r"^OAuthAuthorization"),
    credentials=re.compile(r"^OAuthAuthorization"),
    irreversible=re.compile(r"\.(?:refund|capture|void|cancelSubscription|deletePaymentToken)"),
    actions={
        "PaymentsController.refundCapturedPayment": "create_refund",
        "PaymentsController.captureAuthorizedPayment": "capture_charge",
        "PaymentsController.voidPayment": "cancel_charge",
        "OrdersController.captureOrder": "capture_order",
        "OrdersController.patchOrder": "update_order",
        "SubscriptionsController.patchSubscription": "update_subscription",
        "SubscriptionsController.suspendSubscription": "pause_subscription",
        "SubscriptionsController.activateSubscription": "resume_subscription",
    },
    params={
        "PaymentsController.refundCapturedPayment": {
            **_money("body.amount"),
            "reason": RowParam("body.note_to_payer"),
        },
        "PaymentsController.captureAuthorizedPayment": _money("body.amount"),
        "PaymentsController.reauthorizePayment": _money("body.amount"),
        "OrdersController.createOrder": {
            "intent": RowParam("body.intent"),
            "payee": RowParam("body.purchase_units[0].payee.email_address"),
        },
        "SubscriptionsController.createSubscription": {
            "plan_id": RowParam("body.plan_id"),
            "quantity": RowParam("body.quantity", "integer"),
        },
        "SubscriptionsController.captureSubscription": _money("body.amount"),
        "SubscriptionsController.cancelSubscription": {"reason": RowParam("body.reason")},
    },
    posts_act=True,
)
_METHOD = re.compile(r"^    async (\w+)\(", re.MULTILINE)
_VERB = re.compile(r"createRequest\('([A-Z]+)'")
_PATH = re.compile(r"appendTemplatePath `([^`]+)`|createRequest\('[A-Z]+', '([^']+)'")
_MAPPED = re.compile(r"\$\{mapped\.(\w+)\}")


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: all controllers."""
    folder = folders["@paypal/paypal-server-sdk"] / "package" / "dist" / "esm" / "controllers"
    rows = [
        row_of(call, JUDGEMENT)
        for path in sorted(folder.glob("*Controller.js"))
        for call in _calls(path)
    ]
    return [NewSection("paypal", rows, HOSTS)]


def _calls(path: Path) -> Iterator[Call]:
    source = path.read_text()
    owner = path.stem[0].upper() + path.stem[1:]
    starts = list(_METHOD.finditer(source))
    for position, found in enumerate(starts):
        end = starts[position + 1].start() if position + 1 < len(starts) else len(source)
        text = source[found.end() : end]
        verb, template = _VERB.search(text), _PATH.search(text)
        if verb is not None and template is not None:
            raw = _MAPPED.sub(r"{\1}", template.group(1) or template.group(2))
            name = found.group(1)
            call = Call(f"{owner}.{name}", verb.group(1), raw, tuple(words_of(name)))
            if name == "createOrder":
                # Of several units there is no one amount; without it a limit can't be passed.
                yield replace(call, when={"body.purchase_units[1]": True})
                call = replace(call, params=_money("body.purchase_units[0].amount"))
            yield call
