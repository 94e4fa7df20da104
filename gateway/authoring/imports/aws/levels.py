"""IAM's access level of each operation: the word of AWS itself on what reads and what doesn't."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.aws.models import Model

READS = frozenset({"Read", "List"})
TAGGING = "Tagging"
PERMISSIONS = "Permissions management"

_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "mturk": ("mechanicalturk",),
    "iot-data": ("iot",),
    "iot-jobs-data": ("iotjobsdata", "iot"),
    "iotsecuretunneling": ("iot",),
    "resourcegroupstaggingapi": ("tag",),
    "cloudcontrol": ("cloudformation",),
    "partnercentral-account": ("partnercentral",),
    "partnercentral-benefits": ("partnercentral",),
    "partnercentral-channel": ("partnercentral",),
    "partnercentral-selling": ("partnercentral",),
    "s3control": ("s3", "s3-outposts", "s3express"),
    "s3": ("s3", "s3express"),
}
"""Services whose prefix in IAM is neither their signing name nor one of their names."""
_S3_NAMES = {
    "ListBuckets": "ListAllMyBuckets", "ListDirectoryBuckets": "ListAllMyDirectoryBuckets",
    "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions", "HeadObject": "GetObject",
    "ListMultipartUploads": "ListBucketMultipartUploads", "ListParts": "ListMultipartUploadParts",
    "CopyObject": "PutObject", "UploadPart": "PutObject", "UploadPartCopy": "PutObject",
    "CreateMultipartUpload": "PutObject", "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject", "SelectObjectContent": "GetObject",
    "WriteGetObjectResponse": "PutObject", "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}  # fmt: skip
"""Operations of S3 that IAM knows by another name."""

_OTHER_NAMES = {
    "timestream-query.Query": "Select", "dynamodb.TransactWriteItems": "PutItem",
    "dynamodb.TransactGetItems": "GetItem", "dynamodb.ExecuteStatement": "PartiQLUpdate",
    "dynamodb.BatchExecuteStatement": "PartiQLUpdate", "kms.ReEncrypt": "ReEncryptFrom",
    "dynamodb.ExecuteTransaction": "PartiQLUpdate", "bedrock-runtime.Converse": "InvokeModel",
    "bedrock-runtime.ConverseStream": "InvokeModelWithResponseStream",
    "sqs.SendMessageBatch": "SendMessage", "sqs.DeleteMessageBatch": "DeleteMessage",
    "sqs.ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}  # fmt: skip

Levels = Mapping[str, Mapping[str, str]]


def load_levels(file: Path) -> Levels:
    """Level by prefix and lower-case action."""
    definition = json.loads(file.read_bytes())
    return {
        prefix: {
            name.lower(): value["access_level"] for name, value in service["privileges"].items()
        }
        for prefix, service in definition.items()
        if isinstance(service, Mapping)
    }


def level_of(levels: Levels, model: Model, operation: str) -> str | None:
    """The access level of an operation; None where IAM has no action of its name."""
    name = _OTHER_NAMES.get(f"{model.name}.{operation}", operation)
    if model.name == "s3":
        name = _S3_NAMES.get(operation, operation)
    identity = str(model.metadata["serviceId"]).lower()
    for prefix in (
        model.signing_name,
        model.metadata["endpointPrefix"],
        model.name,
        identity.replace(" ", "-"),
        identity.replace(" ", ""),
        *_PREFIXES.get(model.name, ()),
    ):
        found = levels.get(prefix, {}).get(name.lower())
        if found is not None:
            return found
    return None
