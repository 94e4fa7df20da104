"""Turns rules in the form of the first API into a policy document, so that both mean the same.

It is an object `{"scope", "name", "description", "defaultAction", "rules"}` or a bare list of rules
`{"ruleId", "priority", "targetType", "targetSelector", "action", "reasonCode", "enabled"}`, in JSON
or YAML. On which terms a person is asked can be said as in a policy (`approval`). Nodes are
rearranged, and keep their places; what they mean is decided by the policy schema alone. The mapping
is in `policies/README.md`. INVARIANT(no silent words) holds here too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final

from gateway.decide.documents.document import Fields, Item, Items, Mark, Scalar
from gateway.decide.documents.heading import API_VERSION, EFFECTS
from gateway.decide.documents.reader import Reader
from gateway.decide.documents.schema import KIND, PRIORITY_MAX, RULES_MAX
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass
from gateway.model.effect import Effect

_CHANGES: Final = tuple(kind.value for kind in Kind if kind is not Kind.READ)
"""What is not known to be a read is a write."""

_TOOL: Final = "TOOL"
_CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "ACTION": (),
    "READ_ACTION": (Kind.READ.value,),
    "WRITE_ACTION": _CHANGES,
    **{f"{kind.value.upper()}_ACTION": (kind.value,) for kind in Kind if kind is not Kind.READ},
}
"""Classes of actions by their kinds; no kinds: any."""

_FIELDS: Final[Mapping[str, str]] = {
    "OPERATION": "operation",
    "PROVIDER": "provider",
    "RESOURCE": "target.id",
    "RESOURCE_TYPE": "target.type",
    "AGENT": "agent",
    "ENVIRONMENT": "environment",
}
"""Target types that are a field of `match`."""

_TARGET_TYPES: Final = (_TOOL, *_CLASSES, *_FIELDS)

WHOLE_SCOPES: Final = ("ORG", "ORGANIZATION", "ORGANISATION", "TENANT")
_AGENT_SCOPE: Final = "AGENT"

_TOP_KEYS: Final = ("policyId", "scope", "name", "description", "defaultAction", "rules")
_RULE_KEYS: Final = (
    "ruleId", "priority", "targetType", "targetSelector", "action", "reasonCode", "message",
    "enabled", "approval",
)  # fmt: skip
_RULE_SIGNS: Final = frozenset({"ruleId", "targetType", "targetSelector"})

_OWN_KEYS: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})
"""Keys of our own documents: one of them, and it is none of these."""

_ANY: Final = "*"
_FALLBACK_NAME: Final = "rules"


def is_seed_document(document: Item) -> bool:
    """Whether a document has this form: rules of targets instead of `apiVersion` and `kind`."""
    match document:
        case Items(_, [Fields(_, entries), *_]):
            return any(key.written in _RULE_SIGNS for key, _ in entries)
        case Fields():
            keys = {key.written for key, _ in document.entries}
            return "rules" in keys and not keys & _OWN_KEYS
        case _:
            return False


def policy_document(reader: Reader, document: Item) -> Fields:
    """The same as a document of `kind: Policy`, of one that `is_seed_document`."""
    if isinstance(document, Items):
        found: dict[str, Item] = {"rules": document}
    else:
        found = reader.fields(document, "a policy", _TOP_KEYS, ("name", "rules"))
    mark = document.mark
    name = found.get("name") or _text(mark, _name_of(reader.file))
    spec: list[tuple[Scalar, Item]] = []
    scope = _scope(reader, found.get("scope"))
    if scope is not None:
        spec.append((_text(mark, "scope"), scope))
    default = found.get("defaultAction")
    # A wrong one is told here, by the name that it has in this form.
    if default is not None and reader.choice(default, "`defaultAction`", EFFECTS) is not None:
        spec.append((_text(mark, "defaultEffect"), default))
    listed = reader.items(found["rules"], "`rules`", RULES_MAX)
    rules = [rule for item in listed if (rule := _read_rule(reader, item)) is not None]
    translated: list[Item] = [_rule(rule, _rank(rule, rules)) for rule in rules]
    spec.append((_text(mark, "rules"), Items(found["rules"].mark, translated)))
    return _fields(
        mark,
        ("apiVersion", _text(mark, API_VERSION)),
        ("kind", _text(mark, KIND)),
        ("metadata", _fields(mark, ("name", name))),
        ("spec", Fields(mark, spec)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """A rule of this form, with the nodes that go over into the policy."""

    mark: Mark
    rule_id: Item
    priority: Scalar
    rank: int
    target_type: str
    selector: Scalar
    effect: Effect
    action: Item
    rest: tuple[tuple[str, Item], ...]


def _read_rule(reader: Reader, item: Item) -> _Rule | None:
    required = ("ruleId", "priority", "targetType", "action")
    found = reader.fields(item, "a rule", _RULE_KEYS, required)
    if not all(key in found for key in required):
        return None
    target_type = reader.choice(
        found["targetType"], "`targetType`", {name: name for name in _TARGET_TYPES}
    )
    effect = reader.choice(found["action"], "`action`", EFFECTS)
    rank = reader.whole_of(found["priority"], "`priority`", 0, PRIORITY_MAX)
    selector = found.get("targetSelector") or _text(item.mark, _ANY)
    text = reader.text_of(selector, "`targetSelector`")
    if target_type is None or effect is None or rank is None or text is None:
        return None
    priority = found["priority"]
    assert isinstance(selector, Scalar)
    assert isinstance(priority, Scalar)
    if target_type == _TOOL and text.count("*") > 1 and _condition("action", text) is None:
        reader.complain(
            selector.mark,
            f"the selector `{text[:60]}` has more stars than a tool's name needs",
            "write `begin*`, `*end`, `begin*end` or `*middle*`",
        )
        return None
    same = ("message", "enabled", "approval")
    names = (("reasonCode", "reason"), *((name, name) for name in same))
    rest = tuple((new, found[old]) for old, new in names if old in found)
    return _Rule(
        item.mark, found["ruleId"], priority, rank, target_type, selector, effect, found["action"],
        rest,
    )  # fmt: skip


def _rank(rule: _Rule, rules: Sequence[_Rule]) -> int:
    """The number at which a rule is looked at: its own, unless it forbids a tool by name that a
    class of actions with a lower number would let through, or only ask about.

    There an action was either a tool or one of a class; here it is both. At equal numbers the
    stricter effect goes first, so this never makes a decision weaker.
    """
    if rule.target_type != _TOOL or rule.selector.written == _ANY:
        return rule.rank
    laxer = (
        other.rank
        for other in rules
        if other.target_type in _CLASSES and other.effect.strictness < rule.effect.strictness
    )
    return min(rule.rank, *laxer, rule.rank)


def _rule(rule: _Rule, rank: int) -> Fields:
    mark = rule.mark
    priority: Item = rule.priority
    if rank != rule.rank:
        place = rule.priority.mark
        priority = Scalar(place, rule.priority.end, None, str(rank), rank)
    entries: list[tuple[str, Item]] = [("id", rule.rule_id), ("priority", priority)]
    selector, text = rule.selector, rule.selector.written
    match: list[tuple[str, Item]] = []
    if rule.target_type in _FIELDS:
        match.append((_FIELDS[rule.target_type], selector))
    elif rule.target_type == _TOOL:
        if text != _ANY:
            entries.append(("when", _text(selector.mark, _tool_condition(text))))
    else:
        kinds = _CLASSES[rule.target_type]
        if kinds:
            texts: list[Item] = [_text(mark, kind) for kind in kinds]
            match.append(("kind", Items(mark, texts)))
        if text != _ANY:
            match.append(("action", selector))
    if match:
        entries.append(("match", _fields(mark, *match)))
    entries += [("effect", rule.action), *rule.rest]
    return _fields(mark, *entries)


def _tool_condition(selector: str) -> str:
    """A tool is known by the action that it comes to, or as an MCP server names it."""
    by_action, by_tool = _condition("action", selector), _condition("operation", f"mcp.{selector}")
    return f"{by_action} || {by_tool}"


_WRITABLE: Final = re.compile(r"[^\x00-\x1f\x7f\"'\\]*")


def _condition(fact: str, selector: str) -> str | None:
    """The test of a name by a selector; None where the language has no words for it."""
    pieces = selector.split("*")
    literal = _literal
    match pieces:
        case [whole]:
            return f"{fact} == {literal(whole)}"
        case [first, last]:
            tests = [f"{fact}.startsWith({literal(first)})"] if first else []
            tests += [f"{fact}.endsWith({literal(last)})"] if last else []
            if first and last:
                # Beginning and end may not lie over each other.
                tests.append(f"size({fact}) >= {len(first) + len(last)}")
            return f"({' && '.join(tests)})" if tests else "true"
        case ["", middle, ""]:
            return f"{fact}.contains({literal(middle)})"
        case ["mcp.", middle, ""]:
            return f'({fact}.startsWith("mcp.") && {fact}.contains({literal(middle)}))'
        case _:
            return None


def _literal(text: str) -> str:
    """Text as the language writes it."""
    if _WRITABLE.fullmatch(text):
        return f'"{text}"'
    signs = (f"\\u{ord(sign):04x}" if sign in "\"'\\" or ord(sign) < 32 else sign for sign in text)
    return f'"{"".join(signs)}"'


def _scope(reader: Reader, item: Item | None) -> Fields | None:
    """The agents that a scope is about; None for the whole organisation."""
    if item is None:
        return None
    found = reader.fields(item, "`scope`", ("scopeType", "scopeId"), ("scopeType",))
    if "scopeType" not in found:
        return None
    kinds = (*WHOLE_SCOPES, _AGENT_SCOPE)
    kind = reader.choice(found["scopeType"], "`scopeType`", {name: name for name in kinds})
    if kind != _AGENT_SCOPE:
        return None
    if "scopeId" not in found:
        reader.complain(item.mark, "a scope of an agent needs `scopeId`")
        return None
    return _fields(item.mark, ("agent", found["scopeId"]))


def _name_of(file: str) -> str:
    """A bare list has no name: it is called like its file."""
    stem = PurePath(file).name.partition(".")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:63].strip("-") or _FALLBACK_NAME


def _text(mark: Mark, text: str) -> Scalar:
    return Scalar(mark, mark.index, '"', text, text)


def _fields(mark: Mark, *entries: tuple[str, Item]) -> Fields:
    return Fields(mark, [(_text(mark, key), item) for key, item in entries])
