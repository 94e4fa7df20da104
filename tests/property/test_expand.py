"""Whatever a body carries: no exception, and no respelling makes an act milder."""

from __future__ import annotations

import contextlib
import json
import re
import string
from collections.abc import Callable

import graphql
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.canonicalize.authored.choices import FAMILIES
from gateway.canonicalize.expand.graphql_document import Selections, parse_document
from gateway.canonicalize.expand.graphql_tokens import TOKENS_MAX, GraphqlSyntaxError
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.model.action import Action, Kind
from tests.support.sqlite_effects import sqlite_writes
from tests.unit.canonicalize.expand.calls import acts

Meaning = list[tuple[str, str, str]]


def meaning(family: str, body: object, media: str = "application/json") -> Meaning | str:
    """Operation, kind and target of each action, sorted; or the code of the refusal."""
    try:
        found = acts(family, body, media=media)
    except AmbiguityError as error:
        return error.code
    return sorted((one.operation, one.kind.value, one.target.id) for one in found)


# --- anything -------------------------------------------------------------------------------------

names = st.sampled_from(
    ["query", "variables", "operationName", "method", "params", "name", "arguments", "jsonrpc",
     "requests", "url", "body", "headers", "sql", "statement", "Statement", "RequestItems", "t",
     "TransactItems", "PutRequest", "Delete", "TableName", "configuration", "load", "batch", "id"]
)  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5), names,
    st.sampled_from(
        ["2.0", "tools/call", "{ a }", "mutation { deleteA(id: 1) }", "DELETE FROM t", "/a", "GET",
         "SELECT 1", "POST"]
    ),
)  # fmt: skip
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@settings(max_examples=40, deadline=None)
@given(body=st.one_of(trees.map(json.dumps), st.text(max_size=40)), is_json=st.booleans())
def test_any_body_is_acts_or_a_refusal(family: str, body: str, is_json: bool) -> None:
    """Nothing that a body carries raises anything but a refusal, and no body has no act."""
    media = "application/json" if is_json else "text/plain"
    with contextlib.suppress(AmbiguityError):
        assert acts(family, body, media=media)


# --- GraphQL --------------------------------------------------------------------------------------

pieces = st.sampled_from(
    ["{", "}", "(", ")", "[", "]", ":", "=", "!", "$", "@", "...", "|", "&", ",", " ", "\n", "a",
     "b", "on", "query", "mutation", "subscription", "fragment", "F", "type", "true", "null",
     "$v", "{ a }", "{ a { b } }", "(a: 1)", "($v: T)", "...F", "... on T", "@skip(if: true)",
     "1", "-0", "1.5", "01", "1e5", '"s"', '""', '"""b"""', '"\\n"', '"\\q"', "# c\n", "#",
     "\ufeff"]
)  # fmt: skip
soups = st.lists(pieces, max_size=25).map("".join)


_EMPTY = re.compile(r"[\s,\ufeff]|#.*")


def oracle_fields(text: str) -> tuple[list[list[str]], dict[str, list[str]]] | None:
    """Root fields and spreads as the reference implementation sees them; None for no executable
    document."""
    try:
        document = graphql.parse(text, no_location=True)
    except graphql.GraphQLError:
        return None
    operations: list[list[str]] = []
    fragments: dict[str, list[str]] = {}
    for node in document.definitions:
        match node:
            case graphql.OperationDefinitionNode():
                operations.append([node.operation.value, *_first_level(node.selection_set)])
            case graphql.FragmentDefinitionNode():
                fragments[node.name.value] = _first_level(node.selection_set)
            case _:
                return None
    return (operations, fragments) if operations else None


def _first_level(selections: graphql.SelectionSetNode) -> list[str]:
    found: list[str] = []
    for node in selections.selections:
        match node:
            case graphql.FieldNode():
                found.append(node.name.value)
            case graphql.FragmentSpreadNode():
                found.append(f"...{node.name.value}")
            case graphql.InlineFragmentNode():
                found += _first_level(node.selection_set)
    return sorted(found)


def _ours(selections: Selections) -> list[str]:
    spreads = [f"...{name}" for name in selections.spreads]
    return sorted([*(one.name for one in selections.fields), *spreads])


@settings(max_examples=600, deadline=None)
@given(soups)
@example("query Q($v: [T!]! = [1] @d) @e { x: a(b: {c: $v}) @skip(if: true) { d } ... on T { e } }")
@example("subscription { a } fragment F on T @d { ...G ... { b } }")
@example('{ a(s: """ "\\""" """, t: "\\u{1F600}") }')
def test_documents_are_what_the_reference_says(text: str) -> None:
    """We take exactly the executable documents that graphql-core takes, and see the same fields."""
    expected = oracle_fields(text)
    try:
        document = parse_document(text, TOKENS_MAX)
    except AmbiguityError:
        return
    except GraphqlSyntaxError:
        # The reference lets a selection be empty; the specification doesn't, and it does nothing.
        assert expected is None or "{}" in _EMPTY.sub("", text)
        return
    assert expected is not None or "\\u{" in text
    if expected is not None:
        assert [[one.type, *_ours(one.selections)] for one in document.operations] == expected[0]
        assert {name: _ours(one) for name, one in document.fragments.items()} == expected[1]


GRAPHQL_RESPELLINGS: dict[str, Callable[[str], object]] = {
    "the literal": lambda v: {"query": f'mutation {{ deleteIssue(id: "{v}") {{ x }} }}'},
    "whitespace and commas": lambda v: {
        "query": f'\n\tmutation,,{{\r\n,deleteIssue ( id :"{v}" ,) {{ x , }} }}  '
    },
    "comments": lambda v: {
        "query": f'# query {{ a }}\nmutation {{ # }}\n deleteIssue(id: "{v}") # x\n {{ x }} }}'
    },
    "an alias": lambda v: {"query": f'mutation {{ viewer: deleteIssue(id: "{v}") {{ x }} }}'},
    "a block string": lambda v: {"query": f'mutation {{ deleteIssue(id: """{v}""") {{ x }} }}'},
    "escapes": lambda v: {
        "query": "mutation { deleteIssue(id: \"" + "".join(f"\\u{ord(c):04x}" for c in v) + '") }'
    },
    "a variable": lambda v: {
        "query": "mutation($v: ID!) { deleteIssue(id: $v) { x } }", "variables": {"v": v},
    },
    "a variable's default": lambda v: {
        "query": f'mutation($v: ID = "{v}") {{ deleteIssue(id: $v) {{ x }} }}',
    },
    "variables as text": lambda v: {
        "query": "mutation($v: ID!) { deleteIssue(id: $v) }", "variables": json.dumps({"v": v}),
    },
    "a fragment": lambda v: {
        "query": f'fragment F on M {{ deleteIssue(id: "{v}") {{ x }} }} mutation {{ ...F }}',
    },
    "fragments in fragments": lambda v: {
        "query": f'mutation {{ ... {{ ... on M {{ ...F }} }} }} fragment F on M {{ ...G }} '
                 f'fragment G on M {{ deleteIssue(id: "{v}") }}',
    },
    "a condition that is false": lambda v: {
        "query": f'mutation {{ deleteIssue(id: "{v}") @include(if: false) }}',
    },
    "a name among others": lambda v: {
        "query": f'query A {{ a }} mutation B {{ deleteIssue(id: "{v}") }}', "operationName": "B",
    },
    "keys in another order": lambda v: {
        "variables": {"b": 1, "a": v}, "operationName": None,
        "query": "mutation($a: ID!, $b: Int) { deleteIssue(id: $a) }",
    },
    "a batch of one": lambda v: [{"query": f'mutation {{ deleteIssue(id: "{v}") }}'}],
}  # fmt: skip


@pytest.mark.parametrize("respell", GRAPHQL_RESPELLINGS.values(), ids=GRAPHQL_RESPELLINGS)
@settings(max_examples=15, deadline=None)
@given(value=st.text(string.ascii_letters + string.digits + "_-=", min_size=1, max_size=12))
def test_a_respelled_document_does_the_same(respell: Callable[[str], object], value: str) -> None:
    """Whatever the spelling, it is the same act on the same target."""
    expected = [("shop.graphql.mutation.deleteIssue", "delete", value)]

    assert meaning("graphql", respell(value)) == expected


# --- MCP ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(["jsonrpc", "id", "method", "params"]),
    st.sampled_from([None, 1, 4]),
    st.booleans(),
    st.booleans(),
)
def test_a_respelled_call_does_the_same(
    order: list[str], indent: int | None, is_batch: bool, is_escaped: bool
) -> None:
    """Order of keys, white space, escapes and a batch of one change nothing."""
    call = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"arguments": {"id": "7"}, "name": "delete_issue"},
    }  # fmt: skip
    body: object = {key: call[key] for key in order}
    text = json.dumps([body] if is_batch else body, indent=indent)
    if is_escaped:
        text = text.replace("delete_issue", "\\u0064elete_issue").replace("tools/", "tools\\/")

    assert meaning("mcp", text) == [("mcp.delete_issue", "delete", "7")]


# --- SQL ------------------------------------------------------------------------------------------

SQL_RESPELLINGS: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "small letters": str.lower,
    "more white space": lambda text: text.replace(" ", " \t\r\n  "),
    "comments between": lambda text: text.replace(" ", " /* select 1 */ "),
    "line comments between": lambda text: text.replace(" ", " -- select 1;\n "),
    "a comment before": lambda text: f"-- select 1\n/* */ {text}",
    "a semicolon behind": lambda text: f"{text} ; ",
    "semicolons before": lambda text: f";; {text}",
    "a select before": lambda text: f"SELECT 1; {text}",
    "a select behind": lambda text: f"{text}; SELECT 1",
    "a transaction around": lambda text: f"BEGIN; {text}; COMMIT",
    "analysed": lambda text: f"EXPLAIN ANALYZE {text}",
    "a nested comment before": lambda text: f"/* /* */ {text}",
    "a comment that runs": lambda text: f"SELECT 1 /*! ; {text} */",
    "a byte order mark": lambda text: f"\ufeff{text}",
    "a no-break space": lambda text: text.replace(" ", "\u00a0"),
    "behind a quote that a backslash hides": lambda text: f"SELECT 'a\\''; {text}; --'",
    "behind a dollar quote": lambda text: f"SELECT $$a$$; {text}",
    "behind a bracket": lambda text: f"SELECT [a'b]; {text}; --']",
    "behind a hash": lambda text: f"SELECT 1 # '\n; {text}; -- '",
    "behind two slashes": lambda text: f"SELECT 1 // '\n; {text}; -- '",
    "behind a template's comment": lambda text: f"SELECT 1 {{# '\n; {text}; -- ' #}}",
}
DEEDS: dict[str, str] = {
    "DELETE FROM t WHERE id = 1": "delete",
    "INSERT INTO t (a) VALUES (1)": "create",
    "UPDATE t SET a = 1": "update",
    "DROP TABLE t": "delete",
    "GRANT ALL ON t TO bob": "admin",
    "CALL close_year(2025)": "execute",
    "WITH x AS (DELETE FROM t RETURNING a) SELECT a FROM x": "delete",
}
SQL_FAMILIES = ("sql_postgres", "sql_mysql", "sql_sqlite", "sql_any")


@pytest.mark.parametrize("family", SQL_FAMILIES)
@pytest.mark.parametrize("respell", SQL_RESPELLINGS.values(), ids=SQL_RESPELLINGS)
@pytest.mark.parametrize(("text", "kind"), DEEDS.items(), ids=DEEDS)
def test_a_respelled_statement_is_never_milder(
    text: str, kind: str, respell: Callable[[str], str], family: str
) -> None:
    """Another spelling is the same act or an unknown one, in each dialect; never only a read."""
    spelled = respell(text)
    if family == "sql_postgres" and "# '" in spelled:
        return  # There `#` is an operator, and the statement really stands in a string.
    kinds = {one.kind.value for one in acts(family, {"sql": spelled})}

    assert kinds & {kind, "unknown"}


sql_pieces = st.sampled_from(
    ["SELECT 1", "SELECT * FROM t", "DELETE FROM t", "DROP TABLE t", "UPDATE t SET a = 1",
     "INSERT INTO t VALUES (1)", "CREATE TABLE u (a)", "WITH x AS (SELECT 1)", "EXPLAIN", "BEGIN",
     "PRAGMA user_version", ";", ";", " ", "\n", "'", "''", '"', "`", "[", "]", "--", "/*", "*/",
     "/*!", "\\", "#", "$$", "(", ")", ",", "a", "FROM t", "WHERE", "= 1", "\t", "\r", "\x0b", "{#"]
)  # fmt: skip


@settings(max_examples=800, deadline=None)
@given(st.lists(sql_pieces, max_size=14).map("".join))
@example("SELECT [a'b]; DELETE FROM t --']")
@example("SELECT 1 -- a\rDELETE FROM t")
@example("SELECT 'a\\'; DELETE FROM t; --'")
@example("EXPLAIN SELECT 1; DROP TABLE t")
def test_what_sqlite_would_write_is_never_a_read(text: str) -> None:
    """SQLite itself is asked: a text that it would write by is never only reads."""
    actions: tuple[Action, ...] = acts("sql_sqlite", {"sql": text})

    if all(one.kind is Kind.READ for one in actions):
        assert not sqlite_writes(text)


# --- hostile sizes --------------------------------------------------------------------------------

MEGABYTE = 1_000_000
HOSTILE: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "a deep GraphQL document": (
        "graphql", "application/graphql", lambda: b"{a" * 100_000 + b"}" * 100_000,
    ),
    "a wide one": ("graphql", "application/graphql", lambda: b"{" + b"a " * 120_000 + b"}"),
    "fragments that spread two of the next": (
        "graphql", "application/graphql",
        lambda: b"{...F0}" + b"".join(
            b"fragment F%d on T{...F%d ...F%d}" % (n, n + 1, n + 1) for n in range(800)
        ) + b"fragment F800 on T{a}",
    ),
    "an open block string": ("graphql", "application/graphql", lambda: b'{a(b:"""' + b'"' * 99_999),
    "backslashes in a string": (
        "graphql", "application/graphql", lambda: b'{a(b:"' + b"\\" * 99_999,
    ),
    "a number without end": ("graphql", "application/graphql", lambda: b"{a(b:" + b"9" * 99_999),
    "a megabyte of comments": ("graphql", "application/graphql", lambda: b"#\n" * MEGABYTE),
    "SQL of quotes": ("sql_trino", "text/plain", lambda: b"'" * 250_001),
    "SQL of slashes and stars": ("sql_trino", "text/plain", lambda: b"/*" * 100_000),
    "SQL of dollars": ("sql_trino", "text/plain", lambda: b"$a$b" * 60_000),
    "SQL of parentheses": ("sql_trino", "text/plain", lambda: b"select " + b"(" * 200_000),
    "SQL of nested arrays": (
        "sql_trino", "text/plain", lambda: b"select " + b"ARRAY[" * 40 + b"1" + b"]" * 40,
    ),
    "SQL of nested conditions": (
        "sql_trino", "text/plain",
        lambda: b"delete from t where " + b"(a=1 or " * 40 + b"1" + b")" * 40,
    ),
    "SQL of a long chain": (
        "sql_trino", "text/plain", lambda: b"delete from t where a=1" + b" or a=1" * 480,
    ),
    "SQL of spaces": ("sql_trino", "text/plain", lambda: b"insert into t" + b" " * 250_000 + b"!"),
    "an insert of names without end": (
        "sql_clickhouse", "text/plain", lambda: b"insert into " + b"a." * 120_000,
    ),
    "a bulk of lines": ("elasticsearch_bulk", "text/plain", lambda: b"{}\n" * MEGABYTE),
    "a multipart body of delimiters": (
        "google_batch", "multipart/mixed; boundary=b", lambda: b"--b\r\n" * MEGABYTE,
    ),
    "a part of headers": (
        "google_batch", "multipart/mixed; boundary=b",
        lambda: b"--b\r\n" + b"a: b\r\n" * 200_000 + b"\r\n\r\n--b--",
    ),
    "a part that almost ends, often": (
        "google_batch", "multipart/mixed; boundary=b",
        lambda: b"--b\r\n\r\n" + b"\r\n--" * 200_000 + b"\r\n--b--",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("family", "media", "make"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_end(family: str, media: str, make: Callable[[], bytes]) -> None:
    """Large and tangled bodies are acts or a refusal, and never only reads."""
    try:
        found = acts(family, make(), media=media)
    except AmbiguityError:
        return

    assert {one.kind for one in found} - {Kind.READ} or family == "graphql"
