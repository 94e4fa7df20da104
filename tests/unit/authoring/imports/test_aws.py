"""Rows of AWS from small models: wires, conditions, targets, params, kinds and hosts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.imports.aws_hosts import host_keys, signing_names
from gateway.authoring.imports.aws_kinds import judge
from gateway.authoring.imports.aws_models import Model, ModelOperation, load_models
from gateway.authoring.imports.aws_rows import section_of
from gateway.authoring.imports.aws_s3 import s3_facts
from gateway.canonicalize.catalog.row import Row, RowParam
from gateway.model.action import Kind

SHAPES: Mapping[str, Any] = {
    "Text": {"type": "string"},
    "Secret": {"type": "string", "sensitive": True},
    "Number": {"type": "integer"},
    "Flag": {"type": "boolean"},
    "Texts": {"type": "list", "member": {"shape": "Text"}},
    "Named": {"type": "list", "member": {"shape": "Text", "locationName": "VolumeId"}},
    "Flat": {
        "type": "list",
        "flattened": True,
        "member": {"shape": "Text", "locationName": "AttributeName"},
    },
    "Entries": {"type": "list", "member": {"shape": "Entry"}},
    "Entry": {
        "type": "structure",
        "members": {"taskId": {"shape": "Text"}, "note": {"shape": "Text"}},
        "required": ["taskId"],
    },
    "Credentials": {
        "type": "structure",
        "members": {"SecretAccessKey": {"shape": "Text"}, "SessionToken": {"shape": "Text"}},
    },
}


def model(
    folder: Path,
    operations: Mapping[str, Mapping[str, Any]],
    *,
    name: str = "things",
    protocol: str = "json",
    metadata: Mapping[str, Any] | None = None,
    urls: tuple[str, ...] = (),
) -> Model:
    """A service. An operation is its `http`, its input members, the required ones and output."""
    shapes = dict(SHAPES)
    described = {}
    for operation, value in operations.items():
        members = value.get("members", {})
        shapes[f"{operation}Input"] = {
            "type": "structure",
            "members": {
                key: {"shape": member} if isinstance(member, str) else member
                for key, member in members.items()
            },
            "required": list(value.get("required", ())),
        }
        described[operation] = {
            "name": operation,
            "http": value.get("http", {"method": "POST", "requestUri": "/"}),
            "input": {"shape": f"{operation}Input"},
            **{key: value[key] for key in ("readonly", "deprecated", "endpoint") if key in value},
        }
        if "output" in value:
            shapes[f"{operation}Output"] = {"type": "structure", "members": value["output"]}
            described[operation]["output"] = {"shape": f"{operation}Output"}
    top = {
        "apiVersion": "2020-01-02",
        "endpointPrefix": name,
        "protocol": protocol,
        "serviceId": name,
        **(metadata or {}),
    }
    place = folder / name / "2020-01-02"
    place.mkdir(parents=True)
    data = {"metadata": top, "operations": described, "shapes": shapes}
    (place / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(data).encode()))
    rules = {"rules": [{"endpoint": {"url": url, "properties": {}}} for url in urls]}
    (place / "endpoint-rule-set-1.json.gz").write_bytes(gzip.compress(json.dumps(rules).encode()))
    (found,) = load_models(folder)
    return found


def row(folder: Path, operation: str, value: Mapping[str, Any], **more: Any) -> Row:
    """The row of one operation."""
    (found,) = section_of(model(folder, {operation: value}, **more), {}).rows
    return found


ADDRESSES = {
    "JSON": ("json", "TableName", "Text", "body.TableName", False),
    "query": ("query", "TableName", "Text", "any.TableName", False),
    "EC2, with a capital": (
        "ec2",
        "TableName",
        {"shape": "Text", "locationName": "tableName"},
        "any.TableName",
        False,
    ),
    "EC2, by its own name": (
        "ec2",
        "TableNames",
        {"shape": "Named", "queryName": "Table", "locationName": "table"},
        "any.Table",
        True,
    ),
    "a list": ("json", "TableNames", "Texts", "body.TableNames", True),
    "a flat list of query": ("query", "TableNames", "Flat", "any.AttributeName", True),
    "CBOR": ("smithy-rpc-v2-cbor", "TableName", "Text", "body.TableName", False),
}


@pytest.mark.parametrize(
    ("protocol", "member", "shape", "address", "is_list"), ADDRESSES.values(), ids=ADDRESSES
)
def test_targets_are_where_the_protocol_puts_them(
    tmp_path: Path, protocol: str, member: str, shape: Any, address: str, is_list: bool
) -> None:
    """The member that goes with the operation's noun, under its name on the wire."""
    value = {"members": {"ClientToken": "Text", member: shape}, "required": [member]}
    found = row(tmp_path, "DeleteTable", value, protocol=protocol)

    assert (found.target_type, found.target_id, found.each) == ("table", address, is_list)
    assert found.wire == ""


TARGETS = {
    "each element of a list of objects": (
        "BatchUpdateTasks",
        {"tasks": "Entries"},
        ["tasks"],
        ("task", "body.tasks[*].taskId", True),
    ),
    "a list of names": (
        "BatchDeleteTasks",
        {"TaskNameList": "Texts"},
        ["TaskNameList"],
        ("task", "body.TaskNameList", True),
    ),
    "a member that is the noun": (
        "StopTask",
        {"task": "Text"},
        ["task"],
        ("task", "body.task", False),
    ),
    "the one needed text where no name fits": (
        "PutTargets",
        {"Rule": "Text", "Message": "Text"},
        ["Message", "Rule"],
        ("rule", "body.Rule", False),
    ),
    "an id that can be given of what is there": (
        "PutRecord",
        {"Data": "Text", "StreamName": "Text"},
        ["Data"],
        ("stream", "body.StreamName", False),
    ),
    "none for what is being made": (
        "CreateGrant",
        {"Pattern": "Text", "KmsKeyId": "Text"},
        ["Pattern"],
        ("grant", "", False),
    ),
    "never a secret": ("StopTask", {"taskToken": "Text"}, ["taskToken"], ("task", "", False)),
}


@pytest.mark.parametrize(("name", "members", "required", "target"), TARGETS.values(), ids=TARGETS)
def test_targets_by_name_and_by_place(
    tmp_path: Path, name: str, members: Any, required: list[str], target: tuple[str, str, bool]
) -> None:
    """A list is one act for each element; what fits no noun is taken where it is sure."""
    found = row(tmp_path, name, {"members": members, "required": required})

    assert (found.target_type, found.target_id, found.each) == target


def test_paths_and_query_conditions(tmp_path: Path) -> None:
    """A template becomes a wire, its query part conditions, and its variables addresses."""
    uri = "/v1/{accountId}/vaults/{vaultName}/tags?operation=add&list"
    value = {
        "http": {"method": "POST", "requestUri": uri},
        "members": {
            "accountId": {"shape": "Text", "location": "uri", "locationName": "accountId"},
            "vaultName": {"shape": "Text", "location": "uri", "locationName": "vaultName"},
            "force": {"shape": "Flag", "location": "querystring", "locationName": "force"},
            "count": "Number",
            "password": "Text",
            "note": "Secret",
        },
        "required": ["accountId", "vaultName", "count", "note"],
    }
    found = row(tmp_path, "TagVault", value, protocol="rest-json")

    assert found.wire == "POST /v1/{account_id}/vaults/{vault_name}/tags"
    assert found.when == {"query.operation": "add", "query.list": True}
    assert (found.target_type, found.target_id) == ("vault", "path.vault_name")
    assert found.params == {
        "account_id": RowParam("path.account_id"),
        "count": RowParam("body.count", "integer"),
        "force": RowParam("query.force", "boolean"),
    }


def test_reads_have_params_of_the_path_only(tmp_path: Path) -> None:
    """What a read filters by is nobody's rule."""
    value = {
        "http": {"method": "GET", "requestUri": "/things/{id}"},
        "members": {
            "id": {"shape": "Text", "location": "uri", "locationName": "id"},
            "status": {"shape": "Text", "location": "querystring", "locationName": "status"},
        },
        "required": ["id"],
    }
    found = row(tmp_path, "GetThing", value, protocol="rest-json")

    assert (found.kind, dict(found.params)) == (Kind.READ, {})
    assert (found.target_type, found.target_id) == ("thing", "path.id")


def operation(name: str, *, method: str = "POST", readonly: bool = False) -> ModelOperation:
    """An operation without members."""
    return ModelOperation(name, method, "/", {"readonly": readonly}, ())


def service(name: str, folder: Path) -> Model:
    """A service without operations of interest."""
    return model(folder, {}, name=name)


KINDS = {
    "IAM says read": ("DetectThings", "Read", False, Kind.READ),
    "IAM says write of what sounds like a read": ("GetToken", "Write", False, Kind.ADMIN),
    "IAM says write of what sounds like a listing": ("PollForJobs", "Write", False, Kind.EXECUTE),
    "IAM says permissions": ("PutThing", "Permissions management", False, Kind.ADMIN),
    "IAM says read of what acts": ("InvokeModel", "Read", False, Kind.EXECUTE),
    "a listing among the tagging": ("ListTagsForResource", "Tagging", False, Kind.READ),
    "IAM is silent, the trait speaks": ("ResolveThing", None, True, Kind.READ),
    "both are silent, the name speaks": ("DescribeThings", None, False, Kind.READ),
    "a name that may act": ("ValidateThing", None, False, Kind.UNKNOWN),
    "a name that nobody knows": ("FrobnicateThing", None, False, Kind.UNKNOWN),
    "a permission by its noun": ("AddPermission", None, False, Kind.ADMIN),
    "a planned deletion": ("ScheduleKeyDeletion", "Write", False, Kind.DELETE),
    "a message": ("SendMessage", "Write", False, Kind.SEND),
}


@pytest.mark.parametrize(("name", "level", "readonly", "kind"), KINDS.values(), ids=KINDS)
def test_kinds(tmp_path: Path, name: str, level: str | None, readonly: bool, kind: Kind) -> None:
    """The best authority first; what stays unsure is no read."""
    found = judge(service("things", tmp_path), operation(name, readonly=readonly), level)

    assert found.kind is kind


def test_every_change_of_an_identity_service_is_admin(tmp_path: Path) -> None:
    """Creating a user is an act on identities, whatever IAM's level is."""
    iam = service("iam", tmp_path)

    assert judge(iam, operation("CreateUser"), "Write").kind is Kind.ADMIN
    assert judge(iam, operation("ListUsers"), "List").kind is Kind.READ


REVERSIBLE = {
    "a deletion": ("DeleteTable", False),
    "a deletion of many": ("BatchDeleteTables", False),
    "a termination": ("TerminateInstances", False),
    "a planned deletion": ("ScheduleKeyDeletion", False),
    "a purchase": ("PurchaseOffering", False),
    "a message": ("SendMessage", False),
    "a stop": ("StopInstances", True),
    "tags that go": ("DeleteTags", True),
    "an association that goes": ("DeleteAssociation", True),
}


@pytest.mark.parametrize(("name", "is_reversible"), REVERSIBLE.values(), ids=REVERSIBLE)
def test_what_can_be_undone(tmp_path: Path, name: str, is_reversible: bool) -> None:
    """Deletions of data, purchases and messages can't be."""
    found = judge(service("things", tmp_path), operation(name), "Write")

    assert found.reversible is is_reversible


OUTPUTS = {
    "new credentials are no read": ({"C": {"shape": "Credentials"}}, Kind.EXECUTE, "credentials"),
    "a new token is no read": ({"AccessToken": {"shape": "Text"}}, Kind.EXECUTE, "credentials"),
    "a kept secret is a marked read": (
        {"SecretString": {"shape": "Text"}},
        Kind.READ,
        "credentials",
    ),
    "a next page is no secret": ({"NextToken": {"shape": "Text"}}, Kind.READ, ""),
    "a name of a secret is none": ({"SecretName": {"shape": "Text"}}, Kind.READ, ""),
}


@pytest.mark.parametrize(("output", "kind", "mark"), OUTPUTS.values(), ids=OUTPUTS)
def test_secrets_in_answers(
    tmp_path: Path, output: Mapping[str, Any], kind: Kind, mark: str
) -> None:
    """The names of an answer's members tell whether it carries secrets, and new ones."""
    found = row(tmp_path, "GetThing", {"output": output, "readonly": True})

    assert (found.kind, found.sensitive) == (kind, mark)


RULES = {
    "a region": ("https://things.{Region}.{PartitionResult#dnsSuffix}", "things"),
    "FIPS": ("https://things-fips.{Region}.{PartitionResult#dnsSuffix}", "things"),
    "two labels": ("https://data.things.{Region}.amazonaws.com", "data.things"),
    "an account in front": (
        "https://{ParsedArn#accountId}.t2.{Region}.{PartitionResult#dualStackDnsSuffix}",
        "*.t2",
    ),
}


@pytest.mark.parametrize(("url", "key"), RULES.values(), ids=RULES)
def test_hosts_come_from_the_endpoint_rules(tmp_path: Path, url: str, key: str) -> None:
    """A rule's URL without its regions is what the host is looked up by."""
    found = host_keys(model(tmp_path, {}, urls=(url,)))

    assert set(found) == {"things", key}


def test_labels_of_operations_stand_before_hosts(tmp_path: Path) -> None:
    """`stream-` and `data.` of single operations are hosts of the service too."""
    value = {"endpoint": {"hostPrefix": "stream-"}}
    found = model(tmp_path, {"Watch": value, "Read": {"endpoint": {"hostPrefix": "{AccountId}."}}})

    assert host_keys(found) == ("*.things", "stream-things", "things")
    assert signing_names(found) == ("things",)


def test_facts_for_the_selector(tmp_path: Path) -> None:
    """Protocols, names and version, so that a section is found before it is read."""
    metadata = {
        "protocols": ["smithy-rpc-v2-cbor", "json"],
        "awsQueryCompatible": {},
        "targetPrefix": "ThingService",
        "signingName": "thing",
        "endpointPrefix": "api.things",
    }
    section = section_of(model(tmp_path, {}, metadata=metadata), {})

    assert section.facts == {
        "hosts": ["api.things"],
        "signs": ["thing"],
        "speaks": ["json", "query", "cbor"],
        "target": "ThingService",
        "version": "2020-01-02",
        "errors": "aws_json",
    }


def test_the_table_of_s3(tmp_path: Path) -> None:
    """Keys that a request must have, those that it may have, and those that mean nothing."""

    def query(name: str) -> dict[str, str]:
        return {"shape": "Text", "location": "querystring", "locationName": name}

    key = "/{Bucket}/{Key+}"
    found = s3_facts(
        model(
            tmp_path,
            {
                "PutObject": {"http": {"method": "PUT", "requestUri": key}},
                "CopyObject": {
                    "http": {"method": "PUT", "requestUri": key},
                    "members": {
                        "CopySource": {
                            "shape": "Text",
                            "location": "header",
                            "locationName": "x-amz-copy-source",
                        }
                    },
                    "required": ["CopySource"],
                },
                "UploadPart": {
                    "http": {"method": "PUT", "requestUri": key},
                    "members": {"PartNumber": query("partNumber")},
                    "required": ["PartNumber"],
                },
                "GetObject": {
                    "http": {"method": "GET", "requestUri": key},
                    "members": {"PartNumber": query("partNumber"), "Range": query("range")},
                },
                "GetAcl": {"http": {"method": "GET", "requestUri": "/{Bucket}?acl"}},
                "GetOldAcl": {
                    "http": {"method": "GET", "requestUri": "/{Bucket}?acl"},
                    "deprecated": True,
                },
            },
            name="s3",
            protocol="rest-xml",
        )
    )

    assert found["choices"] == [
        ["CopyObject", "object", "PUT", ["copy-source"], []],
        ["GetAcl", "bucket", "GET", ["acl"], []],
        ["GetObject", "object", "GET", [], ["partNumber"]],
        ["PutObject", "object", "PUT", [], []],
        ["UploadPart", "object", "PUT", ["partNumber"], []],
    ]
    assert found["harmless"] == ["range", "versionId"]
