"""Resend, from its Python SDK: one class a resource, one method an operation (`Emails.send`)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.params import Field
from gateway.authoring.imports.sdk.python_source import annotations_of, field_of, template_of
from gateway.canonicalize.authored.row import RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import singular, words_of

PROVIDER = "resend"
SOURCES = (
    Source(
        "pypi",
        "resend",
        "2.52.0",
        "MIT",
        "b36fc4123d72f7a365ab65e5c99650ba32eca945dc20324075de34da2d49ca58",
    ),
)
HOSTS = ("api.resend.com",)
JUDGEMENT = Judgement(
    admin=re.compile(r"^(?:ApiKeys|OAuthGrants|Webhooks|Domains)\."),
    sends=re.compile(r"^(?:Emails|Batch|Broadcasts|Events)\.send$"),
    executes=re.compile(r"^Domains\.verify$|^DomainClaims\."),
    credentials=re.compile(r"^ApiKeys\.create$|^Webhooks\.(?:create|get)$"),
    reversible=re.compile(r"^(?:ContactSegments|Domains)\.verify$"),
    actions={
        "Emails.send": "send_email",
        "Batch.send": "send_email",
        "Emails.update": "update_scheduled_email",
        "Emails.cancel": "cancel_scheduled_email",
        "Broadcasts.create": "create_campaign",
        "Broadcasts.send": "send_campaign",
        "ApiKeys.create": "create_access_key",
        "ApiKeys.remove": "delete_access_key",
        "ApiKeys.list": "list_access_key",
        "Templates.create": "create_email_template",
        "Templates.update": "update_email_template",
        "Templates.remove": "delete_email_template",
        "Domains.create": "create_sender",
        "Domains.remove": "delete_domain",
        "Contacts.remove": "delete_contact",
        "Webhooks.remove": "delete_webhook",
    },
    params={
        "Emails.send": {
            "to": RowParam("body.to", "list"),
            "cc": RowParam("body.cc", "list"),
            "bcc": RowParam("body.bcc", "list"),
            "from": RowParam("body.from"),
            "subject": RowParam("body.subject"),
            "scheduled_at": RowParam("body.scheduled_at"),
        },
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: the whole API."""
    found: dict[tuple[str, str], Call] = {}
    for path in sorted((folders["resend"] / "resend").rglob("_*.py")):
        for call in _calls(path):
            found.setdefault((call.method, call.template), call)
    return [NewSection("resend", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]


def _calls(path: Path) -> Iterator[Call]:
    for owner in ast.parse(path.read_bytes()).body:
        for method in owner.body if isinstance(owner, ast.ClassDef) else ():
            if isinstance(owner, ast.ClassDef) and isinstance(method, ast.FunctionDef):
                yield from _calls_of(owner, method)


def _calls_of(owner: ast.ClassDef, method: ast.FunctionDef) -> Iterator[Call]:
    """The calls of one method; it has several where an audience may stand before."""
    verbs = [
        str(word.value.value)
        for node in ast.walk(method)
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg == "verb" and isinstance(word.value, ast.Constant)
    ]
    if not verbs:
        return
    nouns = words_of(owner.name)
    nouns = [*nouns[:-1], singular(nouns[-1])]
    for template in sorted(_templates(method)):
        yield Call(
            f"{owner.name}.{method.name}",
            verbs[0].upper(),
            template,
            (*method.name.split("_"), *nouns),
            tuple(_fields(owner, method)),
        )


def _templates(method: ast.FunctionDef) -> set[str]:
    """The paths that a method writes out, in a variable or where it sends."""
    found: list[ast.expr] = []
    for node in ast.walk(method):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id in ("path", "base_path"):
                found.append(node.value)
        elif isinstance(node, ast.keyword) and node.arg == "path":
            found.append(node.value)
    return {_path_of(node) for node in found} - {""}


def _path_of(node: ast.expr) -> str:
    """The template of an expression; empty for a variable. Paging goes around a path."""
    if isinstance(node, ast.Call):
        if ast.unparse(node.func) == "inbox_path":
            return "/inboxes/{inbox_id}"
        return _path_of(node.args[0]) if node.args else ""
    if not isinstance(node, (ast.Constant, ast.JoinedStr)):
        return ""
    return re.sub(r"^/?\{inbox_id\}", "/inboxes/{inbox_id}", template_of(node))


def _fields(owner: ast.ClassDef, method: ast.FunctionDef) -> Iterator[Field]:
    """The fields of the typed dictionary that a method takes."""
    wanted = set(annotations_of(method).values())
    for node in owner.body:
        if isinstance(node, ast.ClassDef) and node.name in wanted:
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    found = field_of(line.target.id, ast.unparse(line.annotation))
                    if found is not None:
                        yield found
