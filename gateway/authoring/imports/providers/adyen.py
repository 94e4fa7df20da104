"""Adyen, from its Python SDK: one class a group of operations, one method an operation.

Operations are the SDK's paths (`checkout.modifications_api.refund_captured_payment`). The version
in a path is a variable: what an operation means has not changed with it. Amounts are minor units.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.sdk.python_source import template_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "adyen"
SOURCES = (
    Source(
        "pypi",
        "Adyen",
        "16.0.0",
        "MIT",
        "99dbbeb49ac7857c0cf807f3371c3a3e8ea2be07fbebd77b98436a823fb9bcda",
    ),
)
_LIVE = {
    "checkout-test.adyen.com": ("*-checkout-live.adyenpayments.com",),
    "pal-test.adyen.com": ("*-pal-live.adyenpayments.com",),
    "test.adyen.com": ("authe-live.adyen.com",),
}
"""Live hosts that are not the test host with `live` in it; merchants have their own prefix."""
_ATTRIBUTES = {"payments": "payment", "payouts": "payout", "binLookup": "binlookup"}
"""What the SDK's client calls a folder's group, where that differs."""
_AMOUNT = {
    "amount": RowParam("body.amount.value", "money_minor"),
    "currency": RowParam("body.amount.currency", "currency"),
}
_OLD_AMOUNT = {
    "amount": RowParam("body.modificationAmount.value", "money_minor"),
    "currency": RowParam("body.modificationAmount.currency", "currency"),
}
_REFERENCE = {
    "reference": RowParam("body.reference"),
    "merchant_account": RowParam("body.merchantAccount"),
}
_WITH_AMOUNT = re.compile(
    r"^checkout\.\w+\.(?:payments|sessions|payment_links|refund_captured_payment|orders|donations"
    r"|capture_authorised_payment|update_authorised_amount)$"
    r"|^payment\.payments_api\.|^payout\.\w+\.(?:payout|submit_third_party|store_detail_and_submit\w*)$"
    r"|^transfers\.transfers_api\.transfer_funds$|^transfers\.transfers_api\.return_transfer$"
    r"|^storedValue\.\w+\.(?:issue|load|change_status|merge_balance)"
    r"|^capital\.grants_api\.|^balanceControl\.|^capital\.grants_api\.request_grant$"
)
_CREATES = (
    "checkout.payments_api.payments checkout.payments_api.sessions checkout.donations_api.donations"
    " checkout.payment_links_api.payment_links checkout.orders_api.orders"
    " checkout.modifications_api.refund_captured_payment payment.modifications_api.refund"
    " payment.payments_api.authorise transfers.transfers_api.transfer_funds"
    " payout.instant_payouts_api.payout payout.initialization_api.submit_third_party"
    " payout.initialization_api.store_detail_and_submit_third_party"
)
JUDGEMENT = Judgement(
    kinds=dict.fromkeys(_CREATES.split(), Kind.CREATE),
    reads=re.compile(
        r"\.(?:payment_methods|payment_methods_balance|card_details|get_(?!apple_pay|link_to)\w+|list_\w+|calculate_\w+"
        r"|check_balance|retrieve_applicable_defense_reasons|validate_bank_account_identification)$"
        r"|^binlookup\."
    ),
    admin=re.compile(
        r"^management\.(?:users|api_|my_api|client_key|allowed_origins|webhooks)"
        r"|^legalEntityManagement\.(?:terms_of_service|transfer_instruments)\w*\.(?!get)"
        r"|\.(?:manage_card_pin_api|manage_sca_devices_api|sca_\w+|authorized_card_users_api)\."
        r"|^sessionAuthentication\."
    ),
    executes=re.compile(
        r"^payment\.payments_api\.authorise|apple_pay_session$|\.get_link_to_\w+$"
        r"|^transfers\.\w+\.(?:approve|cancel)|_terms_of_service$"
    ),
    credentials=re.compile(
        r"generate_(?:new_)?(?:api_key|client_key|hmac_key)\w*$|\.(?:reveal|export)_\w*|public_key$"
        r"|^sessionAuthentication\.|create_api_credential\w*$|\.(?:sessions|create_session)$"
    ),
    irreversible=re.compile(
        r"\.(?:refund\w*|capture\w*|cancel\w*|payments|payout|submit_\w+|store_detail_and_submit\w*"
        r"|transfer_funds|technical_cancel|void_pending_refund|confirm_third_party|donation\w*"
        r"|accept_dispute|void_transaction|balance_transfer|authorise\w*)$"
        r"|^dataProtection\."
    ),
    actions={
        "checkout.modifications_api.refund_captured_payment": "create_refund",
        "payment.modifications_api.refund": "create_refund",
        "checkout.payments_api.payments": "create_charge",
        "payment.payments_api.authorise": "create_charge",
        "checkout.payments_api.sessions": "create_checkout_session",
        "checkout.modifications_api.capture_authorised_payment": "capture_charge",
        "payment.modifications_api.capture": "capture_charge",
        "checkout.payment_links_api.payment_links": "create_payment_link",
        "payout.instant_payouts_api.payout": "create_payout",
        "payout.initialization_api.submit_third_party": "create_payout",
        "payout.initialization_api.store_detail_and_submit_third_party": "create_payout",
        "transfers.transfers_api.transfer_funds": "create_transfer",
        "checkout.orders_api.orders": "create_order",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section for each host that the SDK calls."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    services = folders["Adyen"] / "Adyen" / "services"
    for path in sorted(services.glob("*/*_api.py")):
        for host, call in _calls(path):
            found[host].append(row_of(call, JUDGEMENT))
    return [
        NewSection(host.partition("-test")[0], rows, (host, *live_hosts(host)))
        for host, rows in sorted(found.items())
    ]


def live_hosts(host: str) -> tuple[str, ...]:
    """The hosts where a test host's operations are in earnest."""
    return _LIVE.get(host, (host.replace("-test", "-live"),))


def _calls(path: Path) -> Iterator[tuple[str, Call]]:
    group = _ATTRIBUTES.get(path.parent.name, path.parent.name)
    base = _base_of(path)
    for node in ast.walk(ast.parse(path.read_bytes())):
        given = _assigned(node) if isinstance(node, ast.FunctionDef) else {}
        if isinstance(node, ast.FunctionDef) and given.keys() >= {"endpoint", "method"}:
            yield from _spelled(base, f"{group}.{path.stem}.{node.name}", given)


def _base_of(path: Path) -> str:
    """The base URL of a module."""
    found = re.search(r'self\.baseUrl = "([^"]+)"', path.read_text())
    if found is None:
        raise ValueError(f"`{path.name}` has no base URL")
    return found.group(1)


def _assigned(node: ast.FunctionDef) -> dict[str, str]:
    values = {}
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            value = line.value
            if isinstance(value, ast.BinOp):
                value = value.right
            if isinstance(value, (ast.Constant, ast.JoinedStr)):
                values[line.targets[0].id] = template_of(value)
    return values


def _spelled(base: str, name: str, given: Mapping[str, str]) -> Iterator[tuple[str, Call]]:
    """A call; the live host of Checkout has its paths below `/checkout`."""
    host, _, prefix = base.removeprefix("https://").partition("/")
    host = host.replace("-live", "-test")
    prefix = re.sub(r"v\d+$", "v{api_version}", prefix)
    params = {}
    if given["method"] == "POST":
        is_old = name.startswith("payment.modifications_api.")
        params = {**(_OLD_AMOUNT if is_old else {}), **_REFERENCE}
        if _WITH_AMOUNT.search(name):
            params = {**_AMOUNT, **_REFERENCE}
        if not is_old and not _WITH_AMOUNT.search(name):
            params = {}
    words = tuple(name.rpartition(".")[2].split("_"))
    target = ("payment", "body.originalReference") if "Payment/" in prefix and params else ("", "")
    prefixes = [prefix]
    if host.startswith("checkout-") and not prefix.startswith("checkout/"):
        prefixes.append(f"checkout/{prefix}")
    for each in prefixes:
        yield (
            host,
            Call(
                name,
                given["method"],
                f"/{each}{given['endpoint']}",
                words,
                params=params,
                target_type=target[0],
                target_id=target[1],
            ),
        )
