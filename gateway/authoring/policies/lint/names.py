"""Finds rules about names that exist and never come: operations that are always read as another,
actions that never have the kind that is asked for.

It reads the mappers' own lists, which takes seconds, and only when a rule needs it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.authoring.listing import Act, acts_of_mappers, catalogs_of_mappers
from gateway.authoring.policies.lint.fitting import Names, fits
from gateway.authoring.policies.lint.rules import Finding, LintWarning
from gateway.decide.patterns import Pattern
from gateway.decide.rules.policy import MatchField, Policy, Rule

AWS: Final = "aws"
NAMES_SHOWN: Final = 3


def lint_names(policies: Sequence[Policy], mappers: Sequence[Path]) -> list[LintWarning]:
    """Warnings about names, against the operations that mappers and their catalogs list.

    Raises:
        ConfigurationError: a mapper has problems.
        CatalogError: a catalog can't be used.
    """
    asked = [(policy, rule) for policy in policies for rule in policy.rules if rule.enabled]
    of_kinds = [(policy, rule) for policy, rule in asked if _asks_for_kinds(rule)]
    named = [(policy, rule) for policy, rule in asked if _operations_of(rule)]
    found: list[LintWarning] = []
    if of_kinds:
        found += _lint_kinds(of_kinds, list(acts_of_mappers(mappers)))
    if named:
        wanted = frozenset(name for _, rule in named for name in _operations_of(rule))
        found += _lint_aliases(named, aliases_of_aws(wanted, mappers))
    return sorted(found, key=lambda each: (each.place.file, each.place.line, each.message))


def _asks_for_kinds(rule: Rule) -> bool:
    match = rule.match
    return match.pattern_of(MatchField.KIND) is not None and any(
        match.pattern_of(field) is not None for field in (MatchField.ACTION, MatchField.OPERATION)
    )


def _operations_of(rule: Rule) -> frozenset[str]:
    pattern = rule.match.pattern_of(MatchField.OPERATION)
    return frozenset() if pattern is None else pattern.exact


# --- kinds ----------------------------------------------------------------------------------------


def _lint_kinds(asked: Iterable[tuple[Policy, Rule]], acts: Sequence[Act]) -> Iterator[LintWarning]:
    kinds: dict[Names, set[str]] = defaultdict(set)
    for act in acts:
        kinds[act.operation, act.action, act.provider].add(act.kind)
    for policy, rule in asked:
        pattern = rule.match.pattern_of(MatchField.KIND)
        assert pattern is not None
        fitting = {
            kind for names, found in kinds.items() if fits(rule.match, names) for kind in found
        }
        if fitting and not any(map(pattern.matches, fitting)):
            yield LintWarning(
                Finding.KIND_NEVER_COMES, policy.name, rule.id, rule.place,
                f"rule `{rule.id}` never decides: what it names is of kind "
                f"{' or '.join(sorted(fitting))}, never {pattern}",
                "leave `kind` out: the name says enough",
            )  # fmt: skip


# --- aliases --------------------------------------------------------------------------------------


def _lint_aliases(
    named: Iterable[tuple[Policy, Rule]], aliases: Mapping[str, str]
) -> Iterator[LintWarning]:
    for policy, rule in named:
        pattern = rule.match.pattern_of(MatchField.OPERATION)
        assert pattern is not None
        never = sorted(
            name for name in pattern.exact & aliases.keys() if not pattern.matches(aliases[name])
        )
        if not never:
            continue
        shown = ", ".join(f"`{name}`" for name in never[:NAMES_SHOWN])
        more = f" and {len(never) - NAMES_SHOWN} more" if len(never) > NAMES_SHOWN else ""
        instead = ", ".join(f"`{aliases[name]}`" for name in never[:NAMES_SHOWN])
        whole = "never decides" if _is_all(pattern, never) else "never decides on that"
        yield LintWarning(
            Finding.ALIAS, policy.name, rule.id, rule.place,
            f"rule `{rule.id}` {whole}: {shown}{more} can't be told from {instead}, and is "
            "always read as that",
            f"name {instead} too, or match the action",
        )  # fmt: skip


def _is_all(pattern: Pattern, never: Sequence[str]) -> bool:
    return not pattern.globs and len(never) == len(pattern.exact)


def aliases_of_aws(wanted: frozenset[str], mappers: Sequence[Path]) -> dict[str, str]:
    """Of the wanted operations those that are the same bytes to the same host as another one, by
    which they are always called. Services of one host, signature, version and protocol are read
    as the one that has the host's name, else as the first by name."""
    services = {name.partition(".")[0] for name in wanted if "." in name}
    catalog = next((each for each in catalogs_of_mappers(mappers) if each.provider == AWS), None)
    if catalog is None or not services & catalog.sections.keys():
        return {}
    facts: dict[str, Mapping[str, Any]] = {
        name: section.facts for name, section in catalog.sections.items()
    }
    families = {service: _family(service, facts) for service in services if service in facts}
    needed = {other for family in families.values() for other in family}
    if not any(len(family) > 1 for family in families.values()):
        return {}
    wires: dict[tuple[str, str], str] = {}
    for act in acts_of_mappers(mappers):
        if act.provider == AWS and act.section in needed:
            wires[act.section, act.operation.partition(".")[2]] = act.wire
    aliases: dict[str, str] = {}
    for name in wanted:
        service, _, operation = name.partition(".")
        for other in families.get(service, ()):
            if other == service:
                break
            if wires.get((other, operation)) == wires.get((service, operation), "?"):
                aliases[name] = f"{other}.{operation}"
                break
    return aliases


_TOLD_APART_BY: Final = ("hosts", "signs", "speaks", "target")
_VERSIONED: Final = frozenset({"query", "ec2"})
"""Protocols whose requests carry the version of the service."""


def _family(service: str, facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The services that nothing tells from this one and that are believed before it, and it."""
    own = facts[service]
    apart = _TOLD_APART_BY + (("version",) if _VERSIONED & set(own.get("speaks", ())) else ())
    alike = [
        name
        for name, other in facts.items()
        if all(other.get(fact) == own.get(fact) for fact in apart)
        and all(_rank(name, host) <= _rank(service, host) for host in own.get("hosts", ()))
    ]
    return sorted(alike, key=lambda name: [_rank(name, host) for host in own.get("hosts", ())])


def _rank(service: str, host: str) -> tuple[bool, str]:
    return service != host.removeprefix("*."), service
