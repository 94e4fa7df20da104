"""Short ways to expand a body by a family, for the tables of this folder."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gateway.authoring.requests import build_request
from gateway.canonicalize.authored.operation import Operation, TargetSpec
from gateway.canonicalize.expand import expand
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.normalize import split_target
from gateway.canonicalize.request.reader import RequestReader
from gateway.model.action import Action, Canonical, Kind, Target
from gateway.model.exchange import HttpRequest

JSON = "application/json"


def echo(request: HttpRequest) -> Canonical:
    """Resolve an inner request to what it says: method, path and body."""
    kind = Kind.READ if request.method == "GET" else Kind.DELETE
    target = Target("path", request.target.decode())
    body = (request.body or b"").decode("utf-8", "replace")
    action = Action("shop", f"{request.method} {body}".strip(), "call_shop", kind, target)
    return Canonical((action,), "shop", "problem")


def acts(
    family: str,
    body: object,
    *,
    media: str = JSON,
    method: str = "POST",
    url: str = "https://shop.test/v1/x",
    headers: Mapping[str, str] | None = None,
    path: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> tuple[Action, ...]:
    """The actions of a request whose entry says `expand: FAMILY`. A body that is no text is JSON;
    `path` is the entry's segments and what was captured."""
    data = body if isinstance(body, bytes) else b""
    if not isinstance(body, bytes):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
    pairs = [("content-type", media)] if media else []
    request = build_request(method, url, [*pairs, *(headers or {}).items()], data)
    reader = RequestReader(request, split_target(request.target)[1])
    segments, reader.captured = path
    operation = Operation(
        "shop", "shop.call", "call_shop", Kind.UNKNOWN, TargetSpec(""), "POST /x", "shop.yaml:1",
        "problem", segments=segments, expand=family,
    )  # fmt: skip
    return expand(operation, reader, echo)


def shown(actions: tuple[Action, ...]) -> list[tuple[str, str, str]]:
    """Operation, kind and target of each action."""
    return [(one.operation, one.kind.value, one.target.id) for one in actions]


def refusal(family: str, body: object, **how: object) -> str:
    """The code that a body is refused with, or empty."""
    try:
        acts(family, body, **how)  # type: ignore[arg-type]
    except AmbiguityError as error:
        return error.code
    return ""
