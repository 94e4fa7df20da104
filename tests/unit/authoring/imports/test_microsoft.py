"""The importers of Azure and Microsoft Graph, on sources in the form of their SDKs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.imports.providers import azure, msgraph
from gateway.canonicalize.authored.row import Row
from gateway.canonicalize.catalog.file import NewSection
from gateway.model.action import Kind

VM = "/subscriptions/{subscriptionId}/resourceGroups/{rg}/providers/Microsoft.Compute/vms/{vmName}"
OPERATIONS = f'''
def build_vms_delete_request(rg: str, **kwargs: Any) -> HttpRequest:
    _url = "{VM}"
    return HttpRequest(method="DELETE", url=_url, params=_params, **kwargs)
def build_vms_list_keys_request(rg: str, **kwargs: Any) -> HttpRequest:
    _url = kwargs.pop(
        "template_url",
        "/subscriptions/{{subscriptionId}}/resourceGroups/{{rg}}/providers/Microsoft.Compute/vms"
        "/{{vmName}}/listKeys",
    )  # pylint: disable=line-too-long
    return HttpRequest(method="POST", url=_url, params=_params, **kwargs)
def build_roles_create_request(scope: str, **kwargs: Any) -> HttpRequest:
    _url = "/{{scope}}/providers/microsoft.Authorization/roleAssignments/{{name}}"
    path_format_arguments = {{
        "scope": _SERIALIZER.url("scope", scope, "str", skip_quote=True),
    }}
    return HttpRequest(method="PUT", url=_url, params=_params, **kwargs)
def build_roles_delete_by_id_request(role_id: str, **kwargs: Any) -> HttpRequest:
    _url = "/{{roleId}}"
    return HttpRequest(method="DELETE", url=_url, params=_params, **kwargs)


class VmsOperations:
    def _delete_initial(self, rg: str) -> None:
        _request = build_vms_delete_request(rg=rg)

    def begin_delete(self, rg: str) -> None:
        raw_result = self._delete_initial(rg=rg)

    def list_keys(self, rg: str) -> None:
        _request = build_vms_list_keys_request(rg=rg)


class RoleAssignmentsOperations:
    def create(self, scope: str) -> None:
        _request = build_roles_create_request(scope=scope)

    def delete_by_id(self, role_id: str) -> None:
        _request = build_roles_delete_by_id_request(role_id=role_id)
'''


def built(sections: list[NewSection]) -> dict[str, Row]:
    return {row.operation: row for section in sections for row in section.rows}


@pytest.fixture
def azure_sections(tmp_path: Path) -> list[NewSection]:
    """What is made of one package, its asynchronous twin beside it."""
    for folder in ("operations", "aio/operations"):
        path = tmp_path / "azure/mgmt/compute" / folder / "_operations.py"
        path.parent.mkdir(parents=True)
        path.write_text(OPERATIONS)
    return azure.sections({"azure-mgmt-compute": tmp_path})


def test_azure_operations_are_named_by_provider_class_and_method(
    azure_sections: list[NewSection],
) -> None:
    """The method without `begin_`, whatever the builder is called; the path as it is written."""
    rows = built(azure_sections)

    assert rows.keys() == {
        "Compute.Vms.delete",
        "Compute.Vms.list_keys",
        "Authorization.RoleAssignments.create",
    }
    deletion = rows["Compute.Vms.delete"]
    assert (deletion.kind, deletion.reversible) == (Kind.DELETE, False)
    assert (deletion.target_type, deletion.target_id) == ("vm", "path.vm_name")


def test_azure_says_that_lists_of_keys_are_acts(azure_sections: list[NewSection]) -> None:
    """They need more than the right to read, and send secrets back."""
    found = built(azure_sections)["Compute.Vms.list_keys"]

    assert (found.kind, found.sensitive) == (Kind.ADMIN, "credentials")
    assert found.wire.endswith("/vms/{vm_name}/listKeys")


def test_a_scope_of_azure_has_slashes(azure_sections: list[NewSection]) -> None:
    """And a path that is nothing but an identifier stays unknown: it could be anything's."""
    found = built(azure_sections)["Authorization.RoleAssignments.create"]

    assert found.wire == ("PUT /{scope+}/providers/microsoft.Authorization/roleAssignments/{name}")
    assert found.kind is Kind.ADMIN
    assert found.params["principal_id"].source == "body.properties.principalId"


def test_azure_sections_wait_for_their_resource_provider(
    azure_sections: list[NewSection],
) -> None:
    """A gateway reads of Azure what its agents use."""
    assert {section.name: section.facts for section in azure_sections} == {
        "microsoft.compute": {"within": ["microsoft.compute"]},
        "microsoft.authorization": {"within": ["microsoft.authorization"]},
    }


BUILDER = '''
class {name}RequestBuilder(BaseRequestBuilder):
    """
    Provides operations to {what}.
    """
    def __init__(self,request_adapter: RequestAdapter) -> None:
        super().__init__(request_adapter, "{{+baseurl}}{path}{{?%24select}}", path_parameters)

{methods}
'''
MESSAGE = """
@dataclass
class Message(Entity, Parsable):
    def get_field_deserializers(self) -> dict[str, Callable[[ParseNode], None]]:
        fields: dict[str, Callable[[Any], None]] = {
            "subject": lambda n : setattr(self, 'subject', n.get_str_value()),
            "isRead": lambda n : setattr(self, 'is_read', n.get_bool_value()),
            "body": lambda n : setattr(self, 'body', n.get_object_value(ItemBody)),
            "categories": lambda n : setattr(self, 'c', n.get_collection_of_primitive_values(str)),
        }
"""
BUILDERS = {
    "users/users": ("manage the collection of user entities", "/users", ["get", "post:User"]),
    "users/item/user_item": ("manage the user", "/users/{user%2Did}", ["delete"]),
    "users/item/messages/messages": (
        "manage the messages property", "/users/{user%2Did}/messages", ["get", "post:Message"],
    ),
    "users/item/send_mail/send_mail": (
        "call the sendMail method", "/users/{user%2Did}/sendMail", ["post:SendMailPostRequestBody"],
    ),
    "users/item/get_member_groups/get_member_groups": (
        "call the getMemberGroups method", "/users/{user%2Did}/getMemberGroups", ["post:X"],
    ),
    "users/item/reminder_view/reminder_view": (
        "call the reminderView method", "/users/{user%2Did}/reminderView(On='{On}')", ["get"],
    ),
    "users/delta/delta": ("call the delta method", "/users/delta()", ["get"]),
    "chats/item/messages/messages": (
        "manage the messages property", "/chats/{chat%2Did}/messages", ["post:ChatMessage"],
    ),
    "groups/item/members/ref/ref": (
        "manage the collection of group entities", "/groups/{group%2Did}/members/$ref",
        ["post:ReferenceCreate"],
    ),
    "applications/item/add_password/add_password": (
        "call the addPassword method", "/applications/{application%2Did}/addPassword", ["post:X"],
    ),
}  # fmt: skip


@pytest.fixture
def graph_sections(tmp_path: Path) -> list[NewSection]:
    """What is made of an SDK with these request builders."""
    root = tmp_path / "msgraph/generated"
    (root / "models").mkdir(parents=True)
    (root / "models/message.py").write_text(MESSAGE)
    for place, (what, path, methods) in BUILDERS.items():
        file = root / f"{place}_request_builder.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = []
        for method in methods:
            verb, _, body = method.partition(":")
            given = f"body: {body}, request_configuration" if body else "request_configuration"
            lines.append(f"    async def {verb}(self,{given}) -> None:\n        pass\n")
        source = BUILDER.format(name="X", what=what, path=path, methods="\n".join(lines))
        file.write_text(source)
    return msgraph.sections({"msgraph-sdk": tmp_path})


GRAPH: dict[str, tuple[str, Kind, str]] = {
    "users.get": ("GET /v1.0/users", Kind.READ, "list_user"),
    "users.post": ("POST /v1.0/users", Kind.ADMIN, "create_user"),
    "users.by_user_id.delete": ("DELETE /v1.0/users/{user_id}", Kind.ADMIN, "delete_user"),
    "users.by_user_id.send_mail.post": (
        "POST /v1.0/users/{user_id}/sendMail", Kind.SEND, "send_mail",
    ),
    "me.send_mail.post": ("POST /v1.0/me/sendMail", Kind.SEND, "send_mail"),
    "me.messages.post": ("POST /v1.0/me/messages", Kind.CREATE, "create_message"),
    "chats.by_chat_id.messages.post": (
        "POST /v1.0/chats/{chat_id}/messages", Kind.SEND, "create_message",
    ),
    "users.by_user_id.get_member_groups.post": (
        "POST /v1.0/users/{user_id}/getMemberGroups", Kind.READ, "get_member_group",
    ),
    "users.by_user_id.reminder_view.get": (
        "GET /v1.0/users/{user_id}/reminderView(On='{on}')", Kind.READ, "get_reminder_view",
    ),
    "groups.by_group_id.members.ref.post": (
        "POST /v1.0/groups/{group_id}/members/$ref", Kind.ADMIN, "add_group_member",
    ),
    "applications.by_application_id.add_password.post": (
        "POST /v1.0/applications/{application_id}/addPassword", Kind.ADMIN, "add_password",
    ),
}  # fmt: skip


@pytest.mark.parametrize("operation", GRAPH)
def test_graph_operations_are_the_chains_of_the_sdk(
    graph_sections: list[NewSection], operation: str
) -> None:
    """By path and method; bound actions by their own names, and a user's paths for `me` too."""
    found = built(graph_sections)[operation]

    assert (found.wire, found.kind, found.action) == GRAPH[operation]


def test_graph_functions_are_also_called_without_parentheses(
    graph_sections: list[NewSection],
) -> None:
    """Clients leave empty ones out."""
    (section,) = [section for section in graph_sections if section.name == "users"]
    wires = {row.wire for row in section.rows if row.operation == "users.delta.get"}

    assert wires == {"GET /v1.0/users/delta()", "GET /v1.0/users/delta"}
    assert section.facts == {"within": ["users"]}


def test_graph_params_come_from_the_model_of_the_body(graph_sections: list[NewSection]) -> None:
    """The most telling plain properties; for a mail that is sent, its subject."""
    rows = built(graph_sections)

    assert rows["me.messages.post"].params.keys() == {"subject", "is_read"}
    assert rows["me.send_mail.post"].params["subject"].source == "body.message.subject"
    assert rows["applications.by_application_id.add_password.post"].sensitive == "credentials"
