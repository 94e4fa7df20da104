"""The agent's side of one message in a WebSocket: it has no answer but the end of them all.

And what a message is as an exchange, under the target and the headers of its handshake.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from gateway.model.action import MESSAGE
from gateway.model.exchange import Header, HttpRequest, Message, Response, ResponseHead
from gateway.ports import Flow, Switched

_OF_THE_HANDSHAKE: Final = b"sec-websocket-"
_OF_A_BODY: Final = frozenset({b"content-type", b"content-encoding"})
_TYPE: Final = b"content-type"
_TYPES: Final = {Message.TEXT: b"application/json", Message.BINARY: b"application/octet-stream"}
"""A text is read as JSON; one that is none is refused where an entry looks into it."""

_REASON, _NAMED = b"checkrein-reason", (b"checkrein-approval", b"checkrein-decision")


def message_request(handshake: HttpRequest, message: Message, data: bytes) -> HttpRequest:
    """One message that an agent sends in the WebSocket that this handshake opened."""
    kept = [each for each in handshake.headers if _is_kept(each[0].lower())]
    fields = {name: value for name, value in handshake.fields.items() if _is_kept(name)}
    fields[_TYPE] = _TYPES[message]
    return HttpRequest(
        MESSAGE,
        handshake.scheme,
        handshake.authority,
        handshake.target,
        (*kept, (_TYPE, _TYPES[message])),
        fields,
        handshake.repeated & fields.keys() - {_TYPE},
        data,
        len(data),
        message=message,
    )


def _is_kept(name: bytes) -> bool:
    return name not in _OF_A_BODY and not name.startswith(_OF_THE_HANDSHAKE)


def refusal_reason(response: Response) -> str:
    """The words of a refusal that fit into a close frame: its code, the approval, the decision."""
    named = {name.lower(): value.decode("ascii") for name, value in response.headers}
    ids = [named[name] for name in _NAMED if name in named]
    return "; ".join([f"checkrein: {named.get(_REASON, 'refused')}", *ids])


class MessageChannel:
    """`ports.AgentChannel` of one message. `refuse` ends the WebSocket, with a reason."""

    def __init__(self, refuse: Callable[[str], None]) -> None:
        self._refuse = refuse
        self._gone = asyncio.Event()
        self._has_ended = False
        self._is_awaited = False

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def wait_gone(self) -> None:
        self._is_awaited = True
        if self._has_ended:
            self.leave()
        await self._gone.wait()

    def leave(self) -> None:
        """The agent is gone."""
        self._gone.set()

    def end_input(self) -> None:
        """The agent sends nothing more. As with a request, what waits for a person then is not
        released; what is decided at once still goes out."""
        self._has_ended = True
        if self._is_awaited:
            self.leave()

    def respond(self, response: Response) -> None:
        if not self.is_gone:
            self._refuse(refusal_reason(response))

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        raise AssertionError("a message has no answer")

    def write(self, data: bytes) -> None:
        raise AssertionError("a message has no answer")

    def finish(self, trailers: Sequence[Header] = ()) -> None:
        raise AssertionError("a message has no answer")

    def cut(self) -> None:
        raise AssertionError("a message has no answer")

    async def carry(self, switched: Switched, note_end: Callable[[int, int], None]) -> None:
        raise AssertionError("a message opens no WebSocket")

    def body_rest(self) -> AsyncIterator[bytes]:
        raise AssertionError("a message is whole")
