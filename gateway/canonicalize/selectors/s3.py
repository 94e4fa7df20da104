"""Tells which of S3's operations a request is: level, method, query keys and the copy header.

In S3 one path means many operations; a query key tells them apart. The table comes from the
catalog's facts. What is not in it is unknown: a new sub-resource never reads as a plain GET.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.reader import RequestReader
from gateway.canonicalize.selectors.aws_hosts import Style
from gateway.model.dataclass import dataclass

SERVICE, BUCKET, OBJECT = "service", "bucket", "object"
COPY = "copy-source"
"""Stands among the keys where the request names an object to copy from."""

_SIGNING = frozenset({"AWSAccessKeyId", "Signature", "Expires", "x-id"})
"""Keys of old signatures, and the SDKs' own name of the operation; S3 acts on none of them."""

_Choice = tuple[str, str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class S3Table:
    """`harmless` keys choose a part or a page of an answer; they never choose an operation."""

    operations: Mapping[_Choice, str]
    harmless: frozenset[str]

    def find(self, level: str, method: str, query: Collection[str], *, copies: bool) -> str | None:
        """The operation's name, or None where the table has none."""
        keys = _NO_KEYS
        if query or copies:
            chosen = {
                key for key in query if key not in self.harmless and key[:6].lower() != "x-amz-"
            }
            # A presigned URL may carry the header as a query key.
            if copies or any(key.lower() == "x-amz-copy-source" for key in query):
                chosen.add(COPY)
            keys = frozenset(chosen)
        return self.operations.get((level, method, keys))


_NO_KEYS: frozenset[str] = frozenset()


def s3_table(facts: Mapping[str, Any]) -> S3Table:
    """Build the table from the facts: rows of operation, level, method, keys that it must have,
    keys that it may have; and the keys that mean nothing."""
    operations: dict[_Choice, str] = {}
    for name, level, method, needed, possible in facts.get("choices", ()):
        for more in _subsets(possible):
            operations[level, method, frozenset((*needed, *more))] = name
    return S3Table(operations, frozenset(facts.get("harmless", ())) | _SIGNING)


def _subsets(keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(keys, size) for size in range(len(keys) + 1))


def s3_call(
    table: S3Table, reader: RequestReader, style: Style, bucket: str, segments: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """Rewrite to bucket and key, whatever the host style, and look the operation up.

    Raises:
        AmbiguityError: two copy sources.
    """
    method = reader.request.method
    if style is Style.OBJECT_LAMBDA and list(segments) == ["WriteGetObjectResponse"]:
        name = "WriteGetObjectResponse" if method == "POST" else None
        return name, (bucket, "")
    if bucket:
        key = "/".join(segments)
    else:
        bucket, key = segments[0], "/".join(segments[1:])
    level = OBJECT if key else BUCKET if bucket else SERVICE
    fields = reader.request.fields
    if b"x-amz-copy-source" in reader.request.repeated:
        raise AmbiguityError(ambiguity.HEADER, "two copy sources")
    copies = b"x-amz-copy-source" in fields
    query = reader.query.values if reader.raw_query else {}
    name = table.find(level, method, query, copies=copies)
    if style is Style.EXPRESS_CONTROL and name == "ListBuckets":
        name = "ListDirectoryBuckets"
    if name is None and level == BUCKET and method == "POST" and not query and _is_form(fields):
        # A browser's upload: the key is in the form, so the target stays unread.
        name = "PutObject"
    return name, (bucket, key)


def _is_form(fields: Mapping[bytes, bytes]) -> bool:
    return fields.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
