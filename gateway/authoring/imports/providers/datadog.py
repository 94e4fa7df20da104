"""Datadog, from the endpoint tables of its Python client.

The tables spell operation ids in snake case; the JavaScript client has them as they are written in
Datadog's documents (`create_aws_account` is `CreateAWSAccount`), so the names are taken from there.
Hosts stand in the tables too: every site has its own, and some operations an intake of theirs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.params import Field
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "datadog"
SOURCES = (
    Source(
        "pypi",
        "datadog-api-client",
        "2.62.0",
        "Apache-2.0",
        "b779cde91e0d8c24666e762154bb266506cecaf63bcc9339cd2e0a34f2e30183",
    ),
    Source(
        "npm",
        "@datadog/datadog-api-client",
        "1.64.0",
        "Apache-2.0",
        "09e873ed5574217106c37decfbdd1f1e87c73e48e3dc9098e0779359bfd1689f",
    ),
)
_SITES = (
    "datadoghq.com", "us3.datadoghq.com", "us5.datadoghq.com", "ap1.datadoghq.com",
    "ap2.datadoghq.com", "uk1.datadoghq.com", "datadoghq.eu", "ddog-gov.com", "us2.ddog-gov.com",
)  # fmt: skip
_HOSTS = tuple(sorted(f"api.{site}" for site in _SITES))
_TYPES = {"str": "text", "int": "integer", "bool": "boolean", "float": "text", "[str]": "list"}


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section for the API of all sites, and one for each host that is apart from it."""
    names = _names(folders["@datadog/datadog-api-client"] / "package" / "dist" / "packages")
    client = folders["datadog-api-client"] / "datadog_api_client"
    by_hosts: dict[tuple[str, ...], list[Row]] = {}
    for version in ("v1", "v2"):
        for path in sorted((client / version / "api").glob("*_api.py")):
            for settings, params, servers in _endpoints(path):
                found = _described(settings, params, names, client)
                hosts = _hosts(servers) or _HOSTS
                by_hosts.setdefault(hosts, []).append(_judged(row_of(found, _RULES)))
    made = []
    for number, (hosts, rows) in enumerate(sorted(by_hosts.items())):
        name = "datadog" if hosts == _HOSTS else f"{hosts[0]}-{number}"
        made.append(NewSection(name, rows, hosts))
    return made


def _names(folder: Path) -> dict[str, str]:
    """Operation ids as the documents write them, by their folded spelling."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("datadog-api-client-v*/apis/*Api.js")):
        for name in re.findall(r'getServer\("v[12]\.\w+\.(\w+)"\)', path.read_text()):
            found.setdefault(name.lower(), name[0].upper() + name[1:])
    return found


def _endpoints(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any], list[Any]]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_Endpoint":
            parts = {word.arg: word.value for word in node.keywords}
            settings = _plain(parts["settings"])
            params = _plain(parts["params_map"])
            yield settings, params, settings.get("servers") or []


def _plain(node: ast.expr) -> Any:
    """Literals as they are, names and containers of types as their text."""
    match node:
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return {_plain(key): _plain(value) for key, value in pairs if key is not None}
        case ast.List() if any(isinstance(item, ast.Dict) for item in node.elts):
            return [_plain(item) for item in node.elts]
        case ast.Constant():
            return node.value
        case ast.List() if all(isinstance(item, ast.Constant) for item in node.elts):
            return [_plain(item) for item in node.elts]
        case _:
            return ast.unparse(node)


def _described(
    settings: dict[str, Any], params: dict[str, Any], names: Mapping[str, str], client: Path
) -> Described:
    spelled = settings["operation_id"].replace("_", "")
    fallback = "".join(word.capitalize() for word in settings["operation_id"].split("_"))
    fields = []
    for param in params.values():
        kind = param.get("openapi_types", "").strip("(),")
        if param["location"] == "query" and kind in _TYPES:
            key = param["attribute"].replace("[", ".").replace("]", "")
            required = param.get("required", False)
            fields.append(Field(param["attribute"], f"query.{key}", _TYPES[kind], required))
        elif param["location"] == "body":
            fields += _fields(client / settings["version"] / "model", kind, "body")
    return Described(
        names.get(spelled, fallback),
        settings["http_method"],
        settings["endpoint_path"],
        words_of(settings["operation_id"]),
        fields=fields,
    )


def _fields(models: Path, model: str, place: str) -> list[Field]:
    """The scalars of a model, and of `data.attributes` where it is a JSON:API document."""
    found = []
    for name, kind in _members(models, model):
        if kind in _TYPES and name != "type":
            found.append(Field(name, f"{place}.{name}", _TYPES[kind]))
        elif (place, name) in (("body", "data"), ("body.data", "attributes")):
            found += _fields(models, kind, f"{place}.{name}")
    return found


def _members(models: Path, model: str) -> list[tuple[str, str]]:
    file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", model).lower()
    path = models / f"{file}.py"
    if not re.fullmatch(r"\w+", model) or not path.exists():
        return []
    table = re.search(
        r"def openapi_types\(_\):.*?return \{(.*?)\n        \}", path.read_text(), re.DOTALL
    )
    if table is None:
        return []
    return re.findall(r'"(\w+)": \(([\w\[\]]+),\)', table.group(1))


def _hosts(servers: list[Any]) -> tuple[str, ...]:
    """The hosts of an operation that has servers of its own."""
    found: dict[str, None] = {}
    for server in servers:
        variables = server.get("variables", {})
        site = variables.get("site", {}).get("enum_values") or []
        prefix = variables.get("subdomain", {}).get("default_value")
        for one in site if isinstance(site, list) else ():
            found.setdefault(f"{prefix}.{one}" if prefix else one)
    if set(found) <= set(_HOSTS):
        return ()
    return tuple(sorted(found))


_ACCESS = re.compile(
    r"(?:API|Application|App)Keys?$|User$|Users$|Role$|Roles$|Permission|Membership|ServiceAccount"
    r"|AuthNMapping|IdP|IdentityProvider|SAML|IPAllowlist|RestrictionPolicy|RestrictionQuery"
    r"|ScopesRestriction|ChildOrg|OrgConfig|OAuth|CloudAuth|UserInvitations?|SendInvitations|AccessToken"
    r"|OrgConnection|DelegatedUser|^Update(?:Current)?Org$|DowngradeOrg|DisableCustomerOrg|MemberTeam"
    r"|RoleTo|RoleFrom|UserTo|UserFrom|DomainAllowlist|DashboardInvitation|OrgGroup|SeatsUser"
)
"""Operations that say who may do what."""
_NO_ACCESS = re.compile(r"IncidentUserDefinedRole|^Query|Ruleset")
_MINTS = re.compile(
    r"^(?:Create|Get|Update)\w*(?:API|Application)Key$|^List(?:API|Application)Keys$|^CreateChildOrg$"
    r"|^Create\w*AccessToken$|^CreateOAuth2ClientCredentials$|^RegisterOAuthClient$"
)
"""Keys come back in full when they are made, and from some of the calls that read them."""
_READS = re.compile(
    r"^(?:Query|Aggregate|Validate|BatchRowsQuery|SimpleSearch|FetchUptimes|FetchDdsql"
    r"|Convert(?:Existing)?SecurityMonitoring|BulkConvertExisting|CheckAWSLogs)"
)
"""They ask by POST because their question is long, and change nothing."""
_SENDS = frozenset(
    {
        "CreateOnCallPage",
        "CreateOnCallPageFromIncident",
        "CreatePageFromIncident",
        "EscalateOnCallPage",
    }
)
_KINDS = {
    "GetTestFileMultipartPresignedUrls": Kind.EXECUTE,
    "PublishApp": Kind.UPDATE,
    "PublishForm": Kind.UPDATE,
    "PublishStatusPage": Kind.UPDATE,
    "PostOwnershipSettings": Kind.UPDATE,
    "ValidateSecurityMonitoringIntegrationCredentials": Kind.EXECUTE,
    "MitigateGovernanceDetections": Kind.EXECUTE,
}
_RULES = RowRules()


def _judged(row: Row) -> Row:
    name = row.operation
    kind = row.kind
    if name in _KINDS:
        kind = _KINDS[name]
    elif _READS.search(name) and row.wire.startswith(("POST ", "GET ")):
        kind = Kind.READ
    elif kind is not Kind.READ and name in _SENDS:
        kind = Kind.SEND
    elif kind is not Kind.READ and _ACCESS.search(name) and not _NO_ACCESS.search(name):
        kind = Kind.ADMIN
    elif kind is Kind.ADMIN:
        kind = _by_method(row)
    elif name.startswith("Submit"):
        kind = Kind.CREATE
    mints = _MINTS.search(name) is not None
    return replace(
        row,
        kind=kind,
        sensitive="credentials" if mints else "",
        reversible=kind is Kind.READ or (row.reversible and kind is not Kind.SEND),
    )


def _by_method(row: Row) -> Kind:
    """The kind of what only looks like a change of access."""
    method = row.wire.partition(" ")[0]
    return {"POST": Kind.CREATE, "DELETE": Kind.DELETE}.get(method, Kind.UPDATE)
