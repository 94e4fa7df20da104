"""What a request takes of limits: which limits it counts towards, for whom, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.decide.rules import budget
from gateway.decide.rules.budget import AMOUNT_MAX
from gateway.model.action import Action, ParamValue
from gateway.model.decision import Context, Decision
from gateway.model.effect import Effect, Mode
from gateway.model.limit import LimitClaim
from tests.support.policy_world import act, bundle_of, policy_text, who

ALLOW = "- {id: all, priority: 1, effect: ALLOW}"


def text_of(*limits: str, **policy: str) -> str:
    listed = "".join(f"    - {{{limit}}}\n" for limit in limits)
    return policy_text(policy.pop("rules", ALLOW), **policy) + f"  limits:\n{listed}"


def decide(
    text: str,
    actions: Action | Sequence[Action],
    context: Context | None = None,
    mode: Mode = Mode.ENFORCE,
) -> Decision:
    asked = (actions,) if isinstance(actions, Action) else tuple(actions)
    return bundle_of(text).decide(asked, context or who(), mode)


def claims(limit: str, *actions: Action, context: Context | None = None) -> list[LimitClaim]:
    return list(decide(text_of(limit), actions, context).claims)


def refund(amount: ParamValue = 900, target: str = "ch_1", missing: tuple[str, ...] = ()) -> Action:
    params: dict[str, ParamValue] = {"currency": "usd"}
    if amount is not None:
        params["amount"] = amount
    return act("create_refund", params=params, target=("charge", target), missing=missing)


COUNT = "id: b, per: agent, window: 1d, max: 5"
SUM = f"{COUNT}, sum: params.amount"

FITS = {
    "no match takes everything": (COUNT, refund(), who(), ""),
    "its action": (f"{COUNT}, match: {{action: create_refund}}", refund(), who(), ""),
    "another action": (f"{COUNT}, match: {{action: create_charge}}", refund(), who(), None),
    "a pattern of actions": (f"{COUNT}, match: {{action: '*_refund'}}", refund(), who(), ""),
    "its provider": (f"{COUNT}, match: {{provider: stripe}}", refund(), who(), ""),
    "another kind": (f"{COUNT}, match: {{kind: delete}}", refund(), who(), None),
    "nothing delicate": (f"{COUNT}, match: {{sensitive: '*'}}", refund(), who(), None),
    "what can't be undone": (f"{COUNT}, match: {{reversible: false}}", refund(), who(), None),
    "its target": (f"{COUNT}, match: {{target.id: ch_1}}", refund(), who(), ""),
    "another target": (f"{COUNT}, match: {{target.id: ch_2}}", refund(), who(), None),
    "a target that can't be read": (
        f"{COUNT}, match: {{target.id: ch_2}}", refund(target="", missing=("target.id",)), who(),
        "target.id",
    ),
    "its agent": (f"{COUNT}, match: {{agent: a*}}", refund(), who(), ""),
    "another agent": (f"{COUNT}, match: {{agent: b*}}", refund(), who(), None),
    "a run, and there is none": (f"{COUNT}, match: {{run: '*'}}", refund(), who(), None),
    "its label": (
        f"{COUNT}, match: {{labels: {{team: x}}}}", refund(), who(labels={"team": "x"}), "",
    ),
    "another label": (
        f"{COUNT}, match: {{labels: {{team: x}}}}", refund(), who(labels={"team": "y"}), None,
    ),
    "no label": (f"{COUNT}, match: {{labels: {{team: x}}}}", refund(), who(), None),
    "its environment": (
        f"{COUNT}, match: {{environment: prod}}", refund(), who(environment="prod"), "",
    ),
    "a condition that holds": (f"{COUNT}, when: params.amount > 5", refund(), who(), ""),
    "a condition that doesn't": (f"{COUNT}, when: params.amount > 5000", refund(), who(), None),
    "a condition on what isn't there": (
        f"{COUNT}, when: params.note == \"x\"", refund(), who(), "params.note",
    ),
    "a condition on what is no number": (
        f"{COUNT}, when: params.amount > 5", refund("many"), who(), "params.amount",
    ),
    "a limit that is switched off": (f"{COUNT}, enabled: false", refund(), who(), None),
}  # fmt: skip


@pytest.mark.parametrize(("limit", "action", "context", "unread"), FITS.values(), ids=FITS)
def test_what_counts(limit: str, action: Action, context: Context, unread: str | None) -> None:
    """What can't be told counts, and says which field it was."""
    found = claims(limit, action, context=context)
    assert [claim.unread for claim in found] == ([] if unread is None else [unread])


AMOUNTS = {
    "a whole number": (900, 900),
    "nothing": (0, 0),
    "more than any limit": (10**30, AMOUNT_MAX),
    "less than nothing": (-1, None),
    "a truth": (True, None),
    "text": ("900", None),
    "a list": ([900], None),
    "a map": ({"amount": 900}, None),
    "nothing there": (None, None),
}


@pytest.mark.parametrize(("amount", "counted"), AMOUNTS.values(), ids=AMOUNTS)
def test_what_is_added_up(amount: ParamValue, counted: int | None) -> None:
    """An amount that is no whole number of at least 0 can't be counted, and is named."""
    (claim,) = claims(SUM, refund(amount))
    assert claim.amount == counted
    assert claim.unread == ("params.amount" if counted is None else "")


def test_an_amount_that_lies_deep() -> None:
    """A path leads through maps, and ends where there is none."""
    limit = f"{COUNT}, sum: params.total.amount"
    (claim,) = claims(limit, act(params={"total": {"amount": 7}}))
    assert claim.amount == 7
    for params in ({"total": 7}, {"total": {"sum": 7}}, {"total": None}, {}):
        (claim,) = claims(limit, act(params=params))
        assert (claim.amount, claim.unread) == (None, "params.total.amount")


LONG = "x" * 200
KEYS = {
    "an agent": ("agent", who("billing"), ("charge", "ch_1"), "agent:billing"),
    "a run of an agent": ("run", who("billing", "r1"), ("charge", "ch_1"), "run:billing+r1"),
    "no run": ("run", who("billing"), ("charge", "ch_1"), "run:billing+"),
    "a target": ("target", who(), ("charge", "ch_1"), "target:stripe+charge+ch_1"),
    "no target": ("target", who(), ("charge", ""), "target"),
    "a target with a plus": ("target", who(), ("charge", "a+b"), "target:stripe+charge+a+b"),
    "everybody": ("organisation", who(), ("charge", "ch_1"), "organisation"),
}


@pytest.mark.parametrize(("per", "context", "target", "key"), KEYS.values(), ids=KEYS)
def test_whose_counter_it_is(per: str, context: Context, target: tuple[str, str], key: str) -> None:
    """One counter for each name; what has no name shares one."""
    (claim,) = claims(f"id: b, per: {per}, window: 1d, max: 5", act(target=target), context=context)
    assert (claim.limit, claim.key) == ("p/b", key)


STRANGE = {
    "long": ("charge", LONG), "long, otherwise": ("charge", LONG + "y"),
    "with a line feed": ("charge", "a\nb"), "with a zero": ("charge", "a\0b"),
    "half a character": ("charge", "\udc80"), "beyond ASCII": ("charge", "größe"),
    "a type with a plus": ("char+ge", "a"), "the plus elsewhere": ("char", "ge+a"),
}  # fmt: skip


def test_strange_targets_have_keys_of_their_own() -> None:
    """Keys are short, plain, and never those of another target."""
    limit = "id: b, per: target, window: 1d, max: 5"
    keys = [claims(limit, act(target=target))[0].key for target in STRANGE.values()]
    assert len(set(keys)) == len(STRANGE)
    assert all(key.isascii() and key.isprintable() and len(key) <= 130 for key in keys)
    assert keys == [claims(limit, act(target=target))[0].key for target in STRANGE.values()]


def test_actions_of_one_request_are_added_up() -> None:
    """A batch takes what its actions take together, for each counter."""
    (claim,) = claims(COUNT, refund(), refund(), act("create_charge"))
    assert claim.amount == 3
    (claim,) = claims(f"{SUM}, match: {{action: create_refund}}", refund(1), refund(2), act())
    assert claim.amount == 3
    one, two = claims("id: b, per: target, window: 1d, max: 5", refund(), refund(target="ch_2"))
    assert (one.key, two.key) == ("target:stripe+charge+ch_1", "target:stripe+charge+ch_2")


def test_one_unreadable_amount_makes_the_sum_unreadable() -> None:
    """Whichever stands first."""
    for actions in ((refund(1), refund("x")), (refund("x"), refund(1))):
        (claim,) = claims(SUM, *actions)
        assert (claim.amount, claim.unread) == (None, "params.amount")
    (claim,) = claims(SUM, refund(AMOUNT_MAX), refund(AMOUNT_MAX))
    assert claim.amount == AMOUNT_MAX


def test_limits_come_in_the_order_of_their_names() -> None:
    """Neither the order of files nor of limits changes anything."""
    one = text_of("id: b, per: agent, window: 1d, max: 5", "id: a, per: agent, window: 1d, max: 5")
    two = text_of("id: c, per: agent, window: 1d, max: 5", name="o")
    for texts in ((one, two), (two, one)):
        found = bundle_of(*texts).decide((refund(),), who(), Mode.ENFORCE).claims
        assert [claim.limit for claim in found] == ["o/c", "p/a", "p/b"]


def test_a_limit_is_of_its_policys_agents() -> None:
    """The scope of the policy holds for its limits."""
    text = text_of(COUNT, scope="billing-*")
    both = (text, policy_text(ALLOW, name="q"))
    assert not bundle_of(*both).decide((refund(),), who("other"), Mode.ENFORCE).claims
    assert bundle_of(*both).decide((refund(),), who("billing-1"), Mode.ENFORCE).claims


MODES = {
    "all enforce": (text_of(COUNT), Mode.ENFORCE, Mode.ENFORCE),
    "the limit only watches": (text_of(f"{COUNT}, mode: monitor"), Mode.ENFORCE, Mode.MONITOR),
    "its policy only watches": (text_of(COUNT, mode="monitor"), Mode.ENFORCE, Mode.MONITOR),
    "the gateway only watches": (text_of(COUNT), Mode.MONITOR, Mode.MONITOR),
}


@pytest.mark.parametrize(("text", "mode", "expected"), MODES.values(), ids=MODES)
def test_what_is_only_watched(text: str, mode: Mode, expected: Mode) -> None:
    """A limit is enforced where limit, policy and gateway are."""
    (claim,) = decide(text, refund(), mode=mode).claims
    assert claim.mode is expected


RULES = {
    "what is allowed takes": ("ALLOW", Mode.ENFORCE, 1),
    "what is held takes": ("REQUIRE_APPROVAL", Mode.ENFORCE, 1),
    "what is blocked takes nothing": ("BLOCK", Mode.ENFORCE, 0),
    "what passes all the same takes": ("BLOCK", Mode.MONITOR, 1),
}


@pytest.mark.parametrize(("effect", "mode", "count"), RULES.values(), ids=RULES)
def test_what_a_decision_takes(effect: str, mode: Mode, count: int) -> None:
    """Nothing is taken for what is not going to be sent, batches included."""
    text = text_of(COUNT, rules=f"- {{id: all, priority: 1, effect: {effect}}}")
    for actions in ((refund(),), (refund(), refund())):
        assert len(decide(text, actions, mode=mode).claims) == count


def test_a_decision_without_limits_is_made_once() -> None:
    """No limit, no cost: the kept decision is handed out as it is."""
    bundle = bundle_of(policy_text(ALLOW))
    one = bundle.decide((refund(),), who(), Mode.ENFORCE)
    assert bundle.decide((refund(),), who(), Mode.ENFORCE) is one
    limited = bundle_of(text_of(f"{COUNT}, match: {{action: create_charge}}"))
    one = limited.decide((refund(),), who(), Mode.ENFORCE)
    assert limited.decide((refund(),), who(), Mode.ENFORCE) is one


def test_an_operation_is_asked_about_as_it_is_called() -> None:
    """Two calls of one operation can differ in what limits look at."""
    bundle = bundle_of(text_of(f"{COUNT}, match: {{kind: delete}}"))
    call = act("run", operation="shared")
    assert not bundle.decide((call,), who(), Mode.ENFORCE).claims
    deletes = act("run", "delete", operation="shared")
    assert bundle.decide((deletes,), who(), Mode.ENFORCE).claims
    assert not bundle.decide((call,), who(), Mode.ENFORCE).claims


def test_names_of_operations_can_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What agents make up pushes out what they made up before."""
    monkeypatch.setattr(budget, "OPERATIONS_CACHED_MAX", 8)
    bundle = bundle_of(text_of(COUNT))
    for number in range(20):
        assert bundle.decide((act(operation=f"tool-{number}"),), who(), Mode.ENFORCE).claims
    assert bundle._budgets is not None
    assert len(bundle._budgets._near) == 8


def test_the_window_is_that_of_the_decisions_clock() -> None:
    """Nothing but `context.now` says what time it is."""
    context = replace(who(), now=100_000_000_000)
    (claim,) = claims("id: b, per: agent, window: 60s, max: 5", refund(), context=context)
    assert (claim.since, claim.window_seconds) == (99_940_000_000, 60)
    (claim,) = claims("id: b, per: agent, window: day, max: 5", refund(), context=context)
    assert (claim.since, claim.window_seconds) == (86_399_999_999, 26 * 3600)


def test_what_a_limit_says_when_it_is_exceeded() -> None:
    """Effect, reason, message and terms travel with the claim."""
    (claim,) = claims(
        f"{COUNT}, effect: REQUIRE_APPROVAL, reason: MUCH, message: much, "
        "approval: {timeout: 5m}",
        refund(),
    )
    assert claim.effect is Effect.REQUIRE_APPROVAL
    assert (claim.reason_code, claim.message, claim.max) == ("MUCH", "much", 5)
    assert claim.terms is not None
    assert claim.terms.timeout_seconds == 300
