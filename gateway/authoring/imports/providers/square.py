"""Square, from its Python SDK: one `raw_client.py` a resource, one method an operation.

Operations are the SDK's paths (`refunds.refund_payment`). Money is `{amount, currency}` in minor
units, in fields that end in `_money`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.names import singular, words_of
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.python_source import annotations_of, field_of, template_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.catalog.row import RowParam
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
        r"^o_auth\.obtain_token|update_signature_key$|^mobile\.|^webhooks\.subscriptions\.create$"
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
    rows = [row_of(call, JUDGEMENT) for call in calls(folders["squareup"] / "square")]
    return [NewSection("square", rows, HOSTS)]


def calls(folder: Path) -> Iterator[Call]:
    """All operations of the synchronous clients."""
    for path in sorted(folder.rglob("raw_client.py")):
        resources = path.parent.relative_to(folder).parts
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Raw"):
                for method in node.body:
                    sent = _request(method) if isinstance(method, ast.FunctionDef) else None
                    if sent is not None and isinstance(method, ast.FunctionDef):
                        yield _call(resources, method, sent)


def _request(method: ast.FunctionDef) -> ast.Call | None:
    for node in ast.walk(method):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            owner = node.func.value
            if isinstance(owner, ast.Attribute) and owner.attr == "httpx_client":
                return node
    return None


def _call(resources: tuple[str, ...], method: ast.FunctionDef, sent: ast.Call) -> Call:
    given = {word.arg: word.value for word in sent.keywords}
    verb = given["method"]
    name = ".".join((*resources, method.name))
    fields, params = _body(given.get("json"), annotations_of(method))
    return Call(
        name,
        str(verb.value) if isinstance(verb, ast.Constant) else "POST",
        template_of(sent.args[0]),
        words_for(resources, method.name),
        fields,
        params,
    )


def words_for(resources: tuple[str, ...], method: str) -> tuple[str, ...]:
    """`(customers, cards), create` -> create customer card; a method's own nouns come first."""
    words = re.sub(r"^(?:deprecated_|v1)", "", method).split("_")
    verbs = 2 if words[0] in ("batch", "bulk") else 1
    nouns = [singular(word) for part in resources for word in words_of(part)]
    return (*words[:verbs], *(words[verbs:] or nouns))


def _body(
    node: ast.expr | None, annotations: Mapping[str, str]
) -> tuple[tuple[Field, ...], dict[str, RowParam]]:
    fields: list[Field] = []
    params: dict[str, RowParam] = {}
    names = (
        [str(key.value) for key in node.keys if isinstance(key, ast.Constant)]
        if isinstance(node, ast.Dict)
        else []
    )
    for name in names:
        if "MoneyParams" in annotations.get(name, ""):
            params |= money(name, f"body.{name}")
            continue
        found = field_of(name, annotations.get(name, ""))
        if found is not None:
            fields.append(found)
    return tuple(fields), params


def money(name: str, address: str) -> dict[str, RowParam]:
    """The params of one of Square's money objects."""
    bare = "amount" if name in ("amount_money", "money") else name.removesuffix("_money")
    found = {bare: RowParam(f"{address}.amount", "money_minor")}
    if bare == "amount":
        found["currency"] = RowParam(f"{address}.currency", "currency")
    return found
