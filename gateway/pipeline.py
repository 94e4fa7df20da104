"""One request's whole journey: canonicalize, decide, record, then forward, hold or refuse.

The only file that knows all five stages, and the only one beside `enforce/gate` that looks at
what a decision says. It opens nothing itself: the world stands behind `ports`.

INVARIANT(intent): what may change something is on disk as an intent before its first byte is sent.
INVARIANT(fail-closed): every way out of `govern` that is not a permit leaves the upstream
untouched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import field
from typing import Final

from gateway import telemetry
from gateway.enforce import gate, hold
from gateway.enforce.destination import DestinationGuard
from gateway.enforce.witness import is_unchanged
from gateway.enforce.witness_state import WitnessError
from gateway.journey.case import Case, CaseRecords
from gateway.journey.held_cases import HeldCases
from gateway.journey.judge import Judge, Ruleset
from gateway.journey.past_entries import note_past
from gateway.journey.reservations import Reservations
from gateway.journey.settings import PipelineSettings
from gateway.journey.tunnels import Tunnels
from gateway.journey.witness_reader import WitnessReader, WitnessSettings
from gateway.model.approval import Approval, Witness
from gateway.model.dataclass import dataclass
from gateway.model.decision import Permit, ReasonCode
from gateway.model.effect import Effect
from gateway.model.errors import AgentProtocolError, ApprovalError, LimitError, RecordError
from gateway.model.exchange import Authority, Exchange, Principal
from gateway.model.record import Outcome, RefusalEntry
from gateway.model.stop import Stop
from gateway.ports import (
    AgentChannel,
    AgentDirectory,
    ApprovalAsk,
    ApprovalDesk,
    Clock,
    LimitStore,
    RecordSink,
    Sender,
    StopBoard,
    TunnelVerdict,
    Upstream,
    Wire,
)

log = logging.getLogger(__name__)

SETTLING_TRIES_MAX: Final = 3
"""How often a release may find that the rules have changed while it looked at the world."""


@dataclass(frozen=True, slots=True)
class World:
    """The adapters behind the ports, chosen by `app`."""

    upstream: Upstream
    desk: ApprovalDesk
    directory: AgentDirectory
    stops: StopBoard
    limits: LimitStore
    records: RecordSink
    clock: Clock
    new_id: Callable[[str], str]
    witness: WitnessSettings = field(default_factory=WitnessSettings)


class Pipeline:
    """The real `Governor`. One per gateway; its judge's ruleset may be exchanged any time."""

    def __init__(
        self,
        settings: PipelineSettings,
        hold_settings: hold.HoldSettings,
        ruleset: Ruleset,
        guard: DestinationGuard,
        world: World,
    ) -> None:
        self._reservations = Reservations(world.limits)
        self.judge = Judge(
            ruleset,
            world.stops,
            self._reservations,
            mode=settings.mode,
            environment=settings.environment,
        )
        self._settings = settings
        self._ports_allowed = settings.ports_allowed
        self._passthrough = frozenset(settings.passthrough_hosts)
        self._guard = guard
        self._world = world
        self._held = HeldCases(hold_settings, self.judge, world.clock)
        self._records = CaseRecords(world.records, world.clock)
        self._witnesses = WitnessReader(
            world.upstream,
            world.records,
            world.clock,
            world.new_id,
            self.judge.is_read,
            world.witness,
        )
        self._tunnels = Tunnels(
            world.upstream, world.records, world.stops, world.clock, world.new_id
        )

    def use_destinations(self, settings: PipelineSettings) -> None:
        """Take other ports and passthrough hosts, for tunnels that are asked for from now on."""
        self._ports_allowed = settings.ports_allowed
        self._passthrough = frozenset(settings.passthrough_hosts)

    def stop_holding(self) -> None:
        """Answer all that is parked, now and from now on, as still pending: the gateway stops."""
        self._held.close()

    def obey_stops(self) -> None:
        """End at once what a stop that has just come applies to: tunnels are cut, and what waits
        for a person is refused. New requests ask by themselves, and so does what is on its way out.
        """
        self._tunnels.cut_stopped()
        self._held.wake_stopped()

    def obey_rules(self) -> None:
        """Refuse at once what waits for a person and what rules that have just come don't let
        pass on its approval. The rest is judged again when it is released."""
        self._held.wake_refused()

    # --- before an exchange -----------------------------------------------------------------------

    async def authenticate(self, agent: str, key: str) -> Principal | None:
        name, _, run = agent.partition("+")
        principal = await self._world.directory.authenticate(name, key)
        if principal is None or not run:
            return principal
        return Principal(principal.agent, run, principal.labels)

    def admit_tunnel(self, principal: Principal, authority: Authority) -> TunnelVerdict:
        self._guard.check_authority(authority, self._ports_allowed)
        if authority.host not in self._passthrough:
            # Stopped or not: inside, the agent's SDK can be told in its provider's own words.
            return TunnelVerdict.INTERCEPT
        self._tunnels.check(principal)
        return TunnelVerdict.PASSTHROUGH

    async def open_tunnel(self, principal: Principal, authority: Authority) -> Wire:
        return await self._tunnels.open(principal, authority)

    def note_tunnel_closed(self, upstream: Wire, sent_bytes: int, received_bytes: int) -> None:
        self._tunnels.note_closed(upstream, sent_bytes, received_bytes)

    def note_refusal(
        self, error: AgentProtocolError, agent: str | None, authority: Authority | None
    ) -> None:
        telemetry.REFUSALS.labels(error.code).inc()
        now = self._world.clock.now()
        entry = RefusalEntry(now, error.code, error.message, agent, authority)
        note_past(self._world.records, entry)

    # --- one exchange -----------------------------------------------------------------------------

    async def govern(
        self, exchange: Exchange, channel: AgentChannel, sender: Sender | None = None
    ) -> None:
        decision_id = self._world.new_id("dec")
        judgement = await self.judge.judge(exchange, decision_id)
        case = Case(exchange, channel, decision_id, judgement, sender or self._world.upstream)
        telemetry.count_decision(case.decision)
        try:
            await self._act(case)
        finally:
            if case.stake.token:
                await self._reservations.end(case.stake)

    async def _act(self, case: Case) -> None:
        step = gate.admit(case.exchange, case.decision, case.decision_id)
        # Not by `match`, which makes a set and a list for every class that it is tried for.
        if isinstance(step, gate.Forward):
            await self._forward(case, step.permit, None)
        elif isinstance(step, gate.Refuse):
            await self._refuse_decided(case, step)
        else:
            await self._hold(case)

    async def _forward(self, case: Case, permit: Permit, approval: Approval | None) -> None:
        try:
            await self._records.intent(case, approval)
        except RecordError as error:
            self._refuse_unrecorded(case, error)
            return
        if case.channel.is_gone:
            self._records.concluded(case, Outcome.NOT_SENT, "agent_gone", approval)
            return
        started = self._world.clock.monotonic()
        case.stake.note_sent()
        sent = await case.sender.send(
            permit, case.as_sent, case.channel, lambda: self._stop_of(case)
        )
        if not sent.began and sent.switched is None:
            case.tell_failed(sent)
        duration_us = int((self._world.clock.monotonic() - started) * 1_000_000)
        self._records.sent(case, sent, duration_us, approval)
        if case.stake.token:
            await self._reservations.settle(case.stake, sent, case.canonical)
        if sent.switched is not None:
            await self._tunnels.carry(case, sent.switched, lambda: self._stop_of(case))

    def _stop_of(self, case: Case) -> Stop | None:
        return self.judge.stop_of(case.exchange, case.canonical)

    async def _hold(self, case: Case) -> None:
        with self._held.place(case) as place, telemetry.HELD.track_inprogress():
            if place is None:
                await self._refuse_decided(case, gate.holds_full())
                return
            try:
                await self._hold_in_place(case, place)
            except ApprovalError as error:
                log.warning("approval unavailable", extra={"code": error.code})
                self._refuse(case, gate.Refuse(ReasonCode.APPROVAL_UNAVAILABLE, error.message))
            except WitnessError as error:
                log.warning("witness unavailable", extra={"code": error.code})
                stop = self._stop_of(case)
                refuse = gate.Refuse(ReasonCode.WITNESS_UNAVAILABLE, error.message)
                self._refuse(case, refuse if stop is None else gate.stopped(stop))
            except LimitError as error:
                log.warning("counters unavailable", extra={"code": error.code})
                refuse = gate.Refuse(ReasonCode.LIMIT_STORE_UNAVAILABLE, error.message)
                self._refuse(case, refuse)

    async def _hold_in_place(self, case: Case, place: hold.Place[Case]) -> None:
        desk, digest = self._world.desk, case.judgement.digest
        assert digest is not None
        try:
            await self._records.held(case)
        except RecordError as error:
            self._refuse_unrecorded(case, error)
            return
        witness = await self._see(case) if case.needs_witness else None
        approval = await desk.ask(
            ApprovalAsk(
                case.decision_id,
                digest,
                case.exchange,
                case.canonical,
                case.decision,
                place.until,
                witness,
            )
        )
        case.approval = approval
        case.stake.note_asked()
        # It may have joined a question that was asked on other terms, or of another world.
        if not gate.is_enough(case.decision, approval):
            await self._void(case, approval, gate.terms_changed(approval))
            return
        if witness is not None and not is_unchanged(approval.witness, witness):
            await self._void(case, approval, gate.world_changed(approval), found=witness)
            return
        if await self._is_refused_now(case, approval):
            return
        if self._stop_of(case) is not None:
            place.ended.set()  # it came before there was a place to end
        approval = await hold.wait_for_answer(
            desk, approval, case.channel, self._world.clock, place
        )
        if self._is_left(case, approval):
            return
        stop = self._stop_of(case)
        refuse = gate.answer(approval) if stop is None else gate.stopped(stop)
        if refuse is None:
            await self._release(case, approval, digest)
        elif refuse.code != ReasonCode.APPROVAL_PENDING:
            await self._reservations.give_back(case.stake)
            self._refuse(case, refuse, approval)
        elif not await self._is_refused_now(case, approval):
            self._refuse(case, refuse, approval)

    async def _release(self, case: Case, approval: Approval, digest: str) -> None:
        """Use an approval, once, and send what it was given for: by the rules of now, and in the
        world of now."""
        for _ in range(SETTLING_TRIES_MAX):
            if await self._is_refused_now(case, approval):
                return
            if case.needs_witness:
                seen = await self._see(case)
                if not is_unchanged(approval.witness, seen):
                    await self._void(case, approval, gate.world_changed(approval), found=seen)
                    return
            if not self.judge.is_outdated(case.judgement):
                break
        else:
            raise ApprovalError("approval.rules_change", "the rules change all the time just now")
        if self._is_left(case, approval):
            return
        # Before the approval is used: what the counters won't take must not use it up.
        if not await self._reservations.start(case.stake):
            refuse = await self._take_again(case, approval)
            if refuse is not None:
                self._refuse(case, refuse, approval)
                return
        stop = self._stop_of(case)
        if stop is not None:
            # The world and the counters were asked meanwhile; the approval stays unused.
            await self._reservations.give_back(case.stake)
            self._refuse(case, gate.stopped(stop), approval)
            return
        consumed = await self._world.desk.consume(approval.approval_id, digest, case.decision_id)
        match gate.release(case.exchange, case.decision_id, digest, consumed):
            case gate.Forward(permit):
                await self._forward(case, permit, consumed)
            case gate.Refuse() as refuse:
                self._refuse(case, refuse, approval)

    async def _take_again(self, case: Case, approval: Approval) -> gate.Refuse | None:
        """What it held of limits has lapsed, or another request of the same action has used the
        approval that both waited for. Take it once more where the approval is still unused."""
        newest = await self._world.desk.wait(approval.approval_id, 0)
        refuse = gate.answer(newest)
        if refuse is not None:
            return refuse
        # The windows of its claims are of the moment it was decided at.
        now = case.judgement.context.now
        decision = await self._reservations.take_again(
            case.stake, case.decision, now, case.decision_id
        )
        if decision.effect is Effect.BLOCK:
            return gate.Refuse(decision.reason_code, decision.message)
        return None if gate.is_enough(decision, approval) else gate.terms_changed(approval)

    async def _is_refused_now(self, case: Case, approval: Approval) -> bool:
        """Whether the rules of now, where they are others than those that it was held by, don't
        let the approval stand. Then it is void, and the agent is told why. A decision of theirs is
        recorded under the same id."""
        if not self.judge.is_outdated(case.judgement):
            return False
        before = case.judgement
        case.judgement = await self.judge.judge_again(case.exchange, before, approval.expires_at)
        self._records.decided(case, approval)
        is_same_act = case.judgement.digest == before.digest
        refuse = gate.decided_again(case.decision, approval, is_same_act)
        if refuse is None:
            return False
        is_of_terms = refuse.code == ReasonCode.APPROVAL_TERMS_CHANGED
        why = refuse.code if is_of_terms else ReasonCode.POLICY_CHANGED
        await self._void(case, approval, refuse, why)
        return True

    async def _see(self, case: Case) -> Witness:
        return await self._witnesses.read(
            case.exchange, case.canonical, case.decision_id, lambda: self._stop_of(case)
        )

    async def _void(
        self,
        case: Case,
        approval: Approval,
        refuse: gate.Refuse,
        why: str | None = None,
        found: Witness | None = None,
    ) -> None:
        """End an approval of a world (`found` is there now) or of rules that are not there any
        more; sent again, it is asked anew."""
        await self._world.desk.void(approval.approval_id, why or refuse.code, found)
        await self._reservations.give_back(case.stake)
        self._refuse(case, refuse, approval, found)

    def _is_left(self, case: Case, approval: Approval) -> bool:
        """Whether nobody would read the answer. The approval stays, for the same action sent
        again."""
        if case.channel.is_gone:
            self._records.concluded(case, Outcome.NOT_SENT, "agent_gone", approval)
        return case.channel.is_gone

    # --- refusals and records ---------------------------------------------------------------------

    async def _refuse_decided(self, case: Case, refuse: gate.Refuse) -> None:
        """Refuse at once; the refusal is recorded, but needs no disk before it is told."""
        self._records.decided(case)
        self._refuse(case, refuse)

    def _refuse(
        self,
        case: Case,
        refuse: gate.Refuse,
        approval: Approval | None = None,
        found: Witness | None = None,
    ) -> None:
        case.tell_refused(refuse, self._settings.public_url)
        self._records.concluded(case, Outcome.REFUSED, refuse.code, approval, found)

    def _refuse_unrecorded(self, case: Case, error: RecordError) -> None:
        """The record can't be written, so nothing is sent and nothing more can be recorded."""
        log.error("record unavailable", extra={"code": error.code})
        case.tell_refused(gate.Refuse(ReasonCode.RECORD_UNAVAILABLE, error.message))
