"""An agent that knows nothing of Checkrein: it reads from GitHub, then tries to open an issue.

With the starter policy the read passes and the write waits for a person:
`docker compose exec controlplane checkrein approvals list`.
"""
# ruff: noqa: S310, T201 - a little program for a terminal that calls one fixed https URL

from __future__ import annotations

import json
import urllib.error
import urllib.request

ISSUES = "https://api.github.com/repos/octocat/hello-world/issues"


def call(method: str, body: dict[str, str] | None = None) -> None:
    """One call, and what came of it."""
    request = urllib.request.Request(
        ISSUES,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json", "user-agent": "example-agent"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            print(method, response.status, response.read(200))
    except urllib.error.HTTPError as error:
        print(method, error.code, error.read().decode())


call("GET")
call("POST", {"title": "opened by an agent"})
