"""What a request takes of limits, from its decision to its end.

What will wait for a person is owned by its action and by what that takes of which limits, so that
the same action sent again takes nothing twice, and it lapses with the question; under other limits
it is another taking, so that nothing is let off. What goes out at once has an owner of its own: two
equal actions are two.

INVARIANT(counted): what may have been sent is settled, whatever else happens; what was not is given
back, unless somebody has been asked about it and has not answered.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, assert_never

from gateway.decide.limits.verdict import with_readings, with_store_gone
from gateway.model.action import UNKNOWN_OPERATION, Canonical, Kind
from gateway.model.dataclass import dataclass
from gateway.model.decision import Decision
from gateway.model.effect import Effect, Mode
from gateway.model.errors import LimitError
from gateway.model.limit import LimitClaim
from gateway.model.record import Outcome
from gateway.ports import LimitStore, Sent

log = logging.getLogger(__name__)

MICROSECONDS: Final = 1_000_000

REFUSED_BY_UPSTREAM: Final = frozenset(range(400, 500)) - {408, 409, 499}
"""Statuses by which a provider says that it did nothing. A conflict may be a repetition of what
has been done, and after a timeout nobody knows."""


_BY_SOMEBODYS_CODE: Final = frozenset({Kind.EXECUTE, Kind.UNKNOWN})


class StakeState(Enum):
    """HELD: of a request that will wait. ASKED: a person has its question. IN_FLIGHT: it may be
    sent any moment. SENT: a byte of it may have left. OVER: nothing is left to do."""

    HELD = auto()
    ASKED = auto()
    IN_FLIGHT = auto()
    SENT = auto()
    OVER = auto()


@dataclass(slots=True, eq=False)
class Stake:
    """What one request has of limits, and how far it is. Without a token it has nothing."""

    token: str = ""
    state: StakeState = StakeState.OVER

    def note_asked(self) -> None:
        """A person has its question now: what it holds waits for the answer."""
        self.state = StakeState.ASKED

    def note_sent(self) -> None:
        """From now on it may have happened."""
        if self.token:
            self.state = StakeState.SENT


class Reservations:
    """Asks the counters for requests, and tells them what became of it. One per gateway."""

    def __init__(self, limits: LimitStore) -> None:
        self._limits = limits

    async def take(
        self, decision: Decision, now: int, decision_id: str, digest: str | None
    ) -> tuple[Decision, Stake]:
        """Take what a decision claims, and make it as strict as the counters want it. Counters
        that can't be asked block."""
        if not decision.claims or (decision.effect is Effect.BLOCK and not decision.passes):
            return decision, Stake()
        try:
            if digest is None or not may_wait(decision):
                return await self._take_at_once(decision, now, decision_id)
            return await self._take_and_see(decision, now, decision_id, digest)
        except LimitError as error:
            log.warning("counters unavailable", extra={"code": error.code})
            return with_store_gone(decision), Stake()

    async def take_again(
        self, stake: Stake, decision: Decision, now: int, decision_id: str
    ) -> Decision:
        """Take for an approved action whose reservation has lapsed or went to another request of
        the same action; the decision is a BLOCK where no more is left.

        Raises:
            LimitError: the counters can't be asked.
        """
        reserved = await self._limits.reserve(decision_id, decision.claims, now, None)
        if reserved.token:
            stake.token, stake.state = reserved.token, StakeState.IN_FLIGHT
        return with_readings(decision, reserved.readings)

    async def exchange(
        self,
        stake: Stake,
        before: Decision,
        decision: Decision,
        now: int,
        digest: str,
        lapses_at: int,
    ) -> tuple[Decision, Stake]:
        """Exchange what a held request took by one decision for what another wants of it. The old
        is given back first, so that no moment counts it twice; what others take in between is
        theirs. `lapses_at` as in `LimitStore.reserve`.

        Raises:
            LimitError: the counters can't be asked; it has nothing then.
        """
        if decision.claims == before.claims:
            return with_readings(decision, before.readings), stake
        await self.give_back(stake)
        if not decision.claims:
            return decision, Stake()
        owner = _owner(digest, decision.claims)
        reserved = await self._limits.reserve(owner, decision.claims, now, lapses_at)
        state = StakeState.ASKED if reserved.token else StakeState.OVER
        return with_readings(decision, reserved.readings), Stake(reserved.token, state)

    async def start(self, stake: Stake) -> bool:
        """Say that it is about to be sent. False when what was held is not held any more.

        Raises:
            LimitError: the counters can't be asked.
        """
        if stake.token and not await self._limits.start(stake.token):
            stake.token, stake.state = "", StakeState.OVER
            return False
        if stake.token:
            stake.state = StakeState.IN_FLIGHT
        return True

    async def settle(self, stake: Stake, sent: Sent, canonical: Canonical) -> None:
        """Say what became of what was sent."""
        if did_nothing(sent, canonical):
            stake.state = StakeState.IN_FLIGHT
        await self.end(stake)

    async def give_back(self, stake: Stake) -> None:
        """Say that nothing was sent, and that nobody waits for an answer any more."""
        if stake.state is StakeState.ASKED:
            stake.state = StakeState.HELD
        await self.end(stake)

    async def end(self, stake: Stake) -> None:
        """The request is over, however it ended."""
        token, state = stake.token, stake.state
        stake.token, stake.state = "", StakeState.OVER
        if not token:
            return
        try:
            match state:
                case StakeState.HELD:
                    # It may be in flight for another request of the same action: then it is that
                    # one's. Whoever can start it may give it back.
                    if await self._limits.start(token):
                        await self._limits.release(token)
                case StakeState.IN_FLIGHT:
                    await self._limits.release(token)
                case StakeState.SENT:
                    await self._limits.settle(token)
                case StakeState.ASKED | StakeState.OVER:
                    pass
                case _:
                    assert_never(state)
        except LimitError as error:
            # What is in flight counts, and what is held lapses.
            log.warning("counters not told", extra={"code": error.code})

    # --- inside -----------------------------------------------------------------------------------

    async def _take_at_once(
        self, decision: Decision, now: int, decision_id: str
    ) -> tuple[Decision, Stake]:
        reserved = await self._limits.reserve(decision_id, decision.claims, now, None)
        judged = with_readings(decision, reserved.readings)
        return judged, Stake(reserved.token, StakeState.IN_FLIGHT)

    async def _take_held(self, decision: Decision, now: int, digest: str) -> tuple[Decision, Stake]:
        lapses_at = now + _waits_seconds_max(decision) * MICROSECONDS
        owner = _owner(digest, decision.claims)
        reserved = await self._limits.reserve(owner, decision.claims, now, lapses_at)
        judged = with_readings(decision, reserved.readings)
        return judged, Stake(reserved.token, StakeState.HELD)

    async def _take_and_see(
        self, decision: Decision, now: int, decision_id: str, digest: str
    ) -> tuple[Decision, Stake]:
        """Take as if it will wait, so that it joins what the same action has taken before; where
        nothing makes it wait, it goes out at once."""
        judged, stake = await self._take_held(decision, now, digest)
        if not judged.passes:
            return judged, stake
        try:
            if await self.start(stake):
                return judged, stake
        except BaseException:
            await self.end(stake)
            raise
        # An equal action is on its way just now. This is another one.
        judged, stake = await self._take_at_once(decision, now, decision_id)
        if judged.effect is not Effect.REQUIRE_APPROVAL or judged.passes:
            return judged, stake
        await self.end(stake)
        again, stake = await self._take_held(decision, now, digest)
        return (judged if again.passes else again), stake


def _owner(digest: str, claims: Sequence[LimitClaim]) -> str:
    """Whose a held reservation is. What a limit says and how much it allows is no part of it: that
    is read anew by whoever joins."""
    shares = sorted((claim.limit, claim.key, str(claim.amount)) for claim in claims)
    return hashlib.sha256(json.dumps([digest, shares]).encode()).hexdigest()


def did_nothing(sent: Sent, canonical: Canonical) -> bool:
    """Whether an act certainly has not happened: nothing left, or a known provider refused.

    An upstream that nobody has mapped may be the agent's own, and refuse what it keeps; so may
    code that a provider runs for somebody; and of several actions some may have happened.
    """
    if sent.outcome is Outcome.NOT_SENT:
        return True
    actions = canonical.actions
    is_known = (
        len(actions) == 1
        and actions[0].operation != UNKNOWN_OPERATION
        and actions[0].kind not in _BY_SOMEBODYS_CODE
    )
    return is_known and sent.outcome is Outcome.EXECUTED and sent.status in REFUSED_BY_UPSTREAM


def _asking(claims: Sequence[LimitClaim]) -> list[LimitClaim]:
    return [
        claim
        for claim in claims
        if claim.effect is Effect.REQUIRE_APPROVAL and claim.mode is Mode.ENFORCE
    ]


def waits(decision: Decision) -> bool:
    """Whether a person is asked."""
    return decision.effect is Effect.REQUIRE_APPROVAL and not decision.passes


def may_wait(decision: Decision) -> bool:
    """Whether a person is asked, or could be once the counters are read."""
    return waits(decision) or (bool(decision.claims) and bool(_asking(decision.claims)))


def _waits_seconds_max(decision: Decision) -> int:
    """The longest that its question may stand."""
    terms = [decision.terms, *(claim.terms for claim in _asking(decision.claims))]
    return max(each.timeout_seconds for each in terms if each is not None)
