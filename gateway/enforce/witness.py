"""What a target's state is read by, and what of it counts: a held request -> a read, an answer ->
a digest. Pure.

The read goes where the held request goes, with the credentials that it carries and nothing else of
it. Whatever can't be read exactly is a `WitnessError`: the state is then unknown, and what needs a
witness is not sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, unquote

from gateway.model.action import Action, Canonical, WitnessRead
from gateway.model.approval import Witness
from gateway.model.codec import INTEGER_MAX, JsonValue, canonical_json
from gateway.model.errors import CheckreinError
from gateway.model.exchange import Exchange, Header

STATE_BYTES_MAX: Final = 1_048_576
"""Of the answer that a state is read from: more than any single object of an API."""

READ_SECONDS_MAX: Final = 10.0
"""For one read: an agent and perhaps a person wait for it."""

VALUE_CHARS_MAX: Final = 512

_DOMAIN: Final = b"checkrein.witness.v1\n"
_VARIABLE: Final = re.compile(r"\{([a-z_.]+)\}")
_SLASH: Final = re.compile(r"[/\\]")

_LEFT_OUT: Final = frozenset(
    {
        # Of the body that isn't sent, of this one try, or asking for less than the whole state.
        b"content-length", b"content-type", b"content-encoding", b"content-md5", b"content-range",
        b"digest", b"content-digest", b"transfer-encoding", b"expect", b"range", b"if-range",
        b"idempotency-key", b"accept-encoding", b"x-http-method-override",
    }
)  # fmt: skip
_CONDITIONAL: Final = b"if-"
_SIGNATURES: Final = (b"aws4-", b"signature ", b"hmac ", b"sharedkey ")


class WitnessError(CheckreinError):
    """The target's state can't be read, so nobody can say that it is unchanged."""

    retryable = True


def witness_exchange(exchange: Exchange, canonical: Canonical, request_id: str) -> Exchange:
    """The read of a held request's target, as an exchange of its own.

    Raises:
        WitnessError: the action names no read, or it can't be made with these credentials.
    """
    action = _only_action(canonical)
    assert action.witness is not None
    request = exchange.request
    if _is_signed(request.fields):
        raise WitnessError(
            "witness.signed",
            "the agent signs each request by itself, so its target can't be read in its name",
        )
    target = _target_of(action, action.witness)
    kept = tuple(header for header in request.headers if _is_kept(header))
    fields = {name: value for name, value in request.fields.items() if _is_kept((name, value))}
    read = replace(
        request,
        method="GET",
        target=target,
        headers=kept,
        fields=fields,
        repeated=request.repeated & fields.keys(),
        body=b"",
        body_bytes=0,
    )
    return Exchange(request_id, exchange.principal, read, exchange.received_at)


def witness_of(canonical: Canonical, status: int, encoding: bytes, body: bytes) -> Witness:
    """The state that an answer tells.

    Raises:
        WitnessError: it is no success, or not one JSON object that reads in one way.
    """
    action = _only_action(canonical)
    assert action.witness is not None
    if status != 200 or encoding.strip().lower() not in (b"", b"identity"):
        raise WitnessError("witness.refused", f"the target's state was answered with {status}")
    try:
        value = json.loads(
            body.decode(),
            parse_float=_Decimal,
            parse_int=_whole,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
        state = {path: _pick(value, path) for path in action.witness.fields}
        found = {path: part for path, part in state.items() if part is not _ABSENT}
        if not found:
            raise WitnessError("witness.empty", "the answer has none of the fields that count")
        return Witness(hashlib.sha256(_DOMAIN + canonical_json(found)).hexdigest(), found)
    except (ValueError, RecursionError) as error:
        raise WitnessError("witness.unreadable", "the target's state can't be read") from error


def is_unchanged(asked: str | None, seen: Witness) -> bool:
    """Whether the state is the one that the person was shown; compared in constant time."""
    return asked is not None and hmac.compare_digest(asked.encode(), seen.digest.encode())


def _only_action(canonical: Canonical) -> Action:
    if len(canonical.actions) != 1 or canonical.actions[0].witness is None:
        raise WitnessError(
            "witness.undeclared", "no mapper says how the state of this target is read"
        )
    return canonical.actions[0]


def _target_of(action: Action, witness: WitnessRead) -> bytes:
    path = witness.read.removeprefix("GET ").strip()
    return _VARIABLE.sub(lambda found: _value_of(action, found[1]), path).encode("ascii")


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
    return name not in _LEFT_OUT and not name.startswith(_CONDITIONAL)


def _is_signed(fields: Mapping[bytes, bytes]) -> bool:
    return fields.get(b"authorization", b"").lower().startswith(_SIGNATURES)


# --- JSON that reads in one way -------------------------------------------------------------------

_ABSENT: Final = object()


class _Decimal(str):
    """A number that is not whole: kept as it is written."""

    __slots__ = ()


def _whole(text: str) -> int | str:
    if len(text) <= 16 and abs(value := int(text)) <= INTEGER_MAX:
        return value
    return _Decimal(text)


def _refuse(_: str) -> None:
    raise ValueError("no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _pick(value: object, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return _plain(value)


def _plain(value: object) -> JsonValue:
    """The same with decimals as objects of their own, so that 1.5 is not "1.5"."""
    match value:
        case _Decimal():
            return {"decimal": str(value)}
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case None | bool() | int() | str():
            return value
        case _:
            raise ValueError("not JSON")
