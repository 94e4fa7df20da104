"""What a target's state is read by: a held request -> a read, its answer -> a digest. Pure.

The read goes where the held request goes, with the credentials that it carries and nothing else of
it; where those sign one request each, with keys of the gateway's own for looking. Whatever can't be
read exactly is a `WitnessError`: the state is then unknown, and what needs a witness is not sent.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote

from gateway.enforce.aws_look import is_endpoint, scope_of, sign_read
from gateway.enforce.witness_state import Answer, WitnessError, state_of
from gateway.model.action import Action, Canonical
from gateway.model.approval import Witness
from gateway.model.aws_signature import ALGORITHM, AwsKeys
from gateway.model.dataclass import dataclass
from gateway.model.exchange import Exchange, Header, HttpRequest

STATE_BYTES_MAX: Final = 1_048_576
"""Of the answer that a state is read from: more than any single object of an API."""

READ_SECONDS_MAX: Final = 10.0
"""For one read: an agent and perhaps a person wait for it."""

VALUE_CHARS_MAX: Final = 512

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_OF_PATH: Final = re.compile(r"path\.([0-9]+)(?:\+([0-9]+))?")
_SLASH: Final = re.compile(r"[/\\]")

_LEFT_OUT: Final = frozenset(
    {
        # Of the body that isn't sent, of this one try, or asking for less than the whole state.
        b"content-length", b"content-type", b"content-encoding", b"content-md5", b"content-range",
        b"digest", b"content-digest", b"transfer-encoding", b"expect", b"range", b"if-range",
        b"idempotency-key", b"accept-encoding", b"x-http-method-override",
    }
)  # fmt: skip
_OF_THE_ACT: Final = (b"if-", b"sec-websocket-")
"""Beginnings of the names of conditions, and of what only a handshake of a WebSocket says."""

_SIGNATURES: Final = (b"aws4-", b"signature ", b"hmac ", b"sharedkey ")

KEYS_HELP: Final = (
    "the agent signs each request by itself, so its target can't be read in its name; give the "
    "gateway AWS keys that may only read: CHECKREIN_WITNESS_AWS_ACCESS_KEY_ID and "
    "CHECKREIN_WITNESS_AWS_SECRET_ACCESS_KEY"
)


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks where an agent's credentials can't be used: the gateway's own keys, if it has
    some, and the time (aware, UTC)."""

    keys: AwsKeys | None
    at: datetime


def needs_keys(exchange: Exchange) -> bool:
    """Whether a read of this request's target takes keys of the gateway's own."""
    return exchange.request.fields.get(b"authorization", b"").startswith(ALGORITHM + b" ")


def witness_exchange(
    exchange: Exchange, canonical: Canonical, request_id: str, looker: Looker | None = None
) -> Exchange:
    """The read of a held request's target, as an exchange of its own.

    Raises:
        WitnessError: the action names no read, or it can't be made with these credentials.
    """
    action = _only_action(canonical)
    assert action.witness is not None
    request = exchange.request
    method, _, template = action.witness.read.partition(" ")
    target = _target_of(action, template, request.target.partition(b"?")[0])
    read = replace(
        request, method=method, target=target, body=b"", body_bytes=0, is_websocket=False,
        message=None,
    )  # fmt: skip
    if _is_signed(request.fields):
        read = _signed_read(read, action, looker)
    else:
        read = _without_the_act(read)
    return Exchange(request_id, exchange.principal, read, exchange.received_at)


def witness_of(canonical: Canonical, answer: Answer) -> Witness:
    """The state that an answer tells.

    Raises:
        WitnessError: it tells none that reads in exactly one way.
    """
    action = _only_action(canonical)
    assert action.witness is not None
    return state_of(action.witness, answer)


def is_unchanged(asked: str | None, seen: Witness) -> bool:
    """Whether the state is the one that the person was shown; compared in constant time."""
    return asked is not None and hmac.compare_digest(asked.encode(), seen.digest.encode())


def _only_action(canonical: Canonical) -> Action:
    if len(canonical.actions) > 1:
        raise WitnessError(
            "witness.several",
            "this request acts on several targets, whose states can't be shown as one; send one "
            "request for each",
        )
    if not canonical.actions or canonical.actions[0].witness is None:
        raise WitnessError(
            "witness.undeclared", "no mapper says how the state of this target is read"
        )
    return canonical.actions[0]


def _without_the_act(read: HttpRequest) -> HttpRequest:
    """The read with the agent's headers, less those of the body and of this one try."""
    fields = {name: value for name, value in read.fields.items() if _is_kept((name, value))}
    return replace(
        read,
        headers=tuple(filter(_is_kept, read.headers)),
        fields=fields,
        repeated=read.repeated & fields.keys(),
    )


def _signed_read(read: HttpRequest, action: Action, looker: Looker | None) -> HttpRequest:
    """The read with our own signature. Nothing of the agent's headers goes with it."""
    authorization = read.fields.get(b"authorization", b"")
    scope = scope_of(authorization)
    if scope is None or looker is None or looker.keys is None:
        raise WitnessError("witness.signed", KEYS_HELP)
    is_of_service = action.operation.partition(".")[0] == scope.service
    if read.scheme != "https" or not is_of_service or not is_endpoint(read.authority, scope):
        raise WitnessError(
            "witness.signed",
            "the agent signs each request by itself, and the gateway's keys are for endpoints of "
            "the service itself",
        )
    target, headers = sign_read(
        read.method, read.authority.host, read.target, scope, looker.keys, looker.at
    )
    fields = {name.lower(): value for name, value in headers}
    return replace(read, target=target, headers=headers, fields=fields, repeated=frozenset())


def _target_of(action: Action, template: str, own_path: bytes) -> bytes:
    """The target that a template makes of an action and of the held request's own path."""
    segments = own_path.decode("ascii").split("/")[1:]

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name == "path":
            return own_path.decode("ascii")
        place = _OF_PATH.fullmatch(name)
        if place is None:
            return _value_of(action, name)
        start = int(place[1])
        end = start + 1 if place[2] is None else len(segments) - int(place[2])
        part = segments[start:end]
        if not part or "" in part:
            raise WitnessError("witness.no_target", "the path names nothing that could be read")
        return "/".join(part)

    return _VARIABLE.sub(value, template).encode("ascii")


def _value_of(action: Action, name: str) -> str:
    """A part of the action, as one segment of a path or one value of a query."""
    if name == "target.id":
        value: object = "" if "target.id" in action.missing else action.target.id
    else:
        value = action.params.get(name.removeprefix("params."))
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not 0 < len(text) <= VALUE_CHARS_MAX or not text.isprintable() or _is_way(text):
        raise WitnessError("witness.no_target", f"`{name}` names nothing that could be read")
    return quote(text, safe="")


def _is_way(text: str) -> bool:
    """Whether a server that decodes a segment once more could find a way to another path in it."""
    return any(piece.partition(";")[0] in (".", "..") for piece in _SLASH.split(unquote(text)))


def _is_kept(header: Header) -> bool:
    name = header[0].lower()
    return name not in _LEFT_OUT and not name.startswith(_OF_THE_ACT)


def _is_signed(fields: Mapping[bytes, bytes]) -> bool:
    return fields.get(b"authorization", b"").lower().startswith(_SIGNATURES)
