"""What a request means, and what is said to it: stops, policies, then the counters of limits.

The order is one of strictness: a stop is asked first and nothing outvotes it; a limit can only
make a decision stricter. Every fault on the way is a BLOCK with a reason. It sends nothing and
records nothing: `pipeline` does.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from gateway import telemetry
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.decide.bundle import Bundle
from gateway.decide.limits.verdict import with_readings, with_store_gone
from gateway.model.action import Canonical, action_digest
from gateway.model.decision import Context, Decision, ReasonCode
from gateway.model.effect import Effect, Mode
from gateway.model.errors import LimitError
from gateway.model.exchange import Exchange
from gateway.model.limit import Reserved
from gateway.model.stop import Stop
from gateway.ports import LimitStore, StopBoard

log = logging.getLogger(__name__)

LARGE_BODY_BYTES = 128 * 1024
"""Larger bodies are read in a thread: ten megabytes of JSON take half a second, and nobody else's
request waits for that."""

MICROSECONDS = 1_000_000

_STALE = "the control plane has not confirmed the policies for too long"


@dataclass(frozen=True, slots=True, eq=False)
class Ruleset:
    """What requests are read and decided by. Exchanged as one, so that no request is read by the
    mappers of one bundle and decided by the policies of another.

    `usable_until` is microseconds since the Unix epoch: nobody vouches for these rules any more
    for requests that come later. None: always usable."""

    canonicalizer: Canonicalizer
    bundle: Bundle
    usable_until: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """`digest` is the action digest, None where the body streams. `reserved` is what the request
    took of limits; None where it takes nothing."""

    canonical: Canonical
    context: Context
    decision: Decision
    digest: str | None
    reserved: Reserved | None


class Judge:
    """One per gateway. `ruleset` may be exchanged at any time; a request keeps the one it began
    with."""

    def __init__(
        self,
        ruleset: Ruleset,
        stops: StopBoard,
        limits: LimitStore,
        *,
        mode: Mode = Mode.ENFORCE,
        environment: str = "",
    ) -> None:
        self.ruleset = ruleset
        self._stops = stops
        self._limits = limits
        self._mode = mode
        self._environment = environment

    async def judge(self, exchange: Exchange, decision_id: str) -> Judgement:
        """Say what a request means and what is to be done with it. Never raises for a request."""
        ruleset = self.ruleset
        canonical = await self._read(ruleset.canonicalizer, exchange)
        context = self._context_of(exchange)
        digest = None
        if exchange.request.body is not None:
            digest = action_digest(exchange, canonical)
        decision = self._decide(ruleset, exchange, canonical, context)
        if not decision.claims or (decision.effect is Effect.BLOCK and not decision.passes):
            return Judgement(canonical, context, decision, digest, None)
        decision, reserved = await self._reserve(decision, context, decision_id, digest)
        return Judgement(canonical, context, decision, digest, reserved)

    def stop_of(self, exchange: Exchange, canonical: Canonical) -> Stop | None:
        """The stop that a request falls under now; asked again before a held one is released."""
        principal = exchange.principal
        return self._stops.find(principal.agent, principal.run, _providers_of(canonical))

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
        """Decide by stops and policies. A fault of the engine is a BLOCK.

        Rules that are missing or stale block in monitor mode too: it lets pass what rules forbid,
        and here there are none.
        """
        bundle = ruleset.bundle
        try:
            stop = self.stop_of(exchange, canonical)
            if stop is not None:
                return bundle.stopped(stop)
            if not bundle.policies:
                return _without_rules(bundle, ReasonCode.NO_POLICY, "no policy is loaded")
            if ruleset.usable_until is not None and context.now > ruleset.usable_until:
                return _without_rules(bundle, ReasonCode.BUNDLE_STALE, _STALE)
            if canonical.refused is not None:
                return bundle.refuse(canonical, context)
            return bundle.decide(canonical.actions, context, self._mode)
        except Exception:
            log.exception("decision failed", extra={"request_id": exchange.request_id})
            telemetry.BUGS.inc()
            return bundle.fault()

    async def _reserve(
        self, decision: Decision, context: Context, decision_id: str, digest: str | None
    ) -> tuple[Decision, Reserved | None]:
        """Ask the counters, and make the decision as strict as they want it.

        What will be held is owned by its digest, so that the same action sent again while it waits
        takes nothing twice, and it lapses with its question. What goes out at once has an owner of
        its own: two equal actions are two.
        """
        try:
            if _is_held(decision) and digest is not None:
                return await self._reserve_held(decision, context, digest)
            claims = decision.claims
            reserved = await self._limits.reserve(decision_id, claims, context.now, None)
            judged = with_readings(decision, reserved.readings)
            if not _is_held(judged) or digest is None:
                return judged, reserved
            await self._limits.release(reserved.token)
            return await self._reserve_held(judged, context, digest)
        except LimitError as error:
            log.warning("counters unavailable", extra={"code": error.code})
            return with_store_gone(decision), None

    async def _reserve_held(
        self, decision: Decision, context: Context, digest: str
    ) -> tuple[Decision, Reserved]:
        assert decision.terms is not None, "what needs approval has terms"
        lapses_at = context.now + decision.terms.timeout_seconds * MICROSECONDS
        claims = decision.claims
        reserved = await self._limits.reserve(digest, claims, context.now, lapses_at)
        return with_readings(decision, reserved.readings), reserved


def _without_rules(bundle: Bundle, reason: str, message: str) -> Decision:
    return replace(bundle.fault(), reason_code=reason, message=message)


def _is_held(decision: Decision) -> bool:
    return decision.effect is Effect.REQUIRE_APPROVAL and not decision.passes


def _canonicalize(canonicalizer: Canonicalizer, exchange: Exchange) -> Canonical:
    """Say what a request means; a fault of the mapper is a refusal. Slow at a provider's first
    call, when its catalog is read, and for large bodies."""
    try:
        return canonicalizer.canonicalize(exchange.request)
    except Exception:
        log.exception("canonicalization failed", extra={"request_id": exchange.request_id})
        telemetry.BUGS.inc()
        return Canonical((), "unknown", "problem", "mapper_fault", "the mapper failed")


def _providers_of(canonical: Canonical) -> set[str]:
    return {canonical.provider, *(action.provider for action in canonical.actions)}
