"""One operation of an imported catalog, in the notation of mappers.

A row says what a block in a mapper says, in the same notation, so that a person who knows one can
read the other: `["stripe.refunds.create","POST /v1/refunds","create","create_refund","refund"]`.
Importers make rows, `overrides` changes them, `catalog` keeps them as lines and compiles the one
that a request matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

_NOTHING: Mapping[str, Any] = MappingProxyType({})

SENSITIVE = ("credentials",)
"""What a row can be marked with; `credentials`: it mints them, or sends secrets back."""


@dataclass(frozen=True, slots=True)
class RowParam:
    """One typed value: `source` is an address (`body.amount`), `type` one of `ParamType`, `detail`
    a currency (`usd`, or the address of one) of `money_decimal`, or the separator of a `list`."""

    source: str
    type: str = "text"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One operation on one way of calling it; an operation may have several rows.

    `wire` is method and path template (`DELETE /v1/things/{thing}`), empty for what a selector
    finds by its name (AWS query, json and cbor, Slack). `target_id` is an address or a template
    with `{address}` in it; with `each`, the address of a list: one action for each element.
    `when` maps addresses to a text, True (there) or False (absent). `expand` names the selector of
    bodies that carry other acts (`graphql`, `jsonrpc`, ...). `errors` overrides the mapper's style.
    """

    operation: str
    wire: str
    kind: Kind
    action: str
    target_type: str = ""
    target_id: str = ""
    params: Mapping[str, RowParam] = field(default_factory=lambda: MappingProxyType({}))
    when: Mapping[str, str | bool] = field(default_factory=lambda: _NOTHING)
    reversible: bool = True
    sensitive: str = ""
    each: bool = False
    expand: str = ""
    errors: str = ""

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """What tells this row from the others of its section, and sorts them."""
        return self.operation, self.wire, tuple((k, str(v)) for k, v in sorted(self.when.items()))
