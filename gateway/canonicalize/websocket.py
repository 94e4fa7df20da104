"""The handshake of a WebSocket -> an action of its own. Pure.

It is written as a GET and is no read: what goes through afterwards is not looked at, and may do
whatever the server lets it do. So no entry for a GET fits it, only one that names it as
`WEBSOCKET /path`, and what no entry describes is of kind `unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.model.action import ANY_PARAM, WEBSOCKET, Action, Kind, Target
from gateway.model.exchange import HttpRequest

OPEN_WEBSOCKET: Final = "open_websocket"
"""The operation and the action of one that no entry describes."""

_NOT_READ: Final = frozenset({ANY_PARAM})


def entry_method(request: HttpRequest) -> str:
    """The method under which entries describe a request.

    Raises:
        AmbiguityError: `ambiguous_method`: a plain request is named as if it were a handshake.
    """
    if request.is_websocket:
        return WEBSOCKET
    if request.method == WEBSOCKET:
        raise AmbiguityError(ambiguity.METHOD, "a WebSocket is opened by a handshake")
    return request.method


def open_websocket(provider: str, request: HttpRequest, segments: Sequence[str]) -> Action:
    """Opening the WebSocket of a path; the target is the host and the path."""
    return Action(
        provider,
        OPEN_WEBSOCKET,
        OPEN_WEBSOCKET,
        Kind.UNKNOWN,
        Target("endpoint", f"{request.authority.host}/{'/'.join(segments)}"),
        missing=_NOT_READ,
        unreadable=_NOT_READ,
    )
