"""Turns a positioned document into a checked `Policy`, or into problems: the policy schema.

Whatever a policy says is either enforced or refused here. INVARIANT(no silent words): no key is
read and then not acted on.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final

from gateway.decide.conditions.checking.checker import check
from gateway.decide.conditions.checking.names import AGENT_LABELS, unknown_name
from gateway.decide.conditions.parsing.parser import parse
from gateway.decide.conditions.syntax import ConditionError
from gateway.decide.documents.document import Item, Scalar
from gateway.decide.documents.heading import EFFECTS, MODES, read_heading
from gateway.decide.documents.limits import Parts, read_limits
from gateway.decide.documents.patterns import hold, read_pattern
from gateway.decide.documents.reader import Reader
from gateway.decide.documents.terms import read_terms
from gateway.decide.patterns import Pattern
from gateway.decide.rules.policy import (
    Condition,
    Match,
    MatchField,
    Place,
    Policy,
    Rule,
    plain_message,
    plain_reason,
)
from gateway.model.dataclass import dataclass
from gateway.model.decision import ReasonCode
from gateway.model.effect import ApprovalTerms, Effect, Mode
from gateway.model.vocabulary import Vocabulary

KIND: Final = "Policy"

RULES_MAX: Final = 20_000
"""Rules of one policy. They load in seconds and decide as fast as ten; more is generated data."""

PRIORITY_MAX: Final = 1_000_000
MESSAGE_CHARS_MAX: Final = 500
"""Of the sentence for the agent: it travels in the provider's own error shape."""

_MATCH_FIELDS: Final = {match_field.value: match_field for match_field in MatchField}

_POLICY_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_POLICY_NAME_IN_WORDS: Final = "1 to 63 lower-case letters, digits and hyphens"
_RULE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REASON: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_OWN_REASONS: Final = frozenset(
    value for name, value in vars(ReasonCode).items() if not name.startswith("_")
)


@dataclass(slots=True)
class Schema:
    """Reads policies of one file; `problems` are in the reader. Equal conditions of a load are
    compiled once, through `conditions`."""

    reader: Reader
    vocabulary: Vocabulary
    conditions: dict[str, Condition] = field(default_factory=dict)

    def policy(self, document: Item) -> Policy | None:
        """Read one document; None when it has no usable name or body."""
        reader = self.reader
        named, body = read_heading(reader, document, "a policy", KIND)
        name = None if named is None else self._policy_name(named)
        spec = reader.fields(
            body, "`spec`", ("scope", "mode", "defaultEffect", "rules", "limits"), ("rules",)
        )
        scope = self._scope(spec.get("scope"))
        mode = reader.choice(spec["mode"], "`mode`", MODES) if "mode" in spec else Mode.ENFORCE
        default = Effect.BLOCK
        if "defaultEffect" in spec:
            chosen = reader.choice(spec["defaultEffect"], "`defaultEffect`", EFFECTS)
            default = Effect.BLOCK if chosen is None else chosen
        rules = self._rules(spec.get("rules"), name or "?")
        lines = {rule.id: rule.place.line for rule in rules}
        limits = read_limits(spec.get("limits"), self._parts(), name or "?", lines)
        if name is None or body is None or mode is None:
            return None
        return Policy(name, scope, mode, default, rules, self._place(document), tuple(limits))

    def _parts(self) -> Parts:
        return Parts(
            self.reader, self._id, self._match, self._condition, self._terms, self._reason,
            self._sentence, self._place,
        )  # fmt: skip

    def _place(self, item: Item) -> Place:
        return Place(self.reader.file, item.mark.line, item.mark.column)

    def _policy_name(self, item: Item) -> str | None:
        return self.reader.named(item, "`name`", _POLICY_NAME, _POLICY_NAME_IN_WORDS)

    def _scope(self, item: Item | None) -> Pattern | None:
        if item is None:
            return None
        found = self.reader.fields(item, "`scope`", ("agent",), ("agent",))
        return self._pattern(found["agent"], "`agent`") if "agent" in found else None

    # --- rules ------------------------------------------------------------------------------------

    def _rules(self, item: Item | None, policy: str) -> tuple[Rule, ...]:
        if item is None:
            return ()
        rules: list[Rule] = []
        first_lines: dict[str, int] = {}
        for entry in self.reader.items(item, "`rules`", RULES_MAX):
            rule = self._rule(entry, policy)
            if rule is None:
                continue
            if rule.id in first_lines:
                self.reader.complain(
                    entry.mark,
                    f"the id `{rule.id}` is taken by the rule in line {first_lines[rule.id]}",
                    "give each rule its own id",
                )
            first_lines.setdefault(rule.id, entry.mark.line)
            rules.append(rule)
        return tuple(rules)

    def _rule(self, item: Item, policy: str) -> Rule | None:
        reader = self.reader
        keys = (
            "id", "priority", "match", "when", "effect", "reason", "message", "approval", "enabled",
            "mode",
        )  # fmt: skip
        found = reader.fields(item, "a rule", keys, ("id", "priority", "effect"))
        rule_id = None
        if "id" in found:
            rule_id = self._id(found["id"])
        priority = None
        if "priority" in found:
            priority = reader.whole_of(found["priority"], "`priority`", 0, PRIORITY_MAX)
        effect = None
        if "effect" in found:
            effect = reader.choice(found["effect"], "`effect`", EFFECTS)
        match = self._match(found.get("match"))
        condition = self._condition(found.get("when"))
        terms = self._terms(found.get("approval"), effect)
        enabled = True
        if "enabled" in found:
            enabled = reader.truth_of(found["enabled"], "`enabled`") is not False
        mode = reader.choice(found["mode"], "`mode`", MODES) if "mode" in found else None
        reason = self._reason(found.get("reason"), f"rule_{rule_id or ''}")
        message = self._message(found.get("message"), rule_id or "", policy)
        if rule_id is None or priority is None or effect is None:
            return None
        place = self._place(item)
        return Rule(
            rule_id, priority, match, condition, effect, reason, message, terms, enabled, place,
            mode or Mode.ENFORCE,
        )  # fmt: skip

    def _id(self, item: Item) -> str | None:
        words = "1 to 64 letters, digits, dots, hyphens and underscores"
        return self.reader.named(item, "`id`", _RULE_ID, words)

    def _reason(self, item: Item | None, name: str) -> str:
        """A reason code; without one, the name of what gives it."""
        if item is None:
            return plain_reason(name)
        words = "1 to 64 capital letters, digits and underscores"
        reason = self.reader.named(item, "`reason`", _REASON, words)
        if reason in _OWN_REASONS:
            self.reader.complain(
                item.mark, f"`{reason}` is a reason of Checkrein itself", "choose another"
            )
        message = f"the organisation has no reason code `{reason}`"
        hold(self.reader, item, reason or "", self.vocabulary.reason_codes, message)
        return reason or ""

    def _message(self, item: Item | None, rule_id: str, policy: str) -> str:
        if item is None:
            return plain_message(rule_id, policy)
        return self._sentence(item)

    def _sentence(self, item: Item) -> str:
        message = self.reader.text_of(item, "`message`") or ""
        message = " ".join(message.split())
        if not 0 < len(message) <= MESSAGE_CHARS_MAX or not message.isprintable():
            self.reader.complain(
                item.mark,
                f"`message` must be one sentence of at most {MESSAGE_CHARS_MAX} characters",
            )
        return message

    def _terms(self, item: Item | None, effect: Effect | None) -> ApprovalTerms | None:
        if item is not None and effect in (Effect.ALLOW, Effect.BLOCK):
            self.reader.complain(
                item.mark, f"`approval` has no meaning where the effect is {effect}"
            )
            return None
        if item is None:
            return ApprovalTerms() if effect is Effect.REQUIRE_APPROVAL else None
        return read_terms(self.reader, item, self.vocabulary)

    # --- match and when ---------------------------------------------------------------------------

    def _match(self, item: Item | None) -> Match:
        if item is None:
            return Match()
        keys = (*_MATCH_FIELDS, "labels", "reversible")
        found = self.reader.fields(item, "`match`", keys)
        fields = []
        for name, match_field in _MATCH_FIELDS.items():
            if name in found:
                pattern = self._pattern(found[name], f"`{name}`", name)
                if pattern is not None:
                    fields.append((match_field, pattern))
        reversible = None
        if "reversible" in found:
            reversible = self.reader.truth_of(found["reversible"], "`reversible`")
        return Match(tuple(fields), self._labels(found.get("labels")), reversible)

    def _labels(self, item: Item | None) -> tuple[tuple[str, Pattern], ...]:
        if item is None:
            return ()
        labels = []
        known = self.vocabulary.agent_labels.keys()
        for key, value in self.reader.entries(item, "`labels`"):
            name = key.written
            hold(self.reader, key, name, known, unknown_name(AGENT_LABELS, name))
            pattern = self._pattern(value, f"label `{name[:60]}`", f"{AGENT_LABELS}.{name}")
            if pattern is not None:
                labels.append((key.written, pattern))
        return tuple(sorted(labels, key=lambda label: label[0]))

    def _pattern(self, item: Item, what: str, fact: str = "") -> Pattern | None:
        return read_pattern(self.reader, item, what, self.vocabulary, fact)

    def _condition(self, item: Item | None) -> Condition | None:
        if item is None:
            return None
        text = self.reader.text_of(item, "`when`")
        if text is None or text in self.conditions:
            return self.conditions.get(text) if text is not None else None
        assert isinstance(item, Scalar)
        try:
            node = parse(text)
        except ConditionError as error:
            self.reader.complain_inside(item, error)
            return None
        errors = check(node, self.vocabulary if self.reader.may_look else Vocabulary())
        for fault in errors:
            self.reader.complain_inside(item, fault)
        if errors:
            return None
        condition = self.conditions[text] = Condition(text, node)
        return condition
