"""Turns SQL text into acts: for each statement what it does, to which tables, and whether a
condition holds it to some rows.

A statement reads only if the whole of it was understood, and every server would cut the text alike;
what can't be read is kind unknown, and what its first words say is never milder than they.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.canonicalize.expand import sql_functions
from gateway.canonicalize.expand.acts import Call, own_action
from gateway.canonicalize.expand.sql_text import (
    CUT_TOKENS_MAX,
    DEPTH_MAX,
    SQL_CHARS_MAX,
    SqlText,
    Statement,
    acting_words,
    cut,
)
from gateway.canonicalize.expand.sql_tree import (
    Deed,
    UnreadableSqlError,
    deeds_of,
    parse,
    tables_of,
)
from gateway.canonicalize.expand.sql_verbs import (
    READING_WORDS,
    is_neutral,
    is_reversible,
    kind_of_words,
    verb_of_words,
)
from gateway.model.action import Action, Kind, ParamValue, Target

SQL_TOKENS_MAX = 2_000
"""Tokens of one request that sqlglot reads, in some 40 milliseconds. Behind them only first words
count: large inserts are still inserts, and nothing is a read."""

ACTION = "execute_sql"
_UNREAD = Deed("unread", Kind.UNKNOWN, (), False, is_reversible=False)

_PARSED_AS = {"": ("postgres", "mysql"), "athena": ("trino",)}
"""Where the server's dialect is not known, the first that fits a text that all cut alike. sqlglot's
parser for Athena hands on to two others, whose steps nobody counts."""


def sql_actions(call: Call, texts: Sequence[str], dialect: str) -> tuple[Action, ...]:
    """The acts of SQL texts. `dialect` is sqlglot's name, or empty for an unknown one."""
    deeds: list[Deed] = []
    room, count = SQL_TOKENS_MAX, 0
    chars, tokens = SQL_CHARS_MAX, CUT_TOKENS_MAX
    for text in texts:
        chars -= len(text)
        cut_text = cut(text, dialect, tokens) if chars >= 0 else None
        tokens -= cut_text.size if cut_text is not None else 0
        if cut_text is None or not cut_text.is_whole or not cut_text.statements:
            deeds.append(_UNREAD)
            count += 1
            continue
        deeds += _deeds(text, cut_text, dialect, room)
        room -= sum(statement.tokens for statement in cut_text.statements)
        count += len(cut_text.statements)
    # The same thing done twice is one act: what counts is what is done to what.
    return tuple(_action(call, deed, count) for deed in dict.fromkeys(deeds or [_UNREAD]))


def _action(call: Call, deed: Deed, count: int) -> Action:
    target = Target("table", deed.tables[0]) if deed.tables else Target("database", "")
    params: dict[str, ParamValue] = {
        "statement": deed.verb,
        "tables": list(deed.tables),
        "has_where": deed.has_where,
        "statements": count,
    }
    if deed is _UNREAD:
        params = {"statement": deed.verb, "statements": count}
    return own_action(call, ACTION, deed.kind, target, params, reversible=deed.is_reversible)


def _deeds(text: str, cut_text: SqlText, dialect: str, room: int) -> list[Deed]:
    found: list[Deed] = []
    neutral: list[Deed] = []
    for statement in cut_text.statements:
        if is_neutral(statement.words):
            neutral.append(Deed(statement.words[0], Kind.EXECUTE, (), False))
            continue
        room -= statement.tokens
        is_small = room >= 0 and cut_text.depth <= DEPTH_MAX
        found += _deeds_of_statement(statement, dialect, is_small=is_small)
    if not cut_text.is_plain:
        said = {word for one in cut_text.statements for word in _expected_words(one)}
        if acting_words(text) - said or not dialect:
            # Another server may cut this text into other statements, and there are words for them.
            return [_UNREAD]
    return found or neutral[:1]


def _expected_words(statement: Statement) -> set[str]:
    verb = verb_of_words(statement.words)
    return {
        "insert": {"insert", "into"},
        "update": {"update", "set"},
        "merge": {"merge", "into"},
        "create": {"create", *(("replace",) if statement.words[1:3] == ("or", "replace") else ())},
    }.get(verb, {verb})


# --- one statement --------------------------------------------------------------------------------

_EXPLAINED = re.compile(
    r"(?is)\s*(?:explain|describe|desc)\b(?:\s+|\([^()']*\)|format\s*=\s*\w+|(?:analy[sz]e|verbose"
    r"|plan|query|for|extended|formatted|codegen|cost|logical|pipeline|ast|syntax|estimate)\b)*"
)
_RUNS = re.compile(r"(?i)analy[sz]e|profile")
_EXPLAINABLE = frozenset(
    {"select", "with", "insert", "update", "delete", "merge", "values", "create", "table", "from",
     "replace"}
)  # fmt: skip


def _deeds_of_statement(statement: Statement, dialect: str, *, is_small: bool) -> list[Deed]:
    words = statement.words
    verb = verb_of_words(words)
    if dialect == "snowflake" and "->>" in statement.text:
        return [_UNREAD]  # Its flow operator chains statements of any kind.
    if verb in ("explain", "describe", "desc"):
        return _explained(statement, dialect, is_small=is_small)
    if verb in ("show", "list", "ls"):
        return [Deed(verb, Kind.READ, (), False)]
    if verb == "pragma":
        reads = not sql_functions.READ_PRAGMAS.isdisjoint(words[1:3])
        return [Deed(verb, Kind.READ if reads else Kind.EXECUTE, (), False)]
    kind = kind_of_words(words)
    if kind is Kind.UNKNOWN and verb not in READING_WORDS:
        return [_UNREAD]
    found, tables = _read_tree(statement, dialect) if is_small else ([], ())
    if verb in READING_WORDS:
        return found or [_UNREAD]
    if any(deed.verb == verb for deed in found):
        return found
    if verb == "copy" and _TO_STAGE.match(statement.text):
        kind = Kind.EXECUTE
    named = tables or _table_by_words(statement.text)
    return [Deed(verb, kind, named, False, is_reversible(words)), *found]


def _read_tree(statement: Statement, dialect: str) -> tuple[list[Deed], tuple[str, ...]]:
    for one in _PARSED_AS.get(dialect, (dialect,)):
        try:
            tree = parse(statement.text, one, statement.tokens)
            return deeds_of(tree, dialect), tables_of(tree)
        except (UnreadableSqlError, RecursionError):
            continue
    return [], ()


def _explained(statement: Statement, dialect: str, *, is_small: bool) -> list[Deed]:
    """An explained statement does nothing, unless it is analysed: then it runs. What its functions
    do may happen all the same: MySQL runs subqueries to plan them, ClickHouse asks the table
    function's other side for its columns."""
    head = _EXPLAINED.match(statement.text)
    inner = cut(statement.text[head.end() :], dialect) if head is not None else None
    if inner is None or head is None or len(inner.statements) != 1:
        return [_UNREAD]
    one = inner.statements[0]
    if _RUNS.search(head.group()) is not None:
        if one.words[:1] in (("explain",), ("describe",), ("desc",)):
            return [_UNREAD]
        return _deeds_of_statement(one, dialect, is_small=is_small)
    is_known = verb_of_words(one.words) in _EXPLAINABLE or statement.words[0] != "explain"
    if not is_known or not {"analyze", "analyse"}.isdisjoint(statement.words):
        return [_UNREAD]
    found, tables = _read_tree(one, dialect) if is_small else ([], ())
    asks_afar = dialect == "clickhouse"
    if asks_afar and not found and "(" in one.text:
        return [_UNREAD]
    acts = any(deed.kind is Kind.EXECUTE for deed in found)
    acts = acts or (asks_afar and verb_of_words(one.words) not in READING_WORDS and "(" in one.text)
    kind = Kind.EXECUTE if acts else Kind.READ
    return [Deed("explain", kind, found[0].tables if found else tables, False)]


_TO_STAGE = re.compile(r"(?is)\s*copy\s+into\s+['@]")
_NAMED = re.compile(
    r"(?is)\s*(?:insert\s+(?:overwrite\s+)?(?:into\s+)?(?:table\s+)?|replace\s+into\s+|update\s+"
    r"|delete\s+from\s+|(?:drop|alter|create)\s+(?:or\s+replace\s+)?table\s+"
    r"(?:if\s+(?:not\s+)?exists\s+)?|truncate\s+(?:table\s+)?|copy\s+(?:into\s+)?"
    r"|optimize\s+(?:table\s+)?|vacuum\s+(?:full\s+)?)"
    r"([A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*){0,3})\b"
)


def _table_by_words(text: str) -> tuple[str, ...]:
    found = _NAMED.match(text)
    return (found.group(1),) if found is not None else ()
