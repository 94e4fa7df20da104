"""Square, from its Python SDK: one `raw_client.py` a resource, one method an operation.

Operations are the SDK's paths (`refunds.refund_payment`). Money is `{amount, currency}` in minor
units, in fields that end in `_money`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.fern import calls_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "square"
SOURCES = (
    Source(
        "pypi",
        "squareup",
        "46.0.0.20260916",
        "MIT",
        "735fcd0efad66a25cf9c6c8557cdc342bd89dd1f629cbbbbced87e4b8cdcb742",
    ),
)
HOSTS = ("connect.squareup.com", "connect.squareupsandbox.com")
JUDGEMENT = Judgement(
    reads=re.compile(r"^orders\.calculate$|^o_auth\.retrieve_token_status$|^reporting\.load$"),
    admin=re.compile(
        r"^(?:team|team_members|o_auth|webhooks\.subscriptions|merchants|mobile|employees|devices"
        r"|apple_pay)\."
    ),
    sends=re.compile(r"\.publish$"),
    credentials=re.compile(
        r"^o_auth\.obtain_token|update_signature_key$|^mobile\.|^webhooks\.subscriptions\.(?:create|get|list)$"
        r"|^devices\.codes\.create$"
    ),
    irreversible=re.compile(
        r"^refunds\.|^subscriptions\.cancel$|^payments\.(?:create|complete|cancel)|^terminal\.(?:refunds|checkouts)\.create"
        r"|\.pay$|\.redeem$|^disputes\.accept$|^v1transactions\.v1update_order$|_links\.delete$"
        r"|^gift_cards\.activities\.create$"
    ),
    posts_act=True,
    kinds={"refunds.refund_payment": Kind.CREATE, "locations.checkouts": Kind.CREATE},
    actions={
        "refunds.refund_payment": "create_refund",
        "terminal.refunds.create": "create_refund",
        "checkout.payment_links.create": "create_payment_link",
        "locations.checkouts": "create_checkout",
    },
    params={
        "terminal.refunds.create": {
            "amount": RowParam("body.refund.amount_money.amount", "money_minor"),
            "currency": RowParam("body.refund.amount_money.currency", "currency"),
            "payment_id": RowParam("body.refund.payment_id"),
            "reason": RowParam("body.refund.reason"),
        },
        "terminal.checkouts.create": {
            "amount": RowParam("body.checkout.amount_money.amount", "money_minor"),
            "currency": RowParam("body.checkout.amount_money.currency", "currency"),
        },
    },
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: the whole of Square."""
    calls = calls_of(folders["squareup"] / "square", objects=money)
    return [NewSection("square", [row_of(call, JUDGEMENT) for call in calls], HOSTS)]


def money(name: str, annotation: str) -> dict[str, RowParam]:
    """The params of one of Square's money objects; none for other members of a body."""
    if "MoneyParams" not in annotation:
        return {}
    bare = "amount" if name in ("amount_money", "money") else name.removesuffix("_money")
    found = {bare: RowParam(f"body.{name}.amount", "money_minor")}
    if bare == "amount":
        found["currency"] = RowParam(f"body.{name}.currency", "currency")
    return found
