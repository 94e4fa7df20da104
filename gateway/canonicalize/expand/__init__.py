"""The acts that a body carries, where method and path don't say them: one request, several actions.

Each family is one way of carrying acts, and one module. Pure: text in, actions out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.canonicalize.authored.operation import Operation
from gateway.canonicalize.expand.acts import (
    Call,
    NamedActs,
    NotUnderstoodError,
    Resolve,
    check_count,
    own_action,
)
from gateway.canonicalize.expand.batches import (
    expand_azure,
    expand_google,
    expand_graph,
    expand_salesforce,
)
from gateway.canonicalize.expand.bulk import expand_bulk, expand_msearch
from gateway.canonicalize.expand.dynamodb import expand_batch_write, expand_transaction
from gateway.canonicalize.expand.jsonrpc import expand_jsonrpc
from gateway.canonicalize.expand.mcp import expand_mcp
from gateway.canonicalize.expand.postgrest import expand_postgrest
from gateway.canonicalize.request.reader import RequestReader
from gateway.model.action import Action, Kind, Target

Expander = Callable[[Call], tuple[Action, ...]]

_EXPANDERS: Mapping[str, Expander] = {
    "jsonrpc": expand_jsonrpc,
    "mcp": expand_mcp,
    "google_batch": expand_google,
    "graph_batch": expand_graph,
    "azure_batch": expand_azure,
    "salesforce_batch": expand_salesforce,
    "dynamodb_batch": expand_batch_write,
    "dynamodb_transaction": expand_transaction,
    "elasticsearch_bulk": expand_bulk,
    "elasticsearch_msearch": expand_msearch,
    "postgrest": expand_postgrest,
}
"""All but the large: see `expander_of`."""
TEXTS = frozenset({"sql_clickhouse", "sql_trino"})
"""Families whose servers take the body for text, though curl calls it a form."""

_SQL = "sql_"
_NOTHING: NamedActs = MappingProxyType({})


def expand(
    operation: Operation, reader: RequestReader, resolve: Resolve, named: NamedActs = _NOTHING
) -> tuple[Action, ...]:
    """The actions of a request that matched an entry with `expand`: at least one.

    `resolve` canonicalizes a request that stands inside this one; `named` are the mapper's own
    entries for single acts.

    Raises:
        AmbiguityError: two servers could read the body differently, or it is too large.
    """
    call = Call(operation, reader, resolve, named)
    try:
        return check_count(expander_of(operation.expand)(call))
    except NotUnderstoodError:
        target = Target(operation.target.type, "")
        return (own_action(call, operation.action, Kind.UNKNOWN, target, {}, reversible=False),)


def expander_of(family: str) -> Expander:
    """The reader of one of `FAMILIES`. The languages are loaded with the first site that has them:
    a start does without their grammars."""
    if family.startswith(_SQL):
        from gateway.canonicalize.expand.sql_requests import EXPANDERS

        return EXPANDERS[family]
    if family == "graphql":
        from gateway.canonicalize.expand.graphql import expand_graphql

        return expand_graphql
    return _EXPANDERS[family]


def preload(family: str) -> None:
    """Load what a family needs (sqlglot and dialects for SQL), where nobody waits for it."""
    if family:
        expander_of(family)
    if family.startswith(_SQL):
        from gateway.canonicalize.expand.sql_requests import DIALECTS
        from gateway.canonicalize.expand.sql_tree import preload_dialect

        for dialect in DIALECTS.get(family, ()):
            preload_dialect(dialect)
