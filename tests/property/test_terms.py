"""Terms of approvals that are asked for together: an answer on the joined terms is one on each."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

import tests.support.drawn  # noqa: F401
from gateway.model.effect import ApprovalTerms, Escalation

NAMES = "abcd"
GROUPS = st.lists(st.sampled_from(NAMES), unique=True).map(lambda names: tuple(sorted(names)))
TIMES = st.none() | st.sampled_from((10, 60, 600))


@st.composite
def terms(draw: st.DrawFn) -> ApprovalTerms:
    """Terms as the policy schema makes them."""
    groups = draw(GROUPS)
    later = tuple(name for name in draw(GROUPS) if name not in groups)
    return ApprovalTerms(
        groups,
        draw(st.integers(1, 3)),
        draw(st.sampled_from((60, 1800))),
        draw(st.booleans()),
        draw(st.booleans()),
        Escalation(later, draw(TIMES)) if later else None,
        draw(st.sampled_from(((), ("owner",), ("lead", "owner")))),
    )


def may_answer(asked: ApprovalTerms, group: str, seconds: float, is_told: bool) -> bool:
    """Whether somebody of one group may answer so long after the asking; `is_told`: a person has
    escalated it. Said again, apart from the product's code."""
    if not asked.groups or group in asked.groups:
        return True
    to = asked.escalation
    if to is None or group not in to.groups:
        return False
    return is_told or (to.after_seconds is not None and seconds >= to.after_seconds)


@given(terms(), terms())
def test_an_answer_on_joined_terms_is_one_on_both(one: ApprovalTerms, other: ApprovalTerms) -> None:
    """Whichever comes first; where there is no answer for both, there are no terms."""
    joined = one.joined(other)
    turned = other.joined(one)
    assert (joined is None) == (turned is None)
    if joined is None or turned is None:
        assert not set(one.groups) & set(other.groups)
        return
    for found in (joined, turned):
        assert found.satisfies(one)
        assert found.satisfies(other)
    assert turned.satisfies(joined)
    assert joined.satisfies(turned)


@given(terms(), terms(), st.sampled_from(NAMES), st.sampled_from((0, 10, 60, 600)), st.booleans())
def test_what_satisfies_lets_nobody_else_answer(
    asked: ApprovalTerms, wanted: ApprovalTerms, group: str, seconds: int, is_told: bool
) -> None:
    """Whoever may answer the question at a moment could answer the wanted one then."""
    if asked.satisfies(wanted) and may_answer(asked, group, seconds, is_told):
        assert not asked.groups or may_answer(wanted, group, seconds, is_told)
        assert asked.groups or not wanted.groups
        assert asked.quorum >= wanted.quorum
        assert asked.comment_required or not wanted.comment_required
        assert set(asked.requester_labels) >= set(wanted.requester_labels)


@given(terms())
def test_terms_satisfy_themselves(asked: ApprovalTerms) -> None:
    """And joined with themselves they are what they were."""
    assert asked.satisfies(asked)
    assert asked.joined(asked) == asked
