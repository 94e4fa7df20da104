"""What an agent sent, as a person may see it before they answer: a request -> redacted JSON. Pure.

Mappers read some fields of a request, and all of it is sent. So the reviewer sees the rest too: the
body, and the headers that the approval is bound to. Of fields that no mapper reads the names are
shown, and a mark of the value: whoever put it there never said that it may be read. It is not held
against the question of a request that joins, since clients make up tokens in bodies anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, cast

from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import MediaType, media_type, parse_form, parse_json
from gateway.model.action import Canonical, ParamValue, telling_headers
from gateway.model.codec import JsonValue
from gateway.model.exchange import Exchange
from gateway.record.redact import RedactionLimits, redact_params, redact_undeclared

SHOWN_BYTES_MAX: Final = 64 * 1024
"""Of a body that is shown: a person reads no more of it, and parsing it holds up other requests."""

LIMITS: Final = RedactionLimits(items_max=64, leaves_max=512)

KNOWN_TEXTS_MAX: Final = 512
"""Values that a mapper reads, by which fields of the body are known to be public."""

_FREE_HEADERS: Final = ("x-amz-meta-", "x-goog-meta-", "x-ms-meta-")
"""What a user of a cloud stores beside an object, under names of their own."""

_READERS: Final[Mapping[MediaType, Callable[[bytes], object]]] = MappingProxyType(
    {
        MediaType.JSON: parse_json,
        MediaType.FORM: lambda body: parse_form(body).values,
    }
)


def raw_request_json(exchange: Exchange, canonical: Canonical) -> dict[str, JsonValue]:
    """What else is sent. `body` is None where it is empty, too long to be shown, or neither JSON
    nor a form; `bodyBytes` says how long it is in any case."""
    request = exchange.request
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in telling_headers(request, canonical.headers_read)
    }
    free = {name: value for name, value in headers.items() if name.startswith(_FREE_HEADERS)}
    named = {name: value for name, value in headers.items() if name not in free}
    return {
        "headers": redact_params(named, LIMITS) | redact_undeclared(free, LIMITS),
        "bodyBytes": len(request.body or b""),
        "body": _body(exchange, _known_texts(canonical)),
    }


def _known_texts(canonical: Canonical) -> frozenset[str]:
    """The values that mappers read, as text: they are shown with the action in any case."""
    found: set[str] = set()
    left: list[object] = []
    for action in canonical.actions:
        left += action.target.id, *action.target.id.split("/")
        left += (value for name, value in action.params.items() if name not in action.free)
    while left and len(found) < KNOWN_TEXTS_MAX:
        match left.pop():
            case str() as text:
                found.add(text.casefold())
            case int() as number:
                found.add(str(number))
            case list() | tuple() as items:
                left += items
            case _:
                continue
    return frozenset(found)


def _body(exchange: Exchange, known: frozenset[str]) -> JsonValue:
    request = exchange.request
    body = request.body
    if not body or len(body) > SHOWN_BYTES_MAX:
        return None
    try:
        reader = _READERS.get(media_type(request.fields, request.repeated))
        if reader is None:
            return None
        value = cast(ParamValue, reader(body))
    except AmbiguityError:
        return None
    # A list or a bare value is redacted as the value of one field.
    return redact_undeclared({"body": value}, LIMITS, known)["body"]
