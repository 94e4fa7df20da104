"""The table of S3's operations: level, method, query keys and the copy header.

In S3 one path means many operations; a query key tells them apart. What is not in the table is
unknown: a new sub-resource never reads as a plain GET.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum


class Level(StrEnum):
    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


_HARMLESS = frozenset(
    {
        "prefix", "delimiter", "marker", "max-keys", "encoding-type", "continuation-token",
        "fetch-owner", "start-after", "versionId", "x-id", "key-marker", "upload-id-marker",
        "max-uploads", "max-parts", "part-number-marker", "version-id-marker", "max-buckets",
        "bucket-region", "AWSAccessKeyId", "Signature", "Expires", "response-content-type",
        "response-content-language", "response-expires", "response-cache-control",
        "response-content-disposition", "response-content-encoding",
    }
)  # fmt: skip
"""Keys that choose a part or a page of an answer, or sign; they never choose an operation."""

_CONFIGURATIONS = {
    "accelerate": "AccelerateConfiguration", "acl": "Acl", "cors": "Cors",
    "encryption": "Encryption", "lifecycle": "LifecycleConfiguration", "logging": "Logging",
    "notification": "NotificationConfiguration", "ownershipControls": "OwnershipControls",
    "policy": "Policy", "replication": "Replication", "requestPayment": "RequestPayment",
    "tagging": "Tagging", "versioning": "Versioning", "website": "Website",
}  # fmt: skip
"""Sub-resources of a bucket that have Get, Put and some a Delete."""

_NOT_DELETABLE = frozenset(
    {"accelerate", "acl", "logging", "notification", "requestPayment", "versioning"}
)
_DELETED_NAMES = {"lifecycle": "DeleteBucketLifecycle"}
_IDENTIFIED = {
    "analytics": "Analytics", "intelligent-tiering": "IntelligentTiering",
    "inventory": "Inventory", "metrics": "Metrics",
}  # fmt: skip
"""Sub-resources of which a bucket has many, each with an `id`; without it they are listed."""

Choice = tuple[Level, str, frozenset[str]]


def _table() -> Mapping[Choice, str]:
    table: dict[Choice, str] = {}

    def put(level: Level, method: str, keys: str, operation: str) -> None:
        table[level, method, frozenset(keys.split())] = operation

    bucket, thing = Level.BUCKET, Level.OBJECT
    put(Level.SERVICE, "GET", "", "ListBuckets")
    for level, method, keys, operation in (
        (bucket, "PUT", "", "CreateBucket"),
        (bucket, "DELETE", "", "DeleteBucket"),
        (bucket, "HEAD", "", "HeadBucket"),
        (bucket, "GET", "", "ListObjects"),
        (bucket, "GET", "list-type", "ListObjectsV2"),
        (bucket, "GET", "versions", "ListObjectVersions"),
        (bucket, "GET", "uploads", "ListMultipartUploads"),
        (bucket, "GET", "location", "GetBucketLocation"),
        (bucket, "GET", "policyStatus", "GetBucketPolicyStatus"),
        (bucket, "GET", "object-lock", "GetObjectLockConfiguration"),
        (bucket, "PUT", "object-lock", "PutObjectLockConfiguration"),
        (bucket, "GET", "publicAccessBlock", "GetPublicAccessBlock"),
        (bucket, "PUT", "publicAccessBlock", "PutPublicAccessBlock"),
        (bucket, "DELETE", "publicAccessBlock", "DeletePublicAccessBlock"),
        (bucket, "POST", "delete", "DeleteObjects"),
        (thing, "GET", "", "GetObject"),
        (thing, "GET", "partNumber", "GetObject"),
        (thing, "HEAD", "", "HeadObject"),
        (thing, "HEAD", "partNumber", "HeadObject"),
        (thing, "PUT", "", "PutObject"),
        (thing, "PUT", "copy-source", "CopyObject"),
        (thing, "DELETE", "", "DeleteObject"),
        (thing, "POST", "uploads", "CreateMultipartUpload"),
        (thing, "POST", "uploadId", "CompleteMultipartUpload"),
        (thing, "DELETE", "uploadId", "AbortMultipartUpload"),
        (thing, "GET", "uploadId", "ListParts"),
        (thing, "PUT", "uploadId partNumber", "UploadPart"),
        (thing, "PUT", "uploadId partNumber copy-source", "UploadPartCopy"),
        (thing, "GET", "acl", "GetObjectAcl"),
        (thing, "PUT", "acl", "PutObjectAcl"),
        (thing, "GET", "tagging", "GetObjectTagging"),
        (thing, "PUT", "tagging", "PutObjectTagging"),
        (thing, "DELETE", "tagging", "DeleteObjectTagging"),
        (thing, "GET", "attributes", "GetObjectAttributes"),
        (thing, "GET", "retention", "GetObjectRetention"),
        (thing, "PUT", "retention", "PutObjectRetention"),
        (thing, "GET", "legal-hold", "GetObjectLegalHold"),
        (thing, "PUT", "legal-hold", "PutObjectLegalHold"),
        (thing, "GET", "torrent", "GetObjectTorrent"),
        (thing, "POST", "restore", "RestoreObject"),
        (thing, "POST", "select select-type", "SelectObjectContent"),
    ):
        put(level, method, keys, operation)
    for key, name in _CONFIGURATIONS.items():
        put(bucket, "GET", key, f"GetBucket{name}")
        put(bucket, "PUT", key, f"PutBucket{name}")
        if key not in _NOT_DELETABLE:
            put(bucket, "DELETE", key, _DELETED_NAMES.get(key, f"DeleteBucket{name}"))
    for key, name in _IDENTIFIED.items():
        put(bucket, "GET", key, f"ListBucket{name}Configurations")
        for method, verb in (("GET", "Get"), ("PUT", "Put"), ("DELETE", "Delete")):
            put(bucket, method, f"{key} id", f"{verb}Bucket{name}Configuration")
    return table


_OPERATIONS = _table()
_NO_KEYS: frozenset[str] = frozenset()


def s3_operation(level: Level, method: str, query: Collection[str], *, copies: bool) -> str | None:
    """The operation's name, or None where the table has none. `copies`: a copy source is named."""
    keys = _NO_KEYS
    if query or copies:
        chosen = {key for key in query if key not in _HARMLESS and key[:6].lower() != "x-amz-"}
        # A presigned URL may carry the header as a query key.
        if copies or any(key.lower() == "x-amz-copy-source" for key in query):
            chosen.add("copy-source")
        keys = frozenset(chosen)
    return _OPERATIONS.get((level, method, keys))
