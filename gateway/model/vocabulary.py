"""The names that policies are checked against."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import field
from types import MappingProxyType

from gateway.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the loaded mappers can produce, and what the organisation says that there is. An empty
    set: any name may come. So may any value of a label that has none here. Labels of targets are
    told otherwise, since nobody but the organisation gives any: None stands for any."""

    actions: Set[str] = frozenset()
    operations: Set[str] = frozenset()
    providers: Set[str] = frozenset()
    environments: Set[str] = frozenset()
    agent_labels: Mapping[str, Set[str]] = field(default_factory=lambda: MappingProxyType({}))
    target_labels: Set[str] | None = None
    approver_groups: Set[str] = frozenset()
    reason_codes: Set[str] = frozenset()
