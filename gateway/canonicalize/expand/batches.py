"""Turns batches of HTTP requests into the actions of the requests inside, each read like any other.

An inner request goes to the host of the outer one, and may say so; it may not be a batch itself.
What is written loosely in it is refused, because two servers would see two requests.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence

from gateway.canonicalize.expand.acts import Call, NotUnderstoodError, check_count
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.multipart import Part, parse_fields
from gateway.canonicalize.request.reader import member
from gateway.model.action import Action
from gateway.model.dataclass import dataclass
from gateway.model.exchange import HttpRequest

REQUESTS_MAX = 100
"""Google takes 100 in most services, Microsoft 20, Salesforce 25."""

_METHOD = re.compile(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS")
_LINE = re.compile(rb"([A-Z]{3,7}) ([!-~]{1,16384})(?: HTTP/1\.[01])?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_REFERENCE = re.compile(r"@\{[A-Za-z0-9_.\[\]]{1,128}\}")
_JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class _Inner:
    method: str
    target: str
    fields: Mapping[bytes, bytes]
    body: bytes


def _resolved(call: Call, requests: Sequence[_Inner]) -> tuple[Action, ...]:
    if not requests:
        raise NotUnderstoodError
    if len(requests) > REQUESTS_MAX:
        raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the batch has too many requests")
    actions: list[Action] = []
    for inner in requests:
        canonical = call.canonical_of(_request(call, inner))
        if canonical.refused is not None:
            raise AmbiguityError(canonical.refused, f"a request of the batch: {canonical.detail}")
        actions += canonical.actions
        check_count(actions)
    return tuple(actions)


def _request(call: Call, inner: _Inner) -> HttpRequest:
    outer = call.reader.request
    if not _METHOD.fullmatch(inner.method):
        raise AmbiguityError(ambiguity.METHOD, "a request of the batch has no known method")
    host = inner.fields.get(b"host", b"").decode("latin-1").lower()
    if host.partition(":")[0] not in ("", outer.authority.host):
        raise AmbiguityError(ambiguity.HEADER, "a request of the batch names another host")
    if b"transfer-encoding" in inner.fields:
        raise AmbiguityError(ambiguity.BODY, "a request of the batch has a transfer encoding")
    try:
        target = _origin_form(inner.target, call).encode("ascii")
    except UnicodeEncodeError:
        raise AmbiguityError(ambiguity.PATH, "a path of the batch is not ASCII") from None
    return HttpRequest(
        inner.method,
        outer.scheme,
        outer.authority,
        target,
        tuple(inner.fields.items()),
        inner.fields,
        frozenset(),
        inner.body,
        len(inner.body),
    )


def _origin_form(target: str, call: Call) -> str:
    """Path and query; a URL is taken if it is one of the same host."""
    outer = call.reader.request
    start = f"{outer.scheme}://{outer.authority.host}/"
    if target.lower().startswith(start):
        target = target[len(start) - 1 :]
    if not target.startswith("/") or "#" in target:
        raise AmbiguityError(ambiguity.PATH, "a request of the batch has no plain path")
    return target


# --- multipart of application/http ----------------------------------------------------------------


def expand_google(call: Call) -> tuple[Action, ...]:
    """Google's batches: `multipart/mixed`, each part one HTTP request.

    Raises:
        AmbiguityError: of the parts, or of a request inside.
    """
    outer = call.reader.request.fields.get(b"content-type", b"")
    if outer.lower().partition(b";")[0].strip() != b"multipart/mixed":
        raise AmbiguityError(ambiguity.CONTENT_TYPE, "the batch is not multipart/mixed")
    return _resolved(call, [_of_part(part) for part in call.reader.parts()])


def _of_part(part: Part) -> _Inner:
    media = part.fields.get(b"content-type", b"").lower().partition(b";")[0].strip()
    if media != b"application/http":
        raise AmbiguityError(ambiguity.CONTENT_TYPE, "a part of the batch is no HTTP request")
    text = part.body
    first = text.partition(b"\n")[0]
    eol = b"\r\n" if first.endswith(b"\r") else b"\n"
    head, blank, body = text.partition(eol + eol)
    line, _, rest = head.partition(eol)
    found = _LINE.fullmatch(line)
    if found is None:
        raise AmbiguityError(ambiguity.BODY, "a part of the batch has no request line")
    fields = parse_fields(rest if blank else rest.removesuffix(eol), eol)
    return _Inner(found.group(1).decode(), found.group(2).decode(), fields, _measured(body, fields))


def _measured(body: bytes, fields: Mapping[bytes, bytes]) -> bytes:
    """The body as long as it says; behind it only line ends."""
    length = fields.get(b"content-length")
    if length is None:
        return body if body.strip(b"\r\n") else b""
    count = int(length) if length.isdigit() and len(length) < 10 else -1
    if not 0 <= count <= len(body) or body[count:].strip(b"\r\n"):
        raise AmbiguityError(ambiguity.BODY, "a request of the batch is not as long as it says")
    return body[:count]


# --- JSON -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Keys:
    """How a JSON batch calls the parts of a request."""

    method: str = "method"
    url: str = "url"
    body: str = "body"
    headers: str = "headers"


def expand_graph(call: Call) -> tuple[Action, ...]:
    """Microsoft Graph's `$batch`: paths are below the version of the outer one."""
    version = call.reader.request.target.split(b"/")[1].decode("latin-1")
    items = _items(call.reader.json, "requests")
    return _resolved(call, [_of_json(item, _Keys(), f"/{version}") for item in items])


def expand_azure(call: Call) -> tuple[Action, ...]:
    """Azure Resource Manager's batches; URLs are of the same host, whole or without it."""
    keys = _Keys("httpMethod", "url", "content", "requestHeaderDetails")
    items = _items(call.reader.json, "requests")
    return _resolved(call, [_of_json(item, keys, "") for item in items])


def expand_salesforce(call: Call) -> tuple[Action, ...]:
    """Salesforce's composite, batch and graph requests. What refers to an earlier answer is the
    word `reference`."""
    body = _mapping(call.reader.json)
    found: list[_Inner] = []
    keys = _Keys("method", "url", "body", "httpHeaders")
    graphs = [_mapping(item) for item in _items(body, "graphs", required=False)]
    for one in (body, *graphs):
        items = _items(one, "compositeRequest", required=False)
        found += [_of_json(item, keys, "") for item in items]
    batch = _Keys("method", "url", "richInput", "httpHeaders")
    items = _items(body, "batchRequests", required=False)
    found += [_of_json(item, batch, "/services/data") for item in items]
    return _resolved(call, found)


def _items(body: object, key: str, *, required: bool = True) -> list[object]:
    found = member(_mapping(body), key)
    if found is None and not required:
        return []
    if not isinstance(found, list):
        raise NotUnderstoodError
    if len(found) > REQUESTS_MAX:
        raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the batch has too many requests")
    return found


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise AmbiguityError(ambiguity.BODY, "the batch has no object where one must be")
    return value


def _of_json(item: object, keys: _Keys, prefix: str) -> _Inner:
    request = _mapping(item)
    method, url = member(request, keys.method), member(request, keys.url)
    if not isinstance(method, str) or not isinstance(url, str):
        raise AmbiguityError(ambiguity.BODY, "a request of the batch has no method or no URL")
    url = _REFERENCE.sub("reference", url)
    if prefix and not url.lower().startswith("https:"):
        url = f"{prefix}/{url.removeprefix('/')}"
    fields = _fields(member(request, keys.headers))
    value = member(request, keys.body)
    body = b"" if value is None else _body(value, fields)
    if body and b"content-type" not in fields:
        fields[b"content-type"] = _JSON
    return _Inner(method.upper(), url, fields, body)


def _fields(value: object) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, text in _mapping(value or {}).items():
        if not _HEADER_NAME.fullmatch(name) or not isinstance(text, str) or not text.isprintable():
            raise AmbiguityError(ambiguity.HEADER, "a header of the batch is malformed")
        lower = name.lower().encode()
        if lower in fields:
            raise AmbiguityError(ambiguity.HEADER, "a header of the batch is there twice")
        fields[lower] = text.encode("utf-8", "surrogatepass")
    return fields


def _body(value: object, fields: Mapping[bytes, bytes]) -> bytes:
    """JSON again; a text beside another content type is base64 (OData's JSON batch format)."""
    media = fields.get(b"content-type", _JSON).lower().partition(b";")[0].strip()
    if isinstance(value, str) and media != _JSON:
        try:
            return base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            raise AmbiguityError(ambiguity.BODY, "a body of the batch is no base64") from None
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
