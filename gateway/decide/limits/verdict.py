"""What the counters of limits make of a decision. Pure: the readings come in and are recorded, so
that a replay gives the same answer.

INVARIANT(stricter): a limit never weakens a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.model.decision import APPROVERS_DIFFER, Decision, ReasonCode, Watched
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitReading


def with_readings(decision: Decision, readings: Sequence[LimitReading]) -> Decision:
    """The decision after the counters were read: the strictest of it and of every limit that is
    exceeded. Limits in monitor mode are only noted; a claim's mode is MONITOR too where the whole
    gateway's is."""
    exceeded = [reading for reading in readings if reading.is_exceeded]
    watched = tuple(
        Watched(*reading.claim.policy_and_id, reading.claim.effect, reading.claim.reason_code)
        for reading in exceeded
        if reading.claim.mode is Mode.MONITOR
    )
    changed = replace(decision, readings=tuple(readings), watched=decision.watched + watched)
    enforced = [reading for reading in exceeded if reading.claim.mode is Mode.ENFORCE]
    if not enforced:
        return changed
    worst = max(enforced, key=lambda reading: reading.claim.effect.strictness)
    claim = worst.claim
    done = Effect.ALLOW if decision.passes else decision.effect
    if claim.effect.strictness > done.strictness:
        policy, limit = claim.policy_and_id
        changed = replace(
            changed,
            effect=claim.effect,
            reason_code=claim.reason_code,
            message=_sentence(worst),
            policy=policy,
            rule=limit,
            mode=Mode.ENFORCE,
            terms=claim.terms,
            unresolved=claim.unread or None,
        )
    return changed if changed.effect is Effect.BLOCK else _asking_all(changed, enforced)


def _asking_all(decision: Decision, exceeded: Sequence[LimitReading]) -> Decision:
    """A decision that asks a person, on terms that are enough for every limit that asks too; a
    BLOCK where there are none."""
    for reading in exceeded:
        terms, wanted = decision.terms, reading.claim.terms
        assert terms is not None
        assert wanted is not None
        joined = terms.joined(wanted)
        if joined is None:
            reason = ReasonCode.APPROVERS_DIFFER
            return replace(
                decision,
                effect=Effect.BLOCK,
                reason_code=reason,
                message=APPROVERS_DIFFER,
                terms=None,
            )
        if joined != terms:
            decision = replace(decision, terms=joined)
    return decision


def with_store_gone(decision: Decision) -> Decision:
    """Block, because nobody knows what is left. Where all limits are only watched, nobody needs
    to know: what they would have done is noted."""
    enforced = [claim for claim in decision.claims if claim.mode is Mode.ENFORCE]
    reason = ReasonCode.LIMIT_STORE_UNAVAILABLE
    if not enforced:
        watched = tuple(
            Watched(*claim.policy_and_id, Effect.BLOCK, reason) for claim in decision.claims
        )
        return replace(decision, watched=decision.watched + watched)
    policy, limit = enforced[0].policy_and_id
    return replace(
        decision,
        effect=Effect.BLOCK,
        reason_code=reason,
        message="the counters of limits can't be reached, so this can't be sent",
        policy=policy,
        rule=limit,
        mode=Mode.ENFORCE,
        terms=None,
    )


def _sentence(reading: LimitReading) -> str:
    claim = reading.claim
    if claim.unread:
        return f"{claim.message} (`{claim.unread}` could not be read)"
    return f"{claim.message} ({reading.used} of {claim.max} used, {claim.amount} more asked)"
