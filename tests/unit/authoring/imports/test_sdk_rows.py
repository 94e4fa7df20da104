"""What becomes of the calls of an SDK: names without aliases, words, kinds, rows."""

from __future__ import annotations

import re

import pytest

from gateway.authoring.imports.sdk.judgement import Judgement
from gateway.authoring.imports.sdk.python_calls import SdkCall, SdkField
from gateway.authoring.imports.sdk.rows import (
    act_words,
    never_recorded,
    sdk_rows,
    without_aliases,
)
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.model.action import Kind


def a_call(name: str, method: str = "GET", template: str = "/x", **more: bool) -> SdkCall:
    return SdkCall(tuple(name.split(".")), method, template, **more)


ALIASES = {
    "the one that is not deprecated": (
        [a_call("keys.get", is_deprecated=True), a_call("namespaces.keys.get")],
        "namespaces.keys.get",
    ),
    "the one that is not in beta": (
        [a_call("beta.files.list"), a_call("files.list")],
        "files.list",
    ),
    "the shorter one": ([a_call("entries.custom.list"), a_call("entries.list")], "entries.list"),
    "the first of equals": ([a_call("rules.list"), a_call("rules.get")], "rules.list"),
}


@pytest.mark.parametrize(("calls", "expected"), ALIASES.values(), ids=ALIASES)
def test_one_name_for_the_same_bytes(calls: list[SdkCall], expected: str) -> None:
    """Methods that send the same have one operation, and the others are its aliases."""
    (named,) = without_aliases("shop", calls)

    assert named.operation == f"shop.{expected}"
    assert named.aliases == tuple(
        f"shop.{call.name}" for call in calls if f"shop.{call.name}" != named.operation
    )


def test_a_preferred_name_wins() -> None:
    """What an importer prefers stands over every rule."""
    calls = [a_call("sources.detach"), a_call("customers.sources.delete")]

    (named,) = without_aliases("shop", calls, preferred={"customers.sources.delete"})

    assert named.operation == "shop.customers.sources.delete"


def test_different_variables_are_the_same_wire() -> None:
    """Names of variables don't tell two wires apart, queries do."""
    calls = [
        a_call("a.get", template="/x/{a}"),
        a_call("b.get", template="/x/{b}"),
        SdkCall(("c", "get"), "GET", "/x/{a}", (), (("beta", "true"),)),
    ]

    assert [named.operation for named in without_aliases("shop", calls)] == [
        "shop.a.get",
        "shop.c.get",
    ]


WORDS = {
    ("zones.settings.edit", "PATCH"): "update zone setting",
    ("chat.completions.create", "POST"): "create chat completion",
    ("invoices.void_invoice", "POST"): "void invoice",
    ("blogs.blog_posts.list", "GET"): "list blog post",
    ("files.files_api.get", "GET"): "get file files api",
    ("billing.usage.paygo", "GET"): "get billing usage paygo",
    ("kv.namespaces.bulk_delete", "POST"): "bulk delete kv namespace",
    ("customers.delete_discount", "DELETE"): "delete customer discount",
    ("web3.r2_buckets.list", "GET"): "list web3 r2 bucket",
    ("v2.core.events.retrieve", "GET"): "get core event",
}


@pytest.mark.parametrize(("call", "expected"), WORDS.items(), ids=lambda value: str(value))
def test_words_of_an_act(call: tuple[str, str], expected: str) -> None:
    """The verb first, then the thing, once."""
    name, method = call

    assert " ".join(act_words(name.split("."), method)) == expected


JUDGEMENT = Judgement(
    reads={"shop.orders.search": "a search"},
    acts={"shop.browser.close": Kind.EXECUTE},
    admin=re.compile(r"\.members\."),
    executes=re.compile(r"completions\.create$"),
    sends=re.compile(r"\.messages\.create$"),
    credentials=re.compile(r"\.keys\.(?:create|reveal)$"),
    irreversible=re.compile(r"\.capture$"),
    reversible=re.compile(r"\.bin\."),
)
KINDS = {
    "a GET reads": ("shop.orders.list", "GET", Kind.READ),
    "a listed GET acts": ("shop.browser.close", "GET", Kind.EXECUTE),
    "a listed POST reads": ("shop.orders.search", "POST", Kind.READ),
    "a POST that sounds like reading acts, without a reason": (
        "shop.reports.get",
        "POST",
        Kind.EXECUTE,
    ),
    "a DELETE deletes, whatever it is called": ("shop.orders.cancel", "DELETE", Kind.DELETE),
    "a PATCH that is called delete deletes": ("shop.orders.remove", "PATCH", Kind.DELETE),
    "membership is administration": ("shop.members.create", "POST", Kind.ADMIN),
    "reading members is reading": ("shop.members.list", "GET", Kind.READ),
    "a model's run is execute": ("shop.completions.create", "POST", Kind.EXECUTE),
    "a message is sent": ("shop.messages.create", "POST", Kind.SEND),
    "minting a key is administration": ("shop.keys.create", "POST", Kind.ADMIN),
    "a POST without a known verb acts": ("shop.orders.ack", "POST", Kind.EXECUTE),
}


@pytest.mark.parametrize(("operation", "method", "expected"), KINDS.values(), ids=KINDS)
def test_kinds(operation: str, method: str, expected: Kind) -> None:
    """What is stated first, then name and method, and never a read by doubt."""
    words = operation.rpartition(".")[2].split("_")

    assert JUDGEMENT.kind_of(operation, words, method) is expected


REVERSIBLE = {
    "a read": ("shop.orders.list", Kind.READ, "GET", True),
    "a deletion": ("shop.orders.delete", Kind.DELETE, "DELETE", False),
    "a deletion by an administrator": ("shop.members.delete", Kind.ADMIN, "DELETE", False),
    "what goes into a bin": ("shop.bin.delete", Kind.DELETE, "DELETE", True),
    "what is sent": ("shop.messages.create", Kind.SEND, "POST", False),
    "what is stated": ("shop.orders.capture", Kind.EXECUTE, "POST", False),
    "anything else": ("shop.orders.create", Kind.CREATE, "POST", True),
}


@pytest.mark.parametrize(
    ("name", "kind", "method", "expected"), REVERSIBLE.values(), ids=REVERSIBLE
)
def test_what_can_be_undone(name: str, kind: Kind, method: str, expected: bool) -> None:
    """Deletions and what was sent stay done."""
    assert JUDGEMENT.is_reversible(name, kind, method) is expected


def test_a_row() -> None:
    """Kind, action, target, params and conditions of one call."""
    call = SdkCall(
        ("shops", "keys", "create"),
        "POST",
        "/shops/{shop_id}/keys",
        (
            SdkField("name", "text", True),
            SdkField("private_key", "text"),
            SdkField("role", "text"),
            SdkField("note", "text"),
        ),
        (("beta", "true"),),
    )

    rows = sdk_rows(without_aliases("shop", [call]), JUDGEMENT, prefix="/v1")

    assert rows == [
        Row(
            "shop.shops.keys.create",
            "POST /v1/shops/{shop_id}/keys",
            Kind.ADMIN,
            "create_shop_key",
            "shop",
            "path.shop_id",
            {"name": RowParam("body.name"), "role": RowParam("body.role")},
            {"query.beta": "true"},
            sensitive="credentials",
        )
    ]


def test_reads_have_the_params_of_their_path_only() -> None:
    """A search's filters are not recorded."""
    call = SdkCall(
        ("orders", "search"), "POST", "/shops/{shop}/{id}", (SdkField("name", "text", True),)
    )

    (row,) = sdk_rows(without_aliases("shop", [call]), JUDGEMENT)

    assert (row.kind, set(row.params)) == (Kind.READ, {"shop"})


RECORDED = {
    "an amount": ("amount", "stripe.charges.create", False),
    "a stream's key": ("stream_key", "cloudflare.stream.outputs.create", True),
    "a private key under another name": ("custom_key", "cloudflare.certificates.update", True),
    "a bank account's number": ("account_number", "stripe.v2.core.vault.create", True),
    "a certificate in full": ("certificate", "cloudflare.mtls.create", True),
    "the id of a certificate": ("certificate_id", "cloudflare.mtls.create", False),
    "a code that is as good as a token": ("code", "stripe.oauth.token", True),
    "any other code, too": ("country_code", "shop.orders.create", True),
    "a setting's value": ("value", "cloudflare.zones.settings.edit", False),
    "a credential's value": ("value", "cloudflare.credentials.create", True),
}


@pytest.mark.parametrize(("name", "operation", "expected"), RECORDED.values(), ids=RECORDED)
def test_what_is_never_recorded(name: str, operation: str, expected: bool) -> None:
    """Keys, codes and numbers of accounts are no params, whatever they are called."""
    assert never_recorded(name, operation) is expected
