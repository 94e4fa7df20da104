"""Which operation a request is, and which request is refused instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.model.action import Kind
from tests.unit.canonicalize.requests import FORM, JSON, SHOP, XML, load_text, shop

Headers = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def canonicalizer(tmp_path_factory: pytest.TempPathFactory) -> Canonicalizer:
    return load_text(tmp_path_factory.mktemp("mappers"), SHOP)


MATCHES: dict[str, tuple[str, Headers, str, str]] = {
    "a literal wins over a variable": ("GET /orders/search", (), "orders.search", ""),
    "a variable takes the rest": ("GET /orders/7", (), "orders.get", "7"),
    "a literal that leads nowhere falls back": (
        "POST /orders/search/refund", (), "orders.refund", "search",
    ),
    "a literal without this method falls back": (
        "POST /orders/search", (), "orders.update", "search",
    ),
    "a suffix wins over the whole segment": ("POST /orders/7:archive", (), "orders.archive", "7"),
    "another suffix is part of the value": ("POST /orders/7:other", (), "orders.update", "7:other"),
    "one variable wins over greedy": ("GET /files/a", (), "files.named", "a"),
    "greedy takes several segments": ("GET /files/a/b/c", (), "files.get", "a/b/c"),
    "HEAD reads what GET reads": ("HEAD /orders/7", (), "orders.get", "7"),
    "a trailing slash changes nothing": ("DELETE /orders/7/", (), "orders.delete", "7"),
    "percent encoding of plain letters changes nothing": (
        "DELETE /%6frders/7", (), "orders.delete", "7",
    ),
    "an encoded space is a space": ("GET /orders/a%20b", (), "orders.get", "a b"),
    "no condition holds": ("PUT /things/1", (), "things.put", "1"),
    "a header condition holds": ("PUT /things/1", (("X-Copy", "a"),), "things.copy", "1"),
    "a query condition holds": ("PUT /things/1?tagging", (), "things.tag", "1"),
    "more conditions win over fewer": (
        "PUT /things/1?tagging=1", (("x-copy", "a"),), "things.copy-tagged", "1",
    ),
    "what isn't mapped is unknown": ("POST /nothing", (), "unknown", "shop.test/nothing"),
    "another case of a literal, by a method that isn't there": (
        "PATCH /Orders/7", (), "unknown", "shop.test/Orders/7",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "headers", "operation", "target"), MATCHES.values(), ids=MATCHES)
def test_the_most_specific_entry_wins(
    canonicalizer: Canonicalizer, line: str, headers: Headers, operation: str, target: str
) -> None:
    """Specificity decides, and what fits nothing is unknown."""
    canonical = canonicalizer.canonicalize(shop(line, *headers))

    (action,) = canonical.actions
    assert (action.operation, action.target.id) == (operation, target)
    assert (action.kind is Kind.UNKNOWN) == (operation == "unknown")


REFUSALS: dict[str, tuple[str, Headers, str]] = {
    "another case of a literal": ("GET /Orders/7", (), "ambiguous_path"),
    "another case of the method": ("get /orders/7", (), "ambiguous_method"),
    "an encoded slash": ("DELETE /orders%2f7", (), "ambiguous_path"),
    "an encoded backslash": ("DELETE /orders/a%5Cb", (), "ambiguous_path"),
    "a raw backslash": ("DELETE /orders/a\\b", (), "ambiguous_path"),
    "an encoded NUL": ("GET /orders/a%00", (), "ambiguous_path"),
    "an encoded newline": ("GET /orders/a%0a", (), "ambiguous_path"),
    "dot segments": ("DELETE /orders/../orders/7", (), "ambiguous_path"),
    "a dot segment at the end": ("DELETE /orders/7/.", (), "ambiguous_path"),
    "encoded dot segments": ("DELETE /orders/%2e%2e/7", (), "ambiguous_path"),
    "half encoded dot segments": ("DELETE /orders/.%2e/7", (), "ambiguous_path"),
    "a double slash": ("DELETE //orders/7", (), "ambiguous_path"),
    "path parameters": ("DELETE /orders/7;v=1", (), "ambiguous_path"),
    "encoded path parameters": ("DELETE /orders/7%3bv=1", (), "ambiguous_path"),
    "double encoding": ("DELETE /orders/%252e%252e", (), "ambiguous_path"),
    "overlong UTF-8": ("DELETE /orders/%c0%ae", (), "ambiguous_path"),
    "a lone surrogate": ("DELETE /orders/%ed%a0%80", (), "ambiguous_path"),
    "a full-width slash": ("DELETE /orders/a%ef%bc%8fb", (), "ambiguous_path"),
    "a full-width dot segment": ("DELETE /orders/%ef%bc%8e%ef%bc%8e", (), "ambiguous_path"),
    "broken percent encoding": ("DELETE /orders/%zz", (), "ambiguous_path"),
    "a fragment": ("DELETE /orders/7#x", (), "ambiguous_path"),
    "raw bytes outside ASCII": ("DELETE /orders/ü", (), "ambiguous_path"),
    "a rewrite header": ("GET /orders/7", (("X-Original-URL", "/admin"),), "ambiguous_path"),
    "a rewrite header with underscores": (
        "GET /orders/7", (("X_Rewrite_URL", "/admin"),), "ambiguous_path",
    ),
    "a method header": (
        "POST /orders/7", (("X-HTTP-Method-Override", "DELETE"),), "ambiguous_method",
    ),
    "a method header with underscores": (
        "POST /orders/7", (("X_Method-Override", "DELETE"),), "ambiguous_method",
    ),
    "a method in the query": ("POST /orders/7?_method=delete", (), "ambiguous_method"),
    "an encoded method in the query": ("POST /orders/7?%5fMethod=delete", (), "ambiguous_method"),
    "a method in a form that is not read": (
        "POST /orders/7 _method=DELETE", (FORM,), "ambiguous_method",
    ),
    "two methods in the query": (
        "POST /orders/7?_method=POST&_method=DELETE", (), "ambiguous_method",
    ),
    "a semicolon in the query": ("GET /orders/search?q=1;q=2", (), "ambiguous_query"),
    "a broken query": ("GET /orders/search?q=%g1", (), "ambiguous_query"),
    "a read key twice in the query": ("GET /orders/search?q=1&q=1", (), "ambiguous_query"),
    "a GET with a body": ("GET /orders/7 a=b", (FORM,), "ambiguous_body"),
    "a read key twice": ("POST /pay amount=1&amount=2", (FORM,), "ambiguous_body"),
    "a read key twice with the same value": (
        "POST /pay amount=1&amount=1", (FORM,), "ambiguous_body",
    ),
    "a read key twice, once encoded": ("POST /pay amount=1&%61mount=2", (FORM,), "ambiguous_body"),
    "a read key with brackets beside it": (
        "POST /pay amount=1&amount[]=2", (FORM,), "ambiguous_body",
    ),
    "a read key in capitals beside it": ("POST /pay amount=1&AMOUNT=2", (FORM,), "ambiguous_body"),
    "a read key in capitals beside a key with an encoded ampersand": (
        "POST /pay a%26b=1&amount=1&AMOUNT=2", (FORM,), "ambiguous_body",
    ),
    "a read key only in capitals": ("POST /pay AMOUNT=2", (FORM,), "ambiguous_body"),
    "a read key with a space before it": (
        "POST /pay amount=1&+amount=2", (FORM,), "ambiguous_body",
    ),
    "a nested key in another notation": (
        "POST /pay items[0][price]=a&items[][price]=b", (FORM,), "ambiguous_body",
    ),
    "a nested key never closed": ("POST /pay items[0][price=a", (FORM,), "ambiguous_body"),
    "a semicolon in a form": ("POST /pay amount=1;amount=2", (FORM,), "ambiguous_body"),
    "a form with a NUL": ("POST /pay customer=a%00b", (FORM,), "ambiguous_body"),
    "a form that isn't UTF-8": ("POST /pay customer=%ff", (FORM,), "ambiguous_body"),
    "JSON for a form": ('POST /pay {"amount":1}', (JSON,), "ambiguous_content_type"),
    "a form for JSON": ("POST /pay/json amount=1", (FORM,), "ambiguous_content_type"),
    "JSON as text": (
        'POST /pay/json {"amount":1}', (("content-type", "text/plain"),), "ambiguous_content_type",
    ),
    "JSON without a type": ('POST /pay/json {"amount":1}', (), "ambiguous_content_type"),
    "two content types": (
        'POST /pay/json {"amount":1}', (JSON, FORM), "ambiguous_content_type",
    ),
    "another charset": (
        "POST /pay amount=1",
        (("content-type", "application/x-www-form-urlencoded; charset=utf-7"),),
        "ambiguous_content_type",
    ),
    "a compressed body": (
        "POST /pay amount=1", (FORM, ("content-encoding", "gzip")), "ambiguous_encoding",
    ),
    "two compressions": (
        'POST /pay/json {"a":1}', (JSON, ("content-encoding", "identity, gzip")),
        "ambiguous_encoding",
    ),
    "a JSON key twice": ('POST /pay/json {"amount":1,"amount":2}', (JSON,), "ambiguous_body"),
    "a JSON key twice, once escaped": (
        'POST /pay/json {"amount":1,"\\u0061mount":2}', (JSON,), "ambiguous_body",
    ),
    "a JSON key twice, deep inside": (
        'POST /pay/json {"amount":1,"x":[{"a":1,"a":2}]}', (JSON,), "ambiguous_body",
    ),
    "a JSON key in two cases": (
        'POST /pay/json {"amount":1,"Amount":2}', (JSON,), "ambiguous_body",
    ),
    "NaN": ('POST /pay/json {"amount":NaN}', (JSON,), "ambiguous_body"),
    "Infinity": ('POST /pay/json {"amount":-Infinity}', (JSON,), "ambiguous_body"),
    "a number too large": ('POST /pay/json {"amount":1e400}', (JSON,), "ambiguous_body"),
    "an integer too large": (
        'POST /pay/json {"amount":9007199254740993}', (JSON,), "ambiguous_body",
    ),
    "a lone surrogate in JSON": ('POST /pay/json {"note":"\\ud800"}', (JSON,), "ambiguous_body"),
    "a lone surrogate in a key": ('POST /pay/json {"\\uDC00":1}', (JSON,), "ambiguous_body"),
    "a byte order mark": ('POST /pay/json \ufeff{"amount":1}', (JSON,), "ambiguous_body"),
    "bytes after the JSON": ('POST /pay/json {"amount":1}{}', (JSON,), "ambiguous_body"),
    "a comment in JSON": ('POST /pay/json {"amount":1/**/}', (JSON,), "ambiguous_body"),
    "a trailing comma": ('POST /pay/json {"amount":1,}', (JSON,), "ambiguous_body"),
    "JSON too deep": ("POST /pay/json " + "[" * 70 + "]" * 70, (JSON,), "ambiguous_body"),
    "JSON never closed": ("POST /pay/json " + "[" * 100_000, (JSON,), "ambiguous_body"),
    "XML with entities": (
        'POST /xml <!DOCTYPE a [<!ENTITY b "c">]><Job><Name>&b;</Name></Job>', (XML,),
        "ambiguous_body",
    ),
    "XML with an element twice": (
        "POST /xml <Job><Name>a</Name><Name>b</Name></Job>", (XML,), "ambiguous_body",
    ),
    "XML of another encoding": (
        'POST /xml <?xml version="1.0" encoding="utf-7"?><Job/>', (XML,), "ambiguous_body",
    ),
    "XML too deep": ("POST /xml " + "<a>" * 40 + "</a>" * 40, (XML,), "ambiguous_body"),
    "a repeated header that a condition reads": (
        "PUT /things/1", (("x-copy", "a"), ("X-Copy", "b")), "ambiguous_header",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "headers", "code"), REFUSALS.values(), ids=REFUSALS)
def test_what_two_servers_could_read_differently_is_refused(
    canonicalizer: Canonicalizer, line: str, headers: Headers, code: str
) -> None:
    """Each of these is refused with its code, has no action, and keeps the error shape."""
    canonical = canonicalizer.canonicalize(shop(line, *headers))

    assert (canonical.refused, canonical.actions) == (code, ())
    assert canonical.detail
    assert canonical.provider == "shop"


def test_the_refused_header_forms_pass_when_they_say_nothing_new(
    canonicalizer: Canonicalizer,
) -> None:
    """A method override that repeats the method is harmless."""
    request = shop("POST /orders/7", ("X-HTTP-Method-Override", "POST"))

    assert canonicalizer.canonicalize(request).refused is None


def test_a_body_that_streams_is_refused_only_where_it_is_read(canonicalizer: Canonicalizer) -> None:
    """A body beyond the inspection limit blocks what reads it, and nothing else."""
    codes = {}
    for line in ("POST /pay", "POST /orders/7/refund"):
        request = shop(line, ("content-type", "application/octet-stream"))
        streaming = type(request)(
            request.method, request.scheme, request.authority, request.target, request.headers,
            request.fields, request.repeated, None, None,
        )  # fmt: skip
        codes[line] = canonicalizer.canonicalize(streaming).refused

    assert codes == {"POST /pay": "body_too_large", "POST /orders/7/refund": None}


HOSTS = {
    "an exact host": ("shop.test", "shop"),
    "a name below a suffix": ("a.shops.test", "shop"),
    "two labels below a suffix": ("a.b.shops.test", "shop"),
    "the suffix itself": ("shops.test", "unknown"),
    "a name that only ends like it": ("evilshops.test", "unknown"),
    "another host": ("example.com", "unknown"),
}


@pytest.mark.parametrize(("host", "provider"), HOSTS.values(), ids=HOSTS)
def test_hosts(canonicalizer: Canonicalizer, host: str, provider: str) -> None:
    """A host belongs to one provider, or to none; then the request is unknown, never a read."""
    canonical = canonicalizer.canonicalize(build_request("GET", f"https://{host}/orders/7"))

    assert canonical.provider == provider
    (action,) = canonical.actions
    assert (action.kind is Kind.READ) == (provider == "shop")
    if provider == "unknown":
        assert action.target.id == f"{host}/orders/7"


VALUES: dict[str, tuple[str, tuple[str, str], dict[str, object], set[str]]] = {
    "a form": (
        "POST /pay customer=c&amount=9000&items[0][price]=p&tags[]=a&tags[]=b", FORM,
        {"amount": 9000, "price": "p", "tags": ["a", "b"]}, set(),
    ),
    "encoded brackets": (
        "POST /pay customer=c&amount=1&items%5B0%5D%5Bprice%5D=p+q&tags=a", FORM,
        {"amount": 1, "price": "p q", "tags": ["a"]}, set(),
    ),
    "an amount that is no integer": (
        "POST /pay customer=c&amount=90.5", FORM, {}, {"amount", "price", "tags"},
    ),
    "an amount with a sign or zeros": (
        "POST /pay customer=c&amount=%2B9", FORM, {}, {"amount", "price", "tags"},
    ),
    "no target": ("POST /pay amount=5", FORM, {"amount": 5}, {"price", "tags", "target.id"}),
    "an empty form": ("POST /pay", FORM, {}, {"amount", "price", "tags", "target.id"}),
    "JSON": (
        (
            'POST /pay/json {"customer":{"id":"c"},"amount":7,"decimal":12.5,"currency":"USD",'
            '"urgent":true,"items":[{"sku":"s"}],"note":1.50,"tags":["a"]}'
        ),
        JSON,
        {"amount": 7, "decimal": 1250, "urgent": True, "first": "s", "note": "1.50", "tags": ["a"]},
        set(),
    ),
    "JSON of other types": (
        (
            'POST /pay/json {"customer":{"id":5},"amount":true,"decimal":"1.005","currency":"usd",'
            '"urgent":"maybe","items":{},"note":{"a":1},"tags":[["a"]]}'
        ),
        JSON,
        {},
        {"amount", "decimal", "urgent", "first", "note", "tags"},
    ),
    "yen have no decimals": (
        'POST /pay/json {"customer":{"id":"c"},"decimal":"500","currency":"jpy"}', JSON,
        {"decimal": 500}, {"amount", "urgent", "first", "note", "tags"},
    ),
    "dinars have three": (
        'POST /pay/json {"customer":{"id":"c"},"decimal":"1.005","currency":"KWD"}', JSON,
        {"decimal": 1005}, {"amount", "urgent", "first", "note", "tags"},
    ),
    "an amount without a currency": (
        'POST /pay/json {"customer":{"id":"c"},"decimal":"1"}', JSON,
        {}, {"amount", "decimal", "urgent", "first", "note", "tags"},
    ),
    "JSON that is no object": (
        "POST /pay/json [1]", JSON,
        {}, {"amount", "decimal", "urgent", "first", "note", "tags", "target.id"},
    ),
    "XML": ("POST /xml <Job xmlns='u:x'><Name>a&amp;b</Name></Job>", XML, {"name": "a&b"}, set()),
}  # fmt: skip


@pytest.mark.parametrize(("line", "header", "params", "missing"), VALUES.values(), ids=VALUES)
def test_values(
    canonicalizer: Canonicalizer,
    line: str,
    header: tuple[str, str],
    params: dict[str, object],
    missing: set[str],
) -> None:
    """Params have their declared type, or are missing; nothing is guessed."""
    canonical = canonicalizer.canonicalize(shop(line, header))

    assert canonical.refused is None, canonical.detail
    (action,) = canonical.actions
    assert dict(action.params) == params
    assert action.missing == missing


def test_two_conditions_that_fit_equally_are_refused(tmp_path: Path) -> None:
    """Neither of two entries with one condition each is right when both hold."""
    canonicalizer = load_text(tmp_path, SHOP.replace('query.tagging: "1"', "query.other: true"))

    refused = canonicalizer.canonicalize(shop("PUT /things/1?tagging", ("x-copy", "a"))).refused

    assert refused == "ambiguous_operation"
