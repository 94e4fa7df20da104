"""An agent on githubkit: reads a pull request, merges it, deletes its repository."""

from __future__ import annotations

from collections.abc import Mapping

from githubkit import GitHub
from githubkit.exception import RequestFailed
from telling import tell

client = GitHub("ghp_testCheckrein", auto_retry=False)


def describe(error: Exception) -> Mapping[str, object]:
    """What a RequestFailed carries."""
    if not isinstance(error, RequestFailed):
        return {}
    response = error.response
    return {"status": response.status_code, "headers": dict(response.headers)}


tell(
    {
        "read": lambda tag: client.rest.pulls.get("acme", tag, 7).text,
        "risky": lambda tag: client.request("PUT", f"/repos/acme/{tag}/pulls/7/merge").text,
        "forbidden": lambda tag: client.rest.repos.delete("acme", tag).text,
    },
    describe,
)
