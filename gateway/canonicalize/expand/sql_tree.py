"""Reads one SQL statement through sqlglot: what it does to which tables, and on which rows.

sqlglot is loaded on first use (90 ms, 20 MB) and held to a number of steps, because its parser goes
back and forth without a bound of its own: 150 bytes of nested arrays keep it busy for a minute.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gateway.canonicalize.expand import sql_functions
from gateway.model.action import Kind
from gateway.model.dataclass import dataclass

if TYPE_CHECKING:
    from sqlglot import exp

    Node = exp.Expr

STEPS_PER_TOKEN = 12
"""Honest statements take one to four."""
STEPS_FREE = 400
TABLES_MAX = 32


class UnreadableSqlError(Exception):
    """sqlglot can't read it, or not in bounded time."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a statement does. `tables` begin with the one that is acted on."""

    verb: str
    kind: Kind
    tables: tuple[str, ...]
    has_where: bool
    is_reversible: bool = True


def preload_dialect(dialect: str) -> None:
    """Load sqlglot and a dialect now, where nobody waits."""
    _parser_of(dialect)


@functools.lru_cache(maxsize=32)
def _parser_of(dialect: str) -> tuple[Any, Any]:
    """A dialect and its parser, held to a number of steps."""
    from sqlglot import Dialect

    # Its warnings carry the statement, which is the agent's data.
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    found: Any = Dialect.get_or_raise(dialect or None)
    base: Any = found.parser_class

    class Bounded(base):  # type: ignore[misc]
        steps_left = 0

        def _advance(self, times: int = 1) -> None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise UnreadableSqlError("too many steps")
            super()._advance(times)

    return found, Bounded


def parse(text: str, dialect: str, tokens: int) -> Node:
    """Parse one statement that has so many tokens.

    Raises:
        UnreadableSqlError: no statement, several, or too tangled.
    """
    found, bounded = _parser_of(dialect)
    try:
        parser = bounded(dialect=found)
        parser.steps_left = tokens * STEPS_PER_TOKEN + STEPS_FREE
        trees = parser.parse(found.tokenize(text), text)
    except Exception as error:  # Its parser lets whatever goes wrong inside out.
        raise UnreadableSqlError(type(error).__name__) from None
    trees = [tree for tree in trees if tree is not None]
    if len(trees) != 1:
        raise UnreadableSqlError("not one statement")
    tree: Node = trees[0]
    return tree


def deeds_of(tree: Node, dialect: str) -> list[Deed]:
    """Everything that a parsed statement does; empty where its first words know better."""
    from sqlglot import exp

    nodes = list(tree.walk())
    hidden = {cte.alias.lower() for cte in nodes if isinstance(cte, exp.CTE)}
    found = [
        deed
        for node in nodes
        if isinstance(node, exp.Insert | exp.Update | exp.Delete | exp.Merge)
        and not isinstance(node.parent, exp.When)
        for deed in _writes(node, hidden)
    ]
    if found or not isinstance(tree, exp.Query | exp.Values | exp.Table):
        return found
    tables = _tables(nodes, hidden)
    where = any(isinstance(node, exp.Where) and _restricts(node.this) for node in nodes)
    into = next((node for node in nodes if isinstance(node, exp.Into)), None)
    if into is not None:
        made = [_table_name(node) for node in into.find_all(exp.Table)]
        named = tuple(dict.fromkeys((*made, *tables)))
        return [Deed("select_into", Kind.CREATE, named, where)]
    acting = any(isinstance(node, exp.Lock) for node in nodes) or any(
        _acts(node, dialect) for node in nodes
    )
    return [Deed("select", Kind.EXECUTE if acting else Kind.READ, tables, where)]


def tables_of(tree: Node) -> tuple[str, ...]:
    """All tables that a statement names."""
    from sqlglot import exp

    nodes = list(tree.walk())
    return _tables(nodes, {cte.alias.lower() for cte in nodes if isinstance(cte, exp.CTE)})


def _tables(nodes: list[Node], hidden: set[str]) -> tuple[str, ...]:
    from sqlglot import exp

    names: dict[str, None] = {}
    for node in nodes:
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Func):
            name = _table_name(node)
            if name and name.lower() not in hidden:
                names[name] = None
    return tuple(list(names)[:TABLES_MAX])


def _table_name(table: Node) -> str:
    """`catalog.schema.table`, as far as it is given, without quotes."""
    return ".".join(part.name for part in getattr(table, "parts", ()) if part.name)[:512]


# --- writes ---------------------------------------------------------------------------------------


def _writes(node: Node, hidden: set[str]) -> Iterator[Deed]:
    from sqlglot import exp

    tables = _tables(list(node.walk()), hidden)
    first = _acted_on(node)
    tables = (*((first,) if first else ()), *(name for name in tables if name != first))
    where = node.args.get("where")
    has_where = where is not None and _restricts(where.this)
    match node:
        case exp.Insert():
            replaces = bool(node.args.get("overwrite"))
            changes = replaces or bool(node.args.get("conflict"))
            kind = Kind.UPDATE if changes else Kind.CREATE
            yield Deed("insert", kind, tables, has_where, not replaces)
        case exp.Update():
            yield Deed("update", Kind.UPDATE, tables, has_where)
        case exp.Delete():
            yield Deed("delete", Kind.DELETE, tables, has_where, is_reversible=False)
        case _:
            erases = any(
                str(then.args.get("then")).upper().startswith("DELETE")
                for then in node.find_all(exp.When)
            )
            kind = Kind.DELETE if erases else Kind.UPDATE
            yield Deed("merge", kind, tables, has_where=True, is_reversible=not erases)


def _acted_on(node: Node) -> str:
    from sqlglot import exp

    table = node.this
    if isinstance(table, exp.Schema):
        table = table.this
    if table is None:
        table = next(iter(node.args.get("tables") or ()), None)
    return _table_name(table) if isinstance(table, exp.Table) else ""


def _restricts(condition: Node | None) -> bool:
    """Whether a condition can leave rows out: it looks at a column, and is not true by its form.

    Walks with a stack of its own: conditions may be as long as the statement.
    """
    from sqlglot import exp

    stack: list[tuple[Node | None, bool]] = [(condition, False)]
    values: list[bool] = []
    while stack:
        node, is_done = stack.pop()
        if isinstance(node, exp.Paren):
            stack.append((node.this, False))
        elif isinstance(node, exp.And | exp.Or):
            if not is_done:
                stack += [(node, True), (node.left, False), (node.right, False)]
                continue
            first, second = values.pop(), values.pop()
            values.append((first or second) if isinstance(node, exp.And) else (first and second))
        elif isinstance(node, exp.EQ | exp.GTE | exp.LTE) and node.left == node.right:
            values.append(False)
        else:
            values.append(node is not None and node.find(exp.Column) is not None)
    return values[0]


# --- functions ------------------------------------------------------------------------------------


def _acts(node: Node, dialect: str) -> bool:
    """Whether a node is a call of a function that does something beside giving a value."""
    from sqlglot import exp

    if isinstance(node, exp.NextValueFor | exp.Command):
        return True
    if not isinstance(node, exp.Func):
        return False
    parent = node.parent
    schema = ""
    if isinstance(parent, exp.Dot) and parent.expression is node:
        schema = parent.this.name
    elif isinstance(parent, exp.Table):
        schema = parent.db
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        is_table = isinstance(parent, exp.Table | exp.TableFromRows | exp.Lateral)
        return sql_functions.acts(node.name, dialect, schema=schema, is_table=is_table)
    return (
        sql_functions.is_users(schema)
        or sql_functions.is_foreign(type(node).__name__, dialect)
        or node.sql_name().lower() in sql_functions.ACTING
    )
