"""Neon's management API, from the document in its client's package. SQL over HTTP goes to the
database's own host, and is another mapper's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "neon"
SOURCES = (
    Source(
        "npm",
        "@neondatabase/api-client",
        "2.7.3",
        "MIT",
        "28368170b48c30a77b1413782f8dcfee02535f4088fdd084bb259bf994568558",
    ),
)
HOSTS = ("console.neon.tech",)
_SECRETS = re.compile(
    r"getConnectionURI|presign|createCredential|RolePassword|ApiKey$|JWKS|createNeonAuth|resetProject"
)
_ADMIN = re.compile(
    r"ApiKey|Role|Permission|Invitation|Member|JWKS|transfer|Auth(?:User|Provider|Domain)|VPC"
)
_KINDS = {
    "restoreProjectBranch": Kind.UPDATE,
    "restartProjectEndpoint": Kind.EXECUTE,
    "recoverProject": Kind.EXECUTE,
    "recoverProjectBranch": Kind.EXECUTE,
    "presignProjectBranchBucketObject": Kind.ADMIN,
    "finalizeRestoreBranch": Kind.EXECUTE,
}


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: the whole document."""
    path = folders["@neondatabase/api-client"] / "package" / "public-v2-for-users.gen.yaml"
    document = yaml.safe_load(path.read_bytes())
    options = OpenApiOptions(rules=RowRules(kinds=_KINDS))
    imported = rows_of_openapi(document, provider=PROVIDER, options=options)
    return [NewSection("neon", [_judged(row) for row in imported.rows], HOSTS)]


def _judged(row: Row) -> Row:
    is_secret = _SECRETS.search(row.operation) is not None and not row.wire.startswith("DELETE")
    is_change = row.kind is not Kind.READ and _ADMIN.search(row.operation) is not None
    return replace(
        row,
        kind=Kind.ADMIN if is_change else row.kind,
        sensitive="credentials" if is_secret and "list" not in row.operation else row.sensitive,
    )
