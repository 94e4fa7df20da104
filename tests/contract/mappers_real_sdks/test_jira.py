"""The `jira` client of Python, driven without a network, against the shipped mapper.

It names methods its own way, so the table says which operation each of the important ones is; for
all others the request must be known, and an act must not be a read.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from typing import Any

import jira
import pytest
import requests

from gateway.model.action import Kind
from gateway.model.exchange import HttpRequest
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer

ONLY_ON_SERVERS = frozenset(
    {
        "add_remote_link", "applicationlinks", "backup", "confirm_project_avatar",
        "confirm_user_avatar", "delete_user_avatar", "find", "get_igrid",
        "get_issue_type_scheme_associations", "incompletedIssuesEstimateSum", "pin_comment",
        "pinned_comments", "project_priority_scheme", "project_workflow_scheme", "reindex",
        "removedIssuesEstimateSum", "removed_issues", "session", "set_user_avatar", "user_avatars",
    }
)  # fmt: skip
"""Paths that Jira Cloud doesn't have: administration pages, and what its API has elsewhere."""
ENDS = frozenset({"close", "kill_session", "kill_websudo"})


class Kept(Exception):
    """The request is kept; nothing is to be sent."""


class Adapter(requests.adapters.BaseAdapter):
    """Keeps the first request of a method."""

    def __init__(self) -> None:
        super().__init__()
        self.first: HttpRequest | None = None

    def send(self, request: Any, **_: Any) -> Any:
        self.first = self.first or as_request(
            request.method, request.url, dict(request.headers), request.body
        )
        raise Kept

    def close(self) -> None:
        pass


@functools.cache
def calls() -> dict[str, HttpRequest]:
    """What each method sends first."""
    client = jira.JIRA(
        server="https://acme.atlassian.net", basic_auth=("a", "b"), get_server_info=False,
        max_retries=0,
    )  # fmt: skip
    adapter = Adapter()
    client._session.mount("https://", adapter)
    found: dict[str, HttpRequest] = {}
    for name, method in inspect.getmembers(jira.JIRA, inspect.isfunction):
        if name.startswith("_") or name in ENDS:
            continue
        arguments = [
            "AC-1" if "issue" in one.name or "key" in one.name or "project" in one.name else "x1"
            for one in list(inspect.signature(method).parameters.values())[1:]
            if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        ]
        adapter.first = None
        # Made-up arguments trip helpers that send nothing; only what was sent counts.
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            method(client, *arguments)
        if adapter.first is not None:
            found[name] = adapter.first
    return found


def test_every_request_to_the_cloud_is_known_and_no_act_is_a_read() -> None:
    """All methods but those that only servers have."""
    unknown, mild = [], []
    for name, request in calls().items():
        action = canonicalizer().canonicalize(request).actions[0]
        if action.operation == "unknown" and name not in ONLY_ON_SERVERS:
            unknown.append((name, request.method, request.target))
        if action.kind is Kind.READ and request.method != "GET":
            mild.append(name)

    assert len(calls()) > 120
    assert unknown == []
    assert mild == []


OPERATIONS = {
    "add_comment": ("addComment", "create"),
    "add_group": ("createGroup", "admin"),
    "add_issues_to_sprint": ("moveIssuesToSprintAndRank", "update"),
    "add_user": ("createUser", "admin"),
    "add_user_to_group": ("addUserToGroup", "admin"),
    "add_worklog": ("addWorklog", "create"),
    "create_board": ("createBoard", "create"),
    "delete_attachment": ("removeAttachment", "delete"),
    "delete_issue_link": ("deleteIssueLink", "delete"),
    "delete_permissionscheme": ("deletePermissionScheme", "admin"),
    "delete_project": ("deleteProject", "delete"),
    "delete_user": ("removeUser", "admin"),
    "issue": ("getIssue", "read"),
    "remove_user_from_group": ("removeUserFromGroup", "admin"),
    "set_application_property": ("setApplicationProperty", "update"),
    "transitions": ("getTransitions", "read"),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_methods_have_the_names_of_the_document(name: str) -> None:
    """The same request under Atlassian's operationId."""
    action = canonicalizer().canonicalize(calls()[name]).actions[0]

    assert (action.operation, action.kind.value) == OPERATIONS[name]
