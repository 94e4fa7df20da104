"""One exchange with what is known about it, and how its way is written down."""

from __future__ import annotations

from gateway.enforce import gate, responses
from gateway.enforce.websocket_messages import without_extensions
from gateway.journey.judge import Judgement
from gateway.journey.past_entries import note_past
from gateway.journey.reservations import Stake
from gateway.journey.stages import in_step
from gateway.model.action import Canonical
from gateway.model.approval import Approval, Witness
from gateway.model.dataclass import dataclass
from gateway.model.decision import Decision
from gateway.model.exchange import Exchange
from gateway.model.grpc import is_grpc_call
from gateway.model.record import DecisionEntry, Outcome, OutcomeEntry
from gateway.ports import AgentChannel, Clock, RecordSink, Sender, Sent


@dataclass(slots=True, eq=False)
class Case:
    """One exchange with what is known about it so far. `judgement` is the newest, where it was
    judged again; `approval` the question that it waits for, as it was asked; `sender` is who sends
    it."""

    exchange: Exchange
    channel: AgentChannel
    decision_id: str
    judgement: Judgement
    sender: Sender
    approval: Approval | None = None

    @property
    def canonical(self) -> Canonical:
        return self.judgement.canonical

    @property
    def decision(self) -> Decision:
        return self.judgement.decision

    @property
    def opens_messages(self) -> bool:
        """Whether it opens a WebSocket in which mappers read what the agent sends."""
        request = self.exchange.request
        if not request.is_websocket:
            return False
        return self.judgement.ruleset.canonicalizer.reads_messages(request)

    @property
    def as_sent(self) -> Exchange:
        """The exchange as it goes upstream: its messages can't be read where they are compressed,
        so that a handshake then offers no extension."""
        return without_extensions(self.exchange) if self.opens_messages else self.exchange

    @property
    def is_grpc(self) -> bool:
        """Whether it is a call of gRPC, which is answered in gRPC's own way."""
        request = self.exchange.request
        return request.is_http2 and is_grpc_call(request.fields)

    def tell_refused(self, refuse: gate.Refuse, public_url: str = "") -> None:
        """Answer the agent that it is not sent."""
        self.channel.respond(
            responses.refusal(
                self.canonical,
                self.decision,
                self.decision_id,
                refuse,
                public_url,
                is_grpc=self.is_grpc,
            )
        )

    def tell_failed(self, sent: Sent) -> None:
        """Answer the agent that its upstream gave no answer."""
        is_grpc = self.is_grpc
        self.channel.respond(
            responses.upstream_failed(self.canonical, sent, self.decision_id, is_grpc=is_grpc)
        )

    @property
    def stake(self) -> Stake:
        """What it has of limits."""
        return self.judgement.stake

    @property
    def needs_witness(self) -> bool:
        terms = self.decision.terms
        return terms is not None and terms.witness_required


class CaseRecords:
    """Writes down decisions before they are acted on, and outcomes after."""

    def __init__(self, records: RecordSink, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def intent(self, case: Case, approval: Approval | None) -> None:
        """Record that it is about to be sent. INVARIANT(intent): on disk, if it may change
        something.

        Raises:
            RecordError: it is not recorded, and must not be sent.
        """
        await in_step()
        entry = self._decision(case, sends=True, approval=approval)
        if case.canonical.is_mutation or not case.canonical.actions:
            await self._records.append_durably(entry)
        else:
            self._records.append(entry)

    async def held(self, case: Case) -> None:
        """Record durably that it waits for a person.

        Raises:
            RecordError: it is not recorded, and nobody must be asked.
        """
        await self._records.append_durably(self._decision(case, sends=False))

    def decided(self, case: Case, approval: Approval | None = None) -> None:
        """Record a decision by which nothing is sent; with `approval`, one about a request that
        waited for it while the rules changed."""
        note_past(self._records, self._decision(case, sends=False, approval=approval))

    def sent(self, case: Case, sent: Sent, duration_us: int, approval: Approval | None) -> None:
        """Record what became of what was sent."""
        note_past(
            self._records,
            OutcomeEntry(
                self._clock.now(),
                case.decision_id,
                case.exchange.request_id,
                sent.outcome,
                sent.status,
                sent.code,
                duration_us,
                sent.response_bytes,
                approval,
            ),
        )

    def concluded(
        self,
        case: Case,
        outcome: Outcome,
        code: str,
        approval: Approval | None = None,
        found: Witness | None = None,
    ) -> None:
        """Record why it was not sent; `found` is the state that it was not approved for."""
        note_past(
            self._records,
            OutcomeEntry(
                self._clock.now(),
                case.decision_id,
                case.exchange.request_id,
                outcome,
                code=code,
                approval=approval,
                witness_found=None if found is None else found.digest,
            ),
        )

    def _decision(
        self, case: Case, *, sends: bool, approval: Approval | None = None
    ) -> DecisionEntry:
        return DecisionEntry(
            self._clock.now(),
            case.decision_id,
            case.exchange,
            case.canonical,
            case.judgement.context,
            case.decision,
            sends,
            case.judgement.digest,
            approval,
        )
