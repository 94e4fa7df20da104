"""Azure's compute and storage SDKs, driven without a network, against the shipped mapper."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpTransport
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.storage import StorageManagementClient

from gateway.model.action import Kind
from tests.contract.mappers_real_sdks.arguments import methods_of, required_arguments
from tests.contract.mappers_real_sdks.figures import Figures, Sent, judge
from tests.contract.mappers_real_sdks.sdk import as_request, canonicalizer, catalog_rows

READS = frozenset(
    {
        "Storage.StorageAccounts.check_name_availability",
        "Storage.ContextCaches.check_name_availability",
    }
)
"""They ask whether a name is free."""
SAME_PATH = [
    ("Compute.VirtualMachineImages.list_with_properties", "Compute.VirtualMachineImages.list")
]
"""The same listing with an `$expand` that it always has."""
SECRETS = (
    "Storage.StorageAccounts.list_keys",
    "Storage.StorageAccounts.list_account_sas",
    "Storage.StorageAccounts.list_service_sas",
    "Storage.StorageAccounts.regenerate_key",
    "Compute.Disks.grant_access",
    "ContainerService.ManagedClusters.list_cluster_admin_credentials",
    "Web.WebApps.list_publishing_credentials",
    "DocumentDB.DatabaseAccounts.list_keys",
    "Cache.Redis.list_keys",
    "OperationalInsights.SharedKeys.get_shared_keys",
)
sent: list[Sent] = []
calling = [""]


class NotSentError(RuntimeError):
    """Ends a call once its request is kept."""


class KeepingTransport(HttpTransport):  # type: ignore[misc, type-arg]
    """Keeps what it is given, and sends nothing."""

    def send(self, request: Any, **_: object) -> Any:
        body = request.content if hasattr(request, "content") else request.body
        sent.append(
            Sent(calling[0], as_request(request.method, request.url, request.headers, body))
        )
        raise NotSentError

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class Credential:
    """A token that is not one."""

    def get_token(self, *_: object, **__: object) -> AccessToken:
        return AccessToken("none", 9_999_999_999)


@functools.cache
def figures() -> Figures:
    """What came of calling every method of both clients."""
    sent.clear()
    for provider, make in (
        ("Compute", ComputeManagementClient),
        ("Storage", StorageManagementClient),
    ):
        client = make(Credential(), "s1", transport=KeepingTransport())
        for name, method in methods_of(client, _is_resource):
            group, _, verb = name.partition(".")
            if not verb:
                continue
            owner = type(getattr(client, group)).__name__.removesuffix("Operations")
            calling[0] = f"{provider}.{owner or 'Operations'}.{verb.removeprefix('begin_')}"
            given = {
                key: {} if key in ("parameters", "body", "properties", "resource") else value
                for key, value in required_arguments(method).items()
            }
            try:
                result: Any = method(**given)
                next(result)
            except (NotSentError, TypeError, ValueError, AttributeError, KeyError):
                pass  # what was sent is what counts
    return judge(sent, READS)


def _is_resource(member: Any) -> bool:
    return type(member).__name__.endswith("Operations")


def test_each_call_has_its_own_name() -> None:
    """Every request of every method is recognised, exactly."""
    found = figures()

    assert found.wrong == SAME_PATH
    assert len(found.methods) >= 400


def test_nothing_in_the_whole_sdk_is_milder_than_it_is() -> None:
    """What isn't a GET is no read, but what is listed."""
    assert figures().mild == []


@pytest.mark.parametrize("operation", SECRETS)
def test_what_sends_secrets_back_is_no_read(operation: str) -> None:
    """Azure calls them lists; its roles that may only read may not do them."""
    (row,) = [row for row in catalog_rows("azure") if row.operation == operation]

    assert (row.kind, row.sensitive) == (Kind.ADMIN, "credentials")


@pytest.mark.parametrize(
    "path",
    [
        "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm1",
        "/subscriptions/s1/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1",
        "/SUBSCRIPTIONS/s1/RESOURCEGROUPS/rg/PROVIDERS/MICROSOFT.COMPUTE/VIRTUALMACHINES/vm1",
    ],
)
def test_a_path_means_the_same_in_any_case(path: str) -> None:
    """Azure's servers don't look at case; the names in it keep theirs."""
    request = as_request("DELETE", f"https://management.azure.com{path}", {}, None)

    (action,) = canonicalizer().canonicalize(request).actions

    assert (action.operation, action.kind, action.target.id) == (
        "Compute.VirtualMachines.delete",
        Kind.DELETE,
        "vm1",
    )
