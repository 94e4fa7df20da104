"""Azure Resource Manager, from Microsoft's Python packages, one for each resource provider.

A package has a function that builds the request of each operation, and classes whose methods call
it. Operations are named `Provider.Class.method` (`Compute.VirtualMachines.delete`): the resource
provider of the path, the SDK's class and its method, without the `begin_` of long running ones.
What differs between the API versions of one path is the body: all versions are one operation.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.azure_packages import PACKAGES
from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection
from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.canonicalize.naming.words import singular, words_of

PROVIDER = "azure"
SOURCES = PACKAGES
HOSTS = (
    "management.azure.com",
    "management.usgovcloudapi.net",
    "management.chinacloudapi.cn",
)
"""The public cloud, and those of the US government and of China."""

_SECRETS = (
    r"(?:list|get|regenerate|renew|reset|generate|create|rotate|retrieve|refresh)_"
    r"(?!\w*(?:key_vault|without|policies|encryption))\w*(?:keys?|secrets?|credentials?|passwords?"
    r"|connection_strings?|sas|tokens?|passphrases|kubeconfig|auth_settings|registration_info)"
    r"(?:_\w+)?$"
)
_HIDDEN_SECRETS = (
    r"list_publishing_\w+|list_(?:content_)?callback_url|list_value|list_connection_info"
    r"|list_(?:application_settings|azure_storage_accounts|metadata|site_push_settings|site_backups"
    r"|sync_function_triggers|workflows_connections)(?:_slot)?|list_static_site_\w*app_settings"
    r"|get_(?:build_)?database_connections?_with_details|get_backup_configuration(?:_slot)?"
    r"|get_(?:gateway_settings|full_url|delivery_attributes|callback_config|connection_info"
    r"|data_plane_access|rdp_file_contents|access_profile|bastion_shareable_link)"
    r"|retrieve_boot_diagnostics_data|get_vpn_profile_package_url|generate_?v\w*vpn\w*profile"
    r"|generate_vpn_profile|generatevpnclientpackage|generate_uri|generate_sso_url|grant_access"
    r"|get_boot_diagnostic_logs"
)
"""Methods whose answers hold keys, signed addresses or settings with passwords, whatever their
names say."""
JUDGEMENT = Judgement(
    reads=re.compile(
        r"\.(?:check_\w*availability|query|calculate_template_hash|what_if\w*"
        r"|validate_move_resources|query_\w+)$"
        r"|^ResourceGraph\.ResourceGraphClient\.resources$|^CostManagement\.(?:Query|Forecast)\."
    ),
    executes=re.compile(
        r"^CostManagement\.GenerateDetailedCostReport\.|\.get_or_\w+$|\.publish$|\.post_\w+$"
        r"|\.preview_\w+$"
    ),
    admin=re.compile(
        r"^(?:Authorization|ManagedServices|ManagedIdentity|ManagementPartner|Management"
        r"|PolicyInsights|Subscription|Support)\."
        r"|\.\w*(?:Roles?|RoleAssignments?|RoleDefinitions?|AccessPolic(?:y|ies)|Permissions?"
        r"|Administrators?|AADAuthentications|Users?|Locks?|PolicyAssignments|PolicyDefinitions"
        r"|PolicySetDefinitions|PolicyExemptions|AccessControl\w*|FederatedIdentity\w*"
        r"|AuthorizationRules|AccessKeys?|Tokens?|ScopeMaps|EncryptionProtectors|SharedAccess\w*"
        r"|PrincipalAssignments|AccessConnectors?)\."
        r"|\.\w*(?:authorization_rule|access_policy|role_assignment|administrator|permission"
        r"|register_feature|elevate_access|auth_settings|publishing_credentials|sharing_profile"
        r"|invite|user)\w*$"
        r"|^Billing\.\w*(?:Roles?|Transfer|Permission|Polic)\w*\."
    ),
    credentials=re.compile(
        rf"\.(?:{_SECRETS})|\.(?:{_HIDDEN_SECRETS})$"
        r"|\.(?:LiveToken\.get|QueryKeys\.list_by_search_service|Keys\.list_by_automation_account"
        r"|QnAMakerEndpointKeys\.get)$"
    ),
    irreversible=re.compile(
        r"\.(?:purge\w*|reimage\w*|failover\w*|force_\w+|reset\w*|regenerate\w*|delete\w*"
        r"|cancel_\w*subscription|planned_failover|switchover|redeploy|revert\w*|restore\w*"
        r"|swap\w*|purchase\w*|exchange\w*|return\w*)$"
    ),
    reversible=re.compile(r"^Features\.|\.(?:reset_counters)$"),
    posts_act=True,
)
_CLASS = re.compile(r"^class _?(\w+?)(?:Operations)?(?:Mixin)?[(:]", re.MULTILINE)
_USE = re.compile(r"^    def (\w+)\(|(?<!def )\bbuild_(\w+)_request\(", re.MULTILINE)
_BUILDER = re.compile(r"^def build_(\w+)_request\(", re.MULTILINE)
_URL = re.compile(
    r'_url = (?:kwargs\.pop\(\s*"template_url",\s*)?((?:\(\s*)?"[^"]*"(?:\s*"[^"]*")*)'
)
_METHOD = re.compile(r'HttpRequest\(\s*method="([A-Z]+)"')
_RAW = re.compile(r'"(\w+)": _SERIALIZER\.url\([^)]*?skip_quote=True', re.DOTALL)
_PROVIDER_SEGMENT = re.compile(r"/providers/(?:microsoft\.|Microsoft\.)([A-Za-z.]+)", re.ASCII)
_TOP_RESOURCE = re.compile(r".*/resourceGroups/\{\w+\}/providers/[\w.]+/\w+/\{\w+\}", re.IGNORECASE)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section for each resource provider's name in a path, read when a path has it."""
    found: defaultdict[str, dict[tuple[str, str], Row]] = defaultdict(dict)
    taken: set[str] = set()
    for package in sorted(folders):
        for call in _calls(folders[package]):
            row = row_of(call, JUDGEMENT)
            shape = re.sub(r"\{[a-z0-9_]+", "{", row.wire).lower()
            if shape not in taken:
                taken.add(shape)
                found[_provider_in(row.wire)][row.operation, row.wire] = row
    return [
        NewSection(name or "base", list(rows.values()), HOSTS, {"within": [name]} if name else {})
        for name, rows in sorted(found.items())
    ]


def _provider_in(wire: str) -> str:
    """The last resource provider of a path, in lower case; empty where it is a variable."""
    names = re.findall(r"/providers/([A-Za-z]+\.[A-Za-z.]+)", wire)
    return names[-1].lower() if names else ""


def _calls(folder: Path) -> Iterator[Call]:
    """The operations of a package."""
    files = sorted(folder.rglob("operations/*_operations.py"), key=_latest_first)
    for path in files:
        if "aio" not in path.parts:
            yield from _calls_of(path)


def _latest_first(path: Path) -> tuple[int, str, str]:
    """Old packages carry every API version: the newest stable one first, then previews."""
    version = next((p for p in path.parts if re.fullmatch(r"v\d{4}_\d\d_\d\d\w*", p)), "")
    backwards = "".join(chr(ord("9") - int(digit)) for digit in re.findall(r"\d", version))
    return int(version.endswith("preview")), backwards, path.as_posix()


def _calls_of(path: Path) -> Iterator[Call]:
    source = path.read_text()
    requests = dict(_requests(source))
    classes = list(_CLASS.finditer(source))
    for position, found in enumerate(classes):
        end = classes[position + 1].start() if position + 1 < len(classes) else len(source)
        method = ""
        for use in _USE.finditer(source, found.end(), end):
            if use.group(1):
                method = use.group(1)
            elif use.group(2) in requests:
                verb, template = requests.pop(use.group(2))
                if not _is_anything(verb, template):
                    yield _call(found.group(1), _plain(method), verb, template)


def _is_anything(verb: str, template: str) -> bool:
    """Whether a path is nothing but an identifier, which could be that of any resource. Reading is
    reading whatever it is; a change would pass for one of less weight, so it stays unknown."""
    is_one = re.fullmatch(r"/\{(\w+)\+?\}", template)
    if is_one is None:
        return verb != "GET" and "/{resourceType}/" in template
    return verb != "GET" or is_one.group(1) != "resourceId"


def _plain(method: str) -> str:
    return method.lstrip("_").removesuffix("_initial").removeprefix("begin_")


def _requests(source: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Method and path of each request builder, by its name."""
    starts = list(_BUILDER.finditer(source))
    for position, found in enumerate(starts):
        end = starts[position + 1].start() if position + 1 < len(starts) else len(source)
        text = source[found.end() : end].partition("\nclass ")[0]
        url, method = _URL.search(text), _METHOD.search(text)
        if url is None or method is None:
            continue
        template = "".join(re.findall(r'"([^"]*)"', url.group(1)))
        if "parentResourcePath" in _RAW.findall(text):
            template = template.replace("{parentResourcePath}", "{parentResourcePath+}")
        # A scope, a resource's id: what stands in front of `/providers` has slashes.
        template = re.sub(r"^/?\{(\w+)\}(?=/|$)", r"/{\1+}", template)
        yield found.group(1), (method.group(1), template)


def _call(owner: str, method: str, verb: str, template: str) -> Call:
    providers = _PROVIDER_SEGMENT.findall(template)
    name = providers[-1] if providers else "Resources"
    name = (name[0].upper() + name[1:]).replace(".", "")
    params = {}
    if verb == "PUT" and _TOP_RESOURCE.fullmatch(template):
        params["location"] = RowParam("body.location")
    if owner == "RoleAssignments" and verb == "PUT":
        params["role_definition_id"] = RowParam("body.properties.roleDefinitionId")
        params["principal_id"] = RowParam("body.properties.principalId")
    return Call(f"{name}.{owner}.{method}", verb, template, words_for(owner, method), params=params)


def words_for(owner: str, method: str) -> tuple[str, ...]:
    """`VirtualMachines`, `list_by_resource_group` -> list virtual machine."""
    nouns = [] if owner.endswith("Client") else words_of(owner)
    nouns = [*nouns[:-1], singular(nouns[-1])] if nouns else []
    if method == "post":
        return tuple(nouns)
    words = method.split("_")
    if words[0] == "create" and words[1:2] == ["or"]:
        words = ["create", *words[3:]]
    if words[0] not in KIND_BY_VERB and words[0] not in ("batch", "bulk", "regenerate"):
        return (*words, *nouns)
    rest = words[1:]
    for joint in ("by", "for", "all", "in", "with", "at"):
        if joint in rest:
            rest = rest[: rest.index(joint)]
    return (words[0], *nouns, *rest)
