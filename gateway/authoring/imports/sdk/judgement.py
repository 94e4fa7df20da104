"""What is known of an SDK's operations beyond their names: which POSTs only read, which acts change
permissions, which give secrets away, which can't be undone.

An importer states it as data; what it doesn't state is derived, and never into a read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from gateway.canonicalize.naming.kinds import derived_kind
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_NEVER = re.compile(r"(?!)")
_UNDONE_BY_NOTHING = frozenset({Kind.DELETE, Kind.SEND})
_READING_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """`reads` gives, for each operation that reads by another method than GET, the reason;
    `acts` the kinds of those that act by a GET, or otherwise than their name says. The patterns
    are searched in an operation's name; all but `credentials` hold for what is no read. Who mints
    credentials changes who may act: `admin`."""

    reads: Mapping[str, str] = field(default_factory=dict)
    acts: Mapping[str, Kind] = field(default_factory=dict)
    admin: re.Pattern[str] = _NEVER
    executes: re.Pattern[str] = _NEVER
    sends: re.Pattern[str] = _NEVER
    credentials: re.Pattern[str] = _NEVER
    irreversible: re.Pattern[str] = _NEVER
    reversible: re.Pattern[str] = _NEVER

    def kind_of(self, operation: str, words: Sequence[str], method: str) -> Kind:
        """The kind of an operation that is sent by this HTTP method."""
        if operation in self.reads:
            return Kind.READ
        if operation in self.acts:
            return self.acts[operation]
        if method in _READING_METHODS:
            return Kind.READ
        for pattern, kind in (
            (self.admin, Kind.ADMIN), (self.executes, Kind.EXECUTE), (self.sends, Kind.SEND)
        ):  # fmt: skip
            if pattern.search(operation):
                return kind
        if self.credentials.search(operation):
            return Kind.ADMIN
        # A name that reads on a method that writes is not believed without a reason.
        kind = derived_kind(words, method, is_read=False)
        if method == "DELETE":
            return Kind.DELETE
        return kind

    def is_reversible(self, operation: str, kind: Kind, method: str) -> bool:
        """Whether the act can be taken back: not a deletion, not what was sent."""
        if kind is Kind.READ or self.reversible.search(operation):
            return True
        if self.irreversible.search(operation) or method == "DELETE":
            return False
        return kind not in _UNDONE_BY_NOTHING

    def sensitive(self, operation: str) -> str:
        """`credentials` for what mints them or sends them back."""
        return "credentials" if self.credentials.search(operation) else ""
