"""The generated Kubernetes client -> rows: the names of the specification, kinds, targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.authoring.imports.kubernetes.rows import kubernetes_rows
from gateway.authoring.imports.kubernetes.source import load_calls
from gateway.canonicalize.authored.row import Row
from gateway.model.action import Kind

METHOD = """
    def _{name}_serialize(self):
        _query_params = []
        _query_params.append(('{query}', value))
        return self.api_client.param_serialize(method='{method}', resource_path='{path}')
"""
MODELS = (
    "V1Pod", "V1PodExecOptions", "V1Secret", "V1ServiceAccount", "V1CSIDriver", "V1RoleBinding",
    "AuthenticationV1TokenRequest", "V1TokenReview", "V1Deployment", "V1Scale", "V1APIGroup",
    "V1Eviction", "APIResourceList", "V1APIResource",
)  # fmt: skip
POD = "/api/v1/namespaces/{namespace}/pods/{name}"
CALLS = {
    "CoreV1Api": [
        ("create_namespaced_pod", "POST", "/api/v1/namespaces/{namespace}/pods", "dryRun"),
        ("list_namespaced_pod", "GET", "/api/v1/namespaces/{namespace}/pods", "labelSelector"),
        ("list_pod_for_all_namespaces", "GET", "/api/v1/pods", "limit"),
        ("read_namespaced_pod", "GET", POD, "pretty"),
        ("delete_collection_namespaced_pod", "DELETE", "/api/v1/namespaces/{namespace}/pods",
         "labelSelector"),
        ("connect_get_namespaced_pod_exec", "GET", f"{POD}/exec", "command"),
        ("connect_get_namespaced_pod_proxy_with_path", "GET", f"{POD}/proxy/{{path}}", "path"),
        ("create_namespaced_pod_eviction", "POST", f"{POD}/eviction", "dryRun"),
        ("read_namespaced_secret", "GET", "/api/v1/namespaces/{namespace}/secrets/{name}", "x"),
        ("create_namespaced_service_account_token", "POST",
         "/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", "dryRun"),
        ("get_api_resources", "GET", "/api/v1", "x"),
    ],
    "AppsV1Api": [
        ("patch_namespaced_deployment_scale", "PATCH",
         "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale", "force"),
    ],
    "StorageV1Api": [
        ("delete_csi_driver", "DELETE", "/apis/storage.k8s.io/v1/csidrivers/{name}", "x"),
    ],
    "RbacAuthorizationV1Api": [
        ("create_namespaced_role_binding", "POST",
         "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", "x"),
    ],
    "AuthenticationV1Api": [
        ("create_token_review", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", "x"),
    ],
    "VersionApi": [("get_code", "GET", "/version/", "x")],
    "CustomObjectsApi": [
        ("list_custom_object_for_all_namespaces", "GET",
         "/apis/{group}/{version}/{resource_plural}", "x"),
        ("list_cluster_custom_object", "GET", "/apis/{group}/{version}/{plural}", "x"),
    ],
}  # fmt: skip


@pytest.fixture
def rows(tmp_path: Path) -> dict[str, Row]:
    """The rows of a client with these calls, by operation."""
    client = tmp_path / "kubernetes" / "client"
    (client / "api").mkdir(parents=True)
    (client / "models").mkdir()
    models = "".join(f"class {name}(BaseModel):\n    pass\n" for name in MODELS)
    (client / "models" / "all.py").write_text(models)
    for group, calls in CALLS.items():
        text = f"class {group}:\n    def close(self):\n        pass\n"
        for name, method, path, query in calls:
            text += METHOD.format(name=name, method=method, path=path, query=query)
        (client / "api" / f"{group.lower()}_api.py").write_text(text)
    return {row.operation: row for row in kubernetes_rows(load_calls(tmp_path))}


EXPECTED = {
    "a verb, the group, the rest": (
        "createCoreV1NamespacedPod", Kind.CREATE, "create_pod",
        "{path.namespace}/{body.metadata.name}",
    ),
    "what is listed is a namespace's": (
        "listCoreV1NamespacedPod", Kind.READ, "list_pod", "path.namespace",
    ),
    "the older way to watch": (
        "watchCoreV1NamespacedPodList", Kind.READ, "watch_pod", "path.namespace",
    ),
    "watching all of them": (
        "watchCoreV1PodListForAllNamespaces", Kind.READ, "watch_pod", "",
    ),
    "watching one": (
        "watchCoreV1NamespacedPod", Kind.READ, "watch_pod", "{path.namespace}/{path.name}",
    ),
    "a whole collection": (
        "deleteCoreV1CollectionNamespacedPod", Kind.DELETE, "delete_pod_collection",
        "path.namespace",
    ),
    "a command by GET": (
        "connectCoreV1GetNamespacedPodExec", Kind.EXECUTE, "exec_pod",
        "{path.namespace}/{path.name}",
    ),
    "a request into the cluster": (
        "connectCoreV1GetNamespacedPodProxyWithPath", Kind.EXECUTE, "proxy_pod",
        "{path.namespace}/{path.name}",
    ),
    "an eviction deletes": (
        "createCoreV1NamespacedPodEviction", Kind.DELETE, "create_pod_eviction",
        "{path.namespace}/{path.name}",
    ),
    "a token is for a service account": (
        "createCoreV1NamespacedServiceAccountToken", Kind.ADMIN, "create_service_account_token",
        "{path.namespace}/{path.name}",
    ),
    "who may do what": (
        "createRbacAuthorizationV1NamespacedRoleBinding", Kind.ADMIN, "create_role_binding",
        "{path.namespace}/{body.metadata.name}",
    ),
    "a question that is asked by creating it": (
        "createAuthenticationV1TokenReview", Kind.EXECUTE, "create_token_review", "",
    ),
    "acronyms as the specification has them": (
        "deleteStorageV1CSIDriver", Kind.DELETE, "delete_csi_driver", "path.name",
    ),
    "a part of a thing": (
        "patchAppsV1NamespacedDeploymentScale", Kind.UPDATE, "update_deployment_scale",
        "{path.namespace}/{path.name}",
    ),
    "what is found below a group": (
        "getCoreV1APIResources", Kind.READ, "get_api_resource", "",
    ),
    "the version": ("getCodeVersion", Kind.READ, "get_code_version", ""),
    "things that nobody described": (
        "listClusterCustomObject", Kind.READ, "list_custom_object", "{path.group}/{path.plural}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "action", "target"), EXPECTED.values(), ids=EXPECTED)
def test_rows(rows: dict[str, Row], name: str, kind: Kind, action: str, target: str) -> None:
    """Name, kind, action and target of each."""
    row = rows[name]

    assert (row.kind, row.action, row.target_id) == (kind, action, target)


def test_no_operation_is_lost_but_those_that_send_the_same(rows: dict[str, Row]) -> None:
    """Of two with one wire the first by name stays."""
    wires = {row.wire for row in rows.values()}

    assert "GET /apis/{group}/{version}/{plural}" in wires
    assert "listCustomObjectForAllNamespaces" not in rows
    assert len(wires) == len(rows)


def test_what_is_read_beside_the_target(rows: dict[str, Row]) -> None:
    """The command that is run, the number of replicas; of a patch nothing else of its body."""
    run = rows["connectCoreV1GetNamespacedPodExec"].params["command"]
    scaled = rows["patchAppsV1NamespacedDeploymentScale"].params

    assert (run.source, run.type) == ("query.command", "list")
    assert scaled["replicas"].source == "body.spec.replicas"


def test_secrets_and_tokens_are_marked(rows: dict[str, Row]) -> None:
    """Reading the one, watching it and making the other; nothing else here."""
    marked = {name for name, row in rows.items() if row.sensitive}

    assert marked == {
        "readCoreV1NamespacedSecret",
        "watchCoreV1NamespacedSecret",
        "createCoreV1NamespacedServiceAccountToken",
    }


def test_what_is_deleted_is_gone(rows: dict[str, Row]) -> None:
    """One, a whole collection, an eviction."""
    final = {name for name, row in rows.items() if not row.reversible}

    assert final == {
        "deleteCoreV1CollectionNamespacedPod",
        "deleteStorageV1CSIDriver",
        "createCoreV1NamespacedPodEviction",
    }
