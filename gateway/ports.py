"""What the stages and the pipeline may ask of the world, as protocols.

Each port has a fake in `tests/support/fakes.py` and one contract suite in `tests/contract/` that
the fake and the real adapter both pass. `assembly.py` alone knows which adapter stands behind a
port; who takes requests in (`app.py`, `addon/`) brings the way out with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from enum import Enum
from typing import Protocol

from gateway.model.action import Canonical
from gateway.model.approval import Approval, Witness
from gateway.model.dataclass import dataclass
from gateway.model.decision import Decision, Permit
from gateway.model.errors import AgentProtocolError
from gateway.model.exchange import Authority, Exchange, Header, Principal, Response, ResponseHead
from gateway.model.limit import LimitClaim, Reserved
from gateway.model.quick import quick
from gateway.model.record import Entry, Outcome
from gateway.model.stop import Stop


class Clock(Protocol):
    """Time. Nothing else in the gateway reads a clock."""

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC. May step; only for what is written down."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step. All deadlines are of this clock."""
        ...


# --- the wire -------------------------------------------------------------------------------------


class WireReceiver(Protocol):
    """What a wire tells its owner. All are called on the event loop and must not block."""

    def wire_data(self, data: bytes) -> None:
        """Plaintext arrived (never empty)."""
        ...

    def wire_eof(self) -> None:
        """The peer ended its side properly (FIN without TLS, close_notify with it)."""
        ...

    def wire_full(self) -> None:
        """Too much written and not yet sent: stop writing until `wire_drained`."""
        ...

    def wire_drained(self) -> None:
        """The unsent part fell below the low mark again."""
        ...

    def wire_lost(self, error: Exception | None) -> None:
        """The wire is gone; called exactly once, last. None when we closed it or after
        `wire_eof`."""
        ...


class Flow(Protocol):
    """The source of a stream, seen by its sink: a full sink pauses it."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Wire(Flow, Protocol):
    """One connection, plain or TLS, behind the same face. `receiver` may be exchanged at any
    time."""

    receiver: WireReceiver

    @property
    def peer(self) -> tuple[str, int]:
        """Numeric address and port of the other side."""
        ...

    @property
    def is_closing(self) -> bool: ...

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent. Never blocks; ignored once closing."""
        ...

    def close(self) -> None:
        """Send what is kept (with a deadline), end TLS properly, then close."""
        ...

    def abort(self) -> None:
        """Close at once, dropping what is kept."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Switched:
    """An upstream's connection that is a WebSocket now: its 101, checked and not yet relayed; the
    wire, on which nothing is read; and what came behind the 101. Whoever has it ends the wire.

    `messages`: what the agent sends is decided on message by message, and never passed unread."""

    head: ResponseHead
    wire: Wire
    early: bytes
    messages: Messages | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """How the messages of a WebSocket are governed: under the handshake that opened it, and sent by
    `sender` alone."""

    handshake: Exchange
    sender: Sender


# --- one exchange ---------------------------------------------------------------------------------


class AgentChannel(Protocol):
    """The agent's side of one exchange: the rest of its body, and the way back for the answer.

    Either `respond` once, or `begin`, any number of `write`, then `finish` or `cut`. Calls after
    the agent is gone do nothing.
    """

    @property
    def is_gone(self) -> bool:
        """The agent closed or reset its connection; nobody will read an answer."""
        ...

    async def wait_gone(self) -> None: ...

    def respond(self, response: Response) -> None:
        """Give a whole answer of our own."""
        ...

    def begin(self, head: ResponseHead, flow: Flow) -> None:
        """Start relaying an upstream's answer. `flow` is paused while the agent reads too
        slowly."""
        ...

    def write(self, data: bytes) -> None: ...

    def finish(self, trailers: Sequence[Header] = ()) -> None:
        """End the answer, with trailers where the agent's protocol has a place for them."""
        ...

    def cut(self) -> None:
        """The answer can't be completed: close so that the agent sees the truncation."""
        ...

    async def carry(self, switched: Switched, note_end: Callable[[int, int], None]) -> None:
        """Relay a 101, then pass bytes both ways until either side ends: unread, unless `switched`
        has messages. `note_end` is told the bytes sent and received, however it ends; those that
        its sender sends are not among them. Instead of all other answers."""
        ...

    def body_rest(self) -> AsyncIterator[bytes]:
        """The whole body, in pieces, when `request.body` is None. Raises `AgentProtocolError`
        when the agent's framing turns out bad midway."""
        ...


class TunnelVerdict(Enum):
    INTERCEPT = "intercept"
    PASSTHROUGH = "passthrough"


class Governor(Protocol):
    """What an intercepted connection asks; `pipeline.Pipeline` is the real one."""

    async def authenticate(self, agent: str, key: str) -> Principal | None:
        """Who presents these credentials, or None. `agent` may be `AGENT+RUN`."""
        ...

    def admit_tunnel(self, principal: Principal, authority: Authority) -> TunnelVerdict:
        """Whether CONNECT to this authority may start at all.

        Raises:
            AgentProtocolError: status 403, with a code, when it may not.
        """
        ...

    async def open_tunnel(self, principal: Principal, authority: Authority) -> Wire:
        """Connect a passthrough tunnel, recorded.

        Raises:
            UpstreamError: it could not be connected.
            RecordError: it could not be recorded, and was not opened.
            AgentProtocolError: status 403, with a code, when it may not be any more.
        """
        ...

    def note_tunnel_closed(self, upstream: Wire, sent_bytes: int, received_bytes: int) -> None:
        """Record that a tunnel which `open_tunnel` connected has ended, and what went through."""
        ...

    async def govern(
        self, exchange: Exchange, channel: AgentChannel, sender: Sender | None = None
    ) -> None:
        """Walk one exchange to its end. Returns when the answer is given or the agent is gone.
        `sender` sends it, where it goes into a connection that is open already."""
        ...

    def note_refusal(
        self, error: AgentProtocolError, agent: str | None, authority: Authority | None
    ) -> None:
        """Record that bytes were refused before they became an exchange."""
        ...


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """What an upstream made of a request.

    `began` tells whether the agent already got a head, so that no other answer can be given.
    `code` and `message` say what went wrong; None when a complete answer was relayed. `switched`
    is what the answer to a WebSocket's handshake left: it is the caller's, to carry or to abort.
    """

    outcome: Outcome
    status: int | None
    began: bool
    response_bytes: int = 0
    code: str | None = None
    message: str = ""
    error_status: int = 502
    switched: Switched | None = None


class Sender(Protocol):
    """What sends an exchange, for a `Permit` and for nothing else."""

    async def send(
        self,
        permit: Permit,
        exchange: Exchange,
        channel: AgentChannel,
        find_stop: Callable[[], Stop | None],
    ) -> Sent:
        """Send the request, relay the answer to the channel, and say what became of it. Never
        raises for what the network does; a cancelled send counts as sent.

        INVARIANT(stop): `find_stop` is asked just before the first byte, and before every piece of
        a body that streams; where it names a stop, nothing (more) is sent. What has left whole is
        awaited, because its answer says what became of it.
        """
        ...


class Upstream(Sender, Protocol):
    """The way out. Opens for a `Permit` and for nothing else."""

    async def open_tunnel(self, permit: Permit, authority: Authority) -> Wire:
        """Connect raw bytes to a passthrough host.

        Raises:
            UpstreamError: refused destination or failed connection.
        """
        ...


# --- the control plane, as the pipeline needs it --------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class ApprovalAsk:
    """The question put to a person. `digest` is the action digest that the answer is bound to,
    `until` how long its agent waits, of the monotonic clock, and `witness` the state of the world
    that they are shown."""

    decision_id: str
    digest: str
    exchange: Exchange
    canonical: Canonical
    decision: Decision
    until: float
    witness: Witness | None = None


class ApprovalDesk(Protocol):
    """Where approvals are asked for, awaited and used. Every method raises `ApprovalError` when the
    control plane can't answer; the caller then refuses."""

    async def ask(self, ask: ApprovalAsk) -> Approval:
        """Create an approval, or join the one that is pending or approved for this agent and
        digest. It is stored before this returns."""
        ...

    async def wait(self, approval_id: str, seconds_max: float) -> Approval:
        """Return as soon as it is no longer PENDING, or as it is after `seconds_max`."""
        ...

    async def consume(self, approval_id: str, digest: str, claim_id: str) -> Approval | None:
        """Use an APPROVED one, exactly once; None when it can't be used (any more).

        Repeating the call with the same `claim_id` gives the same answer, so that a lost reply
        can be asked for again.
        """
        ...

    async def void(self, approval_id: str, reason_code: str, found: Witness | None = None) -> None:
        """End an open one whose witness is not the state of the world any more (`found` is what
        there is now), or that the rules don't let stand any more. One that is not open stays as
        it is."""
        ...


class AgentDirectory(Protocol):
    """Who may send traffic through this gateway."""

    async def authenticate(self, agent: str, key: str) -> Principal | None:
        """The principal (without a run) for these credentials; constant time in the key."""
        ...


class StopBoard(Protocol):
    """The kill switch, as this gateway knows it. Asked for every request: it does no I/O."""

    def find(self, agent: str, run: str | None, providers: Iterable[str]) -> Stop | None:
        """The stop that such a request falls under; the widest, where there are several."""
        ...


class LimitStore(Protocol):
    """The counters of limits. Exact whoever else asks at the same time; every method raises
    `LimitError` when the counters can't be reached.

    A reservation is *held* (it lapses by itself, because nothing was sent), then *in flight*
    (it counts until somebody says that nothing was sent), then settled or released.
    """

    async def reserve(
        self, owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
    ) -> Reserved:
        """Read every counter, and take all that is claimed or nothing.

        Nothing is taken where an enforced limit whose effect is BLOCK is exceeded; otherwise all
        is, above a maximum too, since a person may agree to it. While a reservation of the same
        `owner` is held or in flight, its token and its first readings are given again, and nothing
        more is taken. `now` and `lapses_at` are microseconds since the Unix epoch, UTC; without
        `lapses_at` it is in flight at once.
        """
        ...

    async def start(self, token: str) -> bool:
        """Put a held reservation in flight: it is about to be sent. False when it is no longer
        held (it lapsed, or another request of the same owner has taken it)."""
        ...

    async def settle(self, token: str) -> None:
        """It may have happened: it counts for as long as the window lasts. Unknown tokens and
        repeated calls do nothing."""
        ...

    async def release(self, token: str) -> None:
        """Nothing was sent: give it back. Unknown tokens and repeated calls do nothing."""
        ...


class RecordSink(Protocol):
    """The durable record. Entries are chained in the order of the calls."""

    def append(self, entry: Entry) -> None:
        """Write soon (group commit).

        Raises:
            RecordError: entries can't be made durable at present, so nothing may be sent.
        """
        ...

    async def append_durably(self, entry: Entry) -> None:
        """Write, and return once it is on disk.

        Raises:
            RecordError: it is not on disk.
        """
        ...
