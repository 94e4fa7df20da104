"""Discovery documents -> rows: wires from patterns, kinds that are never too mild, targets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.imports.google.documents import DiscoveryDocument, Method, load_documents
from gateway.authoring.imports.google.kinds import can_be_undone, google_kind, google_sensitivity
from gateway.authoring.imports.google.wires import google_wires
from gateway.authoring.imports.google.words import google_action
from gateway.authoring.imports.providers.google import section_hosts, sections_of
from gateway.canonicalize.authored.row import Row
from gateway.model.action import Kind

TOPIC = "^projects/[^/]+/topics/[^/]+$"


def method(identity: str, http_method: str = "POST", **more: Any) -> Method:
    """A method with nothing but its name and what is given."""
    siblings = more.pop("siblings", frozenset())
    values: dict[str, Any] = {
        "path": "/v1/x",
        "uploads": (),
        "downloads": (),
        "parameters": {},
        "request": {},
    }
    return Method(identity, http_method, siblings=siblings, **{**values, **more})


@pytest.mark.parametrize(
    ("template", "patterns", "expected"),
    [
        pytest.param(
            "/v1/{+topic}:publish", {"topic": TOPIC},
            ["/v1/projects/{project}/topics/{topic}:publish"],
            id="a reserved variable becomes the segments of its pattern",
        ),
        pytest.param(
            "/v1/{+parent}/secrets/{secretId}", {"parent": "^projects/[^/]+$"},
            ["/v1/projects/{project}/secrets/{secret_id}"],
            id="other variables stay",
        ),
        pytest.param(
            "/v1/{+name}", {"name": "^projects/[^/]+/secrets/[^/]+$"},
            ["/v1/projects/{project}/secrets/{secret_name}"],
            id="the name of a secret is no secret, and may be an id",
        ),
        pytest.param(
            "/v1/{+name}:cancel", {"name": "^operations/.*$"},
            ["/v1/operations/{operation+}:cancel", "/v1/operations/{operation}:cancel"],
            id="what takes the rest is there with one segment too, before its plain sibling",
        ),
        pytest.param(
            "/v1/{+a}/{+b}", {}, ["/v1/{a}/{b+}"],
            id="without a pattern it takes the rest, and only the last one can",
        ),
        pytest.param(
            "/v1/{+name}", {"name": "^a/[^/]+/a/[^/]+$"}, ["/v1/a/{a}/a/{a_2}"],
            id="a name that is taken gets a number",
        ),
        pytest.param(
            "/b/{bucket}/o/{object}", {}, ["/b/{bucket}/o/{object}"], id="a plain template",
        ),
    ],
)  # fmt: skip
def test_templates_are_expanded_as_clients_send_them(
    template: str, patterns: Mapping[str, str], expected: list[str]
) -> None:
    """The path of a wire has every literal segment that the client will send."""
    parameters = {name: {"pattern": pattern} for name, pattern in patterns.items()}

    assert [wire.path for wire in google_wires(template, parameters)] == expected


def test_documents_and_collections_of_firestore_are_told_apart_by_their_depth() -> None:
    """An even number of segments is a document."""
    pattern = "^projects/[^/]+/databases/[^/]+/documents/[^/]+/.*$"
    found = [wire.path for wire in google_wires("/v1/{+name}", {"name": {"pattern": pattern}})]

    tails = [path.partition("/documents/")[2].count("/") + 1 for path in found]
    assert found[0].endswith("+}")
    assert tails[1:] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("identity", "http_method", "kind"),
    [
        ("storage.buckets.get", "GET", Kind.READ),
        ("storage.buckets.delete", "DELETE", Kind.DELETE),
        ("storage.buckets.insert", "POST", Kind.CREATE),
        ("storage.buckets.patch", "PATCH", Kind.UPDATE),
        ("storage.buckets.setIamPolicy", "PUT", Kind.ADMIN),
        ("storage.bucketAccessControls.delete", "DELETE", Kind.ADMIN),
        ("pubsub.projects.topics.publish", "POST", Kind.SEND),
        ("pubsub.projects.topics.testIamPermissions", "POST", Kind.READ),
        ("pubsub.projects.subscriptions.pull", "POST", Kind.EXECUTE),
        ("compute.zoneOperations.wait", "POST", Kind.READ),
        ("calendar.acl.watch", "POST", Kind.ADMIN),
        ("drive.channels.stop", "POST", Kind.EXECUTE),
        ("drive.files.copy", "POST", Kind.CREATE),
        ("bigquery.jobs.query", "POST", Kind.EXECUTE),
        ("datastore.projects.runQuery", "POST", Kind.READ),
        ("cloudbilling.billingAccounts.move", "GET", Kind.UPDATE),
        ("aiplatform.projects.locations.datasets.datasetVersions.restore", "GET", Kind.UPDATE),
        ("cloudshell.users.environments.generateAccessToken", "GET", Kind.ADMIN),
        ("iam.projects.serviceAccounts.keys.create", "POST", Kind.ADMIN),
        ("iamcredentials.projects.serviceAccounts.signJwt", "POST", Kind.ADMIN),
        ("directory.users.insert", "POST", Kind.ADMIN),
        ("gmail.users.messages.send", "POST", Kind.SEND),
        ("content.orderreports.listdisbursements", "POST", Kind.READ),
        ("content.orders.createtestorder", "POST", Kind.CREATE),
        ("container.projects.zones.clusters.addons", "POST", Kind.UPDATE),
        ("vault.matters.count", "POST", Kind.EXECUTE),
        ("some.things.frobnicate", "POST", Kind.EXECUTE),
        ("some.things.frobnicate", "PUT", Kind.UPDATE),
    ],
)
def test_kinds(identity: str, http_method: str, kind: Kind) -> None:
    """By name and method; a POST is a read by a reviewed name only."""
    assert google_kind(method(identity, http_method)) is kind


@pytest.mark.parametrize(
    ("identity", "http_method", "marked"),
    [
        ("secretmanager.projects.secrets.versions.access", "GET", True),
        ("iam.projects.serviceAccounts.keys.create", "POST", True),
        ("iam.projects.serviceAccounts.keys.list", "GET", False),
        ("iamcredentials.projects.serviceAccounts.generateAccessToken", "POST", True),
        ("androidenterprise.enterprises.getServiceAccount", "GET", True),
        ("bigquery.projects.getServiceAccount", "GET", False),
        ("aiplatform.endpoints.countTokens", "POST", False),
    ],
)
def test_what_makes_or_shows_credentials_is_marked(
    identity: str, http_method: str, marked: bool
) -> None:
    """Even where it is a read."""
    found = google_sensitivity(method(identity, http_method))

    assert found == ("credentials" if marked else "")


@pytest.mark.parametrize(
    ("identity", "http_method", "siblings", "undone"),
    [
        ("storage.objects.delete", "DELETE", (), False),
        ("apikeys.projects.locations.tables.delete", "DELETE", ("undelete",), True),
        ("drive.files.trash", "POST", (), True),
        ("cloudkms.cryptoKeyVersions.destroy", "POST", (), False),
        ("gmail.users.messages.send", "POST", (), False),
        ("content.orders.refund", "POST", (), False),
        ("calendar.acl.delete", "DELETE", (), True),
        ("directory.users.delete", "DELETE", (), False),
        ("storage.buckets.patch", "PATCH", (), True),
    ],
)
def test_what_can_be_undone(
    identity: str, http_method: str, siblings: tuple[str, ...], undone: bool
) -> None:
    """Deletes without an undelete, sends and refunds can't."""
    given = method(identity, http_method, siblings=frozenset(siblings))

    assert can_be_undone(given, google_kind(given)) is undone


@pytest.mark.parametrize(
    ("identity", "http_method", "action"),
    [
        ("storage.buckets.insert", "POST", "create_bucket"),
        ("storage.buckets.list", "GET", "list_bucket"),
        ("storage.buckets.setIamPolicy", "PUT", "set_bucket_iam_policy"),
        ("compute.instances.aggregatedList", "GET", "list_instance"),
        ("storage.bucketAccessControls.patch", "PATCH", "update_bucket_access_control"),
        ("dialogflow.intents.batchDelete", "POST", "batch_delete_intent"),
        ("calendar.events.instances", "GET", "get_event_instance"),
        ("androidpublisher.orders.refundexternaltransaction", "POST",
         "refund_order_externaltransaction"),
        ("oauth2.tokeninfo", "POST", "tokeninfo_oauth_2"),
    ],
)  # fmt: skip
def test_derived_actions(identity: str, http_method: str, action: str) -> None:
    """Verb, then what it acts on, in the singular."""
    assert google_action(method(identity, http_method)) == action


# --- whole documents ------------------------------------------------------------------------------

DOCUMENT: dict[str, Any] = {
    "name": "things",
    "version": "v1",
    "rootUrl": "https://things.googleapis.com/",
    "mtlsRootUrl": "https://things.mtls.googleapis.com/",
    "servicePath": "things/v1/",
    "endpoints": [
        {"endpointUrl": "https://things.us-east1.rep.googleapis.com/"},
        {"endpointUrl": "https://us-east1-things.googleapis.com/"},
    ],
    "parameters": {"key": {"type": "string", "location": "query"}},
    "schemas": {
        "Thing": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "password": {"type": "string"},
                "state": {"type": "string", "description": "Output only. Its state."},
                "sizeGb": {"type": "string", "format": "int64"},
                "role": {"type": "string"},
                "labels": {"type": "array", "items": {"type": "string"}},
                "etag": {"type": "string"},
            },
        }
    },
    "resources": {
        "things": {
            "methods": {
                "insert": {
                    "id": "things.things.insert",
                    "httpMethod": "POST",
                    "path": "shops/{shop}/things",
                    "parameters": {
                        "shop": {"type": "string", "location": "path", "required": True},
                        "force": {"type": "boolean", "location": "query"},
                        "key": {"type": "string", "location": "query"},
                    },
                    "request": {"$ref": "Thing"},
                    "mediaUpload": {
                        "protocols": {
                            "simple": {"path": "/upload/things/v1/shops/{shop}/things"},
                            "resumable": {
                                "path": "/resumable/upload/things/v1/shops/{shop}/things"
                            },
                        }
                    },
                },
                "get": {
                    "id": "things.things.get",
                    "httpMethod": "GET",
                    "path": "{+name}",
                    "useMediaDownloadService": True,
                    "parameters": {
                        "name": {
                            "type": "string",
                            "location": "path",
                            "pattern": "^shops/[^/]+/things/[^/]+$",
                        }
                    },
                },
            }
        }
    },
}


def documents(tmp_path: Path, *values: Mapping[str, Any]) -> list[DiscoveryDocument]:
    """Documents as they stand in the unpacked package."""
    folder = tmp_path / "googleapiclient" / "discovery_cache" / "documents"
    folder.mkdir(parents=True)
    for value in values:
        path = folder / f"{value['name']}.{value['version']}.json"
        path.write_text(json.dumps(value))
    (folder / "index.json").write_text('{"items": []}')
    return load_documents(tmp_path)


def rows_of(found: list[DiscoveryDocument]) -> dict[str, Row]:
    """The rows of the only section, by wire."""
    (section,) = sections_of(found)
    return {row.wire: row for row in section.rows}


def test_a_document_becomes_a_section(tmp_path: Path) -> None:
    """Its methods, downloads and uploads, and the PUT that goes on with a resumable upload."""
    rows = rows_of(documents(tmp_path, DOCUMENT))

    assert sorted(rows) == [
        "GET /download/things/v1/shops/{shop}/things/{thing}",
        "GET /things/v1/shops/{shop}/things/{thing}",
        "POST /resumable/upload/things/v1/shops/{shop}/things",
        "POST /things/v1/shops/{shop}/things",
        "POST /upload/things/v1/shops/{shop}/things",
        "PUT /resumable/upload/things/v1/shops/{shop}/things",
        "PUT /upload/things/v1/shops/{shop}/things",
    ]
    assert {row.operation for row in rows.values()} == {"things.things.insert", "things.things.get"}


def test_targets_and_params(tmp_path: Path) -> None:
    """The new thing by its name; the whole resource name; never a secret, nor what is output."""
    rows = rows_of(documents(tmp_path, DOCUMENT))
    made = rows["POST /things/v1/shops/{shop}/things"]
    read = rows["GET /things/v1/shops/{shop}/things/{thing}"]
    uploaded = rows["POST /upload/things/v1/shops/{shop}/things"]

    assert (made.target_type, made.target_id) == ("thing", "body.name")
    assert {name: (param.source, param.type) for name, param in made.params.items()} == {
        "shop": ("path.shop", "text"),
        "role": ("body.role", "text"),
        "force": ("query.force", "boolean"),
        "labels": ("body.labels", "list"),
    }
    assert (read.target_type, read.target_id) == ("thing", "shops/{path.shop}/things/{path.thing}")
    assert not read.params
    assert uploaded.target_id == "path.shop"
    assert not any(param.source.startswith("body.") for param in uploaded.params.values())


def test_hosts(tmp_path: Path) -> None:
    """Its own, mutual TLS, and every location in both notations."""
    (document,) = documents(tmp_path, DOCUMENT)

    assert section_hosts(document) == (
        "*-things.googleapis.com",
        "things.*.rep.googleapis.com",
        "things.googleapis.com",
        "things.mtls.googleapis.com",
    )


def test_two_versions_of_a_host_share_no_wire(tmp_path: Path) -> None:
    """The stable one keeps it; a document with nothing of its own has no section."""
    preview = {**DOCUMENT, "version": "v1beta1"}
    found = sections_of(documents(tmp_path, preview, DOCUMENT))

    assert [section.name for section in found] == ["things:v1"]
