"""githubkit, driven without a network, against the shipped mapper of GitHub."""

from __future__ import annotations

import functools

import pytest

from gateway.authoring.requests import build_request
from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.drive_github import every_call
from tests.contract.mappers_real_sdks.figures import Figures, Sent, judge
from tests.contract.mappers_real_sdks.sdk import canonicalizer

READS = frozenset({"orgs/list-attestations-bulk", "users/list-attestations-bulk"})
"""Asked by POST because the list of digests is long."""


OTHER_NAMES = {
    "pull-request-stacks/stacks-add": "pull-request-stacks/add",
    "pull-request-stacks/stacks-create": "pull-request-stacks/create",
    "pull-request-stacks/stacks-get": "pull-request-stacks/get",
    "pull-request-stacks/stacks-list": "pull-request-stacks/list",
    "pull-request-stacks/stacks-unstack": "pull-request-stacks/unstack",
    "repos/compare-commits": "repos/compare-commits-with-basehead",
}
"""The same request under another name in GitHub's own document of another day."""


@functools.cache
def figures() -> Figures:
    """Every method of the SDK, once."""
    sent = (
        Sent(OTHER_NAMES.get(one.operation, one.operation), one.request) for one in every_call()
    )
    return judge(sent, READS)


def test_every_method_has_its_own_name() -> None:
    """Of all REST methods of githubkit at least 99.5 % are told exactly."""
    result = figures()

    assert len(result.methods) > 1_100
    assert result.share >= 0.995, result.wrong


def test_no_act_is_called_a_read() -> None:
    """What isn't a GET is never a read, but for the two that are listed."""
    assert figures().mild == []


SLASHED = {
    "GET /repos/o/r/branches/feature/a": "repos/get-branch",
    "GET /repos/o/r/branches/feature/a/protection": "repos/get-branch-protection",
    "DELETE /repos/o/r/branches/feature/a/protection": "repos/delete-branch-protection",
    "GET /repos/o/r/compare/main...feature/a": "repos/compare-commits-with-basehead",
    "GET /repos/o/r/commits/feature/a": "repos/get-commit",
    "GET /repos/o/r/git/ref/heads/feature/a": "git/get-ref",
    "DELETE /repos/o/r/git/refs/heads/feature/a": "git/delete-ref",
    "GET /repos/o/r/releases/tags/v1/a": "repos/get-release-by-tag",
    "PUT /repos/o/r/contents/docs/a/b.md": "repos/create-or-update-file-contents",
}


@pytest.mark.parametrize("wire", SLASHED)
def test_a_slash_in_a_ref_or_path_stays_in_it(wire: str) -> None:
    """Branches, refs, ranges, tags and files may have slashes in the path, unencoded."""
    method, _, path = wire.partition(" ")

    (action,) = (
        canonicalizer().canonicalize(
            build_request(method, f"https://api.github.com{path}", [], b"")
        )
    ).actions

    assert action.operation == SLASHED[wire]
    assert (action.kind is Kind.READ) == (method == "GET")
