"""GitLab, from the sources of a JavaScript client, whose resources and methods name its operations.

The host is gitlab.com; an installation of one's own needs a mapper with its host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.gitbeaker import GitLabCall, calls_of
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "gitlab"
SOURCES = (
    Source(
        "npm",
        "@gitbeaker/core",
        "43.8.0",
        "MIT",
        "c13a2f4c2386954076f82add913e6615c9c41311da63f7dd1027e7f87688331e",
    ),
)
HOSTS = ("gitlab.com",)
_ACCESS = re.compile(
    r"Member|AccessToken|AccessRequest|DeployKey|DeployToken|SSHKey|GPGKey|UserKey|Impersonation"
    r"|Invitation|ProtectedBranch|ProtectedTag|ProtectedEnvironment|PushRule|SAML|SCIM|LDAP|Hook"
    r"|^Users\.|ApplicationSettings|Applications\.|Variable|TriggerToken|Agents\.\w*Token|JobToken"
    r"|share|unshare|ServiceAccount|ApprovalRule|MemberRole|Runners\.(?:reset|register|create)"
    r"|uploadForReference|ApprovalSettings|transfer"
)
"""Operations that say who may do what, hand secrets to jobs, or open another way out (hooks)."""
_NO_ACCESS = re.compile(r"Users\.(?:follow|unfollow|createStatus|editStatus)|\.test$")
_CREDENTIALS = re.compile(
    r"(?:AccessTokens?|DeployTokens|ImpersonationTokens?|TriggerTokens|Runners|PersonalAccessTokens)"
    r"\.(?:create|rotate|reset\w*|register)|Agents\.createToken|Variables\.(?:all|show)"
    r"|Users\.create\w*Token|SecureFiles\.download|Applications\.create"
)
"""Tokens come back when they are made, and the values of CI variables whenever they are read."""
_KINDS = {
    "Lint.lint": Kind.READ,
    "Lint.check": Kind.READ,
    "Markdown.render": Kind.READ,
    "MergeRequests.merge": Kind.UPDATE,
    "GroupImportExports.scheduleExport": Kind.EXECUTE,
    "GroupRelationExports.scheduleExport": Kind.EXECUTE,
    "ProjectImportExports.scheduleExport": Kind.EXECUTE,
    "ProjectRelationsExport.scheduleExport": Kind.EXECUTE,
    "Commits.cherryPick": Kind.CREATE,
    "JobArtifacts.keep": Kind.UPDATE,
    "Jobs.play": Kind.EXECUTE,
    "MergeRequestApprovals.unapprove": Kind.UPDATE,
    "PipelineSchedules.takeOwnership": Kind.ADMIN,
    "ProductAnalytics.load": Kind.EXECUTE,
    "Projects.housekeeping": Kind.EXECUTE,
    "MergeRequests.accept": Kind.UPDATE,
}
_FIRST = (
    "IssueNotes", "MergeRequestNotes", "GroupMembers", "ProjectMembers", "Projects", "Groups",
    "MergeRequests", "Issues",
)  # fmt: skip
"""Of methods on one path, those of these resources name it; others pass by it on their way."""
_BY_HAND = frozenset({"GET /api/v4/projects/{project_id}"})
"""What methods only seem to call, on their way to others; the mapper says what it is."""
_RULES = RowRules(scope=("project_id", "group_id", "resource_id"), kinds=_KINDS)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of gitlab.com. Its paths carry `group%2Fproject` as one segment."""
    source = (folders["@gitbeaker/core"] / "package" / "dist" / "index.mjs").read_text()
    rows: dict[str, Row] = {}
    for call in sorted(calls_of(source), key=_rank):
        fields = [Field(key, f"any.{_snake(key)}") for key in call.keys]
        row = row_of(
            Described(
                f"{call.resource}.{call.name}",
                call.method,
                f"/api/v4{call.path}",
                _words(call.name, call.method),
                call.resource,
                fields,
            ),
            _RULES,
        )
        if call.method == "GET" and row.kind is not Kind.READ:
            continue  # three acts that the client sends with the wrong method
        if row.wire in _BY_HAND:
            continue
        rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", row.wire), _judged(row))
    return [NewSection("gitlab", list(rows.values()), HOSTS, {"encoded_slash": "kept"})]


def _rank(call: GitLabCall) -> int:
    return _FIRST.index(call.resource) if call.resource in _FIRST else len(_FIRST)


def _words(name: str, method: str) -> list[str]:
    """The client says `all`, `show` and `remove` where others list, get and delete."""
    first, *rest = words_of(name)
    plain = {"all": "list", "show": "get"}.get(first, first)
    return ["delete" if plain == "remove" and method == "DELETE" else plain, *rest]


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def _judged(row: Row) -> Row:
    name = row.operation
    kind = row.kind
    acts = kind is not Kind.READ
    if acts and name not in _KINDS and _ACCESS.search(name) and not _NO_ACCESS.search(name):
        kind = Kind.ADMIN
    marked = _CREDENTIALS.search(name) is not None
    return replace(row, kind=kind, sensitive="credentials" if marked else "")
