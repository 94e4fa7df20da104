"""Databricks, from its Python SDK: one class a service, one method an operation.

Operations are the SDK's paths (`clusters.permanent_delete`), without the client in front:
workspaces and accounts have hosts of their own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.python_source import annotations_of, field_of, template_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind

PROVIDER = "databricks"
SOURCES = (
    Source(
        "pypi",
        "databricks-sdk",
        "0.162.0",
        "Apache-2.0",
        "eae6fa5a76c21ca2a53530088a216dfad681138234173112c81833cbd41e98cd",
    ),
)
HOSTS = (
    "*.cloud.databricks.com",
    "*.azuredatabricks.net",
    "*.gcp.databricks.com",
    "*.databricks.azure.us",
)
JUDGEMENT = Judgement(
    kinds={
        "statement_execution.execute_statement": Kind.EXECUTE,
        "vector_search_indexes.query_index": Kind.READ,
        "vector_search_indexes.query_next_page": Kind.READ,
        "serving_endpoints.query": Kind.EXECUTE,
        "genie.trash_space": Kind.DELETE,
        "clusters.permanent_delete": Kind.DELETE,
    },
    reads=re.compile(r"^clusters\.events$|\.(?:query_next_page|query_index|scan_index)$"),
    executes=re.compile(r"\.publish\w*$|^serving_endpoints\.http_request$"),
    admin=re.compile(
        r"^(?:account_)?(?:groups|users|service_principals|access_control|grants|permissions|iam\w*"
        r"|current_user|tokens|token_management|ip_access_lists|secrets|workspace_assignment"
        r"|federation_policy|service_principal_\w+|custom_app_integration|published_app_integration"
        r"|storage_credentials|credentials|metastore_assignments|settings|rfa|policies|permission\w*"
        r"|encryption_keys|private_access|network_policies|recipients|recipient_activation|grants"
        r"|enable_\w+|disable_\w+|esm_\w+|csp_\w+|personal_compute|restrict_workspace_admins)(?:_v2)?"
        r"\.|\.(?:set|update)_permissions$|\.change_owner$"
    ),
    credentials=re.compile(
        r"^tokens\.create$|token_management\.create_obo_token$|service_principal_secrets\w*\.create$"
        r"|^secrets(?:_uc)?\.get_secret$|published_dashboard_token_info$|\.generate_temporary_\w+|recipients\.(?:create|rotate_token)$"
        r"|\.retrieve_token$|\.generate_\w*credentials?$|custom_app_integration\.create$"
        r"|\.generate_download_full_query_result$"
    ),
    irreversible=re.compile(r"\.(?:permanent_delete|restore|purge\w*)$"),
    actions={
        "clusters.create": "create_cluster",
        "clusters.edit": "update_cluster",
        "clusters.permanent_delete": "delete_cluster",
        "statement_execution.execute_statement": "execute_sql",
        "jobs.run_now": "run_job",
        "jobs.submit": "run_job",
        "jobs.cancel_run": "cancel_job",
        "tokens.create": "create_access_key",
        "secrets.put_secret": "set_secret",
        "secrets.get_secret": "get_secret",
        "secrets.delete_secret": "delete_secret",
    },
    posts_act=True,
)
_ATTRIBUTE = re.compile(r"    def (\w+)\(self\) -> [\"']?(?:\w+\.)?(\w+)[\"']?:")


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: workspaces and accounts, whose paths differ."""
    folder = folders["databricks-sdk"] / "databricks" / "sdk"
    names = _names((folder / "__init__.py").read_text())
    found: dict[tuple[str, str], Call] = {}
    for path in sorted((folder / "service").glob("*.py")):
        for call in _calls(path, names):
            shape = shape_of(call.template)
            found.setdefault((call.method, shape), call)
    return [NewSection("databricks", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]


def _names(source: str) -> dict[str, str]:
    """What the client calls each service class."""
    names: dict[str, str] = {}
    for attribute, owner in _ATTRIBUTE.findall(source):
        names.setdefault(owner.removesuffix("Ext").removesuffix("API"), attribute)
    return names


def _calls(path: Path, names: Mapping[str, str]) -> Iterator[Call]:
    for owner in ast.parse(path.read_bytes()).body:
        if not isinstance(owner, ast.ClassDef) or not owner.name.endswith("API"):
            continue
        plain = owner.name.removesuffix("API")
        service = names.get(plain, "_".join(words_of(plain)))
        for method in owner.body:
            if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                yield from _calls_of(service, method)


def _calls_of(service: str, method: ast.FunctionDef) -> Iterator[Call]:
    for node in ast.walk(method):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "self._api.do":
            continue
        if len(node.args) < 2 or not isinstance(node.args[0], ast.Constant):
            continue
        template = template_of(node.args[1])
        words = method.name.split("_")
        nouns = [singular(word) for word in service.split("_")]
        yield Call(
            f"{service}.{method.name}",
            str(node.args[0].value),
            template,
            (words[0], *(words[1:] or nouns)),
            tuple(_fields(method)),
        )


def _fields(method: ast.FunctionDef) -> Iterator[Field]:
    """The arguments that the method puts into its body."""
    annotations = annotations_of(method)
    for node in ast.walk(method):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Subscript):
            continue
        target = node.targets[0]
        if isinstance(target.value, ast.Name) and target.value.id == "body":
            key = target.slice
            if isinstance(key, ast.Constant) and str(key.value) in annotations:
                found = field_of(str(key.value), annotations[str(key.value)])
                if found is not None:
                    yield found
