"""Makes policies and questions at random, and holds every promise about decisions against them.

Policies are made of rules as the loader makes them, without the way through a file. Params are of
every type that a request can carry, and of some that it can't.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.decide.bundle import Bundle
from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.syntax import ConditionError
from gateway.decide.patterns import parse_pattern
from gateway.decide.rules.policy import Condition, Match, MatchField, Place, Policy, Rule
from gateway.decide.rules.trace import Finding, PolicyTrace, RuleTrace, trace
from gateway.model.action import ANY_PARAM, Action, Kind, Target
from gateway.model.decision import RUN_STATES, Context, Decision
from gateway.model.effect import ApprovalTerms, Effect, Mode
from tests.property.condition_params import params_of
from tests.property.condition_texts import condition_text

QUESTIONS = 10
"""Asked of each world: making its bundles costs more."""

_PLACE = Place("", 0, 0)
_EFFECTS = list(Effect)
_PATTERNS: dict[MatchField, tuple[tuple[str, ...], ...]] = {
    MatchField.PROVIDER: (("stripe",), ("aws", "stripe"), ("s*",)),
    MatchField.OPERATION: (("stripe.x",), ("stripe.*",), ("*.x", "aws.y")),
    MatchField.ACTION: (
        ("create_refund",), ("create_*",), ("*_charge",), ("get_charge", "create_c*"),
    ),
    MatchField.KIND: (("read",), ("create", "delete"), ("*",)),
    MatchField.TARGET_TYPE: (("charge",), ("*",)),
    MatchField.TARGET_ID: (("ch_1",), ("ch_*",), ("x", "c*1")),
    MatchField.TARGET_LABEL: (("prod",), ("*",)),
    MatchField.SENSITIVE: (("credentials",), ("*",)),
    MatchField.AGENT: (("a1",), ("a*",), ("b1", "c*")),
    MatchField.RUN: (("run",), ("*",)),
    MatchField.RUN_STATE: (("running",), ("*",), ("failed", "running")),
    MatchField.ENVIRONMENT: (("prod",), ("p*",), ("", "x")[1:]),
}  # fmt: skip
_USUAL = (
    "params.a > 0", 'params.b == "a"', 'params.b in ["a", "ab", "b1", "1", "12"]', "has(params.d)",
    "params.f", "risk.score > 20", 'agent.labels.team == "pay"', "params.a > params.d",
    'params.b.startsWith("a") || params.a <= 1', 'target.id == "ch_1"', "!(params.a == 1)",
    "size(params.b) > 1", 'has(params.c.a) && params.c.a != "x"', "params.a in [0, 1, 2, 5000]",
    'environment == "prod" && params.a != 0', "params.c.all(x, x == 1)", 'run.state == "running"',
    '"prod" in target.labels', "!has(params.nope)", "params.c[0] < 2", "params.d == params.a",
)  # fmt: skip
_STRANGE: tuple[Any, ...] = (
    True, False, None, 0, 1, -1, 1.0, 1.5, 10**400, -(10**30), "", "a", [], {}, [[[]]], {"a": {}},
    (1, 2), b"a", {1: 2}, frozenset(), float("inf"), [True], "\ud800",
)  # fmt: skip


class Broken(Exception):
    """A promise that did not hold; the text says which."""


@dataclass(frozen=True)
class World:
    """Policies, and what is asked of them."""

    policies: tuple[Policy, ...]
    questions: tuple[tuple[tuple[Action, ...], Context], ...]


@dataclass
class Maker:
    """Makes worlds from one source of chance."""

    source: random.Random

    def world(self) -> World:
        count = self.source.choice((1, 1, 2, 3))
        policies = tuple(self.policy(f"p{number}") for number in range(count))
        return World(policies, tuple(self.question() for _ in range(QUESTIONS)))

    def policy(self, name: str, mode: Mode | None = None) -> Policy:
        chance = self.source
        rules = [self.rule(f"r{number}") for number in range(chance.randrange(8))]
        if mode is None:
            mode = Mode.MONITOR if chance.random() < 0.25 else Mode.ENFORCE
        scope = parse_pattern(("a*",)) if chance.random() < 0.25 else None
        return Policy(name, scope, mode, chance.choice(_EFFECTS), tuple(rules), _PLACE)

    def rule(self, name: str, effect: Effect | None = None, mode: Mode | None = None) -> Rule:
        chance = self.source
        effect = effect or chance.choice(_EFFECTS)
        mode = mode or (Mode.MONITOR if chance.random() < 0.2 else Mode.ENFORCE)
        terms = ApprovalTerms() if effect is Effect.REQUIRE_APPROVAL else None
        condition = self.condition() if chance.random() < 0.7 else None
        return Rule(
            name, chance.randrange(4), self.match(), condition, effect, f"R_{name}", f"says {name}",
            terms, chance.random() < 0.95, _PLACE, mode=mode,
        )  # fmt: skip

    def match(self) -> Match:
        chance = self.source
        chosen = [field for field in _PATTERNS if chance.random() < 0.12]
        fields = tuple((field, parse_pattern(chance.choice(_PATTERNS[field]))) for field in chosen)
        labels: tuple[Any, ...] = ()
        if chance.random() < 0.1:
            labels = (("team", parse_pattern(chance.choice((("pay",), ("p*", "x"))))),)
        return Match(fields, labels, chance.choice((None,) * 8 + (True, False)))

    def condition(self) -> Condition:
        """One that policies are made of, one of the whole language, or several of them joined."""
        chance = self.source
        parts = [self._part() for _ in range(chance.choice((1, 1, 2, 3)))]
        text = parts[0]
        for part in parts[1:]:
            sign = chance.choice(("&&", "||"))
            text = f"({text}) {sign} {chance.choice(('', '!'))}({part})"
        try:
            node = parse(text)
        except ConditionError:
            return self.condition()
        return self.condition() if check(node) else Condition(text, node)

    def _part(self) -> str:
        if self.source.random() < 0.7:
            return self.source.choice(_USUAL)
        return condition_text(self.source, with_decimals=False)

    def question(self) -> tuple[tuple[Action, ...], Context]:
        count = self.source.choice((1,) * 8 + (2, 3, 0))
        return tuple(self.action() for _ in range(count)), self.context()

    def action(self) -> Action:
        chance = self.source
        params = params_of(chance, with_decimals=False)
        for name in (*params, "d", "nope"):
            if chance.random() < 0.08:
                params[name] = chance.choice(_STRANGE)
        missing = frozenset(
            name for name in ("a", "b", "d", "nope", "target.id") if chance.random() < 0.1
        )
        unreadable = frozenset(name for name in missing if chance.random() < 0.5)
        if chance.random() < 0.05:
            unreadable |= {ANY_PARAM}
        return Action(
            chance.choice(("stripe", "aws")),
            chance.choice(("stripe.x", "aws.y", "unknown")),
            chance.choice(("create_refund", "create_charge", "get_charge", "create_x")),
            chance.choice(list(Kind)),
            Target(chance.choice(("charge", "")), chance.choice(("ch_1", "x", ""))),
            params,
            chance.random() < 0.5,
            chance.choice((None, "credentials")),
            missing,
            unreadable,
        )

    def context(self) -> Context:
        chance = self.source
        return Context(
            chance.choice(("a1", "b1")),
            chance.choice((None, "run")),
            chance.choice((0, 1_795_000_000_000_000)),
            chance.choice(({}, {"team": "pay"}, {"team": "x"})),
            chance.choice(("", "prod")),
            chance.choice(("", *sorted(RUN_STATES))),
        )

    def shuffled(self, policies: Sequence[Policy]) -> tuple[Policy, ...]:
        return tuple(
            replace(policy, rules=tuple(self.source.sample(policy.rules, len(policy.rules))))
            for policy in self.source.sample(policies, len(policies))
        )

    def with_rule(self, policies: Sequence[Policy], rule: Rule) -> tuple[Policy, ...]:
        """The policies with one rule more, in any of them."""
        at = self.source.randrange(len(policies))
        changed = replace(policies[at], rules=(*policies[at].rules, rule))
        return (*policies[:at], changed, *policies[at + 1 :])


def facts(decision: Decision) -> tuple[Any, ...]:
    """All that a decision says, for comparison."""
    return (
        decision.effect, decision.reason_code, decision.message, decision.policy, decision.rule,
        decision.risk, decision.mode, decision.terms, decision.unresolved, decision.watched,
    )  # fmt: skip


def held_back(decision: Decision) -> int:
    """How far a decision holds a request back: 0 lets it pass."""
    return 0 if decision.passes else decision.effect.strictness


def broken_promises(maker: Maker) -> Iterator[tuple[Decision, str]]:
    """Make a world and ask it everything: each decision, with what is wrong with it ("": nothing).

    Rules decide as they are read one by one; the order of files and rules never matters; a BLOCK
    rule more never weakens; a rule or policy in monitor mode more changes nothing that is done.
    """
    world = maker.world()
    bundle = Bundle.of(world.policies)
    shuffled = Bundle.of(maker.shuffled(world.policies))
    block = maker.rule("more", Effect.BLOCK, Mode.ENFORCE)
    blocked = Bundle.of(maker.with_rule(world.policies, block))
    watched = Bundle.of(maker.with_rule(world.policies, maker.rule("more", mode=Mode.MONITOR)))
    shadowed = Bundle.of((*world.policies, maker.policy("a-shadow", Mode.MONITOR)))
    for actions, context in world.questions:
        decision = bundle.decide(actions, context, Mode.ENFORCE)
        said = facts(decision)
        done = (*said[:5], *said[6:9])
        is_any_enforced = any(
            policy.mode is Mode.ENFORCE and policy.applies_to(context.agent)
            for policy in world.policies
        )
        wrong = ""
        if shuffled.revision != bundle.revision:
            wrong = "the order changed the revision"
        elif facts(shuffled.decide(actions, context, Mode.ENFORCE)) != said:
            wrong = "the order changed the decision"
        elif held_back(blocked.decide(actions, context, Mode.ENFORCE)) < held_back(decision):
            wrong = "a BLOCK rule weakened it"
        elif _done(watched.decide(actions, context, Mode.ENFORCE)) != done:
            wrong = "a rule in monitor mode changed it"
        elif is_any_enforced and _done(shadowed.decide(actions, context, Mode.ENFORCE)) != done:
            wrong = "a policy in monitor mode changed it"
        elif not bundle.decide(actions, context, Mode.MONITOR).passes and actions:
            wrong = "the gateway's monitor mode did not let it pass"
        elif actions and read_slowly(bundle, actions, context) != _read(decision):
            wrong = "it is not what the rules say one by one"
        yield decision, wrong


def _done(decision: Decision) -> tuple[Any, ...]:
    said = facts(decision)
    return (*said[:5], *said[6:9])


Reading = tuple[Any, ...]


def _read(decision: Decision) -> Reading:
    watched = {(each.policy, each.rule, each.effect) for each in decision.watched}
    return (
        decision.effect, decision.policy, decision.rule, decision.mode, decision.unresolved,
        watched,
    )  # fmt: skip


def read_slowly(bundle: Bundle, actions: Sequence[Action], context: Context) -> Reading:
    """The decision as a plain walk through all rules gives it."""
    best: tuple[Effect, PolicyTrace | None] | None = None
    watched: list[tuple[str, str | None, Effect]] = []
    for action in actions:
        traces = trace(bundle.policies, action, context, bundle.risks, len(actions))
        deciding = [found for found in traces if found.applies and not found.is_shadow]
        strictest = max(deciding, key=lambda found: found.effect.strictness, default=None)
        effect = Effect.BLOCK if strictest is None else strictest.effect
        if best is None or effect.strictness > best[0].strictness:
            best = effect, strictest
        for found in traces:
            if found.is_shadow:
                watched.append((found.policy, found.decided_by, found.effect))
        watched.extend(
            (found.policy, each.rule, each.effect)
            for found in deciding
            for each in found.rules
            if each.finding is Finding.WATCHED
        )
    assert best is not None
    effect, found_by = best
    others = {each for each in watched if each[2] is not effect}
    if found_by is None:
        return effect, None, None, Mode.ENFORCE, None, others
    rule = _deciding(found_by)
    unread = None if rule is None else rule.field
    return effect, found_by.policy, found_by.decided_by, found_by.mode, unread, others


def _deciding(found: PolicyTrace) -> RuleTrace | None:
    return next((each for each in found.rules if each.finding is Finding.DECIDES), None)
