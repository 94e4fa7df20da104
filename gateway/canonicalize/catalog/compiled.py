"""Turns a row of a catalog into an operation, in the same notation that mappers are written in.

An address that can't be used is the importer's mistake; a test compiles every row that is shipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gateway.canonicalize.authored.address import (
    AddressError,
    parse_address,
    parse_addresses,
    parse_template,
)
from gateway.canonicalize.authored.operation import (
    Address,
    Condition,
    Operation,
    Param,
    ParamType,
    Place,
    Presence,
    TargetSpec,
    reads_body,
)
from gateway.canonicalize.authored.row import Row, RowParam
from gateway.canonicalize.authored.template import split_template, variables_of
from gateway.model.action import WitnessRead

_CURRENCY = re.compile(r"[a-z]{3}")


def compile_row(
    row: Row,
    provider: str,
    errors: str,
    origin: str,
    *,
    variables: tuple[str, ...] = (),
    place: Place | None = None,
    witness: WitnessRead | None = None,
) -> Operation:
    """The operation of a row. `variables` are those that a selector captures where the row has no
    wire; `place` is where an address without one is read.

    Raises:
        AddressError, TemplateError, ValueError: the row can't be used.
    """
    method, _, path = row.wire.partition(" ")
    segments = split_template(path) if path else ()
    variables = variables_of(segments) or variables
    operation = Operation(
        provider=provider,
        operation=row.operation,
        action=row.action,
        kind=row.kind,
        target=_target(row, variables, place),
        template=row.wire or row.operation,
        origin=origin,
        errors=row.errors or errors,
        method=method,
        segments=segments,
        params=tuple(_param(name, param, variables, place) for name, param in row.params.items()),
        when=compile_when(row.when, variables, place),
        reversible=row.reversible,
        sensitive=row.sensitive or None,
        witness=witness,
        expand=row.expand,
    )
    return reads_body(operation)


def _target(row: Row, variables: Sequence[str], place: Place | None) -> TargetSpec:
    if not row.target_id:
        return TargetSpec(row.target_type)
    if row.each:
        each = parse_address(row.target_id, variables, place)
        return TargetSpec(row.target_type, None, each)
    return TargetSpec(row.target_type, parse_template(row.target_id, variables, place))


def _param(name: str, param: RowParam, variables: Sequence[str], place: Place | None) -> Param:
    kind = ParamType(param.type)
    if kind.is_list:
        address, *more = parse_addresses(param.source, variables, place)
    else:
        address, more = parse_address(param.source, variables, place), []
    currency: Address | str | None = None
    if kind is ParamType.MONEY_DECIMAL:
        if not param.detail:
            raise AddressError(f"`{name}` has no currency")
        is_code = _CURRENCY.fullmatch(param.detail)
        currency = param.detail if is_code else parse_address(param.detail, variables, place)
    separator = param.detail or None if kind is ParamType.LIST else None
    return Param(name, address, kind, currency, separator, tuple(more))


def compile_when(
    when: Mapping[str, str | bool], variables: Sequence[str] = (), place: Place | None = None
) -> tuple[Condition, ...]:
    """The conditions of a row, in the order of their addresses.

    Raises:
        AddressError: an address that can't be used.
    """
    if not when:
        return ()
    conditions = [
        Condition(
            parse_address(text, variables, place),
            Presence(expected) if isinstance(expected, bool) else expected,
        )
        for text, expected in when.items()
    ]
    return tuple(sorted(conditions, key=lambda condition: str(condition.address)))
