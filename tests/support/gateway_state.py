"""What a gateway says of itself at its own port: health, readiness, metrics."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.support.stack import Gateway

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SECONDS_MAX = 10.0


def readiness(gateway: Gateway) -> dict[str, Any]:
    """`status`, `failing` and `notes`."""
    found: dict[str, Any] = _get(gateway, "/readyz")
    return found


def is_ready(gateway: Gateway) -> bool:
    return bool(readiness(gateway)["status"] == "ready")


def is_healthy(gateway: Gateway) -> bool:
    """Whether its event loop answers."""
    return bool(_get(gateway, "/healthz")["status"] == "ok")


def _get(gateway: Gateway, path: str) -> Any:
    url = gateway.process.ready["metrics_url"].replace("/metrics", path)
    try:
        with _OPENER.open(url, timeout=SECONDS_MAX) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())
