"""An agent on the standard library's urllib, calling an API of one's own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping

from telling import tell

ORDERS = "https://warehouse.example.test/v1/orders"


def call(method: str, path: str, **body: object) -> object:
    """One call that raises as urllib does."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{ORDERS}/{path}", data=data, method=method)
    if data:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode()


def describe(error: Exception) -> Mapping[str, object]:
    """What an HTTPError carries; the sentence stands in the body."""
    if not isinstance(error, urllib.error.HTTPError):
        return {}
    return {
        "status": error.code,
        "headers": dict(error.headers),
        "message": error.read().decode(),
    }


tell(
    {
        "read": lambda tag: call("GET", tag),
        "noted": lambda tag: call("POST", f"{tag}/note", note="seen"),
        "risky": lambda tag: call("POST", f"{tag}/refund", amount=9000),
        "forbidden": lambda tag: call("DELETE", tag),
    },
    describe,
)
