"""Approvals in memory: an `ApprovalDesk` whose person is the test."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.model.approval import LEGAL_MOVES, Approval, ApprovalEvent, ApprovalState, Witness
from gateway.model.effect import ApprovalTerms
from gateway.model.errors import ApprovalError
from gateway.ports import ApprovalAsk, Clock

OPEN = (ApprovalState.PENDING, ApprovalState.APPROVED)


class FakeDesk:
    """`ports.ApprovalDesk`. `is_reachable` False makes every call fail as a lost control plane
    does; `asks` is what was asked, `voids` what was ended and why."""

    def __init__(self, clock: Clock) -> None:
        self.is_reachable = True
        self.asks: list[ApprovalAsk] = []
        self.voids: list[tuple[str, str, Witness | None]] = []
        self._clock = clock
        self._approvals: dict[str, Approval] = {}
        self._agents: dict[str, str] = {}
        self._claims: dict[str, str] = {}
        self._changed = asyncio.Event()

    async def ask(self, ask: ApprovalAsk) -> Approval:
        self._check()
        self.asks.append(ask)
        agent = ask.exchange.principal.agent
        for approval in self._approvals.values():
            is_same = approval.digest == ask.digest and approval.state in OPEN
            if is_same and self._agents[approval.approval_id] == agent:
                return approval
        approval_id = f"apr-{len(self._approvals) + 1}"
        expires_at = self._clock.now() + 1_800_000_000
        witness = None if ask.witness is None else ask.witness.digest
        terms = ask.decision.terms or ApprovalTerms()
        approval = Approval(
            approval_id,
            ApprovalState.PENDING,
            ask.digest,
            expires_at,
            witness=witness,
            terms=terms,
        )
        self._approvals[approval_id] = approval
        self._agents[approval_id] = agent
        return approval

    async def wait(self, approval_id: str, seconds_max: float) -> Approval:
        self._check()
        try:
            async with asyncio.timeout(seconds_max):
                while self._known(approval_id).state is ApprovalState.PENDING:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self._known(approval_id)

    async def consume(self, approval_id: str, digest: str, claim_id: str) -> Approval | None:
        self._check()
        approval = self._known(approval_id)
        if self._claims.get(approval_id) == claim_id:
            return approval
        if approval.state is not ApprovalState.APPROVED or approval.digest != digest:
            return None
        self._claims[approval_id] = claim_id
        return self.answer(approval_id, ApprovalEvent.CONSUME)

    async def void(self, approval_id: str, reason_code: str, found: Witness | None = None) -> None:
        self._check()
        self.voids.append((approval_id, reason_code, found))
        if self._known(approval_id).state in OPEN:
            self.answer(approval_id, ApprovalEvent.CANCEL)

    def answer(
        self, approval_id: str, event: ApprovalEvent, by: str | None = None, why: str | None = None
    ) -> Approval:
        """Be the person: move an approval on."""
        approval = self._known(approval_id)
        state = LEGAL_MOVES[approval.state][event]
        by, why = by or approval.answered_by, why or approval.comment
        moved = replace(approval, state=state, answered_by=by, comment=why)
        self._approvals[approval_id] = moved
        self._changed.set()
        return moved

    def _known(self, approval_id: str) -> Approval:
        if approval_id not in self._approvals:
            raise ApprovalError("approval.unavailable", "there is no such approval")
        return self._approvals[approval_id]

    def _check(self) -> None:
        if not self.is_reachable:
            raise ApprovalError("approval.unavailable", "the control plane can't be reached")
