"""Turns PostgREST requests (Supabase's `/rest/v1`) into the SQL that they stand for.

The method is the statement, the path its table, and every query key that is no keyword a filter:
a DELETE or PATCH without one is one without WHERE.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.canonicalize.expand.acts import Call, own_action
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.reader import RequestReader
from gateway.model.action import Action, Kind, ParamValue, Target

_STATEMENTS: Mapping[str, tuple[str, Kind]] = {
    "GET": ("select", Kind.READ),
    "HEAD": ("select", Kind.READ),
    "POST": ("insert", Kind.CREATE),
    "PATCH": ("update", Kind.UPDATE),
    "PUT": ("upsert", Kind.UPDATE),
    "DELETE": ("delete", Kind.DELETE),
}
_KEYWORDS = frozenset(
    {"select", "order", "limit", "offset", "columns", "on_conflict", "apikey", "resolution"}
)
"""Query keys that choose no rows. Also those of tables within, such as `orders.limit`."""
_ACTION = "execute_sql"


def expand_postgrest(call: Call) -> tuple[Action, ...]:
    """One action: the statement on the table, or the function that is called.

    Raises:
        AmbiguityError: the schema is named twice.
    """
    reader = call.reader
    method = reader.request.method
    *path, name = reader.captured or ("",)
    schema = _schema(reader, method)
    table = f"{schema}.{name}" if schema else name
    if "rpc" in call.operation.segments or path[-1:] == ["rpc"]:
        target = Target("function", table)
        params: dict[str, ParamValue] = {"statement": "call", "statements": 1}
        return (own_action(call, _ACTION, Kind.EXECUTE, target, params, reversible=False),)
    statement, kind = _STATEMENTS.get(method, ("unread", Kind.UNKNOWN))
    if method == "POST" and b"merge-duplicates" in reader.request.fields.get(b"prefer", b""):
        statement, kind = "upsert", Kind.UPDATE
    filters = [key for key in reader.query.values if _is_filter(key)] if reader.raw_query else []
    params = {
        "statement": statement,
        "tables": [table],
        "has_where": bool(filters),
        "statements": 1,
    }
    target = Target("table", table)
    erases = kind is Kind.DELETE
    return (own_action(call, _ACTION, kind, target, params, reversible=not erases),)


def _is_filter(key: str) -> bool:
    """`id`, `not.and`; for an embedded table it filters what is shown, not what is changed."""
    head, dot, last = key.rpartition(".")
    if dot and head.removeprefix("not.") not in ("", "not"):
        return False
    return last not in _KEYWORDS


def _schema(reader: RequestReader, method: str) -> str:
    name = b"accept-profile" if method in ("GET", "HEAD") else b"content-profile"
    if name in reader.request.repeated:
        raise AmbiguityError(ambiguity.HEADER, "the schema is named twice")
    return reader.request.fields.get(name, b"").decode("latin-1").strip()
