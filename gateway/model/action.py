"""The canonical action: what a request means, whatever API it is written in."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from gateway.model.dataclass import dataclass
from gateway.model.exchange import Authority, Exchange, HttpRequest
from gateway.model.quick import quick

ParamValue = str | int | bool | None | Sequence["ParamValue"] | Mapping[str, "ParamValue"]
"""Floats are left out on purpose: money is integer minor units, other decimals stay text."""

_NO_PARAMS: Mapping[str, ParamValue] = MappingProxyType({})

UNKNOWN_OPERATION = "unknown"

ANY_PARAM = "*"
"""In `Action.unreadable`: more came than could be named."""


class Kind(StrEnum):
    """What sort of act it is. What can't be told is UNKNOWN, never READ."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    EXECUTE = "execute"
    SEND = "send"
    ADMIN = "admin"
    UNKNOWN = "unknown"


WEBSOCKET: Final = "WEBSOCKET"
"""Stands for the method of a WebSocket's handshake, which is written as a GET and is no read."""

MESSAGE: Final = "MESSAGE"
"""Stands for the method of a message that an agent sends within an open WebSocket."""

# Looking up a member on its enum costs as much as a call in Python 3.11.
_READ: Final = Kind.READ


@quick
@dataclass(frozen=True, slots=True)
class Target:
    """What is acted on: `charge` `ch_1`. `id` is empty where the request names none."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class WitnessRead:
    """How the target's state is read: a request line template, where the fields that count stand
    in the answer, and what people call them (as they stand, where `names` is empty).

    `{path.2}` is a segment of the held request's own path, `{path.2+1}` all from that one on but
    the last one. `success` is a field that must be true in an answer that tells a state. Where
    `may_be_absent`, 404 is a state too: there is nothing.
    """

    read: str
    fields: tuple[str, ...]
    names: tuple[str, ...] = ()
    success: str = ""
    may_be_absent: bool = False


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """One act. `operation` is the provider's name for it, `action` the provider-neutral one.

    `missing` names declared params that the request did not carry or that could not be read as
    their type; a condition on one of them can't be evaluated. `unreadable` are those of them that
    are there, or may be: of the others it is certain that they are not. `ANY_PARAM` among them:
    params of any other name may be there too. `free` names params that no mapper and no tool
    declared, since they were within another: they are decided on, and not shown.
    """

    provider: str
    operation: str
    action: str
    kind: Kind
    target: Target
    params: Mapping[str, ParamValue] = field(default_factory=lambda: _NO_PARAMS)
    reversible: bool = True
    sensitive: str | None = None
    missing: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    witness: WitnessRead | None = None
    free: frozenset[str] = frozenset()

    @property
    def is_mutation(self) -> bool:
        """Whether its intent must be durable before it is sent. Only a known read need not wait."""
        return self.kind is not _READ


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Canonical:
    """What a request means: its actions (several for a batch), or why it is refused.

    `refused` is a lower-case code (`ambiguous_path`, `ambiguous_body`, `body_too_large`, ...) and
    `detail` its sentence; then `actions` is empty. `errors` names the provider's error shape, also
    when refused, so that the agent's SDK can read the refusal. `stable_body` is the body without
    what the client makes up anew for each try, None where it has nothing of the kind.
    `headers_read` are the names of those headers that say what it means.
    """

    actions: tuple[Action, ...]
    provider: str
    errors: str
    refused: str | None = None
    detail: str = ""
    stable_body: bytes | None = None
    headers_read: frozenset[bytes] = frozenset()

    @property
    def is_mutation(self) -> bool:
        actions = self.actions
        if len(actions) == 1:
            return actions[0].kind is not _READ
        return any(action.is_mutation for action in actions)


_TELLING_HEADERS: Final = frozenset(
    {
        b"content-type", b"content-encoding", b"destination", b"depth", b"overwrite", b"prefer",
        b"content-range", b"upload-offset", b"content-profile", b"accept-profile", b"x-upsert",
        b"x-restli-method", b"dropbox-api-arg",
        b"stripe-account", b"stripe-context", b"paypal-auth-assertion", b"openai-organization",
        b"openai-project", b"login-customer-id", b"xero-tenant-id", b"dropbox-api-path-root",
        b"dropbox-api-select-user", b"dropbox-api-select-admin", b"as-user", b"from", b"sudo",
        b"on-behalf-of", b"x-on-behalf-of", b"x-mailgun-on-behalf-of", b"api-username",
        b"es-security-runas-user", b"mscrmcallerid", b"callerobjectid",
        b"x-clickhouse-database", b"x-clickhouse-user",
    }
)  # fmt: skip
"""Whatever a mapper reads: how the body is to be understood, what is done where the body does not
say it, whose account it is about, and as whom it is done."""

_TELLING_PREFIXES: Final = (b"x-amz-", b"x-goog-", b"x-ms-", b"impersonate-", b"sforce-")
"""Clouds say by headers what is copied, who may read it, and what is kept; Kubernetes and
Salesforce as whom, and past which checks."""

_RENEWED_HEADERS: Final = frozenset(
    {
        b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256", b"x-amz-user-agent",
        b"x-goog-api-client", b"x-goog-api-key", b"x-goog-date", b"x-goog-gcs-idempotency-token",
        b"x-ms-authorization-auxiliary", b"x-ms-client-request-id", b"x-ms-client-session-id",
        b"x-ms-correlation-request-id", b"x-ms-date", b"x-ms-request-id", b"x-ms-useragent",
    }
)  # fmt: skip
"""Of those, what clients make up anew for each try, and who signs."""


_by_name: Final = itemgetter(0)


def telling_headers(request: HttpRequest, read: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """The headers that an approval is bound to, names in small letters, in the order of the names.
    `read` are those that a mapper reads."""
    tells = _tells
    names = [name for name in request.fields if tells[name] or name in read]
    if not names:
        return []
    if request.repeated.isdisjoint(names):
        names.sort()
        return [(name, request.fields[name]) for name in names]
    found = [(name.lower(), value) for name, value in request.headers]
    return sorted([each for each in found if each[0] in names], key=_by_name)


class _Telling(dict[bytes, bool]):
    """Whether a header is telling, by its name in small letters. A few dozens come again and
    again; strangers can't make it grow beyond a bound."""

    def __missing__(self, name: bytes) -> bool:
        is_telling = name in _TELLING_HEADERS or (
            name.startswith(_TELLING_PREFIXES) and name not in _RENEWED_HEADERS
        )
        if len(self) < _NAMES_MAX and len(name) <= _NAME_BYTES_MAX:
            self[name] = is_telling
        return is_telling


_NAMES_MAX: Final = 2_048
_NAME_BYTES_MAX: Final = 64
_tells: Final = _Telling()


def action_digest(exchange: Exchange, canonical: Canonical) -> str:
    """Digest of the exact act that an approval is bound to, as 64 hexadecimal digits.

    Covers agent, operations, scheme and authority, method, path, query, body, and the headers that
    say what is done or for whom; each part is length-prefixed, so that no two acts share a digest
    by moving bytes between parts. Other headers are left out: clients renew idempotency keys, dates
    and signatures on every try; so are the tokens in bodies that `stable_body` lacks.
    The body must be complete: an act whose body streams can't be approved.
    """
    request: HttpRequest = exchange.request
    assert request.body is not None, "an approval needs the whole body"
    stable = canonical.stable_body
    actions, authority = canonical.actions, request.authority
    operations = (
        actions[0].operation
        if len(actions) == 1
        else ",".join([action.operation for action in actions])
    )
    target, body = request.target, request.body if stable is None else stable
    # Hashed at once: a call for each part costs more than the hash.
    pieces = [
        b"checkrein.action.v2" if stable is None else b"checkrein.action.v2s",
        _who_and_where(
            exchange.principal.agent, operations, request.scheme, authority.host, authority.port,
            WEBSOCKET if request.is_websocket else request.method,
        ),
        _length_of(len(target)), target, _length_of(len(body)), body,
    ]  # fmt: skip
    for part in chain.from_iterable(telling_headers(request, canonical.headers_read)):
        pieces += (_length_of(len(part)), part)
    return hashlib.sha256(b"".join(pieces)).hexdigest()


_length_of: Final = struct.Struct(">Q").pack


@lru_cache(maxsize=1_024)
def _who_and_where(
    agent: str, operations: str, scheme: str, host: str, port: int, method: str
) -> bytes:
    """The parts of a digest that come with many requests."""
    url = f"{scheme}://{Authority(host, port)}"
    parts = [part.encode() for part in (agent, operations, url, method)]
    return b"".join([piece for part in parts for piece in (_length_of(len(part)), part)])
