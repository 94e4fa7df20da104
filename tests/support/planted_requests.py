"""Every way in which an agent can carry a secret into a gateway: bytes, by what they are.

Each function makes the bytes with fresh secrets, so that a leak names the way that it came.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.planted import Planted

OWN, STRIPE, GRAPHQL, SQL, TOOLS = (
    "warehouse.example.test",
    "api.stripe.com",
    "api.linear.app",
    "x.turso.io",
    "mcp.linear.app",
)
HOSTS = (OWN, STRIPE, GRAPHQL, SQL, TOOLS)

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NOTE = "POST /v1/orders/o1/note"
REFUND = "POST /v1/orders/o1/refund"


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: where to, and its bytes within TLS."""

    host: str
    data: bytes


def requests(planted: Planted) -> Mapping[str, Sent]:
    """All of them, for one set of secrets."""
    make = planted.make
    tables = (_heads(planted), _bodies(make), _graphs(make), _refused(make))
    return {name: sent for table in tables for name, sent in table.items()}


def _heads(planted: Planted) -> dict[str, Sent]:
    make = planted.make
    jwt = base64.urlsafe_b64encode(json.dumps({"sub": make("jwt")}).encode()).decode().rstrip("=")
    headers = {
        "Authorization": f"Bearer {make('bearer')}",
        "Cookie": f"sid={make('cookie')}; theme=dark",
        "X-Api-Key": make("apikey"),
        "X-Own-Header": make("header"),
        "X-Amz-Security-Token": make("aws"),
        "X-Amz-Meta-Owner": make("meta"),
        "Stripe-Account": make("account", "sk_live_"),
        "Idempotency-Key": make("idempotency"),
    }
    basic = base64.b64encode(f"user:{make('basic')}".encode()).decode()
    card = planted.note("4000056655665556")
    return {
        "headers of every kind": call(OWN, NOTE, b"{}", JSON, headers),
        "headers of an act that is held": call(OWN, REFUND, b'{"amount":1}', JSON, headers),
        "basic credentials": call(OWN, NOTE, b"{}", JSON, {"Authorization": f"Basic {basic}"}),
        "a token of JSON": call(OWN, NOTE, b"{}", JSON, {"X-Token": f"eyJhbGciOiJub25lIn0.{jwt}."}),
        "the query": call(
            OWN, f"GET /v1/orders/o1?api_key={make('query')}&q={make('search')}&{make('bare')}"
        ),
        "the path of something unmapped": call(OWN, f"GET /reset/{make('path00000000')}/now"),
        "the path of a host's unknown part": call(STRIPE, f"POST /v9/x/{make('path11111111')}"),
        "a key as a target": call(OWN, f"GET /v1/orders/{make('target', 'sk_live_')}"),
        "a card's number": call(STRIPE, "POST /v1/refunds", f"charge={card}".encode(), FORM),
    }


def _bodies(make: Callable[..., str]) -> dict[str, Sent]:
    fields = {
        "password": make("password"),
        "unknown": make("field"),
        "deep": {"list": [{"x": make("deep")}, make("item")]},
        "number": "1234567890123",
    }
    multipart = (
        '--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n'
        f"{make('multipart')}\r\n--b--\r\n"
    ).encode()
    stripe = f"charge=ch_1&amount=900&metadata[x]={make('form')}&client_secret={make('named')}"
    return {
        "JSON that passes": call(OWN, NOTE, json.dumps(fields).encode(), JSON),
        "JSON that is held": call(OWN, REFUND, json.dumps({"amount": 1, **fields}).encode(), JSON),
        "a form that is held": call(STRIPE, "POST /v1/refunds", stripe.encode(), FORM),
        "many parts": call(OWN, NOTE, multipart, "multipart/form-data; boundary=b"),
        "XML": call(OWN, NOTE, f"<a><b>{make('xml')}</b></a>".encode(), "application/xml"),
        "plain text": call(OWN, NOTE, make("text").encode(), "text/plain"),
        "bytes": call(OWN, REFUND, b"\0\xff" + make("bytes").encode(), "application/octet-stream"),
        "a read with a body": call(
            OWN, "POST /v1/orders/search", json.dumps({"x": make("read")}).encode(), JSON
        ),
    }  # fmt: skip


def _graphs(make: Callable[..., str]) -> dict[str, Sent]:
    query = "mutation M($input: I!) { issueCreate(input: $input) { success } }"
    variables = {
        "input": {"title": "late", "token": make("variable"), "more": {"x": make("nested")}}
    }
    literal = f'mutation {{ issueCreate(input: {{apiKey: "{make("literal")}"}}) {{ success }} }}'
    tool = {"name": "save_issue", "arguments": {"id": "1", "password": make("tool"),
            "free": {"x": make("argument")}}}  # fmt: skip
    sql = f"INSERT INTO users (name, pass) VALUES ('x', '{make('sql')}')"
    where = f"SELECT * FROM users WHERE reset_code = '{make('where')}'"
    return {
        "GraphQL variables": _json(GRAPHQL, "/graphql", {"query": query, "variables": variables}),
        "a GraphQL literal": _json(GRAPHQL, "/graphql", {"query": literal}),
        "a tool's arguments": _json(
            TOOLS, "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool}
        ),
        "a SQL literal that is written": _sql(sql),
        "a SQL literal that is compared": _sql(where),
        "SQL that can't be read": _sql(f"INSERT INTO ('{make('badsql')}"),
    }


def _refused(make: Callable[..., str]) -> dict[str, Sent]:
    twice = json.dumps({"a": make("first")})[:-1] + f',"a":"{make("twice")}"}}'
    return {
        "a key twice": call(OWN, REFUND, twice.encode(), JSON),
        "JSON that is cut": call(OWN, REFUND, f'{{"a":"{make("cut")}'.encode(), JSON),
        "a header with a space": _raw(f"GET / HTTP/1.1\r\nHost: {OWN}\r\nX {make('space')}: 1"),
        "a header without a colon": _raw(f"GET / HTTP/1.1\r\nHost: {OWN}\r\n{make('colon')}"),
        "a method that is none": _raw(f"{make('method')} / HTTP/1.1\r\nHost: {OWN}"),
        "a version that is none": _raw(f"GET / {make('version')}\r\nHost: {OWN}"),
        "another host": _raw(f"GET / HTTP/1.1\r\nHost: {make('host')}.example.com"),
        "an encoded slash": _raw(f"GET /a%2f{make('slash')} HTTP/1.1\r\nHost: {OWN}"),
        "a chunk that is none": _raw(
            f"POST /v1/orders/o1/note HTTP/1.1\r\nHost: {OWN}\r\nTransfer-Encoding: chunked\r\n\r\n"
            f"{make('chunk')}"
        ),
        "two lengths": _raw(
            f"POST / HTTP/1.1\r\nHost: {OWN}\r\nContent-Length: 1\r\n"
            f"Content-Length: {make('length')}"
        ),
    }


def call(
    host: str,
    line: str,
    body: bytes = b"",
    content_type: str = "",
    headers: Mapping[str, str] | None = None,
) -> Sent:
    """A well-formed request."""
    lines = [f"{line} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    lines += [f"Content-Length: {len(body)}"] if not line.startswith("GET ") else []
    return Sent(host, "\r\n".join([*lines, "", ""]).encode() + body)


def _json(host: str, path: str, value: object) -> Sent:
    return call(host, f"POST {path}", json.dumps(value).encode(), JSON)


def _sql(statement: str) -> Sent:
    entry = {"type": "execute", "stmt": {"sql": statement}}
    return _json(SQL, "/v2/pipeline", {"requests": [entry, {"type": "close"}]})


def _raw(head: str) -> Sent:
    return Sent(OWN, head.encode() + b"\r\n\r\n")
