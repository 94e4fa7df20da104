"""A permitted message -> one frame in the WebSocket that its handshake opened.

Opens nothing, and writes for a `Permit` only. The frame is made anew from the exchange: whole,
under a key of our own.

INVARIANT(outcome): a message has no answer that could be told from others. EXECUTED means here that
it was handed whole to a connection that stood; UNKNOWN that the connection broke under it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.model.decision import Permit, ReasonCode
from gateway.model.exchange import Exchange, Message
from gateway.model.record import Outcome
from gateway.model.stop import Stop
from gateway.ports import AgentChannel, Sent, Wire
from gateway.wire.websocket_frames import Opcode, client_frame

_EXTENSIONS: Final = b"sec-websocket-extensions"
_OPCODES: Final = {Message.TEXT: Opcode.TEXT, Message.BINARY: Opcode.BINARY}
_BAD_GATEWAY, _FORBIDDEN = 502, 403


def without_extensions(handshake: Exchange) -> Exchange:
    """The same handshake, which offers no extension: what is compressed could not be read."""
    request = handshake.request
    headers = tuple(each for each in request.headers if each[0].lower() != _EXTENSIONS)
    fields = {name: value for name, value in request.fields.items() if name != _EXTENSIONS}
    return replace(handshake, request=replace(request, headers=headers, fields=fields))


class MessageSender:
    """`ports.Sender` into one open WebSocket. Whoever has the wire ends it."""

    def __init__(self, wire: Wire) -> None:
        self.sent_bytes = 0
        self._wire = wire

    async def send(
        self,
        permit: Permit,
        exchange: Exchange,
        _channel: AgentChannel,
        find_stop: Callable[[], Stop | None],
    ) -> Sent:
        assert permit.request_id == exchange.request_id, "a permit is for one message"
        message, body = exchange.request.message, exchange.request.body
        assert message is not None, "what is sent here is a message"
        assert body is not None, "a message is whole"
        stop = find_stop()
        if stop is not None:
            return _not_sent(ReasonCode.KILL_SWITCH, stop.message, _FORBIDDEN)
        if self._wire.is_closing:
            return _not_sent("upstream.closed", "the upstream has closed the WebSocket")
        frame = client_frame(_OPCODES[message], body)
        self._wire.write(frame)
        self.sent_bytes += len(frame)
        return self._sent()

    def _sent(self) -> Sent:
        if not self._wire.is_closing:
            return Sent(Outcome.EXECUTED, None, began=True)
        why = "the connection broke while the message was sent"
        return Sent(Outcome.UNKNOWN, None, False, 0, "upstream.closed", why)


def _not_sent(code: str, message: str, status: int = _BAD_GATEWAY) -> Sent:
    return Sent(Outcome.NOT_SENT, None, False, 0, code, message, status)
