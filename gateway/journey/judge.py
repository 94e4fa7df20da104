"""What a request means, and what is said to it: stops, policies, then the counters of limits.

The order is one of strictness: a stop is asked first and nothing outvotes it; a limit can only
make a decision stricter. Every fault on the way is a BLOCK with a reason. It sends nothing and
records nothing: `pipeline` does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace

from gateway import telemetry
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.decide.bundle import Bundle
from gateway.journey.reservations import Reservations, Stake, may_wait, waits
from gateway.journey.stages import in_step
from gateway.model.action import Canonical, Kind, action_digest
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context, Decision, ReasonCode
from gateway.model.effect import Effect, Mode
from gateway.model.exchange import Exchange
from gateway.model.quick import quick
from gateway.model.stop import Stop
from gateway.ports import StopBoard

log = logging.getLogger(__name__)

LARGE_BODY_BYTES = 128 * 1024
"""Larger bodies are read in a thread: ten megabytes of JSON take half a second, and nobody else's
request waits for that."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Why there are no rules to decide by: a reason code, and a sentence."""

    reason: str
    message: str


_NO_POLICY = Lack(ReasonCode.NO_POLICY, "no policy is loaded")
_STALE = Lack(
    ReasonCode.BUNDLE_STALE, "the control plane has not confirmed the policies for too long"
)


@dataclass(frozen=True, slots=True, eq=False)
class Ruleset:
    """What requests are read and decided by. Exchanged as one, so that no request is read by the
    mappers of one bundle and decided by the policies of another.

    `usable_until` is microseconds since the Unix epoch: nobody vouches for these rules any more
    for requests that come later. None: always usable."""

    canonicalizer: Canonicalizer
    bundle: Bundle
    usable_until: int | None = None

    def lack(self, now: int) -> Lack | None:
        """Why these rules decide nothing at `now` (microseconds since the Unix epoch)."""
        if not self.bundle.policies:
            return _NO_POLICY
        if self.usable_until is not None and now > self.usable_until:
            return _STALE
        return None


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """`digest` is the action digest of what waits for a person: None where none is asked, or where
    the body streams, so that no approval could be of it. `stake` is what the request has
    of limits; whoever has the judgement ends it. `ruleset` is what it was judged by."""

    canonical: Canonical
    context: Context
    decision: Decision
    digest: str | None
    stake: Stake
    ruleset: Ruleset


class Judge:
    """One per gateway. `ruleset` may be exchanged at any time; a request keeps the one it began
    with, unless it waits for a person: then it is judged again before it is released."""

    def __init__(
        self,
        ruleset: Ruleset,
        stops: StopBoard,
        reservations: Reservations,
        *,
        mode: Mode = Mode.ENFORCE,
        environment: str = "",
    ) -> None:
        self.ruleset = ruleset
        self._stops = stops
        self._reservations = reservations
        self._mode = mode
        self._environment = environment

    async def judge(self, exchange: Exchange, decision_id: str) -> Judgement:
        """Say what a request means and what is to be done with it. Never raises for a request."""
        await in_step()
        ruleset = self.ruleset
        canonical = await self._read(ruleset.canonicalizer, exchange)
        await in_step()
        context = self._context_of(exchange)
        decision = self._decide(ruleset, exchange, canonical, context)
        digest, stake = None, Stake()
        try:
            if exchange.request.body is not None and may_wait(decision):
                digest = action_digest(exchange, canonical)
            if decision.claims:
                decision, stake = await self._reservations.take(
                    decision, context.now, decision_id, digest
                )
                if not waits(decision):
                    digest = None
        except Exception:
            decision = _broken(ruleset.bundle, exchange)
        return Judgement(canonical, context, decision, digest, stake, ruleset)

    def is_outdated(self, judgement: Judgement) -> bool:
        """Whether other rules or mappers are in force than those that a request was judged by."""
        now, then = self.ruleset, judgement.ruleset
        is_same = now.bundle.revision == then.bundle.revision
        return not is_same or now.canonicalizer is not then.canonicalizer

    async def foresee(self, exchange: Exchange, before: Judgement) -> Judgement:
        """What the rules of now say to a request that waits, as of the moment when it came: its
        time, run and labels are what they were. Stops and counters are not asked, and it keeps
        what it has of limits."""
        ruleset, canonical, digest = self.ruleset, before.canonical, before.digest
        if ruleset.canonicalizer is not before.ruleset.canonicalizer:
            canonical = await self._read(ruleset.canonicalizer, exchange)
            digest = _digest_of(exchange, canonical)
        decision = self._rule(ruleset, exchange, canonical, before.context)
        return Judgement(canonical, before.context, decision, digest, before.stake, ruleset)

    async def judge_again(self, exchange: Exchange, before: Judgement, lapses_at: int) -> Judgement:
        """Judge a request that waits by the rules of now, counters included. What blocks it by
        itself leaves what it has of limits to be given back.

        Raises:
            LimitError: the counters can't be asked.
        """
        seen = await self.foresee(exchange, before)
        digest, decision = seen.digest, seen.decision
        is_blocked = decision.effect is Effect.BLOCK and not decision.passes
        if digest is None or digest != before.digest or is_blocked:
            return seen
        decision, stake = await self._reservations.exchange(
            before.stake, before.decision, decision, before.context.now, digest, lapses_at
        )
        return replace(seen, decision=decision, stake=stake)

    def stop_of(self, exchange: Exchange, canonical: Canonical) -> Stop | None:
        """The stop that a request falls under now; asked again before a held one is released."""
        principal = exchange.principal
        return self._stops.find(principal.agent, principal.run, _providers_of(canonical))

    async def is_read(self, exchange: Exchange) -> bool:
        """Whether the mappers in force know a request as a read and as nothing else."""
        canonical = await self._read(self.ruleset.canonicalizer, exchange)
        kinds = {action.kind for action in canonical.actions}
        return canonical.refused is None and kinds == {Kind.READ}

    def _context_of(self, exchange: Exchange) -> Context:
        principal = exchange.principal
        return Context(
            principal.agent,
            principal.run,
            exchange.received_at,
            principal.labels,
            self._environment,
            "" if principal.run is None else "running",
        )

    async def _read(self, canonicalizer: Canonicalizer, exchange: Exchange) -> Canonical:
        body = exchange.request.body
        if canonicalizer.is_ready(exchange.request) and len(body or b"") <= LARGE_BODY_BYTES:
            return _canonicalize(canonicalizer, exchange)
        return await asyncio.to_thread(_canonicalize, canonicalizer, exchange)

    def _decide(
        self, ruleset: Ruleset, exchange: Exchange, canonical: Canonical, context: Context
    ) -> Decision:
        """Decide by stops and policies. A fault is a BLOCK."""
        try:
            stop = self.stop_of(exchange, canonical)
            if stop is not None:
                return ruleset.bundle.stopped(stop)
        except Exception:
            return _broken(ruleset.bundle, exchange)
        return self._rule(ruleset, exchange, canonical, context)

    def _rule(
        self, ruleset: Ruleset, exchange: Exchange, canonical: Canonical, context: Context
    ) -> Decision:
        """Decide by policies. A fault of the engine is a BLOCK.

        Rules that are missing or stale block in monitor mode too: it lets pass what rules forbid,
        and here there are none.
        """
        bundle = ruleset.bundle
        try:
            lack = ruleset.lack(context.now)
            if lack is not None:
                return replace(bundle.fault(), reason_code=lack.reason, message=lack.message)
            if canonical.refused is not None:
                return bundle.refuse(canonical)
            return bundle.decide(canonical.actions, context, self._mode)
        except Exception:
            return _broken(bundle, exchange)


def _digest_of(exchange: Exchange, canonical: Canonical) -> str | None:
    """The digest of the act as it is read now; None is no act that an approval could be of."""
    try:
        return None if exchange.request.body is None else action_digest(exchange, canonical)
    except Exception:
        log.exception("digest failed", extra={"request_id": exchange.request_id})
        telemetry.BUGS.inc()
        return None


def _broken(bundle: Bundle, exchange: Exchange) -> Decision:
    """The BLOCK of a request at which something of ours broke, within its handler."""
    log.exception("decision failed", extra={"request_id": exchange.request_id})
    telemetry.BUGS.inc()
    return bundle.fault()


def _canonicalize(canonicalizer: Canonicalizer, exchange: Exchange) -> Canonical:
    """Say what a request means; a fault of the mapper is a refusal. Slow at a provider's first
    call, when its catalog is read, and for large bodies."""
    try:
        return canonicalizer.canonicalize(exchange.request)
    except Exception:
        log.exception("canonicalization failed", extra={"request_id": exchange.request_id})
        telemetry.BUGS.inc()
        return Canonical((), "unknown", "problem", "mapper_fault", "the mapper failed")


def _providers_of(canonical: Canonical) -> Collection[str]:
    actions = canonical.actions
    if len(actions) == 1:
        # Asked several times for every request; a set would cost half of it.
        return canonical.provider, actions[0].provider
    return {canonical.provider, *(action.provider for action in actions)}
