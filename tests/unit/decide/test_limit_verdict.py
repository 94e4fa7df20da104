"""What the counters make of a decision: stricter, or as it was; never weaker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.limits.verdict import with_readings, with_store_gone
from gateway.model.decision import Decision, Watched
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.limit import LimitClaim, LimitReading
from tests.support.entries import a_decision
from tests.support.limits import claim

ALLOW, BLOCK, ASK = Effect.ALLOW, Effect.BLOCK, Effect.REQUIRE_APPROVAL


def decision(effect: Effect = ALLOW, mode: Mode = Mode.ENFORCE) -> Decision:
    terms = ApprovalTerms(timeout_seconds=60) if effect is ASK else None
    return replace(a_decision(effect), mode=mode, terms=terms)


def reading(one: LimitClaim, used: int = 3) -> LimitReading:
    exceeded = one.amount is None or used + one.amount > one.max
    return LimitReading(one, used, exceeded)


def a_limit(effect: Effect = BLOCK, mode: Mode = Mode.ENFORCE, **of: object) -> LimitClaim:
    return claim(0, effect=effect, mode=mode, **of)  # type: ignore[arg-type]


OUTCOMES = {
    "nothing exceeded changes nothing": (ALLOW, [a_limit(most=4)], ALLOW, "WITHIN_LIMITS", "r1"),
    "a limit blocks what is allowed": (ALLOW, [a_limit()], BLOCK, "USED_UP", "budget"),
    "a limit blocks what is asked": (ASK, [a_limit()], BLOCK, "USED_UP", "budget"),
    "a limit asks about what is allowed": (ALLOW, [a_limit(ASK)], ASK, "USED_UP", "budget"),
    "what is asked anyway stays the rule's": (ASK, [a_limit(ASK)], ASK, "WITHIN_LIMITS", "r1"),
    "the strictest limit wins": (
        ALLOW, [a_limit(ASK, limit="p/a"), a_limit(limit="p/b")], BLOCK, "USED_UP", "b",
    ),
    "the first of equals wins": (
        ALLOW, [a_limit(limit="p/a"), a_limit(limit="p/b")], BLOCK, "USED_UP", "a",
    ),
    "a limit that watches changes nothing": (
        ALLOW, [a_limit(mode=Mode.MONITOR)], ALLOW, "WITHIN_LIMITS", "r1",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("before", "limits", "effect", "reason", "rule"), OUTCOMES.values(), ids=OUTCOMES
)
def test_what_a_decision_becomes(
    before: Effect, limits: list[LimitClaim], effect: Effect, reason: str, rule: str
) -> None:
    """Every combination of what rules say and what is left."""
    after = with_readings(decision(before), [reading(one) for one in limits])
    assert (after.effect, after.reason_code, after.rule) == (effect, reason, rule)
    assert after.effect.strictness >= before.strictness
    assert len(after.readings) == len(limits)
    assert (after.terms is not None) is (effect is ASK)


def test_the_sentence_says_what_is_left() -> None:
    """Whoever reads it knows which limit, how much of it, and what was asked."""
    after = with_readings(decision(), [reading(a_limit())])
    assert after.message == "it is used up (3 of 3 used, 1 more asked)"
    assert (after.policy, after.rule, after.unresolved) == ("p", "budget", None)


def test_what_could_not_be_read_is_named() -> None:
    """In the sentence and in the decision."""
    one = a_limit(amount=None, unread="params.amount")
    after = with_readings(decision(), [reading(one)])
    assert after.message == "it is used up (`params.amount` could not be read)"
    assert after.unresolved == "params.amount"


def test_what_is_only_watched_is_noted() -> None:
    """Beside what rules noted before."""
    noted = Watched("p", "x", ASK, "X")
    before = replace(decision(), watched=(noted,))
    after = with_readings(before, [reading(a_limit(mode=Mode.MONITOR))])
    assert after.watched == (noted, Watched("p", "budget", BLOCK, "USED_UP"))


def test_what_passes_in_monitor_mode_is_blocked_by_a_limit_that_is_enforced() -> None:
    """A policy that only watches doesn't weaken another's limit."""
    before = decision(BLOCK, Mode.MONITOR)
    after = with_readings(before, [reading(a_limit(ASK))])
    assert (after.effect, after.mode, after.passes) == (ASK, Mode.ENFORCE, False)


def test_without_counters_nothing_passes() -> None:
    """Nobody knows what is left: the limit is named, whatever the rules say."""
    for before in (ALLOW, ASK):
        after = with_store_gone(replace(decision(before), claims=(a_limit(),)))
        assert (after.effect, after.reason_code) == (BLOCK, "LIMIT_STORE_UNAVAILABLE")
        assert (after.policy, after.rule, after.mode) == ("p", "budget", Mode.ENFORCE)
        assert after.terms is None


def test_without_counters_that_are_only_watched_all_passes() -> None:
    """Monitor mode lets pass, and notes what it would have done."""
    before = replace(decision(), claims=(a_limit(mode=Mode.MONITOR),))
    after = with_store_gone(before)
    assert after.effect is ALLOW
    assert after.watched == (Watched("p", "budget", BLOCK, "LIMIT_STORE_UNAVAILABLE"),)
