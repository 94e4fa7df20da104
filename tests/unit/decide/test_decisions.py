"""Which rule decides: priorities, strictness, policies, modes, batches, and what can't be told."""

from __future__ import annotations

import pytest

from gateway.decide.bundle import Bundle
from gateway.model.action import Canonical
from gateway.model.effect import ApprovalTerms, Effect, Mode
from tests.support.policy_world import act, bundle_of, policy_text, who

ALLOW_ALL = "- {id: all, priority: 5, effect: ALLOW, reason: ALL}"
BLOCK_ALL = "- {id: none, priority: 5, effect: BLOCK, reason: NONE, message: no}"
ASK_ALL = "- {id: ask, priority: 5, effect: REQUIRE_APPROVAL, reason: ASK}"

RULES = {
    "no rule: the default": ("", "BLOCK", None, "NO_RULE_MATCHED"),
    "a rule for everything": (ALLOW_ALL, "ALLOW", "all", "ALL"),
    "the lowest number decides": (
        f"{BLOCK_ALL}\n- {{id: early, priority: 1, effect: ALLOW, reason: EARLY}}",
        "ALLOW", "early", "EARLY",
    ),
    "at equal priority BLOCK goes first": (
        f"{ALLOW_ALL}\n{ASK_ALL}\n{BLOCK_ALL}", "BLOCK", "none", "NONE",
    ),
    "at equal priority REQUIRE_APPROVAL goes before ALLOW": (
        f"{ALLOW_ALL}\n{ASK_ALL}", "REQUIRE_APPROVAL", "ask", "ASK",
    ),
    "at equal priority and effect the id decides": (
        "- {id: b, priority: 5, effect: ALLOW}\n- {id: a, priority: 5, effect: ALLOW}",
        "ALLOW", "a", "RULE_A",
    ),
    "a rule that is switched off": (
        f"{ALLOW_ALL}\n- {{id: off, priority: 1, effect: BLOCK, enabled: false}}",
        "ALLOW", "all", "ALL",
    ),
    "a condition that is false": (
        f"{ALLOW_ALL}\n- {{id: x, priority: 1, effect: BLOCK, when: params.amount > 9999}}",
        "ALLOW", "all", "ALL",
    ),
    "a condition that is true": (
        f"{ALLOW_ALL}\n- {{id: x, priority: 1, effect: BLOCK, when: params.amount > 9}}",
        "BLOCK", "x", "RULE_X",
    ),
    "a condition that only the interpreter can tell": (
        f"{ALLOW_ALL}\n- {{id: x, priority: 1, effect: BLOCK, when: params.nope > 9 || true}}",
        "BLOCK", "x", "RULE_X",
    ),
    "and that is false": (
        f"{ALLOW_ALL}\n- {{id: x, priority: 1, effect: BLOCK, when: params.nope > 9 && false}}",
        "ALLOW", "all", "ALL",
    ),
    "a score": (
        f"{ALLOW_ALL}\n- {{id: x, priority: 1, effect: BLOCK, when: risk.score >= 37}}",
        "BLOCK", "x", "RULE_X",
    ),
    "a higher score": (
        f"{ALLOW_ALL}\n- {{id: x, priority: 1, effect: BLOCK, when: risk.score > 37}}",
        "ALLOW", "all", "ALL",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "effect", "rule", "reason"), RULES.values(), ids=RULES.keys())
def test_which_rule_decides(rules: str, effect: str, rule: str | None, reason: str) -> None:
    """One policy, one charge of 20 dollars."""
    action = act(params={"amount": 2000, "currency": "usd"})
    decision = bundle_of(policy_text(rules)).decide((action,), who(), Mode.ENFORCE)
    assert (decision.effect, decision.rule, decision.reason_code) == (effect, rule, reason)
    assert (decision.policy, decision.mode, decision.unresolved) == ("p", Mode.ENFORCE, None)
    assert decision.message


MATCHES = {
    "an action": ("action: create_charge", True),
    "one of a list": ("action: [a, create_charge]", True),
    "none of a list": ("action: [a, b]", False),
    "a pattern": ("action: create_*", True),
    "a pattern at the end": ("action: '*_charge'", True),
    "a pattern inside": ("action: c*e_ch*ge", True),
    "a pattern whose ends overlap": ("action: create_charge*create_charge", False),
    "a pattern out of order": ("action: 'c*rg*at*e'", False),
    "a pattern with another start": ("action: 'x*'", False),
    "a pattern with another end": ("action: 'c*x'", False),
    "a provider": ("provider: stripe", True),
    "another provider": ("provider: paypal", False),
    "an operation": ("operation: stripe.create_charge", True),
    "another operation": ("operation: stripe.create_charg", False),
    "a kind": ("kind: [read, create]", True),
    "another kind": ("kind: read", False),
    "a kind by pattern": ("kind: cr*", True),
    "a target type": ("target.type: charge", True),
    "another target type": ("target.type: ch", False),
    "a target id": ("target.id: ch_*", True),
    "another target id": ("target.id: ch_2", False),
    "an agent": ("agent: billing-*", True),
    "another agent": ("agent: billing", False),
    "a run": ("run: run-1", True),
    "another run": ("run: run-2", False),
    "an environment": ("environment: prod", True),
    "another environment": ("environment: dev", False),
    "a label": ("labels: {team: [pay*, x]}", True),
    "another label": ("labels: {team: x}", False),
    "a label that the agent has not": ("labels: {tier: '*'}", False),
    "sensitive": ("sensitive: credentials", True),
    "sensitive, whatever": ("sensitive: '*'", True),
    "not that sensitive": ("sensitive: pii", False),
    "reversible": ("reversible: true", False),
    "not reversible": ("reversible: false", True),
    "all of several": (
        "{action: create_charge, kind: create, agent: 'b*', labels: {team: payments}}", True,
    ),
    "all but one": ("{action: create_charge, kind: create, agent: 'c*'}", False),
    "everything": ("{}", True),
}  # fmt: skip


@pytest.mark.parametrize(("match", "fits"), MATCHES.values(), ids=MATCHES.keys())
def test_what_a_match_fits(match: str, fits: bool) -> None:
    """A rule of each sort, against one call."""
    match = match if match.startswith("{") else f"{{{match}}}"
    bundle = bundle_of(policy_text(f"- {{id: x, priority: 1, effect: ALLOW, match: {match}}}"))
    action = act(sensitive="credentials", reversible=False)
    context = who("billing-1", "run-1", {"team": "payments"}, "prod")
    for _ in range(2):  # the second time from what was kept
        decision = bundle.decide((action,), context, Mode.ENFORCE)
        expected = ("ALLOW", "RULE_X") if fits else ("BLOCK", "NO_RULE_MATCHED")
        assert (decision.effect, decision.reason_code) == expected


def test_nothing_is_matched_by_no_pattern() -> None:
    """`*` needs something that could have a name."""
    rules = """
    - {id: s, priority: 1, effect: ALLOW, match: {sensitive: "*"}}
    - {id: r, priority: 1, effect: ALLOW, match: {run: "*"}}
    """
    decision = bundle_of(policy_text(rules)).decide((act(),), who(), Mode.ENFORCE)
    assert (decision.effect, decision.reason_code) == (Effect.BLOCK, "NO_RULE_MATCHED")


UNREADABLE = {
    "a BLOCK matches": ("BLOCK", "BLOCK", "RULE_X", "params.amount"),
    "a REQUIRE_APPROVAL matches": (
        "REQUIRE_APPROVAL", "REQUIRE_APPROVAL", "RULE_X", "params.amount",
    ),
    "an ALLOW does not": ("ALLOW", "BLOCK", "NO_RULE_MATCHED", None),
}  # fmt: skip


@pytest.mark.parametrize(
    ("effect", "decided", "reason", "unresolved"), UNREADABLE.values(), ids=UNREADABLE.keys()
)
def test_a_condition_that_can_not_be_evaluated(
    effect: str, decided: str, reason: str, unresolved: str | None
) -> None:
    """Neither a missing amount nor one of the wrong type ever opens the way."""
    rules = f"- {{id: x, priority: 1, effect: {effect}, when: params.amount <= 5, message: m}}"
    bundle = bundle_of(policy_text(rules))
    for action in (act(missing=("amount",)), act(params={"amount": "1"}), act()):
        for _ in range(2):
            decision = bundle.decide((action,), who(), Mode.ENFORCE)
            assert (decision.effect, decision.reason_code) == (decided, reason)
            assert decision.unresolved == unresolved
            if unresolved:
                assert decision.message == "m (`params.amount` could not be read)"


def test_unresolved_is_not_kept_for_the_next_call() -> None:
    """What one call could not tell says nothing about the next of the same operation."""
    rules = "- {id: x, priority: 1, effect: BLOCK, when: params.n > 5, message: m}"
    bundle = bundle_of(policy_text(rules))
    for params, unresolved in (({"n": 6}, None), ({}, "params.n"), ({"n": 6}, None)):
        decision = bundle.decide((act(params=params),), who(), Mode.ENFORCE)
        assert (decision.rule, decision.unresolved) == ("x", unresolved)


def test_constants_that_fail_name_the_condition() -> None:
    """A condition without a field is named as a whole."""
    rules = "- {id: x, priority: 1, effect: BLOCK, when: 1 / 0 == 1}"
    decision = bundle_of(policy_text(rules)).decide((act(),), who(), Mode.ENFORCE)
    assert (decision.rule, decision.unresolved) == ("x", "the condition")


@pytest.mark.parametrize(
    ("effect", "rule", "unresolved"),
    [("BLOCK", "x", "target.id"), ("REQUIRE_APPROVAL", "x", "target.id"), ("ALLOW", None, None)],
)
@pytest.mark.parametrize("when", ["", ", when: reversible", ", when: params.nope == 1"])
def test_a_target_that_can_not_be_read(
    effect: str, rule: str | None, unresolved: str | None, when: str
) -> None:
    """A match on an unreadable target id is as unresolved as a condition on one."""
    rules = f"- {{id: x, priority: 1, effect: {effect}, match: {{target.id: prod-*}}{when}}}"
    action = act(target=("bucket", ""), missing=("target.id",))
    decision = bundle_of(policy_text(rules)).decide((action,), who(), Mode.ENFORCE)
    assert (decision.rule, decision.unresolved) == (rule, unresolved)


def test_an_unreadable_target_and_a_false_condition() -> None:
    """A condition that is false keeps the rule out all the same."""
    rules = """
    - {id: x, priority: 1, effect: BLOCK, match: {target.id: a}, when: "!reversible"}
    - {id: y, priority: 2, effect: ALLOW}
    """
    action = act(target=("bucket", ""), missing=("target.id",))
    decision = bundle_of(policy_text(rules)).decide((action,), who(), Mode.ENFORCE)
    assert (decision.rule, decision.unresolved) == ("y", None)


# --- several policies -----------------------------------------------------------------------------

POLICIES = {
    "no policy": ([], "BLOCK", None, "NO_POLICY", "enforce"),
    "one that is about another agent": (
        [(ALLOW_ALL, "enforce", "other-*")], "BLOCK", None, "NO_POLICY", "enforce",
    ),
    "one for this agent and one for another": (
        [(ALLOW_ALL, "enforce", "agent"), (BLOCK_ALL, "enforce", "other-*")],
        "ALLOW", "p0", "ALL", "enforce",
    ),
    "the strictest of two": (
        [(ALLOW_ALL, "enforce", ""), (ASK_ALL, "enforce", "")],
        "REQUIRE_APPROVAL", "p1", "ASK", "enforce",
    ),
    "the strictest of three": (
        [(ASK_ALL, "enforce", ""), (BLOCK_ALL, "enforce", ""), (ALLOW_ALL, "enforce", "")],
        "BLOCK", "p1", "NONE", "enforce",
    ),
    "a default that blocks": (
        [(ALLOW_ALL, "enforce", ""), ("", "enforce", "")],
        "BLOCK", "p1", "NO_RULE_MATCHED", "enforce",
    ),
    "equals: the first by name": (
        [(ALLOW_ALL, "enforce", ""), (ALLOW_ALL, "enforce", "")], "ALLOW", "p0", "ALL", "enforce",
    ),
    "a monitor alone": ([(BLOCK_ALL, "monitor", "")], "BLOCK", "p0", "NONE", "monitor"),
    "a monitor beside an ALLOW decides nothing": (
        [(ALLOW_ALL, "enforce", ""), (BLOCK_ALL, "monitor", "")], "ALLOW", "p0", "ALL", "enforce",
    ),
    "a monitor does not weaken an approval": (
        [(BLOCK_ALL, "monitor", ""), (ASK_ALL, "enforce", "")],
        "REQUIRE_APPROVAL", "p1", "ASK", "enforce",
    ),
    "a monitor that allows does not weaken a block": (
        [(ALLOW_ALL, "monitor", ""), (BLOCK_ALL, "enforce", "")], "BLOCK", "p1", "NONE", "enforce",
    ),
    "a monitor that allows gives way to an ALLOW": (
        [(ALLOW_ALL, "monitor", ""), (ALLOW_ALL, "enforce", "")], "ALLOW", "p1", "ALL", "enforce",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("policies", "effect", "policy", "reason", "mode"), POLICIES.values(), ids=POLICIES.keys()
)
def test_several_policies(
    policies: list[tuple[str, str, str]], effect: str, policy: str | None, reason: str, mode: str
) -> None:
    """The strictest that is enforced; what is only watched never weakens it."""
    texts = [
        policy_text(rules, name=f"p{number}", mode=its_mode, scope=scope)
        for number, (rules, its_mode, scope) in enumerate(policies)
    ]
    for order in (texts, texts[::-1]):
        bundle = bundle_of(*order)
        decision = bundle.decide((act(),), who(), Mode.ENFORCE)
        assert (decision.effect, decision.policy) == (effect, policy)
        assert (decision.reason_code, decision.mode) == (reason, mode)
        watched = bundle.decide((act(),), who(), Mode.MONITOR)
        assert (watched.effect, watched.mode, watched.passes) == (effect, Mode.MONITOR, True)


BATCHES = {
    "a read and a payout": (["get", "payout"], "BLOCK", "payouts", 33),
    "a payout and a read": (["payout", "get"], "BLOCK", "payouts", 33),
    "a refund and a read": (["refund", "get"], "REQUIRE_APPROVAL", "refunds", 29),
    "two reads": (["get", "get"], "ALLOW", "reads", 20),
    "one of each": (["get", "refund", "payout"], "BLOCK", "payouts", 33),
}


@pytest.mark.parametrize(("names", "effect", "rule", "score"), BATCHES.values(), ids=BATCHES.keys())
def test_several_actions(names: list[str], effect: str, rule: str, score: int) -> None:
    """A batch is as strict as its strictest action and as risky as its riskiest."""
    rules = """
    - {id: reads, priority: 1, match: {kind: read}, effect: ALLOW}
    - {id: payouts, priority: 1, match: {action: payout}, effect: BLOCK}
    - {id: refunds, priority: 1, match: {action: refund}, effect: REQUIRE_APPROVAL}
    """
    actions = {
        "get": act("get", "read"), "payout": act("payout", params={"amount": 1000}),
        "refund": act("refund"),
    }  # fmt: skip
    decision = bundle_of(policy_text(rules)).decide(
        tuple(actions[name] for name in names), who(), Mode.ENFORCE
    )
    assert (decision.effect, decision.rule, decision.risk.score) == (effect, rule, score)


def test_a_batch_of_nothing_is_blocked() -> None:
    """A request that was understood and holds no action does not pass by default."""
    decision = bundle_of(policy_text(ALLOW_ALL)).decide((), who(), Mode.ENFORCE)
    assert (decision.effect, decision.reason_code) == (Effect.BLOCK, "NO_RULE_MATCHED")


def test_a_batch_names_what_could_not_be_read() -> None:
    """Also among several actions."""
    rules = "- {id: x, priority: 1, effect: BLOCK, when: params.n > 5, message: m}"
    actions = (act(params={"n": 1}), act())
    decision = bundle_of(policy_text(rules)).decide(actions, who(), Mode.MONITOR)
    assert (decision.unresolved, decision.mode) == (None, Mode.MONITOR)
    assert decision.reason_code == "NO_RULE_MATCHED"
    allowing = bundle_of(policy_text(rules, default="ALLOW"))
    decision = allowing.decide(actions, who(), Mode.ENFORCE)
    assert (decision.rule, decision.unresolved) == ("x", "params.n")


# --- what is not decided by rules -----------------------------------------------------------------

REFUSALS = {
    "two readings": ("ambiguous_path", "two slashes", "AMBIGUOUS_REQUEST", "ambiguous_path: two"),
    "too long": ("body_too_large", "9 MB", "BODY_TOO_LARGE", "body_too_large: 9 MB"),
    "a fault of the mapper": ("mapper_fault", "", "GATEWAY_FAULT", "mapper_fault: the request"),
}


@pytest.mark.parametrize(
    ("code", "detail", "reason", "message"), REFUSALS.values(), ids=REFUSALS.keys()
)
def test_refused_requests_are_blocked(code: str, detail: str, reason: str, message: str) -> None:
    """Also where everything is allowed, and in monitor mode: nobody could say what passed."""
    bundle = bundle_of(policy_text(ALLOW_ALL, mode="monitor"))
    decision = bundle.refuse(Canonical((), "stripe", "stripe", code, detail))
    assert (decision.effect, decision.reason_code) == (Effect.BLOCK, reason)
    assert decision.message.startswith(message)
    assert not decision.passes
    assert decision.revision == bundle.revision


def test_a_fault_is_a_block() -> None:
    """What the pipeline falls back on, whatever the bundle is."""
    for bundle in (Bundle.empty(), bundle_of(policy_text(ALLOW_ALL))):
        decision = bundle.fault()
        assert (decision.effect, decision.reason_code) == (Effect.BLOCK, "POLICY_EVALUATION_FAILED")
        assert not decision.passes


def test_an_empty_bundle_blocks() -> None:
    """No policy is no permission."""
    decision = Bundle.empty().decide((act("get", "read"),), who(), Mode.ENFORCE)
    assert (decision.effect, decision.reason_code) == (Effect.BLOCK, "NO_POLICY")


def test_a_default_that_asks_has_terms() -> None:
    """REQUIRE_APPROVAL as the default stands for half an hour too."""
    bundle = bundle_of(policy_text("", default="REQUIRE_APPROVAL"))
    decision = bundle.decide((act(),), who(), Mode.ENFORCE)
    assert (decision.effect, decision.terms) == (Effect.REQUIRE_APPROVAL, ApprovalTerms())


def test_the_order_of_rules_and_spelling_do_not_change_the_revision() -> None:
    """The revision is the digest of the meaning."""
    one = bundle_of(policy_text(f"{ALLOW_ALL}\n{BLOCK_ALL}"), policy_text("", name="q"))
    two = bundle_of(policy_text("", name="q"), policy_text(f"# why\n{BLOCK_ALL}\n{ALLOW_ALL}"))
    assert one.revision == two.revision
    assert len(one.revision) == 64
    for other in ("- {id: all, priority: 6, effect: ALLOW, reason: ALL}", ASK_ALL):
        assert bundle_of(policy_text(other)).revision != bundle_of(policy_text(ALLOW_ALL)).revision
    assert bundle_of(policy_text("", scope="a*")).revision != bundle_of(policy_text("")).revision
