"""Dropbox, from the route table of its JavaScript SDK. All routes are POSTs; what one may do is in
the scope that it needs, which the table has.

Operations are the SDK's functions (`filesDeleteV2`). Content routes take arguments in a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.kinds import KIND_BY_VERB
from gateway.canonicalize.naming.words import singular, words_of
from gateway.model.action import Kind

PROVIDER = "dropbox"
SOURCES = (
    Source(
        "npm",
        "dropbox",
        "10.34.0",
        "MIT",
        "88d1b04a5348282852fddfec4abf0282ed29c0acfd6e03e4d535155f5f464141",
    ),
)
_HOSTS = {
    "api": "api.dropboxapi.com",
    "content": "content.dropboxapi.com",
    "notify": "notify.dropboxapi.com",
}
JUDGEMENT = Judgement(
    kinds={
        "filesGetTemporaryUploadLink": Kind.ADMIN,
        "filesPermanentlyDelete": Kind.DELETE,
        "filesDownload": Kind.READ,
        "filesDownloadZip": Kind.READ,
        "filesExport": Kind.READ,
        "paperDocsPermanentlyDelete": Kind.DELETE,
        "openidUserinfo": Kind.READ,
        "checkUser": Kind.READ,
        "checkApp": Kind.READ,
    },
    admin=re.compile(
        r"^sharing(?!.*(?:Get|List|CheckJob))|^team(?!.*(?:Get|List|JobStatus))|^authToken"
        r"|^fileRequests(?:Create|Update)"
    ),
    credentials=re.compile(
        r"^authToken(?!Revoke)|TemporaryLink$|TemporaryUploadLink$|^sharingCreateSharedLink"
    ),
    irreversible=re.compile(r"PermanentlyDelete|MembersRemove$|^teamMembersDelete"),
    reversible=re.compile(r"^filesDelete(?:Batch|V2)?$|^filesRestore"),
    actions={
        "filesDeleteV2": "delete_file",
        "filesDelete": "delete_file",
        "filesUpload": "upload_file",
        "filesDownload": "get_file",
        "filesListFolder": "list_file",
        "filesSearchV2": "search_file",
        "filesCopyV2": "copy_file",
        "filesCreateFolderV2": "create_folder",
        "sharingAddFileMember": "share_file",
        "sharingCreateSharedLinkWithSettings": "publish_file",
        "sharingRemoveFileMember2": "unshare_file",
        "usersGetCurrentAccount": "get_caller_identity",
    },
    posts_act=True,
)
_ROUTE = re.compile(
    r"routes\.(\w+) = function \([^)]*\) \{\s*return this\.request\('([^']+)', [^,]+,"
    r" '([^']*)', '(\w+)', '(\w+)', (?:'([^']*)'|null)\);"
)
_PATHS = ("delete", "delete_v2", "create_folder", "create_folder_v2", "list_folder", "get_metadata")
_MOVES = ("copy", "copy_v2", "move", "move_v2")


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section for each host."""
    source = (folders["dropbox"] / "package" / "lib" / "routes.js").read_text()
    found: dict[str, list[Row]] = {}
    for name, path, host, style, scope in _routes(source):
        found.setdefault(host, []).append(_row(name, path, style, scope))
    return [NewSection(host, rows, (_HOSTS[host],)) for host, rows in sorted(found.items())]


def _routes(source: str) -> Iterator[tuple[str, str, str, str, str]]:
    for name, path, _, host, style, scope in _ROUTE.findall(source):
        yield name, path, host, style, scope


def _row(name: str, path: str, style: str, scope: str) -> Row:
    """One route; a scope that ends in `.read` is the provider's word that it reads."""
    group, _, last = path.rpartition("/")
    words = [word for word in words_of(last) if word not in ("v", "2", "3")]
    nouns = [singular(word) for word in words_of(group)]
    call = Call(
        name,
        "POST",
        f"/2/{path}",
        (words[0], *(words[1:] or nouns)),
        params=_params(last) if style == "rpc" else {},
        target_type="file" if group.startswith("files") else nouns[-1] if nouns else "",
        target_id="body.path" if style == "rpc" and last in _PATHS else "",
    )
    row = row_of(call, JUDGEMENT)
    is_known = name in JUDGEMENT.kinds or JUDGEMENT.credentials.search(name)
    if scope.endswith(".read") and not is_known and not _changes(call.words):
        return replace(row, kind=Kind.READ, params={}, reversible=True)
    return row


def _changes(words: tuple[str, ...]) -> bool:
    """Whether a route's own verb changes something: a scope is not always the narrowest."""
    return KIND_BY_VERB.get(words[0]) in (Kind.CREATE, Kind.UPDATE, Kind.DELETE, Kind.SEND)


def _params(last: str) -> dict[str, RowParam]:
    if last in _MOVES:
        return {"from_path": RowParam("body.from_path"), "to_path": RowParam("body.to_path")}
    return {}
