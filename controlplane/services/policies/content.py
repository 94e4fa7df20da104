"""What a policy's document says, in the form in which policies are kept and listed.

A bundle's files may hold several documents; here each policy has its own, and the settings (the
organisation, a baseline) stand apart. `compose` makes a bundle's files of both again. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.store.policies import NewVersion, RuleRow
from controlplane.store.texts import storable
from gateway.decide.bundle import Bundle
from gateway.decide.documents.document import Fields, Item, Items, Scalar, parse_documents
from gateway.decide.documents.pieces import Piece, split_documents
from gateway.decide.documents.seed_rules import is_seed_document
from gateway.decide.envelope import NamedText
from gateway.decide.rules.policy import Match, Policy, Rule, revision_of
from gateway.model.codec import JsonValue

ORGANISATION_SCOPE = "ORG"
AGENT_SCOPE = "AGENT"


@dataclass(frozen=True, slots=True)
class PolicyContent:
    """One policy: its name, and what a version of it keeps."""

    name: str
    says: NewVersion


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle's files hold: its policies by name, and the documents beside them."""

    policies: Mapping[str, PolicyContent]
    settings: tuple[NamedText, ...]


def contents_of(bundle: Bundle, documents: Sequence[NamedText]) -> Contents:
    """Take the files apart that a bundle was made of.

    Raises:
        DocumentError: a file can't be taken apart.
    """
    by_file: dict[str, list[Policy]] = {}
    for policy in bundle.policies:
        by_file.setdefault(policy.place.file, []).append(policy)
    policies: list[PolicyContent] = []
    settings: list[NamedText] = []
    for file in documents:
        here = sorted(by_file.get(file.name, ()), key=lambda policy: policy.place.line)
        if not here:
            settings.append(file)
            continue
        rest = []
        for piece, found in _owners(split_documents(file.text, file.name), here):
            if found is None:
                rest.append(piece.text)
            else:
                policies.append(content_of(found, piece.text))
        if rest:
            settings.append(NamedText(f"settings.{file.name}", "\n---\n".join(rest)))
    ordered = sorted(policies, key=lambda policy: policy.name)
    return Contents({policy.name: policy for policy in ordered}, tuple(settings))


def _owners(
    pieces: Sequence[Piece], policies: Sequence[Policy]
) -> Iterable[tuple[Piece, Policy | None]]:
    """Each piece with the policy that begins in it; None where it holds another document."""
    waiting = list(policies)
    for number, piece in enumerate(pieces):
        end = pieces[number + 1].first_line if number + 1 < len(pieces) else None
        is_here = waiting and (end is None or waiting[0].place.line < end)
        yield piece, waiting.pop(0) if is_here else None


def content_of(policy: Policy, document: str) -> PolicyContent:
    """What a policy says that was read from this text."""
    targets = _targets(document)
    scope = policy.scope
    says = NewVersion(
        document,
        revision_of([policy]),
        ORGANISATION_SCOPE if scope is None else AGENT_SCOPE,
        None if scope is None else storable(", ".join(scope.texts)),
        policy.mode.value,
        policy.default_effect.value,
        tuple(
            _rule(rule, *targets.get(rule.id, (None, None)))
            for rule in sorted(policy.rules, key=lambda rule: (rule.priority, rule.id))
        ),
    )
    return PolicyContent(policy.name, says)


def compose(policies: Mapping[str, str], settings: Iterable[NamedText]) -> tuple[NamedText, ...]:
    """The files of a bundle, of each policy's document by its name. The same for the same."""
    files = [NamedText(f"{name}.yaml", policies[name]) for name in sorted(policies)]
    taken = {file.name.casefold() for file in files}
    for one in settings:
        name = one.name
        while name.casefold() in taken:
            # No policy has a dot in its name, so this ends.
            name = f"settings.{name}"
        taken.add(name.casefold())
        files.append(NamedText(name, one.text))
    return tuple(files)


def _rule(rule: Rule, target_type: str | None, target_selector: str | None) -> RuleRow:
    return RuleRow(
        rule.id,
        rule.priority,
        rule.effect.value,
        rule.mode.value,
        rule.enabled,
        rule.reason,
        storable(rule.message),
        _match(rule.match),
        None if rule.condition is None else storable(rule.condition.text),
        None if target_type is None else storable(target_type),
        None if target_selector is None else storable(target_selector),
    )


def _texts(texts: Iterable[str]) -> list[JsonValue]:
    return [storable(text) for text in texts]


def _match(match: Match) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        field.value: _texts(pattern.texts) for field, pattern in match.fields
    }
    if match.labels:
        found["labels"] = {name: _texts(pattern.texts) for name, pattern in match.labels}
    if match.reversible is not None:
        found["reversible"] = match.reversible
    return found


def _targets(document: str) -> dict[str, tuple[str | None, str | None]]:
    """What rules of the first API's form are about, by their ids."""
    if "targetType" not in document:
        return {}
    parsed = next(iter(parse_documents(document, "")), None)
    if parsed is None or not is_seed_document(parsed):
        return {}
    listed = parsed if isinstance(parsed, Items) else _get(parsed, "rules")
    found: dict[str, tuple[str | None, str | None]] = {}
    for item in listed.items if isinstance(listed, Items) else ():
        rule_id = _written(item, "ruleId")
        if rule_id is not None:
            found[rule_id] = (_written(item, "targetType"), _written(item, "targetSelector") or "*")
    return found


def _get(item: Item | None, key: str) -> Item | None:
    entries = item.entries if isinstance(item, Fields) else ()
    return next((value for name, value in entries if name.written == key), None)


def _written(item: Item, key: str) -> str | None:
    value = _get(item, key)
    return value.written if isinstance(value, Scalar) else None
