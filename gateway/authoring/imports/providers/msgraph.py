"""Microsoft Graph v1.0, from the request builders of its Python SDK.

One file a path; the methods that it offers are its coroutines. Operations are the SDK's chains
(`users.by_user_id.send_mail.post`). What the SDK sends for `me` is `users.by_user_id` with a
marker that it replaces, so every path of a user stands here a second time under `/me`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.params import Field
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.canonicalize.naming.kinds import verb_in
from gateway.canonicalize.naming.words import singular, words_of

PROVIDER = "msgraph"
SOURCES = (
    Source(
        "pypi",
        "msgraph-sdk",
        "1.65.0",
        "MIT",
        "543975b8ea5c6c94ac443be03a6f2429a6a6d7c1c4b90f08c382f211937f3dc1",
    ),
)
HOSTS = (
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
)
"""The worldwide service and the national clouds."""

_READS = (
    "get_by_ids|get_user_owned_objects|check_member_groups|check_member_objects|get_member_groups"
    "|get_member_objects|get_available_extension_properties|validate_properties|get_schedule"
    r"|find_meeting_times|get_mail_tips|translate_exchange_ids|search\.query"
    r"|get_presences_by_user_id|get_notification_messages|get_final_attachment|reports\.get_\w+|reports\.retrieve_\w+"
    "|get_role_scope_tags_by_ids|has_payload_links|evaluate_what_if|get_applicable_policies"
)
JUDGEMENT = Judgement(
    reads=re.compile(rf"(?:^|\.)(?:{_READS})\.post$"),
    admin=re.compile(
        r"^(?:directory|directory_roles|directory_role_templates|role_management|policies|domains"
        r"|identity|identity_governance|identity_providers|identity_protection|organization"
        r"|service_principals|applications|oauth2_permission_grants|permission_grants|invitations"
        r"|scoped_role_memberships|directory_objects|group_lifecycle_policies|contracts"
        r"|authentication_methods_policy|authentication_method_configurations|tenant_relationships"
        r"|certificate_based_auth_configuration|group_setting_templates|group_settings|agreements"
        r"|information_protection|privacy|admin|app_catalogs)(?:\.|_with_)"
        r"|(?:^|\.)(?:permissions|app_role_assignments|app_role_assigned_to|authentication"
        r"|role_assignments|role_definitions|members|owners|sponsors|transitive_members|manager"
        r"|accepted_senders|rejected_senders|oauth2_permission_grants|permission_grants"
        r"|federated_identity_credentials|scoped_role_member_of|member_of|direct_reports)\."
        r"|^(?:users|me)\.(?:by_user_id\.)?(?:post|patch|delete)$"
        r"|\.(?:invite|grant|add_password|remove_password|add_key|remove_key|assign_license"
        r"|create_link|change_password|reset_password|revoke_sign_in_sessions|revoke_grants"
        r"|invalidate_all_refresh_tokens|set_mobile_device_management_authority|unlock_user)\.post$"
        r"|^(?:users|groups|device_management|device_app_management)\..*assign\.post$"
    ),
    sends=re.compile(
        r"(?:^|\.)(?:send_mail|send|reply|reply_all|forward|send_activity_notification|send_reminder"
        r"|send_\w*notification\w*|resend_\w+|post_\w*message|send_custom_notification_to_\w+)"
        r"\.post$"
        r"|(?:^|\.)(?:chats|channels|primary_channel|threads)\..*?(?:messages|replies|posts)\.post$"
        r"|(?:^|\.)(?:accept|decline|tentatively_accept)\.post$"
    ),
    credentials=re.compile(
        r"\.add_password\.post$|\.temporary_access_pass_methods\.(?:by_\w+\.)?(?:get|post)$"
        r"|\.(?:device_local_credentials|recovery_keys)\.(?:by_\w+\.)?get$"
        r"|\.(?:reset_password|recover_passcode|add_token_signing_certificate)\.post$"
        r"|single_sign_on_credentials\.post$|synchronization\.(?:acquire_access_token|secrets)\."
        r"|file_vault_key|\.(?:create|generate)_\w*(?:token|key)s?\.post$|client_secret"
        r"|get_password\w*\.(?:get|post)$"
    ),
    irreversible=re.compile(
        r"\.(?:wipe|retire|delete|permanent_delete|purge\w*|clean_windows_device|reset_passcode"
        r"|bulk_delete|delete_\w+|disable_lost_mode|revoke_\w+|end)\.post$"
    ),
    executes=re.compile(r"\.preview\.post$"),
    posts_act=True,
)
_DRIVE = "/v1.0/drives/{drive-id}/"
_DRIVES = {
    "me.drive": "/v1.0/me/drive",
    "users.by_user_id.drive": "/v1.0/users/{user-id}/drive",
    "groups.by_group_id.drive": "/v1.0/groups/{group-id}/drive",
    "sites.by_site_id.drive": "/v1.0/sites/{site-id}/drive",
}
"""Where a drive is found by whose it is. The SDK asks for its id first; other clients go straight
to its items."""
_AT_ROOT = (
    ("GET", "children", "list item"),
    ("POST", "children", "create item"),
    ("GET", "search(q='{q}')", "search item"),
    ("GET", "delta", "list item"),
)
_BY_PATH = (
    ("GET", "", "get item"),
    ("PATCH", "", "update item"),
    ("DELETE", "", "delete item"),
    ("GET", "children", "list item"),
    ("POST", "children", "create item"),
    ("GET", "content", "get content"),
    ("PUT", "content", "upload item"),
    ("POST", "createUploadSession", "create upload session"),
    ("POST", "createLink", "create link"),
    ("POST", "invite", "invite item"),
    ("POST", "copy", "copy item"),
    ("POST", "checkin", "checkin item"),
    ("POST", "checkout", "checkout item"),
)
_TEMPLATE = re.compile(r'super\(\).__init__\(request_adapter, "\{\+baseurl\}([^"]*)"')
_METHOD = re.compile(
    r"^    async def (get|post|put|patch|delete)\(self,(?:body: (\w+))?", re.MULTILINE
)
_IS_CALL = re.compile(r"^    Provides operations to call the ", re.MULTILINE)
_SOLE_VARIABLE = re.compile(r"\{[^{}]+\}")
_CLASS = re.compile(r"^class (\w+)\(([^)]*)\)", re.MULTILINE)
_PROPERTY = re.compile(
    r'^            "([\w@.]+)": lambda n : setattr\(self, \S+ n\.(get_\w+)\((\w*)\)', re.MULTILINE
)
_TYPES = {
    "get_str_value": "text",
    "get_bool_value": "boolean",
    "get_int_value": "integer",
    "get_enum_value": "text",
    "get_uuid_value": "text",
}
_READ_ONLY = frozenset(
    {
        "id", "@odata.type", "bodyPreview", "changeKey", "conversationId", "hasAttachments",
        "webLink", "parentFolderId", "internetMessageId", "webUrl", "eTag", "cTag", "etag",
        "deletedDateTime",
    }
)  # fmt: skip
"""Properties that the service sets itself: no value of a request."""


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section for each first segment of a path, read when a path has it."""
    folder = folders["msgraph-sdk"] / "msgraph" / "generated"
    models = _Models(folder)
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for path in sorted(folder.rglob("*_request_builder.py")):
        for call in _calls(path, folder, models):
            for each in _spellings(call):
                found[_section_of(each.template)].append(row_of(each, JUDGEMENT))
    for call in _items_by_path() if "drives" in found else ():
        found[_section_of(call.template)].append(row_of(call, JUDGEMENT))
    return [
        NewSection(name or "called", rows, HOSTS, {"within": [name.lower()]} if name else {})
        for name, rows in sorted(found.items())
    ]


def _section_of(template: str) -> str:
    """The literal that a section is read by: the first of a path, or the second in the largest."""
    first, *rest = template.split("/")[2:]
    if first == "identityGovernance" and rest:
        return rest[0]
    return "" if "(" in first else first


def _spellings(call: Call) -> Iterator[Call]:
    """A call as it is, without the empty parentheses that clients leave out, and for `me`."""
    variants = [call]
    if call.template.endswith("()"):
        variants.append(replace(call, template=call.template[:-2]))
    for each in variants:
        yield each
        if each.template.startswith("/v1.0/users/{user-id}"):
            yield replace(
                each,
                operation=each.operation.replace("users.by_user_id", "me", 1),
                template=each.template.replace("/v1.0/users/{user-id}", "/v1.0/me", 1),
            )
        if each.template.startswith(_DRIVE) and "/workbook" not in each.template:
            for chain, path in _DRIVES.items():
                yield replace(
                    each,
                    operation=each.operation.replace("drives.by_drive_id", chain, 1),
                    template=each.template.replace(_DRIVE.rstrip("/"), path, 1),
                )


def _items_by_path() -> Iterator[Call]:
    """What is done to a file that is named by its path. The SDK passes such a path for an id; other
    clients write it out: `/me/drive/root:/a/b.txt:/content`."""
    for chain, path in {**_DRIVES, "drives.by_drive_id": _DRIVE.rstrip("/")}.items():
        for method, tail, words in _AT_ROOT:
            name = f"{chain}.root.{_snake(tail.partition('(')[0])}.{method.lower()}"
            yield Call(name, method, f"{path}/root/{tail}", tuple(words.split()))
        for method, tail, words in _BY_PATH:
            name = ".".join(part for part in (chain, "root", _snake(tail), method.lower()) if part)
            yield Call(
                name,
                method,
                f"{path}/root:/{{item_path+}}" + (f"/{tail}" if tail else ""),
                tuple(words.split()),
                target_type="item",
                target_id="path.item_path",
            )


def _calls(path: Path, folder: Path, models: _Models) -> Iterator[Call]:
    source = path.read_text()
    found = _TEMPLATE.search(source)
    if found is None:
        return
    template = unquote(found.group(1).partition("{?")[0].partition("?")[0])
    segments = [part for part in template.split("/") if part]
    if not segments:
        return
    variables = iter(part[1:-1] for part in segments if _SOLE_VARIABLE.fullmatch(part))
    chain = [
        f"by_{next(variables).replace('-', '_')}" if part == "item" else part
        for part in path.parent.relative_to(folder).parts
    ]
    is_call = _IS_CALL.search(source) is not None
    for method, body in _METHOD.findall(source):
        yield Call(
            _snake(".".join((*chain, method))),
            method.upper(),
            f"/v1.0/{'/'.join(segments)}",
            words_for(segments, method, is_call=is_call),
            models.fields(body, path.parent) if body else (),
            _known(segments),
        )


def words_for(segments: list[str], method: str, *, is_call: bool) -> tuple[str, ...]:
    """The verb and nouns of a call: a bound function or action is named by itself, the rest by
    method and the collection that it stands on."""
    literals = [part.partition("(")[0] for part in segments if not part.startswith("{")]
    is_item = segments[-1].startswith("{")
    last = words_of(literals[-1].rpartition("microsoft.graph.")[2]) if literals else []
    before = words_of(literals[-2]) if len(literals) > 1 else []
    if is_call and not is_item and last:
        verb = last if verb_in(last) is not None else (("get" if method == "get" else "run"), *last)
        nouns = [*before[:-1], singular(before[-1])] if before and len(last) == 1 else []
        return (*verb, *nouns)
    if literals and literals[-1] in ("$ref", "$count", "$value"):
        nouns = (
            [*_single(words_of(literals[-3])), *_single(before)] if len(literals) > 2 else before
        )
        verbs = {"post": "add", "delete": "remove", "put": "set", "get": "get", "patch": "update"}
        if literals[-1] == "$count":
            return ("count", *_single(before))
        return (verbs[method], *(nouns if literals[-1] == "$ref" else before))
    is_many = not is_item and last != [] and last[-1] != singular(last[-1])
    verbs = {
        "get": "list" if is_many else "get",
        "post": "create",
        "patch": "update",
        "put": "set",
        "delete": "delete",
    }
    return (verbs[method], *_single(last))


def _single(words: list[str]) -> list[str]:
    return [*words[:-1], singular(words[-1])] if words else []


def _known(segments: list[str]) -> dict[str, RowParam]:
    """What stands deeper in a body than its top: the subject of a mail."""
    if segments[-1] == "sendMail":
        return {"subject": RowParam("body.message.subject")}
    return {}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class _Models:
    """The properties of the SDK's model classes, by class name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[tuple[str, Path], tuple[Field, ...]] = {}

    def fields(self, name: str, near: Path) -> tuple[Field, ...]:
        """The plain properties of a class and of what it inherits, its own first."""
        key = (name, near if name.endswith("RequestBody") else self._folder)
        if key not in self._known:
            self._known[key] = tuple(self._read(name, near))
        return self._known[key]

    def _read(self, name: str, near: Path) -> Iterator[Field]:
        file = f"{_snake(name)}.py"
        path = next((p for p in self._places(near, file) if p.is_file()), None)
        source = path.read_text() if path is not None else ""
        for prop, reader, kind in _PROPERTY.findall(source):
            if reader == "get_collection_of_primitive_values" and kind == "str":
                yield Field(prop, f"body.{prop}", "list")
            elif reader in _TYPES and prop not in _READ_ONLY and "." not in prop:
                yield Field(prop, f"body.{prop}", _TYPES[reader])
        found = _CLASS.search(source)
        for parent in found.group(2).split(",") if found else ():
            if parent.strip() not in ("AdditionalDataHolder", "BackedModel", "Parsable", "Enum"):
                yield from self.fields(parent.strip(), near)

    def _places(self, near: Path, file: str) -> Iterator[Path]:
        yield near / file
        yield self._folder / "models" / file
