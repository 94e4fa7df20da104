"""How two versions of a policy differ: line by line, and rule by rule."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.store.policies import VersionRow
from gateway.authoring.policies.diff.rule_changes import RuleChange, rule_changes
from gateway.decide.loader import parse_sources
from gateway.decide.rules.policy import Policy

LINES_MAX = 5_000
"""Of a version, for a comparison line by line: its work grows with the square of the lines."""


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """`lines` is a unified diff, None where the versions are too long for one; `rules` is what
    differs in meaning."""

    before: int
    after: int
    lines: Sequence[str] | None
    rules: Sequence[RuleChange]


async def diff_versions(name: str, old: VersionRow, new: VersionRow) -> PolicyDiff:
    """Compare two versions of the policy `name`."""
    return await asyncio.to_thread(_diff, name, old, new)


def _diff(name: str, old: VersionRow, new: VersionRow) -> PolicyDiff:
    assert old.document is not None
    assert new.document is not None
    before, after = old.document.splitlines(), new.document.splitlines()
    lines = None
    if max(len(before), len(after)) <= LINES_MAX:
        titles = (f"{name}, version {old.version}", f"{name}, version {new.version}")
        lines = list(difflib.unified_diff(before, after, *titles, lineterm=""))
    rules = rule_changes(_policies(name, old.document), _policies(name, new.document))
    return PolicyDiff(old.version, new.version, lines, rules)


def _policies(name: str, document: str) -> list[Policy]:
    """What a version says, as far as this program still reads it; names were checked before."""
    return parse_sources([(f"{name}.yaml", document)], None, []).policies
