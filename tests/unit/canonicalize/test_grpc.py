"""gRPC calls: which requests are one, and what their names are believed to mean."""

from __future__ import annotations

import pytest

from gateway.authoring.requests import build_request
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.canonicalize.grpc import grpc_action, grpc_operation
from gateway.content import mappers_dir
from gateway.model.action import Kind

STORAGE = "google.storage.v2.Storage"

OPERATIONS = {
    "a call": (f"/{STORAGE}/DeleteBucket", "application/grpc", f"{STORAGE}/DeleteBucket"),
    "a named codec": (f"/{STORAGE}/GetBucket", "application/grpc+proto", f"{STORAGE}/GetBucket"),
    "from a browser": ("/a.B/Do", "application/grpc-web-text; charset=utf-8", "a.B/Do"),
    "in capitals": ("/a.B/Do", "Application/GRPC", "a.B/Do"),
    "a service without a package": ("/Greeter/SayHello", "application/grpc", "Greeter/SayHello"),
    "JSON": (f"/{STORAGE}/GetBucket", "application/json", None),
    "nearly": (f"/{STORAGE}/GetBucket", "application/grpcx", None),
    "no type": (f"/{STORAGE}/GetBucket", "", None),
    "a third segment": (f"/{STORAGE}/GetBucket/x", "application/grpc", None),
    "one segment": ("/GetBucket", "application/grpc", None),
    "an encoded letter": ("/a.B/%44elete", "application/grpc", None),
    "an empty part": ("/a..B/Do", "application/grpc", None),
    "a trailing slash": ("/a.B/Do/", "application/grpc", None),
    "no leading slash": ("a.B/Do", "application/grpc", None),
    "two leading slashes": ("//a.B/Do", "application/grpc", None),
    "a line's end": ("/a.B/Do\n", "application/grpc", None),
    "too long": ("/a.B/" + "x" * 400, "application/grpc", None),
}


@pytest.mark.parametrize(("path", "content_type", "expected"), OPERATIONS.values(), ids=OPERATIONS)
def test_which_requests_are_calls(path: str, content_type: str, expected: str | None) -> None:
    """Two plain segments and gRPC's own content type."""
    assert grpc_operation(path, content_type) == expected


KINDS = {
    "GetBucket": (Kind.READ, "get_bucket", "bucket"),
    "ListBuckets": (Kind.READ, "list_bucket", "bucket"),
    "BatchGetDocuments": (Kind.READ, "batch_get_document", "document"),
    "TestIamPermissions": (Kind.READ, "test_iam_permission", "iam_permission"),
    "DeleteBucket": (Kind.DELETE, "delete_bucket", "bucket"),
    "CreateTopic": (Kind.CREATE, "create_topic", "topic"),
    "UpdateTopic": (Kind.UPDATE, "update_topic", "topic"),
    "Publish": (Kind.SEND, "publish", ""),
    "SetIamPolicy": (Kind.ADMIN, "set_iam_policy", "iam_policy"),
    "ExecuteSql": (Kind.EXECUTE, "execute_sql", "sql"),
    "StreamingRead": (Kind.UNKNOWN, "streaming_read", "read"),
    "GetStream": (Kind.UNKNOWN, "get_stream", "stream"),
    "GetOrCreateSession": (Kind.CREATE, "get_or_create_session", "or_create_session"),
    "SearchProjects": (Kind.UNKNOWN, "search_project", "project"),
    "Frobnicate": (Kind.UNKNOWN, "frobnicate", ""),
}


@pytest.mark.parametrize("rpc", KINDS)
def test_what_a_name_means_at_a_known_host(rpc: str) -> None:
    """The verb decides; only a sure one reads."""
    action = grpc_action(f"{STORAGE}/{rpc}", "google", is_known_host=True)

    assert (action.kind, action.action, action.target.type) == KINDS[rpc]
    assert action.operation == f"{STORAGE}/{rpc}"


@pytest.mark.parametrize("rpc", KINDS)
def test_nothing_is_a_read_where_nobody_knows_the_api(rpc: str) -> None:
    """A name alone proves nothing; what does more than read keeps its kind."""
    kind = grpc_action(f"a.B/{rpc}", "unknown", is_known_host=False).kind

    assert kind is not Kind.READ
    if KINDS[rpc][0] is not Kind.READ:
        assert kind is KINDS[rpc][0]


def test_deletes_and_sends_can_not_be_undone() -> None:
    """All the rest may be."""
    final = {
        rpc for rpc in KINDS if not grpc_action(f"a.B/{rpc}", "x", is_known_host=True).reversible
    }

    assert final == {"DeleteBucket", "Publish"}


@pytest.mark.parametrize(
    ("rpc", "kind"),
    [
        ("AccessSecretVersion", Kind.READ),
        ("GenerateAccessToken", Kind.ADMIN),
        ("SignJwt", Kind.ADMIN),
        ("Decrypt", Kind.UNKNOWN),
    ],
)
def test_calls_that_give_secrets_are_marked(rpc: str, kind: Kind) -> None:
    """Whatever their kind."""
    action = grpc_action(f"a.B/{rpc}", "google", is_known_host=True)

    assert (action.kind, action.sensitive) == (kind, "credentials")


def test_target_and_params_are_known_to_be_unread() -> None:
    """So no condition on them can be evaluated, and a rule that blocks matches."""
    action = grpc_action(f"{STORAGE}/DeleteBucket", "google", is_known_host=True)

    assert (action.target.id, dict(action.params)) == ("", {})
    assert action.missing == action.unreadable == {"target.id", "*"}


CALLS: dict[str, tuple[str, str, str, str, Kind]] = {
    "a deletion on a known host": (
        "storage.googleapis.com", "/google.storage.v2.Storage/DeleteBucket", "application/grpc",
        "google.storage.v2.Storage/DeleteBucket", Kind.DELETE,
    ),
    "a read on a known host": (
        "pubsub.googleapis.com", "/google.pubsub.v1.Publisher/GetTopic", "application/grpc+proto",
        "google.pubsub.v1.Publisher/GetTopic", Kind.READ,
    ),
    "another content type": (
        "pubsub.googleapis.com", "/google.pubsub.v1.Publisher/GetTopic", "application/json",
        "unknown", Kind.UNKNOWN,
    ),
    "a host that nobody mapped": (
        "grpc.example.com", "/shop.v1.Orders/GetOrder", "application/grpc", "unknown", Kind.UNKNOWN,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("host", "path", "media", "operation", "kind"), CALLS.values(), ids=CALLS
)  # fmt: skip
def test_calls_on_hosts(host: str, path: str, media: str, operation: str, kind: Kind) -> None:
    """On the hosts of a known provider the path is the operation."""
    canonicalizer = Canonicalizer.load([mappers_dir()])
    request = build_request("POST", f"https://{host}{path}", [("content-type", media)], b"\0\0\0")

    (action,) = canonicalizer.canonicalize(request).actions

    assert (action.operation, action.kind) == (operation, kind)
