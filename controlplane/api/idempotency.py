"""The `Idempotency-Key` header: a request -> what tells it from every other one.

Every POST may have one. The answer that a repeat gets carries `Idempotency-Replayed: true`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from controlplane.api.openapi import IDEMPOTENCY_HEADER, IDEMPOTENCY_KEY_LENGTH_MAX
from controlplane.api.parsing import read_body
from controlplane.api.routing import Route
from controlplane.auth import Caller, read_key
from controlplane.faults import ControlFault, Fault
from controlplane.services.idempotency import Answered, IdempotencyService
from controlplane.store.idempotency import Place

REPLAYED_HEADER = "Idempotency-Replayed"

_KEPT_HEADERS = frozenset({"ETag", "Location"})


async def answer_once(
    service: IdempotencyService,
    request: web.Request,
    one: Route,
    caller: Caller,
    handle: Callable[[], Awaitable[web.Response]],
) -> web.Response:
    """Let `handle` answer, once for each idempotency key where the request has one.

    Raises:
        ControlFault: INVALID_ARGUMENT for a bad key; and what `once` and `handle` raise.
    """
    key = _read_key(request)
    if key is None or one.method != "POST":
        return await handle()
    place = Place(caller.tenant_id, caller.key_id, f"{one.method} {one.path}", key)
    digest = await _digest(request, one)

    async def carry_out() -> Answered:
        response = await handle()
        headers = {name: response.headers[name] for name in _KEPT_HEADERS & response.headers.keys()}
        body = response.body
        assert isinstance(body, bytes), "a handler answers with JSON, never with a stream"
        return Answered(response.status, body, headers, is_kept=response.status < 300)

    answered, is_replay = await service.once(place, digest, read_key(request.headers), carry_out)
    response = web.Response(
        status=answered.status,
        body=answered.body,
        headers=answered.headers,
        content_type="application/json",
        charset="utf-8",
    )
    if is_replay:
        response.headers[REPLAYED_HEADER] = "true"
    return response


def _read_key(request: web.Request) -> str | None:
    given = request.headers.getall(IDEMPOTENCY_HEADER, [])
    if not given:
        return None
    key = given[0]
    is_plain = key.isascii() and key.isprintable() and " " not in key
    if len(given) > 1 or not is_plain or not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        raise ControlFault(
            Fault.INVALID_ARGUMENT,
            f"`{IDEMPOTENCY_HEADER}`: give one, of 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} printable "
            "ASCII characters without a space",
        )
    return key


async def _digest(request: web.Request, one: Route) -> bytes:
    """Over all that may change what the request does."""
    body = await read_body(request, one.contract.body_bytes_max)
    condition = request.headers.get("If-Match", "")
    told = "\n".join((request.method, request.raw_path, condition)).encode()
    return hashlib.sha256(hashlib.sha256(told).digest() + hashlib.sha256(body).digest()).digest()
