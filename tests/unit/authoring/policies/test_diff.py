"""Differences of policies: in which direction, how sure, and by which values."""

from __future__ import annotations

import pytest

from gateway.authoring.policies.diff.compare import Certainty, Comparison, compare
from gateway.authoring.policies.diff.rule_changes import Fate, rule_changes
from gateway.authoring.policies.diff.space import Shape, classes_of
from gateway.authoring.policies.verdicts import Direction
from gateway.decide.bundle import Bundle
from tests.support.policy_world import bundle_of, policy_text

REFUND = Shape("stripe", "stripe.refunds.create", "create_refund", "create", "charge", True, None)
READ = Shape("stripe", "stripe.refunds.list", "list_refund", "read", "refund", True, None)

ALLOW = "- {id: r, priority: 1, match: {action: create_refund}, effect: ALLOW%s}"

ROWS: dict[str, tuple[str, str, list[tuple[Direction, Certainty]]]] = {
    "nothing": (ALLOW % "", ALLOW % "", []),
    "another name for a rule": (ALLOW % "", (ALLOW % "").replace("id: r", "id: q"), []),
    "a rule less": (ALLOW % "", "", [(Direction.TIGHTER, Certainty.ALWAYS)]),
    "a rule more": ("", ALLOW % "", [(Direction.LOOSER, Certainty.ALWAYS)]),
    "a rule that only watches": ("", ALLOW % ", mode: monitor", []),
    "a condition": (
        ALLOW % "", ALLOW % ", when: params.amount < 50",
        [(Direction.TIGHTER, Certainty.SOMETIMES)],
    ),
    "a wider condition": (
        ALLOW % ", when: params.amount < 50", ALLOW % ", when: params.amount < 60",
        [(Direction.LOOSER, Certainty.SOMETIMES)],
    ),
    "the same condition in other words": (
        ALLOW % ", when: params.amount < 50", ALLOW % ", when: '!(50 <= params.amount)'", [],
    ),
    "a condition that no question meets": (
        ALLOW % "", ALLOW % ", when: size(params.note) != 77",
        [(Direction.TIGHTER, Certainty.SOMETIMES)],
    ),
    "an approval for a block": (
        "- {id: r, priority: 1, match: {kind: create}, effect: REQUIRE_APPROVAL}", "",
        [(Direction.TIGHTER, Certainty.ALWAYS)],
    ),
}  # fmt: skip


def compared(before: str, after: str) -> Comparison:
    old, new = bundle_of(policy_text(before)), bundle_of(policy_text(after))
    classes = classes_of([REFUND, READ], [*old.policies, *new.policies])
    return compare(old, new, classes)


@pytest.mark.parametrize(("before", "after", "expected"), ROWS.values(), ids=ROWS.keys())
def test_what_becomes_looser_or_tighter(
    before: str, after: str, expected: list[tuple[Direction, Certainty]]
) -> None:
    """And whether that is proven, or only seen."""
    found = compared(before, after)
    assert [(each.direction, each.certainty) for each in found.changes] == expected
    assert found.proven == found.classes


def test_a_change_has_an_example() -> None:
    """The values for which it is so: at the boundary of the condition."""
    (change,) = compared(ALLOW % ", when: params.n < 50", ALLOW % ", when: params.n < 51").changes
    assert change.example == (("params.n", "50"),)
    assert (change.before.speaker, change.after.speaker) == ("p/NO_RULE_MATCHED", "p/r")
    assert (change.kinds, change.actions, change.count) == (("create",), ("create_refund",), 1)


def several(*policies: str) -> Bundle:
    names = "pqr"
    return bundle_of(
        *(
            text.replace("name: p", f"name: {name}")
            for name, text in zip(names, policies, strict=False)
        )
    )


BESIDE = policy_text(ALLOW % "")
SCOPED = policy_text("", scope="bot")

SEVERAL: dict[str, tuple[Bundle, Bundle, list[tuple[Direction, Certainty]], int]] = {
    "one of two that say the same": (several(BESIDE, BESIDE), several(BESIDE), [], 1),
    "the strictest decides": (
        several(BESIDE, BESIDE), several(BESIDE, policy_text("")),
        [(Direction.TIGHTER, Certainty.ALWAYS)], 1,
    ),
    "a policy about some agents": (
        several(BESIDE), several(BESIDE, SCOPED), [(Direction.TIGHTER, Certainty.SOMETIMES)], 1,
    ),
    "no policy is left for the others": (
        several(BESIDE), several(policy_text(ALLOW % "", scope="bot")),
        [(Direction.TIGHTER, Certainty.SOMETIMES)], 1,
    ),
    "a policy that watches beside another decides nothing": (
        several(BESIDE, policy_text("", mode="monitor")), several(policy_text("")),
        [(Direction.TIGHTER, Certainty.ALWAYS)], 1,
    ),
    "a policy that watches decides where the other is about somebody else": (
        several(SCOPED, policy_text(ALLOW % "", mode="monitor")), several(SCOPED),
        [(Direction.TIGHTER, Certainty.SOMETIMES)], 1,
    ),
    "what watched is enforced": (
        several(BESIDE, policy_text("", mode="monitor")), several(BESIDE, policy_text("")),
        [(Direction.TIGHTER, Certainty.ALWAYS)], 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected", "proven"), SEVERAL.values(), ids=SEVERAL.keys())
def test_several_policies(
    old: Bundle, new: Bundle, expected: list[tuple[Direction, Certainty]], proven: int
) -> None:
    """As they decide together."""
    found = compare(old, new, classes_of([REFUND], [*old.policies, *new.policies]))
    assert [(each.direction, each.certainty) for each in found.changes] == expected
    assert found.proven == proven


def test_what_no_question_meets_is_not_ruled_out() -> None:
    """The rules may differ where nobody asked."""
    rule = ALLOW % ", when: 'params.l.exists(x, x.y.z == 7) && params.m.exists(x, x.y == 8)'"
    found = compared("", rule)
    assert [(each.direction, each.certainty) for each in found.changes] == [
        (Direction.LOOSER, Certainty.POSSIBLE)
    ]


def test_rules_are_compared_one_by_one() -> None:
    """Added, removed, changed, and in what."""
    limit = "  limits: [{id: l, per: agent, window: 1h, max: %d, effect: BLOCK}]\n"
    before = policy_text(
        "- {id: a, priority: 1, effect: ALLOW}\n- {id: b, priority: 2, effect: BLOCK}"
    )
    after = policy_text(
        "- {id: b, priority: 3, effect: BLOCK, when: params.x > 1}\n"
        "- {id: c, priority: 9, effect: ALLOW}",
        mode="monitor",
    )
    found = rule_changes(
        bundle_of(before + limit % 5).policies, bundle_of(after + limit % 6).policies
    )
    assert [(each.fate, each.rule, each.fields) for each in found] == [
        (Fate.CHANGED, None, ("mode",)),
        (Fate.REMOVED, "a", ()),
        (Fate.CHANGED, "b", ("priority", "when")),
        (Fate.ADDED, "c", ()),
        (Fate.CHANGED, "limit:l", ("max",)),
    ]
