"""GitHub's REST API, from the OpenAPI documents that its SDKs are made from, and from one of these
SDKs for what is newer.

The document of Enterprise Cloud adds the operations that api.github.com offers to enterprises only.
Enterprise Server answers on a company's own host below `/api/v3`: such a host needs a mapper of its
own, because nothing here knows its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "github"
SOURCES = (
    Source(
        "npm",
        "@octokit/openapi",
        "23.0.2",
        "MIT",
        "71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c",
    ),
    Source(
        "pypi",
        "githubkit-schemas-2026-03-10",
        "26.10.21",
        "MIT",
        "3faed30ed851fcc0b22c66c522c736a9dfb9add70ccdf685ee1d0787817bab4b",
    ),
)
HOSTS = ("api.github.com", "uploads.github.com")
_DOCUMENTED = re.compile(
    r'"""(?:DEPRECATED )?([a-z-]+/[a-z0-9-]+)\n\n {8}(GET|POST|PUT|PATCH|DELETE) (/\S*)'
)
_DOCUMENTS = ("api.github.com.json", "ghec.json")

_ACCESS = re.compile(
    r"secret|webhook|ruleset|protection|access-restriction|status-check-contexts|pat-access"
    r"|pat-grant|security-manager|org-role|enterprise-role|enterprise-team|^teams/|permissions"
    r"|installation$|authorization$|repo-access|access-default|codespaces-access|copilot-.*-policy"
    r"|enterprise-coding-agent-policy|scim|saml|sso|jitconfig|credentials/revoke|bypass"
    r"|deployment-branch-policy|add-email|delete-email|ip-allow|audit-log-stream|team-member"
    r"|allowed-actions|selected-repositor(?:y|ies)-(?:enabled|github|self)|-runner-group"
    r"|workflow-access|interactions/|manifest|authorization|custom-role|copilot-seats?"
)
"""Operations that say who may do what, or open another way in or out (webhooks)."""
_NO_ACCESS = re.compile(r"redeliver|ping-webhook|test-push|secret-scanning/(?!create-push)")
_KINDS = {
    "actions/re-run-workflow-failed-jobs": Kind.EXECUTE,
    "actions/re-run-job-for-workflow-run": Kind.EXECUTE,
    "actions/create-workflow-dispatch": Kind.EXECUTE,
    "repos/create-dispatch-event": Kind.EXECUTE,
    "pull-request-stacks/unstack": Kind.UPDATE,
    "pulls/rerequest-reviewers": Kind.SEND,
    "repos/merge": Kind.UPDATE,
    "apps/scope-token": Kind.ADMIN,
    "repos/transfer": Kind.ADMIN,
    "codespaces/publish-for-authenticated-user": Kind.CREATE,
}
_CREDENTIALS = frozenset(
    {
        "apps/create-from-manifest", "actions/generate-runner-jitconfig-for-org",
        "actions/generate-runner-jitconfig-for-repo",
        "enterprise-admin/generate-runner-jitconfig-for-enterprise",
        "actions/generate-runner-jitconfig-for-enterprise",
        "secret-scanning/list-alerts-for-repo", "secret-scanning/list-alerts-for-org",
        "secret-scanning/list-alerts-for-enterprise", "secret-scanning/get-alert",
        "apps/scope-token",
    }
)  # fmt: skip
"""They answer with keys, and alerts of secret scanning with the secrets that were found."""
_SLASHED = re.compile(r"/(?:branches|commits|git/ref|git/refs|git/matching-refs)/\{(branch|ref)\}")
"""Variables that are names of branches, which have slashes in them."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of api.github.com."""
    folder = folders["@octokit/openapi"] / "package" / "generated"
    rules = RowRules(
        scope=("owner", "repo"), types={"repo": "repository"}, ignored=("code",),
        kinds=_KINDS, credentials=_CREDENTIALS,
        no_credentials=frozenset({"secret-scanning/create-push-protection-bypass"}),
    )  # fmt: skip
    rows: dict[str, Row] = {}
    for name in _DOCUMENTS:
        document = json.loads((folder / name).read_bytes())
        for row in rows_of_openapi(
            document, provider=PROVIDER, options=OpenApiOptions(rules=rules)
        ).rows:
            rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", row.wire), row)
    for found in _methods(folders["githubkit-schemas-2026-03-10"] / "githubkit_schemas"):
        if found.name not in {row.operation for row in rows.values()}:
            row = row_of(found, rules)
            rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", row.wire), row)
    return [NewSection("github", _judged(list(rows.values())), HOSTS)]


def _methods(package: Path) -> Iterator[Described]:
    """What the Python SDK's methods document: operationId, method and path."""
    for path in sorted(package.glob("v*/rest/*.py")):
        for name, method, template in _DOCUMENTED.findall(path.read_text()):
            group, _, last = name.partition("/")
            yield Described(name, method, template, words_of(last), group)


def _judged(rows: Sequence[Row]) -> list[Row]:
    judged = []
    for row in rows:
        name = row.operation
        opens = bool(_ACCESS.search(name)) and not _NO_ACCESS.search(name) and name not in _KINDS
        changes = row.kind is not Kind.READ and (opens or "/actions/permissions" in row.wire)
        kind = Kind.ADMIN if changes else row.kind
        wire = _SLASHED.sub(lambda found: found.group().replace("}", "+}"), row.wire)
        judged += _enablements(replace(row, kind=kind, wire=wire))
    return judged


def _enablements(row: Row) -> list[Row]:
    """Two variables at the end would take every path of their length: their values are named."""
    owner = re.search(r" /[a-z]+/\{(\w+)\}/\{security_product\}/\{enablement\}$", row.wire)
    if owner is None:
        return [row]
    return [
        replace(
            row,
            wire=row.wire.replace("{enablement}", value),
            kind=Kind.UPDATE,
            target_type="organization" if owner.group(1) == "org" else owner.group(1),
            target_id=f"path.{owner.group(1)}",
            params={"security_product": RowParam("path.security_product")},
        )
        for value in ("enable_all", "disable_all")
    ]
