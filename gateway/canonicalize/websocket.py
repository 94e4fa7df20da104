"""The handshake of a WebSocket, and each message that is read in one -> actions of their own. Pure.

A handshake is written as a GET and is no read: what goes through afterwards may do whatever the
server lets it do. So no entry for a GET fits it, only one that names it as `WEBSOCKET /path`.
Where entries name `MESSAGE /path`, what the agent sends in it is read message by message. What no
entry describes is of kind `unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.canonicalize.authored.choices import Select
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.normalize import split_target, trimmed
from gateway.canonicalize.site import Site
from gateway.model.action import ANY_PARAM, MESSAGE, WEBSOCKET, Action, Kind, Target
from gateway.model.exchange import HttpRequest, Message

OPEN_WEBSOCKET: Final = "open_websocket"
"""The operation and the action of a handshake that no entry describes."""

SEND_MESSAGE: Final = "send_websocket_message"
"""The same of a message."""

UNREAD_NAMES: Final = frozenset({OPEN_WEBSOCKET, SEND_MESSAGE})

_BINARY: Final = "MESSAGE binary"
"""Names no entry: mappers read JSON, and bytes that are not said to be text may be anything."""

_STAND_INS: Final = frozenset({WEBSOCKET, MESSAGE, _BINARY})
_NOT_READ: Final = frozenset({ANY_PARAM})


def entry_method(request: HttpRequest) -> str:
    """The method under which entries describe a request.

    Raises:
        AmbiguityError: `ambiguous_method`: a plain request is named as if it were a handshake, or
            a message.
    """
    if request.is_websocket:
        return WEBSOCKET
    if request.method not in _STAND_INS:
        return request.method
    if request.message is None:
        raise AmbiguityError(ambiguity.METHOD, "a WebSocket is opened by a handshake")
    return MESSAGE if request.message is Message.TEXT else _BINARY


def reads_messages(site: Site, handshake: HttpRequest) -> bool:
    """Whether entries describe what an agent sends in the WebSocket that this opens."""
    keeps = site.keeps_slashes or site.select is Select.AWS
    try:
        segments = trimmed(split_target(handshake.target, keeps_slashes=keeps)[0])
    except AmbiguityError:
        # It passes in monitor mode alone, and its messages are refused as it would be.
        return True
    paths = site.main.paths
    is_described = next(paths.candidates(segments, MESSAGE), None) is not None
    return is_described or paths.has_in_other_case(segments, MESSAGE)


def unread_action(provider: str, request: HttpRequest, segments: Sequence[str]) -> Action | None:
    """Opening the WebSocket of a path, or sending a message in it, where no entry describes that;
    the target is the host and the path. None for plain requests."""
    if not request.is_websocket and request.message is None:
        return None
    name = OPEN_WEBSOCKET if request.is_websocket else SEND_MESSAGE
    return Action(
        provider,
        name,
        name,
        Kind.UNKNOWN,
        Target("endpoint", f"{request.authority.host}/{'/'.join(segments)}"),
        missing=_NOT_READ,
        unreadable=_NOT_READ,
    )
