"""What the pipeline asks of an agent's side and of the way out, while mitmproxy does the sending.

The pipeline decides in a task of its own. Once it either answers (`FlowChannel.respond`) or sends
(`FlowUpstream.send`), mitmproxy goes on with the flow; what it then tells of the answer ends the
task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from gateway.model.dataclass import dataclass
from gateway.model.decision import Permit, ReasonCode
from gateway.model.errors import UpstreamError
from gateway.model.exchange import Authority, Exchange, Header, Response, ResponseHead
from gateway.model.record import Outcome
from gateway.model.stop import Stop
from gateway.ports import AgentChannel, Flow, Sent, Switched, Upstream, Wire


@dataclass(frozen=True, slots=True)
class Ended:
    """What mitmproxy saw of an answer. `status` is None where no head came."""

    outcome: Outcome
    status: int | None = None
    response_bytes: int = 0
    code: str | None = None
    message: str = ""


class FlowChannel:
    """`ports.AgentChannel` of one flow. `decided` gives our answer, or None: it may be sent."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.decided: asyncio.Future[Response | None] = loop.create_future()
        self.ended: asyncio.Future[Ended] = loop.create_future()
        self._gone = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def wait_gone(self) -> None:
        await self._gone.wait()

    def leave(self) -> None:
        """The agent is gone."""
        self._gone.set()

    def respond(self, response: Response) -> None:
        """Answer; after it was released, mitmproxy tells the agent itself why nothing came."""
        if not self.decided.done():
            self.decided.set_result(response)

    def release(self) -> None:
        """Let mitmproxy send it."""
        if not self.decided.done():
            self.decided.set_result(None)

    def end(self, ended: Ended) -> None:
        """Tell what became of it; only the first word counts."""
        if not self.ended.done():
            self.ended.set_result(ended)

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        raise AssertionError("mitmproxy relays the answers")

    def write(self, data: bytes) -> None:
        raise AssertionError("mitmproxy relays the answers")

    def finish(self, trailers: Sequence[Header] = ()) -> None:
        raise AssertionError("mitmproxy relays the answers")

    def cut(self) -> None:
        raise AssertionError("mitmproxy relays the answers")

    async def carry(self, switched: Switched, note_end: Callable[[int, int], None]) -> None:
        raise AssertionError("mitmproxy relays the answers")

    def body_rest(self) -> AsyncIterator[bytes]:
        raise AssertionError("bodies are whole here")


class FlowUpstream:
    """`ports.Upstream` by mitmproxy's hands; what the gateway itself reads (witnesses) goes out by
    its `own`."""

    def __init__(self, own: Upstream) -> None:
        self._own = own

    async def send(
        self,
        permit: Permit,
        exchange: Exchange,
        channel: AgentChannel,
        find_stop: Callable[[], Stop | None],
    ) -> Sent:
        assert permit.request_id == exchange.request_id, "a permit is for one request"
        if not isinstance(channel, FlowChannel):
            return await self._own.send(permit, exchange, channel, find_stop)
        stop = find_stop()
        if stop is not None:
            return Sent(
                Outcome.NOT_SENT, None, began=False, code=ReasonCode.KILL_SWITCH,
                message=stop.message, error_status=403,
            )  # fmt: skip
        channel.release()
        ended = await channel.ended
        return Sent(
            ended.outcome, ended.status, began=True, response_bytes=ended.response_bytes,
            code=ended.code, message=ended.message,
        )  # fmt: skip

    async def open_tunnel(self, permit: Permit, authority: Authority) -> Wire:
        raise UpstreamError(
            "tunnel.unsupported", "passthrough hosts are not served behind mitmproxy", sent=False
        )
