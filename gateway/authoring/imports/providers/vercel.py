"""Vercel, from the functions of its TypeScript SDK: one file an operation.

Operations are Vercel's own ids (`deleteProject`). What is at v9 of a path is at v11 in the next
release of the SDK, so any version of a path is the operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import API_VERSION, Call, Judgement, row_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "vercel"
SOURCES = (
    Source(
        "npm",
        "@vercel/sdk",
        "1.28.35",
        "Apache-2.0",
        "585b5baad716b41e553112c406604fcc421918078afcf122d6224f6b48474723",
    ),
)
HOSTS = ("api.vercel.com", "vercel.com")
JUDGEMENT = Judgement(
    kinds={
        "requestPromote": Kind.EXECUTE,
        "dangerouslyDeleteBySrcImages": Kind.DELETE,
        "dangerouslyDeleteByTags": Kind.DELETE,
        "requestDelete": Kind.DELETE,
    },
    reads=re.compile(r"^artifactQuery$"),
    admin=re.compile(
        r"(?:AuthToken|AccessGroup|TeamMember|TeamInvite|InviteUser|joinTeam|requestAccess|Webhook"
        r"|Secret|Env(?:$|ironment|Var|s)|ProjectMember|Firewall|BypassIp|ProtectionBypass|SSO"
        r"|transferRequest|TransferRequest|exchangeSso|Oidc|EdgeConfigToken|DataCache|Team$"
        r"|FirewallConfig|KmsSigningKey|ServicePrincipal|ApiKey)"
    ),
    executes=re.compile(r"^(?:verify|promote|rollback|deploy|request|update\w*DataCache)"),
    credentials=re.compile(
        r"createAuthToken|getProjectToken|createEdgeConfigToken|ProtectionBypass|exchangeSsoToken|getProjectEnv$"
        r"|filterProjectEnvs|createWebhook|getEdgeConfigToken|ArtifactToken|createApiKey"
    ),
    irreversible=re.compile(r"^(?:buy|purchase|renew|transferIn|cancel|deleteTeam)"),
    actions={
        "createDeployment": "create_deployment",
        "deleteDeployment": "delete_deployment",
        "requestPromote": "promote_deployment",
        "requestRollback": "rollback_deployment",
        "createProjectEnv": "set_environment_variable",
        "buyDomain": "register_domain",
        "createRecord": "create_dns_record",
        "updateRecord": "update_dns_record",
        "removeRecord": "delete_dns_record",
        "deleteUser": "delete_user",
        "inviteUserToTeam": "invite_user",
        "createAuthToken": "create_access_key",
        "deleteAuthToken": "delete_access_key",
    },
    params={
        "createDeployment": {
            "name": RowParam("body.name"),
            "target": RowParam("body.target"),
            "project": RowParam("body.project"),
        },
        "createProject": {"name": RowParam("body.name"), "framework": RowParam("body.framework")},
        "inviteUserToTeam": {"email": RowParam("body.email"), "role": RowParam("body.role")},
        "createRecord": {"name": RowParam("body.name"), "type": RowParam("body.type")},
        "updateTeamMember": {"role": RowParam("body.role")},
    },
    posts_act=True,
)
_PATH = re.compile(r'pathToFunc\(\s*"([^"]+)",?\s*\)')
_NAME = re.compile(r'operationID: "([^"]+)"')
_METHOD = re.compile(r'^    method: "([A-Z]+)"', re.MULTILINE)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every function."""
    folder = folders["@vercel/sdk"] / "package" / "src" / "funcs"
    found: dict[tuple[str, str], Call] = {}
    for call in sorted(_calls(folder), key=lambda call: call.operation):
        shape = shape_of(call.template)
        found.setdefault((call.method, shape), call)
    return [NewSection("vercel", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]


def _calls(folder: Path) -> Iterator[Call]:
    for path in sorted(folder.glob("*.ts")):
        source = path.read_text()
        template, name, method = (p.search(source) for p in (_PATH, _NAME, _METHOD))
        if template and name and method:
            yield Call(
                name.group(1),
                method.group(1),
                re.sub(r"^/v\d+(?=/)", f"/v{{{API_VERSION}}}", template.group(1)),
                tuple(words_of(name.group(1))),
            )
