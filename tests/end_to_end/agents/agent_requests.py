"""An agent on requests, calling GitHub: reads issues, opens one, deletes a repository."""

from __future__ import annotations

from collections.abc import Mapping

import requests
from telling import tell

REPOSITORIES = "https://api.github.com/repos/acme"
HEADERS = {"authorization": "Bearer ghp_test_checkrein"}


def call(method: str, path: str, **body: object) -> object:
    """One call that raises as requests does."""
    response = requests.request(
        method, f"{REPOSITORIES}/{path}", json=body or None, headers=HEADERS, timeout=60
    )
    response.raise_for_status()
    return response.text


def describe(error: Exception) -> Mapping[str, object]:
    """What an HTTPError carries; the sentence stands in the body."""
    if not isinstance(error, requests.HTTPError):
        return {}
    return {
        "status": error.response.status_code,
        "headers": dict(error.response.headers),
        "message": error.response.text,
    }


tell(
    {
        "read": lambda tag: call("GET", f"{tag}/issues"),
        "risky": lambda tag: call("POST", "ledger/issues", title=tag),
        "forbidden": lambda tag: call("DELETE", tag),
    },
    describe,
)
