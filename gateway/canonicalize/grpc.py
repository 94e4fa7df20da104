"""Tells what a gRPC call does from its path alone: `/google.storage.v2.Storage/DeleteBucket`.

The body is a stream of framed protobuf messages, which can't be read without the service's own
description, so there is no target id and there are no params. Never calls a read what it isn't sure
of: a name says nothing of who answers to it, so only on the hosts of a known provider, and only
`Get`, `List` and the like, is it a read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType

from gateway.canonicalize.naming.kinds import derived_kind, raised_kind, sensitivity
from gateway.canonicalize.naming.words import derived_action, singular, words_of
from gateway.model.action import ANY_PARAM, Action, Kind, Target

NAME_CHARS_MAX = 300
"""A longer name is no service's; the longest of Google's has some 120."""

_MEDIA_TYPE = re.compile(r"application/grpc(?:-web(?:-text)?)?(?:\+[a-z0-9.-]+)?", re.IGNORECASE)
_NAME = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*\.)*[A-Za-z_][A-Za-z0-9_]*/[A-Za-z_][A-Za-z0-9_]*")
_SURE_READS = frozenset({"get", "list", "describe", "lookup"})
_HOW = frozenset({"batch"})
"""The one word that can stand before a verb of a read."""
_STREAMED = frozenset({"stream", "streaming", "bidi", "watch", "listen", "subscribe", "tail"})
"""Calls that stay open, and so can do more than their name says."""
_SECOND_ACTS = frozenset({"and", "or", "then"})
_CREDENTIALS = frozenset(
    {
        "GenerateAccessToken", "GenerateIdToken", "SignBlob", "SignJwt", "CreateServiceAccountKey",
        "CreateKey", "CreateHmacKey", "GetKeyString", "AccessSecretVersion", "Decrypt",
        "AsymmetricDecrypt", "RawDecrypt",
    }
)  # fmt: skip
"""RPCs of Google that make credentials or send secrets back."""
_IMPERSONATES = frozenset({"GenerateAccessToken", "GenerateIdToken", "SignBlob", "SignJwt"})
_ONE_BY_ONE = MappingProxyType({"AccessSecretVersion": Kind.READ, "TestIamPermissions": Kind.READ})
"""Reads of Google whose verbs read nowhere else."""
_UNREAD = frozenset({"target.id", ANY_PARAM})


def grpc_operation(path: str, content_type: str) -> str | None:
    """The operation of a POST, `package.Service/Method`; None where it is no gRPC call.

    `path` is the path as it is sent, without a query: gRPC encodes nothing in it.
    """
    media_type = content_type.partition(";")[0].strip()
    if _MEDIA_TYPE.fullmatch(media_type) is None:
        return None
    name = path.removeprefix("/")
    if len(path) != len(name) + 1 or len(name) > NAME_CHARS_MAX:
        return None
    return name if _NAME.fullmatch(name) else None


def grpc_action(operation: str, provider: str, *, is_known_host: bool) -> Action:
    """What a call does. `is_known_host`: a catalog describes the API that answers at this host."""
    rpc = operation.rpartition("/")[2]
    words = words_of(rpc)
    kind = _kind(rpc, words, is_known_host=is_known_host)
    marked = rpc in _CREDENTIALS or bool(sensitivity(kind, words))
    return Action(
        provider,
        operation,
        _name(words),
        kind,
        Target(_target_type(words), ""),
        reversible=kind not in (Kind.DELETE, Kind.SEND),
        sensitive="credentials" if marked else None,
        missing=_UNREAD,
        unreadable=_UNREAD,
    )


def _kind(rpc: str, words: Sequence[str], *, is_known_host: bool) -> Kind:
    if rpc in _IMPERSONATES:
        return Kind.ADMIN
    kind = raised_kind(derived_kind(words), words)
    if rpc in _ONE_BY_ONE and is_known_host:
        return _ONE_BY_ONE[rpc]
    if kind is not Kind.READ:
        return Kind.ADMIN if rpc == "SetIamPolicy" else kind
    first = next((word for word in words if word not in _HOW), "")
    unsure = not _STREAMED.isdisjoint(words) or not _SECOND_ACTS.isdisjoint(words)
    return kind if is_known_host and first in _SURE_READS and not unsure else Kind.UNKNOWN


def _name(words: Sequence[str]) -> str:
    """`DeleteBucket` -> `delete_bucket`."""
    return derived_action(words[0], list(words[1:])) if words else "call_operation"


def _target_type(words: Sequence[str]) -> str:
    """What stands behind the verb: `CreateServiceAccountKey` acts on a `service_account_key`."""
    nouns = [word for word in words if word not in _HOW][1:]
    return "_".join([*nouns[:-1], singular(nouns[-1])]) if nouns else ""
