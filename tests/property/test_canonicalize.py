"""Whatever is sent: no exception, no milder kind for a respelled request, bounded time."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring.requests import MalformedRequestError, build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.content import mappers_dir
from gateway.model.action import Canonical, Kind
from gateway.model.exchange import Authority, HttpRequest

HOSTILE_SECONDS_MAX = 5.0
"""Generous, because the machine may be busy; each of these takes well under a second alone."""

FORM = "application/x-www-form-urlencoded"
HOSTS = (
    "api.stripe.com", "slack.com", "hooks.slack.com", "api.github.com", "api.openai.com",
    "iam.amazonaws.com", "b.s3.eu-west-1.amazonaws.com", "s3.amazonaws.com", "example.com",
)  # fmt: skip


@functools.cache
def canonicalizer() -> Canonicalizer:
    return Canonicalizer.load([mappers_dir()])


def request_of(
    method: str, host: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None
) -> HttpRequest:
    """A request with any bytes, as no client would build it."""
    fields: dict[bytes, bytes] = {}
    repeated = set()
    for name, value in headers:
        lower = name.lower()
        if lower in fields:
            repeated.add(lower)
            value = fields[lower] + b", " + value
        fields[lower] = value
    return HttpRequest(
        method, "https", Authority(host, 443), target, tuple(headers), fields,
        frozenset(repeated), body, None,
    )  # fmt: skip


pieces = st.sampled_from(
    [b"/", b"/v1", b"/api", b"/repos", b"/charges", b"/chat.postMessage", b"?", b"&", b"=", b"%2f",
     b"%", b"%00", b"..", b";", b"Action", b"DeleteUser", b"_method", b"DELETE", b"a", b"[0]", b"]",
     b"{", b"}", b'"', b":", b",", b"\\u", b"\\", b"1e9", b"NaN", b"<a>", b"</a>", b"<!DOCTYPE",
     b"\x00", b"\xff", b"\xc0\xaf", b"amount", b"channel", b"model", b" ", b"\n"]
)  # fmt: skip
soup = st.lists(pieces, max_size=25).map(b"".join)
names = st.sampled_from(
    [b"Content-Type", b"content-type", b"Content-Encoding", b"X-Amz-Target", b"Authorization",
     b"x-amz-copy-source", b"X-HTTP-Method-Override", b"X-Original-URL", b"Host", b"X"]
)  # fmt: skip
header_values = st.one_of(
    soup,
    st.sampled_from(
        [FORM.encode(), b"application/json", b"application/xml", b"gzip", b"AWS4-HMAC-SHA256 x",
         b"AWS4-HMAC-SHA256 Credential=a/b/c/iam/aws4_request", b"IAM.DeleteUser"]
    ),
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "DELETE", "HEAD", "PUT", "post", "X"]),
    st.sampled_from(HOSTS),
    soup,
    st.lists(st.tuples(names, header_values), max_size=4),
    st.one_of(st.none(), soup),
)
def test_no_bytes_raise(
    method: str, host: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None
) -> None:
    """Any bytes give actions or a code, never both, never neither, never an exception."""
    canonical = canonicalizer().canonicalize(request_of(method, host, target, headers, body))

    assert bool(canonical.actions) != bool(canonical.refused)


# --- respellings ----------------------------------------------------------------------------------


def percent_encoded(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    head = "".join(f"%{ord(sign):02x}" if sign.isalpha() else sign for sign in path[:6])
    return method, f"{scheme}://{host}/{head}{path[6:]}", headers, body


def body_keys_encoded(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
    if not body.startswith(b"{"):
        text = "&".join(
            "".join(f"%{ord(sign):02X}" for sign in key) + eq + value
            for key, eq, value in (pair.partition("=") for pair in body.decode().split("&"))
        )
        return method, url, headers, text.encode()
    value = json.loads(body)
    escaped = {key: value[key] for key in reversed(value)}
    text = json.dumps(escaped, indent=3)
    for key in value:
        text = text.replace(f'"{key}"', '"' + "".join(f"\\u{ord(sign):04x}" for sign in key) + '"')
    return method, url, headers, text.encode()


def append(suffix: str) -> Callable[..., object]:
    def change(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
        return method, url + suffix, headers, body

    return change


def insert(before: str, what: str) -> Callable[..., object]:
    def change(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
        head, _, tail = url.rpartition(before)
        return method, head + what + tail, headers, body

    return change


def with_header(name: str, value: str) -> Callable[..., object]:
    def change(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
        return method, url, [*headers, (name, value)], body

    return change


def host_in_capitals(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return method, f"{scheme}://{host.upper()}.:443{slash}{path}", headers, body


def doubled_body(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
    if body.startswith(b"{"):
        inner = body[1:-1]
        return method, url, headers, b"{" + inner + b"," + inner + b"}"
    return method, url, headers, body + b"&" + body


def mistyped(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> object:
    return method, url, [("Content-Type", "text/plain")], body


def headers_in_capitals(
    method: str, url: str, headers: list[tuple[str, str]], body: bytes
) -> object:
    return method, url, [(name.upper(), value) for name, value in headers], body


RESPELLINGS: dict[str, Callable[..., object]] = {
    "percent-encoded letters in the path": percent_encoded,
    "encoded and reordered body keys": body_keys_encoded,
    "a trailing slash": append("/"),
    "an empty query": append("?"),
    "an unread query key": append("?zzz=1"),
    "a method key": append("?_method=GET"),
    "a dot segment": insert("/", "/./"),
    "an encoded slash": insert("/", "%2F"),
    "a double slash": insert("/", "//"),
    "a path parameter": append(";a=b"),
    "a method header": with_header("X-HTTP-Method-Override", "GET"),
    "a rewrite header": with_header("X-Rewrite-URL", "/"),
    "a second content type": with_header("Content-Type", "text/plain"),
    "another content type": mistyped,
    "a compression": with_header("Content-Encoding", "gzip"),
    "an unread header": with_header("X-Whatever", "1"),
    "headers in capitals": headers_in_capitals,
    "host in capitals, with port and dot": host_in_capitals,
    "the body twice": doubled_body,
}

ACTS: dict[str, tuple[str, str, str, str]] = {
    "a refund": ("POST", "https://api.stripe.com/v1/refunds", FORM, "charge={0}&amount=9000"),
    "a payout": ("POST", "https://api.stripe.com/v1/payouts", FORM, "amount=1&destination={0}"),
    "a deleted customer": ("DELETE", "https://api.stripe.com/v1/customers/cus", "", ""),
    "a message": ("POST", "https://slack.com/api/chat.postMessage", FORM, "channel={0}&text=x"),
    "a message as JSON": (
        "POST", "https://slack.com/api/chat.postMessage", "application/json",
        '{{"channel": "{0}", "text": "x"}}',
    ),
    "a merge": (
        "PUT", "https://api.github.com/repos/a/b/pulls/7/merge", "application/json",
        '{{"merge_method": "{0}"}}',
    ),
    "a granted role": (
        "POST", "https://iam.amazonaws.com/", FORM, "Action=AttachRolePolicy&RoleName={0}",
    ),
    "a deleted bucket": ("DELETE", "https://s3.eu-west-1.amazonaws.com/bucket", "", ""),
    "a deleted object": ("DELETE", "https://b.s3.eu-west-1.amazonaws.com/a/k", "", ""),
}  # fmt: skip


def meaning(canonical: Canonical) -> list[tuple[object, ...]]:
    return [
        (action.operation, action.kind, action.target, dict(action.params))
        for action in canonical.actions
    ]


@pytest.mark.parametrize("respell", RESPELLINGS.values(), ids=RESPELLINGS)
@pytest.mark.parametrize(("method", "url", "media", "template"), ACTS.values(), ids=ACTS)
@settings(max_examples=5, deadline=None)
@given(word=st.text("abcXYZ019_-", min_size=1, max_size=12))
def test_a_respelling_is_never_milder(
    method: str, url: str, media: str, template: str, respell: Callable[..., object], word: str
) -> None:
    """Another spelling gives the same action, an unknown one, or a refusal; never a milder one."""
    headers = [("Content-Type", media)] if media else []
    body = template.format(quote(word, safe="")).encode()
    plain = canonicalizer().canonicalize(build_request(method, url, headers, body))
    assert plain.refused is None

    changed = respell(method, url, headers, body)
    assert isinstance(changed, tuple)
    try:
        other = canonicalizer().canonicalize(build_request(*changed))
    except MalformedRequestError:
        return

    if other.refused is None and meaning(other) != meaning(plain):
        # An S3 key with a trailing slash is another key; everything else may only become unknown.
        is_other_key = {a.operation for a in other.actions} == {a.operation for a in plain.actions}
        assert is_other_key or {action.kind for action in other.actions} == {Kind.UNKNOWN}


# --- hostile sizes --------------------------------------------------------------------------------

MEGABYTE = 1_000_000
HOSTILE: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "ten megabytes of form pairs": (
        "api.stripe.com/v1/refunds", FORM, lambda: b"amount=1&" * (10 * MEGABYTE // 9),
    ),
    "one form value of ten megabytes": (
        "api.stripe.com/v1/refunds", FORM, lambda: b"charge=" + b"%41" * (10 * MEGABYTE // 3),
    ),
    "ten thousand equal keys": (
        "api.stripe.com/v1/refunds", FORM, lambda: b"&".join([b"expand[]=a"] * 9_999),
    ),
    "many bracketed keys": (
        "api.stripe.com/v1/subscriptions", FORM,
        lambda: b"&".join(b"items[%d][price]=a" % n for n in range(9_999)),
    ),
    "a deep JSON": ("api.openai.com/v1/responses", "application/json", lambda: b"[" * MEGABYTE),
    "a deep and closed JSON": (
        "api.openai.com/v1/responses", "application/json",
        lambda: b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    ),
    "a wide JSON": (
        "api.openai.com/v1/responses", "application/json",
        lambda: b'{"model":"m","x":[' + b"[]," * MEGABYTE + b"[]]}",
    ),
    "a JSON of backslashes": (
        "api.openai.com/v1/responses", "application/json",
        lambda: b'{"model":"' + b"\\\\" * MEGABYTE + b"[" * 100 + b'"}',
    ),
    "a JSON never closed": (
        "api.openai.com/v1/responses", "application/json", lambda: b'{"a":"' * MEGABYTE,
    ),
    "a long number": (
        "api.openai.com/v1/responses", "application/json",
        lambda: b'{"model":' + b"9" * MEGABYTE + b"}",
    ),
    "a wide XML": (
        "b.s3.amazonaws.com/?delete", "application/xml",
        lambda: b"<Delete>" + b"<Object><Key>a</Key></Object>" * 300_000 + b"</Delete>",
    ),
    "a deep XML": ("b.s3.amazonaws.com/?delete", "application/xml", lambda: b"<a>" * MEGABYTE),
    "an XML text of lines": (
        "b.s3.amazonaws.com/?delete", "application/xml",
        lambda: b"<Delete>" + b"\n" * (5 * MEGABYTE) + b"</Delete>",
    ),
    "entities that multiply": (
        "b.s3.amazonaws.com/?delete", "application/xml",
        lambda: b'<!DOCTYPE a [<!ENTITY b "bbb"><!ENTITY c "&b;&b;">]><Delete>&c;</Delete>',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("place", "media", "make"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_end_soon(place: str, media: str, make: Callable[[], bytes]) -> None:
    """Large and tangled bodies are read or refused in bounded time, never with an exception."""
    request = build_request("POST", f"https://{place}", [("content-type", media)], make())

    started = time.process_time()
    canonical = canonicalizer().canonicalize(request)
    spent = time.process_time() - started

    assert bool(canonical.actions) != bool(canonical.refused)
    assert spent < HOSTILE_SECONDS_MAX
