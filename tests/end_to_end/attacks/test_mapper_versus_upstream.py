"""M1-M12: what a request means. What two servers could read differently is refused, whatever hides
an act in a read is found, and what nobody described is blocked."""

from __future__ import annotations

import gzip
import json
import zlib
from urllib.parse import urlencode

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from tests.end_to_end.attacks.conftest import HOST, Scene, make_scene
from tests.end_to_end.attacks.payloads import END, REFUSED, SEARCH, Row
from tests.end_to_end.attacks.payloads import HOST as HOST_LINE
from tests.support.raw_client import request
from tests.support.stack import Stack


def _post(body: bytes, content_type: str = "application/json", **more: str) -> bytes:
    headers = {"Content-Type": content_type, **{k.replace("_", "-"): v for k, v in more.items()}}
    return request("POST", "/v1/orders/search", headers, body)


PATHS: dict[str, Row] = {
    "M1 encoded dots": (request("GET", "/v1/orders/%2e%2e/refund"), REFUSED),
    "M1 plain dots": (request("GET", "/v1/orders/../admin"), REFUSED),
    "M1 an encoded slash": (request("GET", "/v1/orders/a%2fb"), REFUSED),
    "M1 an encoded NUL": (request("GET", "/v1/orders/a%00"), REFUSED),
    "M1 a backslash": (request("GET", "/v1/orders\\a"), REFUSED),
    "M1 an encoded backslash": (request("GET", "/v1/orders/a%5cb"), REFUSED),
    "M1 path parameters": (request("GET", "/v1/orders/o1;a=b"), REFUSED),
    "M1 encoded twice": (request("GET", "/v1/orders/%252e%252e"), REFUSED),
    "M1 overlong UTF-8": (request("GET", "/v1/orders/%c0%ae%c0%ae"), REFUSED),
    "M1 an empty segment": (request("GET", "/v1//orders/o1"), REFUSED),
    "M1 a dot segment": (request("GET", "/v1/./orders/o1"), REFUSED),
    "M1 a bad escape": (request("GET", "/v1/orders/%zz"), REFUSED),
    "M1 raw bytes beyond ASCII": (
        b"GET /v1/orders/\xc3\xa9 HTTP/1.1\r\n" + HOST_LINE + END,
        REFUSED,
    ),
    "M1 a fragment": (request("GET", "/v1/orders/o1#x"), REFUSED),
    "M7 a method override on a read": (
        request("GET", "/v1/orders/o1", {"X-HTTP-Method-Override": "DELETE"}),
        REFUSED,
    ),
    "M7 the override's other name": (
        request("GET", "/v1/orders/o1", {"X-Method-Override": "DELETE"}),
        REFUSED,
    ),
    "M12 a path that no mapper knows": (request("GET", "/v2/everything"), REFUSED),
    "M12 a method that no mapper knows": (request("PURGE", "/v1/orders/o1"), REFUSED),
}

DEEP = b"[" * 10_000 + b"]" * 10_000

BODIES: dict[str, Row] = {
    "M3 a duplicate key": (_post(b'{"state":"open","state":"paid"}'), REFUSED),
    "M3 a duplicate key in disguise": (_post(b'{"state":"open","st\\u0061te":"paid"}'), REFUSED),
    "M3 not a number": (_post(b'{"limit":NaN}'), REFUSED),
    "M3 a number beyond doubles": (_post(b'{"limit":1e400}'), REFUSED),
    "M3 a lone surrogate": (_post(b'{"state":"\\ud800"}'), REFUSED),
    "M3 a byte order mark": (_post(b'\xef\xbb\xbf{"state":"open"}'), REFUSED),
    "M3 UTF-16": (_post(json.dumps({"state": "open"}).encode("utf-16-le")), REFUSED),
    "M3 a comment": (_post(b'{"state":"open"/*paid*/}'), REFUSED),
    "M3 bytes after the end": (_post(b'{"state":"open"}{"state":"paid"}'), REFUSED),
    "M3 ten thousand levels": (_post(DEEP), REFUSED),
    "M3 half a document": (_post(b'{"state":'), REFUSED),
    "M3 bytes that are not UTF-8": (_post(b'{"state":"\xff"}'), REFUSED),
    "M4 JSON called a form": (
        _post(b'{"state":"open"}', "application/x-www-form-urlencoded"),
        REFUSED,
    ),
    "M4 two content types": (
        SEARCH + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        REFUSED,
    ),
    "M4 another character set": (
        _post(b'{"state":"open"}', "application/json; charset=utf-16"),
        REFUSED,
    ),
    "M5 a compressed body": (
        _post(gzip.compress(b'{"state":"open"}'), Content_Encoding="gzip"),
        frozenset({400, 403, 415}),
    ),
    "M5 compressed twice": (
        _post(gzip.compress(gzip.compress(b'{"state":"open"}')), Content_Encoding="gzip, gzip"),
        frozenset({400, 403, 415}),
    ),
    "M5 a coding nobody knows": (
        _post(b'{"state":"open"}', Content_Encoding="zebra"),
        frozenset({400, 403, 415}),
    ),
}
PATHS |= {
    "M1 another case": (request("GET", "/V1/orders/o1"), REFUSED),
    "M1 a full-width slash": (request("GET", "/v1/orders/a%EF%BC%8Fb"), REFUSED),
    "M1 full-width dots": (request("GET", "/v1/orders/%EF%BC%8E%EF%BC%8E"), REFUSED),
    "M7 an override in the query": (request("GET", "/v1/orders/o1?_method=DELETE"), REFUSED),
    "M7 an override's header as a key": (
        request("GET", "/v1/orders/o1?X-HTTP-Method-Override=DELETE"),
        REFUSED,
    ),
    "M7 an override with underscores": (
        request("GET", "/v1/orders/o1", {"X_HTTP_Method_Override": "DELETE"}),
        REFUSED,
    ),
}
BODIES |= {
    "M4 JSON as text": (_post(b'{"state":"open"}', "text/plain"), REFUSED),
    "M4 JSON without a type": (
        request("POST", "/v1/orders/search", {}, b'{"state":"open"}'),
        REFUSED,
    ),
    "M4 a type with an underscore": (
        SEARCH + b"Content_Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        REFUSED,
    ),
    "M5 deflate": (
        _post(zlib.compress(b'{"state":"open"}'), Content_Encoding="deflate"),
        frozenset({400, 403, 415}),
    ),
    "M5 a coding in another case": (
        _post(gzip.compress(b'{"state":"open"}'), Content_Encoding="GZip"),
        frozenset({400, 403, 415}),
    ),
    "M5 two members in one": (
        _post(gzip.compress(b'{"state":') + gzip.compress(b'"open"}'), Content_Encoding="gzip"),
        frozenset({400, 403, 415}),
    ),
    "M5 a bomb": (
        _post(gzip.compress(b"[" + b" " * 10_000_000 + b"]"), Content_Encoding="gzip"),
        frozenset({400, 403, 415}),
    ),
}


@pytest.mark.parametrize("row", [*PATHS, *BODIES])
def test_ambiguous_request_is_refused(scene: Scene, row: str) -> None:
    """Refused with its reason, and nothing arrives."""
    payload, statuses = (PATHS | BODIES)[row]
    scene.refuse(payload, statuses)


# --- forms and multipart, at a provider that takes both -------------------------------------------

STRIPE = "api.stripe.com"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
AMOUNT = b'--b\r\nContent-Disposition: form-data; name="amount"\r\n\r\n1\r\n'
LAST = b"--b--\r\n"
REFUNDS: dict[str, tuple[str, bytes]] = {
    "M2 a key twice": (FORM, b"charge=ch_1&amount=1&amount=9000"),
    "M2 a key twice, once encoded": (FORM, b"charge=ch_1&amount=1&a%6dount=9000"),
    "M2 a key and its list": (FORM, b"charge=ch_1&amount=1&amount[]=9000"),
    "M2 a key and its encoded list": (FORM, b"charge=ch_1&amount=1&amount%5b%5d=9000"),
    "M2 a semicolon between": (FORM, b"charge=ch_1&amount=1;amount=9000"),
    "M2 a space before a key": (FORM, b"charge=ch_1&amount=1&+amount=9000"),
    "M2 another case": (FORM, b"charge=ch_1&amount=1&Amount=9000"),
    "M4 JSON for a form": ("application/json", b'{"charge":"ch_1","amount":1}'),
    "M4 a form as text": ("text/plain", b"charge=ch_1&amount=1"),
    "M4 a form without a type": ("", b"charge=ch_1&amount=1"),
    "M6 no boundary": ("multipart/form-data", AMOUNT + LAST),
    "M6 two boundaries": (MULTIPART + "; boundary=c", AMOUNT + LAST),
    "M6 a name twice": (MULTIPART, AMOUNT + AMOUNT.replace(b"\n1\r", b"\n9000\r") + LAST),
    "M6 two names of one part": (
        MULTIPART,
        AMOUNT.replace(b'"amount"', b'"charge"; name="amount"') + LAST,
    ),
    "M6 an encoded name": (MULTIPART, AMOUNT.replace(b'name="', b"name*=UTF-8''x; name=\"") + LAST),
    "M6 an encoded file name": (
        MULTIPART,
        AMOUNT.replace(b'"amount"', b"\"amount\"; filename*=UTF-8''x") + LAST,
    ),
    "M6 text before the first part": (MULTIPART, b"amount=9000\r\n" + AMOUNT + LAST),
    "M6 text behind the last part": (MULTIPART, AMOUNT + LAST + AMOUNT),
    "M6 a folded header": (
        MULTIPART,
        AMOUNT.replace(b"form-data;", b"form-data;\r\n") + LAST,
    ),
    "M6 mixed line ends": (MULTIPART, AMOUNT + AMOUNT.replace(b"\r\n", b"\n") + LAST),
    "M6 a part in base64": (
        MULTIPART,
        AMOUNT.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n") + LAST,
    ),
    "M7 an override in a form": (FORM, b"charge=ch_1&_method=DELETE"),
    "M7 an override in a part": (
        MULTIPART,
        AMOUNT.replace(b'"amount"', b'"_method"').replace(b"\n1\r", b"\nDELETE\r") + LAST,
    ),
}


@pytest.mark.parametrize("row", REFUNDS)
def test_ambiguous_form_is_refused(scene: Scene, row: str) -> None:
    """Refused at once: nobody is asked to approve what can be read in two ways."""
    media, body = REFUNDS[row]
    lines = f"POST /v1/refunds HTTP/1.1\r\nHost: {STRIPE}\r\nContent-Length: {len(body)}\r\n"
    lines += f"Content-Type: {media}\r\n" if media else ""
    scene.refuse(lines.encode() + END + body, REFUSED, STRIPE)


def test_m8_rewriting_headers_end_at_the_gateway(scene: Scene, tag: str) -> None:
    """M8: proxy credentials, hop-by-hop, rewriting and `checkrein-` headers go no further."""
    headers = {
        "Checkrein-Agent": "somebody-else",
        "X-Original-URL": "/v1/admin",
        "X-Rewrite-URL": "/v1/admin",
        "X-Forwarded-For": "127.0.0.1",
        "X_Forwarded_Host": "api.stripe.com",
        "Forwarded": "for=127.0.0.1",
        "Proxy-Authorization": "Basic eDp5",
        "Connection": "close, x-secret, authorization",
        "X-Secret": "1",
        "Authorization": "Bearer x",
        "X-Kept": "2",
    }
    assert scene.ask(request("GET", f"/v1/orders/{tag}", headers)).status == 200

    (seen,) = scene.stack.oracle.about(tag)
    assert {name for name, _ in seen.headers} == {"Host", "X-Kept"}


def test_m11_body_beyond_the_limit_is_refused(scene: Scene, tag: str) -> None:
    """M11: a body that must be inspected and is too long is refused, whatever its start."""
    headers = {"Content-Type": "application/json", "Content-Length": str(200 * 1024 * 1024)}
    head = request("POST", f"/v1/orders/{tag}/refund", headers)
    scene.refuse(head + b'{"amount":1' + b" " * 4_000_000, frozenset({413}))


# --- M9, M10: many acts in one request ------------------------------------------------------------

GITHUB = "api.github.com"
READ = "{viewer{login}}"
ACT = "mutation{deleteRef(input:{refId:1}){clientMutationId}}"
HASH = {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}
GRAPHQL: dict[str, object] = {
    "M9 two operations and no name": {"query": f"query A{READ} mutation B{ACT[8:]}"},
    "M9 a hash that nobody knows": {"extensions": HASH},
    "M9 a hash beside a query": {"query": READ, "extensions": HASH},
    "M9 an id beside a query": {"id": "x", "query": READ},
    "M9 a fragment that is not there": {"query": "{...F}"},
    "M9 a fragment of itself": {"query": "{...F} fragment F on Query{...F}"},
    "M9 a variable twice": '{"query":"{viewer{login}}","variables":{"a":1,"a":2}}',
    "M9 a query twice": '{"query":"{viewer{login}}","query":"mutation{deleteRef}"}',
}
HIDDEN: dict[str, object] = {
    "M9 an act in a batch of reads": [{"query": READ}, {"query": ACT}],
    "M9 an act behind an alias": {"query": f"mutation{{login:{ACT[9:]}"},
    "M9 an act in a fragment": {
        "query": f"mutation{{...F}} fragment F on Mutation{ACT[8:]}",
    },
    "M9 an act chosen by its name": {
        "query": f"query A{READ} mutation B{ACT[8:]}",
        "operationName": "B",
    },
}


def _graphql(value: object) -> bytes:
    body = (value if isinstance(value, str) else json.dumps(value)).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {GITHUB}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("row", GRAPHQL)
def test_unclear_document_is_refused(scene: Scene, row: str) -> None:
    """What can't be told to be reads alone is blocked."""
    scene.refuse(_graphql(GRAPHQL[row]), REFUSED, GITHUB)


def test_m9_a_query_in_a_get_is_blocked(scene: Scene) -> None:
    """M9: a document in the address is no read that anybody described."""
    line = f"GET /graphql?{urlencode({'query': ACT})} HTTP/1.1\r\nHost: {GITHUB}\r\n\r\n"
    scene.refuse(line.encode(), REFUSED, GITHUB)


@pytest.mark.parametrize("row", HIDDEN)
def test_hidden_act_needs_a_person(stack: Stack, row: str) -> None:
    """The strictest of all acts in a document decides; GitHub's 422 tells of the approval."""
    scene = make_scene(stack, stack.brief)
    reply = scene.refuse(_graphql(HIDDEN[row]), frozenset({422}), GITHUB)

    assert b"APPROVAL_PENDING" in reply.data


BATCHES: dict[str, tuple[str, str, object]] = {
    "M10 Microsoft's batch": (
        "https://graph.microsoft.com/v1.0/$batch",
        "application/json",
        {
            "requests": [
                {"id": "1", "method": "GET", "url": "/me"},
                {"id": "2", "method": "DELETE", "url": "/users/u1"},
            ]
        },
    ),
}


@pytest.fixture(scope="module")
def shipped() -> Canonicalizer:
    """Every mapper that is shipped."""
    return Canonicalizer.load([mappers_dir()])


@pytest.mark.parametrize("row", BATCHES)
def test_each_element_is_an_act_of_its_own(shipped: Canonicalizer, row: str) -> None:
    """The removal of a user among reads is seen as what it is."""
    url, media, body = BATCHES[row]
    made = build_request("POST", url, [("content-type", media)], json.dumps(body).encode())
    kinds = [action.kind.value for action in shipped.canonicalize(made).actions]

    assert kinds == ["read", "admin"]


UNKNOWN_BATCHES: dict[str, tuple[str, str, bytes]] = {
    "M10 a batch that GitHub has not": (GITHUB, "/batch", b'[{"method":"DELETE","path":"/x"}]'),
    "M10 a batch inside JSON": (HOST, "/v1/$batch", b'{"requests":[{"method":"DELETE"}]}'),
}


@pytest.mark.parametrize("row", UNKNOWN_BATCHES)
def test_unknown_batch_is_blocked(scene: Scene, row: str) -> None:
    """Nobody described it, so it is no read."""
    host, path, body = UNKNOWN_BATCHES[row]
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    payload = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    scene.refuse(payload, REFUSED, host)


SUB_RESOURCES = {
    "M10 a sub-resource that nobody knows": "GET /k?zebra",
    "M10 two sub-resources": "GET /k?acl&tagging",
}


@pytest.mark.parametrize("row", SUB_RESOURCES)
def test_unknown_sub_resource_is_blocked(scene: Scene, row: str) -> None:
    """S3 names operations by keys of the query; an unknown one is no plain read."""
    host = "ledger.s3.amazonaws.com"
    line = f"{SUB_RESOURCES[row]} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    scene.refuse(line.encode(), REFUSED, host)


def test_refusals_are_recorded_and_what_arrived_was_decided(scene: Scene) -> None:
    """After all rows of this file: each refusal has its record, and each arrival its intent."""
    scene.refuse(request("GET", "/v2/everything"), REFUSED)
    scene.assert_recorded()
    scene.assert_understood()
    assert scene.gateway.metric("checkrein_gateway_bugs_total") == 0, scene.gateway.process.log
