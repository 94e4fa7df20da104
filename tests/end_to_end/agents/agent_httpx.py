"""An agent on httpx, calling an API of one's own: reads an order, refunds one, deletes one."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from telling import tell

ORDERS = "https://warehouse.example.test/v1/orders"


def call(method: str, path: str, **body: object) -> object:
    """One call that raises as httpx does."""
    response = httpx.request(method, f"{ORDERS}/{path}", json=body or None, timeout=60)
    response.raise_for_status()
    return response.text


def describe(error: Exception) -> Mapping[str, object]:
    """What an HTTPStatusError carries; the sentence stands in the body."""
    if not isinstance(error, httpx.HTTPStatusError):
        return {}
    return {
        "status": error.response.status_code,
        "headers": dict(error.response.headers),
        "message": error.response.text,
    }


tell(
    {
        "read": lambda tag: call("GET", tag),
        "risky": lambda tag: call("POST", f"{tag}/refund", amount=9000),
        "forbidden": lambda tag: call("DELETE", tag),
    },
    describe,
)
