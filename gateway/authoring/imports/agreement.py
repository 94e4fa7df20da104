"""Makes imported rows keep the taxonomy's word: an operation of a taxonomy's name has its kind, and
params of its types.

A name that would promise more than its provider does is changed, never the taxonomy: an act must
not pass for a read, and an amount in unknown units is no amount.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.authored.taxonomy import NamedAction, ParamMeaning, Taxonomy, meaning_of
from gateway.canonicalize.catalog.file import NewSection
from gateway.canonicalize.naming.words import derived_action, words_of
from gateway.model.action import Kind

_PEOPLE = frozenset({"application", "group", "organization", "policy"})
"""Nouns that are about who may do what only where the provider says so: elsewhere a group is one of
traces, and a policy one of scaling."""
_CONVERTIBLE = {
    ParamMeaning.TEXT: "text",
    ParamMeaning.INTEGER: "integer",
    ParamMeaning.BOOLEAN: "boolean",
    ParamMeaning.CURRENCY: "currency",
    ParamMeaning.LIST: "list",
}
"""How a param is read as what the taxonomy says. Money is not among them: nothing in a name tells
whole units from minor ones."""


def agreed(sections: Iterable[NewSection], taxonomy: Taxonomy) -> list[NewSection]:
    """The same sections, with rows that keep the taxonomy's word."""
    same = _Synonyms(taxonomy)
    return [
        replace(section, rows=[_agreed_row(row, same) for row in section.rows])
        for section in sections
    ]


class _Synonyms:
    """The taxonomy's names by themselves and by all that means the same."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._named = dict(taxonomy.actions)
        self._patterns: list[tuple[re.Pattern[str], NamedAction]] = []
        for named in taxonomy.actions.values():
            for name in named.also:
                if "*" in name:
                    pattern = re.compile(name.replace("*", "[a-z0-9_]+"))
                    self._patterns.append((pattern, named))
                else:
                    self._named[name] = named

    def find(self, name: str) -> NamedAction | None:
        """The taxonomy's name for a derived one."""
        found = self._named.get(name)
        if found is None:
            matches = (named for pattern, named in self._patterns if pattern.fullmatch(name))
            found = next(matches, None)
        return found


def _agreed_row(row: Row, same: _Synonyms) -> Row:
    named = same.find(row.action)
    if named is None:
        return row
    if (row.kind is Kind.READ) != (named.kind is Kind.READ):
        if row.action != named.name:
            return row
        # Rules that name the action must not catch what is another act, in either direction.
        word = "read" if row.kind is Kind.READ else "call"
        return replace(row, action=f"{word}_{row.action}")
    if named.kind is Kind.ADMIN is not row.kind and named.name.rpartition("_")[2] in _PEOPLE:
        return replace(row, action=_in_its_service(row))
    kind = row.kind if row.kind is Kind.ADMIN else named.kind
    return replace(row, action=named.name, kind=kind, params=_agreed_params(row.params, named))


def _in_its_service(row: Row) -> str:
    """`update_group` of `xray.UpdateGroup` is `update_xray_group`."""
    service, dot, _ = row.operation.partition(".")
    verb, _, noun = row.action.partition("_")
    return derived_action(verb, [*words_of(service), noun] if dot else ["other", noun])


def _agreed_params(params: Mapping[str, RowParam], named: NamedAction) -> dict[str, RowParam]:
    kept: dict[str, RowParam] = {}
    for name, param in params.items():
        declared = named.param(name)
        if declared is None or meaning_of(param.type) is declared:
            kept[name] = param
        elif declared in _CONVERTIBLE:
            kept[name] = RowParam(param.source, _CONVERTIBLE[declared])
    return kept
