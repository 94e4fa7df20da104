"""Where several rules or limits ask a person about one request, the answer has to be enough for
each of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.limits.verdict import with_readings
from gateway.model.action import Target
from gateway.model.decision import Decision
from gateway.model.effect import ApprovalTerms, Effect, Escalation, Mode
from gateway.model.limit import LimitReading
from tests.support.entries import a_decision
from tests.support.limits import claim
from tests.support.policy_world import act, bundle_of, policy_text, who

ASK = Effect.REQUIRE_APPROVAL
ANYBODY = ApprovalTerms()
TWO = ApprovalTerms(quorum=2)
FINANCE = ApprovalTerms(("finance",))
EITHER = ApprovalTerms(("finance", "security"))
SECURITY_TWO = ApprovalTerms(("security",), 2)
QUICK = ApprovalTerms(timeout_seconds=60)
WITNESSED = ApprovalTerms(witness_required=True)
IN_WORDS = ApprovalTerms(comment_required=True)
OWNED = ApprovalTerms(requester_labels=("owner",))
LED = ApprovalTerms(("finance",), escalation=Escalation(("leads",), 60))
LED_LATER = ApprovalTerms(("finance",), escalation=Escalation(("leads", "security"), 600))
LED_BY_WISH = ApprovalTerms(("finance",), escalation=Escalation(("leads",)))
LEADS_TOO = ApprovalTerms(("finance", "leads"))

JOINED = {
    "the same": (FINANCE, FINANCE, FINANCE),
    "more people": (ANYBODY, TWO, TWO),
    "a group and a quorum": (FINANCE, TWO, ApprovalTerms(("finance",), 2)),
    "groups that both ask": (EITHER, FINANCE, FINANCE),
    "a quorum of one of two groups": (EITHER, SECURITY_TWO, SECURITY_TWO),
    "the shorter time": (ANYBODY, QUICK, QUICK),
    "a witness that one wants": (QUICK, WITNESSED, ApprovalTerms((), 1, 60, True)),
    "words that one wants": (TWO, IN_WORDS, ApprovalTerms(quorum=2, comment_required=True)),
    "whose label one asks for": (
        FINANCE,
        OWNED,
        ApprovalTerms(("finance",), requester_labels=("owner",)),
    ),
    "who comes next, where anybody may come": (LED, ANYBODY, LED),
    "nobody next whom one does not ask": (LED, FINANCE, FINANCE),
    "who comes next for both, at the later time": (
        LED,
        LED_LATER,
        ApprovalTerms(("finance",), escalation=Escalation(("leads",), 600)),
    ),
    "who comes next only when somebody says so": (LED, LED_BY_WISH, LED_BY_WISH),
    "who is asked first by one and next by the other": (LED, LEADS_TOO, LED),
    "groups that have nobody in common": (FINANCE, SECURITY_TWO, None),
}


def text_of(terms: ApprovalTerms) -> str:
    witness = "required" if terms.witness_required else "none"
    comment = "required" if terms.comment_required else "none"
    return (
        f"{{groups: [{', '.join(terms.groups)}], quorum: {terms.quorum}, "
        f"timeout: {terms.timeout_seconds}s, witness: {witness}, comment: {comment}"
        f"{further_text_of(terms)}}}"
    )


def further_text_of(terms: ApprovalTerms) -> str:
    text = "".join(f", requester: {name}" for name in terms.requester_labels)
    if (to := terms.escalation) is not None:
        after = f"after: {to.after_seconds}s, " if to.after_seconds else ""
        text += f", escalate: {{{after}groups: [{', '.join(to.groups)}]}}"
    return text


def rule_text(terms: ApprovalTerms, match: str = "{}") -> str:
    approval = text_of(terms).replace("groups: [], ", "")
    return (
        f"- {{id: ask-{match.strip('{}').rpartition(' ')[2] or 'all'}, priority: 1, "
        f"match: {match}, effect: REQUIRE_APPROVAL, approval: {approval}}}"
    )


def check(decision: Decision, wanted: ApprovalTerms | None) -> None:
    if wanted is None:
        assert (decision.effect, decision.reason_code) == (Effect.BLOCK, "APPROVERS_DIFFER")
        assert decision.terms is None
        return
    assert (decision.effect, decision.terms) == (ASK, wanted)


@pytest.mark.parametrize("row", JOINED.values(), ids=JOINED.keys())
@pytest.mark.parametrize("is_turned", [False, True])
def test_two_policies_that_ask(
    row: tuple[ApprovalTerms, ApprovalTerms, ApprovalTerms | None], is_turned: bool
) -> None:
    """Whichever is read first."""
    one, other, wanted = row
    if is_turned:
        one, other = other, one
    bundle = bundle_of(
        policy_text(rule_text(one), name="a"), policy_text(rule_text(other), name="b")
    )
    for _ in range(2):
        check(bundle.decide((act(),), who(), Mode.ENFORCE), wanted)


@pytest.mark.parametrize("row", JOINED.values(), ids=JOINED.keys())
@pytest.mark.parametrize("is_turned", [False, True])
def test_two_actions_of_a_batch_that_ask(
    row: tuple[ApprovalTerms, ApprovalTerms, ApprovalTerms | None], is_turned: bool
) -> None:
    """A cheap question in front doesn't lower what the second wants."""
    one, other, wanted = row
    rules = "\n".join((rule_text(one, "{target.id: a}"), rule_text(other, "{target.id: b}")))
    actions = [replace(act(), target=Target("charge", name)) for name in "ab"]
    if is_turned:
        actions.reverse()
    check(bundle_of(policy_text(rules)).decide(tuple(actions), who(), Mode.ENFORCE), wanted)


@pytest.mark.parametrize("row", JOINED.values(), ids=JOINED.keys())
@pytest.mark.parametrize("is_turned", [False, True])
def test_a_limit_that_asks_about_what_is_asked(
    row: tuple[ApprovalTerms, ApprovalTerms, ApprovalTerms | None], is_turned: bool
) -> None:
    """One person for every refund, and two beyond the budget: beyond it, two."""
    one, other, wanted = row
    if is_turned:
        one, other = other, one
    asked = replace(a_decision(ASK), terms=one)
    check(with_readings(asked, [exceeded(other)]), wanted)


@pytest.mark.parametrize("row", JOINED.values(), ids=JOINED.keys())
def test_two_limits_that_ask(
    row: tuple[ApprovalTerms, ApprovalTerms, ApprovalTerms | None],
) -> None:
    """Of what the rules allow."""
    one, other, wanted = row
    check(with_readings(a_decision(Effect.ALLOW), [exceeded(one), exceeded(other)]), wanted)


def exceeded(terms: ApprovalTerms) -> LimitReading:
    return LimitReading(replace(claim(0, effect=ASK), terms=terms), 3, True)


@pytest.mark.parametrize("last", [ANYBODY, FINANCE, SECURITY_TWO])
def test_what_nobody_can_answer_stays_blocked(last: ApprovalTerms) -> None:
    """Whatever a third policy asks for, or a third action."""
    asking = {"a": FINANCE, "b": SECURITY_TWO, "c": last}
    texts = [policy_text(rule_text(terms), name=name) for name, terms in asking.items()]
    check(bundle_of(*texts).decide((act(),), who(), Mode.ENFORCE), None)

    rules = [rule_text(terms, f"{{target.id: {name}}}") for name, terms in asking.items()]
    actions = tuple(replace(act(), target=Target("charge", name)) for name in asking)
    bundle = bundle_of(policy_text("\n".join(rules)))
    check(bundle.decide(actions, who(), Mode.ENFORCE), None)
