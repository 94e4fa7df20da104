"""Rows of AWS from small models: wires, conditions, targets, params, hosts and facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.authoring.imports.aws.hosts import host_keys, signing_names
from gateway.authoring.imports.aws.rows import section_of
from gateway.authoring.imports.aws.s3 import s3_facts
from gateway.canonicalize.authored.row import RowParam
from gateway.model.action import Kind
from tests.unit.authoring.imports.aws_small import model, row

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
