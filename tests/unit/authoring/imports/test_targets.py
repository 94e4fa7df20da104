"""What an operation acts on is told from its path."""

from __future__ import annotations

import pytest

from gateway.authoring.imports.targets import path_params, target_of

TARGETS = {
    "the last variable": ("DELETE /v1/charges/{charge}", "charge", "path.charge"),
    "with a verb behind it": ("POST /v1/charges/{charge}/capture", "charge", "path.charge"),
    "the literal before names it": (
        "GET /users/{id}/access-tokens/{sid}",
        "access_token",
        "path.sid",
    ),
    "a suffix": ("POST /Accounts/{a}/Messages/{sid}.json", "message", "path.sid"),
    "no literal before: the variable": ("GET /{account_id}", "account", "path.account_id"),
    "a version before": ("GET /v2/{project_name}", "project", "path.project_name"),
    "two variables in a row": ("GET /repos/{owner}/{repo}", "repo", "path.repo"),
    "the rest of the path": ("GET /files/{path+}", "file", "path.path"),
    "no variable": ("POST /v1/refunds", "refund", ""),
    "no variable, and a verb at the end": ("POST /v3/mail/send", "mail", ""),
    "a secret is no target": ("GET /things/{id}/x/{access_token}", "thing", "path.id"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_the_target_of_a_wire(case: str) -> None:
    """Type and id come from the last variable and the literal before it."""
    wire, kind, identity = TARGETS[case]

    assert target_of(wire) == (kind, identity)


SCOPED = {
    "the whole scope before it": (
        "DELETE /repos/{owner}/{repo}/hooks/{hook_id}",
        ("hook", "{path.owner}/{path.repo}/{path.hook_id}"),
    ),
    "the end of the scope itself": (
        "DELETE /repos/{owner}/{repo}",
        ("repository", "{path.owner}/{path.repo}"),
    ),
    "none of the scope": ("DELETE /orgs/{org}", ("org", "path.org")),
    "a part of it that comes later": (
        "PUT /orgs/{org}/repos/{owner}/{repo}",
        ("repository", "{path.owner}/{path.repo}"),
    ),
}


@pytest.mark.parametrize("case", SCOPED)
def test_a_scope_stands_before_the_id(case: str) -> None:
    """An id that is unique in its repository only has the repository before it."""
    wire, target = SCOPED[case]

    assert target_of(wire, scope=("owner", "repo"), types={"repo": "repository"}) == target


def test_ignored_variables_are_no_targets() -> None:
    """A tenant's id in front of every path is not what is acted on."""
    assert target_of("GET /ex/{cloud}/me", ignored=("cloud",)) == ("me", "")


def test_other_variables_are_params() -> None:
    """What the id doesn't use is a param, unless it is a secret."""
    params = path_params("DELETE /a/{org}/b/{id}/{api_key}", "path.id")

    assert {name: param.source for name, param in params.items()} == {"org": "path.org"}
