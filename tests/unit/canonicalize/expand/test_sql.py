"""What SQL text does, statement by statement, in the dialect of its server."""

from __future__ import annotations

import pytest

from gateway.canonicalize.expand import sql_functions
from gateway.canonicalize.expand.sql_requests import DIALECTS as DIALECTS_OF
from gateway.canonicalize.expand.sql_tree import UnreadableSqlError, parse
from gateway.model.action import Action
from tests.unit.canonicalize.expand.calls import acts

Expected = list[tuple[str, str, str, bool]]


def seen(actions: tuple[Action, ...]) -> Expected:
    """Kind, statement, target and whether a condition holds it to some rows."""
    return [
        (
            one.kind.value,
            str(one.params["statement"]),
            one.target.id,
            bool(one.params.get("has_where")),
        )
        for one in actions
    ]


def sql(text: str, dialect: str = "postgres") -> tuple[Action, ...]:
    body: dict[str, object] = {"sql": text}
    match dialect:
        case "bigquery":
            return acts("sql_bigquery_query", {"query": text})
        case "snowflake":
            return acts("sql_snowflake", {"statement": text})
        case "databricks":
            return acts("sql_databricks", {"statement": text})
        case "athena":
            return acts("sql_athena", {"QueryString": text})
        case "clickhouse":
            return acts("sql_clickhouse", text, media="text/plain")
        case "unknown":
            return acts("sql_any", body)
        case _:
            return acts(f"sql_{dialect}", body)


UNREAD: Expected = [("unknown", "unread", "", False)]

STATEMENTS: dict[str, tuple[str, Expected]] = {
    "a select reads": ("SELECT a FROM t WHERE id = $1", [("read", "select", "t", True)]),
    "a select of a schema's table": ('select * from s."T"', [("read", "select", "s.T", False)]),
    "a union reads": ("(select 1) union (select a from t)", [("read", "select", "t", False)]),
    "values read": ("VALUES (1)", [("read", "select", "", False)]),
    "a recursive query reads": (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n, t",
        [("read", "select", "t", False)],
    ),
    "a query that deletes inside": (
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        [("delete", "delete", "t", False)],
    ),
    "a query that inserts and updates inside": (
        "WITH a AS (INSERT INTO t VALUES (1)), b AS (UPDATE u SET x = 1 WHERE i = 2) SELECT 1",
        [("create", "insert", "t", False), ("update", "update", "u", True)],
    ),
    "a select into a table": ("SELECT * INTO n FROM t", [("create", "select_into", "n", False)]),
    "a select that locks": ("SELECT * FROM t FOR UPDATE", [("execute", "select", "t", False)]),
    "a select that sleeps": ("SELECT pg_sleep(10)", [("execute", "select", "", False)]),
    "a select that draws a number": ("SELECT nextval('s')", [("execute", "select", "", False)]),
    "a select of a user's function": (
        "SELECT close_year(2025)", [("execute", "select", "", False)],
    ),
    "a user's function named like a known one": (
        "SELECT app.lower('x')", [("execute", "select", "", False)],
    ),
    "a user's function named like one of another server": (
        "SELECT conv(1, 2, 3)", [("execute", "select", "", False)],
    ),
    "a user's function named like one that the parser knows from elsewhere": (
        "SELECT unhex('a')", [("execute", "select", "", False)],
    ),
    "known functions read": (
        "SELECT lower(a), now(), count(*), jsonb_build_object('a', 1), pg_size_pretty(1) FROM t",
        [("read", "select", "t", False)],
    ),
    "words in strings and comments": (
        "SELECT 'delete from t; drop table t' -- ; drop table t\n FROM t /* ; delete */",
        [("read", "select", "t", False)],
    ),
    "an insert": ("INSERT INTO t (a) SELECT b FROM u", [("create", "insert", "t", False)]),
    "an insert that may update": (
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
        [("update", "insert", "t", False)],
    ),
    "an update without a condition": ("UPDATE t SET a = 1", [("update", "update", "t", False)]),
    "an update of some rows": (
        "UPDATE t SET a = 1 FROM u WHERE t.id = u.id", [("update", "update", "t", True)],
    ),
    "a delete of all": ("DELETE FROM t", [("delete", "delete", "t", False)]),
    "a delete of some": ("DELETE FROM t WHERE id = 1", [("delete", "delete", "t", True)]),
    "a condition that is always true": (
        "DELETE FROM t WHERE 1 = 1", [("delete", "delete", "t", False)],
    ),
    "a condition that is true beside another": (
        "DELETE FROM t WHERE id = 1 OR true", [("delete", "delete", "t", False)],
    ),
    "a condition that compares a column with itself": (
        "DELETE FROM t WHERE (id = id)", [("delete", "delete", "t", False)],
    ),
    "a condition that is true and another": (
        "DELETE FROM t WHERE 1 = 1 AND id = 1", [("delete", "delete", "t", True)],
    ),
    "a merge": (
        "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN UPDATE SET a = 1",
        [("update", "merge", "t", True)],
    ),
    "a merge that deletes": (
        "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE",
        [("delete", "merge", "t", True)],
    ),
    "several statements": (
        "SELECT 1; DELETE FROM t; ;",
        [("read", "select", "", False), ("delete", "delete", "t", False)],
    ),
    "a transaction is what stands in it": (
        "BEGIN; UPDATE t SET a = 1 WHERE id = 1; COMMIT", [("update", "update", "t", True)],
    ),
    "a transaction's end alone": ("COMMIT", [("execute", "commit", "", False)]),
    "a table made": ("CREATE TABLE t (id int)", [("create", "create", "t", False)]),
    "a table made over another": (
        "CREATE OR REPLACE VIEW v AS SELECT * FROM t", [("update", "create", "v", False)],
    ),
    "a table dropped": ("DROP TABLE IF EXISTS t, u", [("delete", "drop", "t", False)]),
    "a table emptied": ("TRUNCATE t", [("delete", "truncate", "t", False)]),
    "a column dropped": ("ALTER TABLE t DROP COLUMN a", [("delete", "alter", "t", False)]),
    "a column added": ("ALTER TABLE t ADD COLUMN a int", [("update", "alter", "t", False)]),
    "a privilege": ("GRANT ALL ON t TO bob", [("admin", "grant", "t", False)]),
    "a role": ("CREATE ROLE bob LOGIN", [("admin", "create", "", False)]),
    "a user dropped": ("DROP USER bob", [("admin", "drop", "", False)]),
    "an owner": ("ALTER TABLE t OWNER TO bob", [("admin", "alter", "t", False)]),
    "a row policy": ("CREATE POLICY p ON t USING (true)", [("admin", "create", "", False)]),
    "row security off": (
        "ALTER TABLE t DISABLE ROW LEVEL SECURITY", [("admin", "alter", "t", False)],
    ),
    "another role": ("SET ROLE admin", [("admin", "set", "", False)]),
    "a setting": ("SET statement_timeout = 0", [("execute", "set", "", False)]),
    "a procedure": ("CALL close_year(2025)", [("execute", "call", "", False)]),
    "a block": ("DO $$ BEGIN DELETE FROM t; END $$", [("execute", "do", "", False)]),
    "a copy into a table": ("COPY t FROM '/tmp/a'", [("create", "copy", "t", False)]),
    "a copy out of a table": ("COPY t TO '/tmp/a'", [("execute", "copy", "t", False)]),
    "a copy that runs a program": (
        "COPY t FROM PROGRAM 'curl example.com'", [("execute", "copy", "t", False)],
    ),
    "an explained statement": ("EXPLAIN DELETE FROM t", [("read", "explain", "t", False)]),
    "an analysed statement": ("EXPLAIN ANALYZE DELETE FROM t", [("delete", "delete", "t", False)]),
    "an analysed statement with options": (
        "EXPLAIN (COSTS, BUFFERS, ANALYZE) UPDATE t SET a = 1", [("update", "update", "t", False)],
    ),
    "a prepared statement": ("PREPARE p AS DELETE FROM t", [("execute", "prepare", "", False)]),
    "a vacuum": ("VACUUM FULL t", [("execute", "vacuum", "t", False)]),
    "a setting shown": ("SHOW ALL", [("read", "show", "", False)]),
    "nothing": ("", UNREAD),
    "a comment alone": ("-- nothing", UNREAD),
    "no SQL": ("hello world", UNREAD),
    "a select that can't be parsed": ("SELECT FROM WHERE (", UNREAD),
    "a string without end": ("SELECT 'a", UNREAD),
    "a comment without end": ("SELECT 1 /* a", UNREAD),
    "a dollar quote without end": ("SELECT $a$ b", UNREAD),
    "an insert that can't be parsed": (
        "INSERT INTO t SET !!", [("create", "insert", "t", False)],
    ),
    "a comment in a comment hides nothing": (
        "SELECT 1 /* /* */ ; DELETE FROM t */",
        [("unknown", "unread", "", False), ("delete", "delete", "t", False)],
    ),
    "a backslash that may hide a statement": (
        "SELECT 'a\\''; DELETE FROM t; --'", UNREAD,
    ),
    "a return that may end a comment": ("SELECT 1 -- a\rDELETE FROM t", UNREAD),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_is_what_it_does(text: str, expected: Expected) -> None:
    """Kind, table and condition are those of the whole statement, in Postgres."""
    assert seen(sql(text)) == expected


DIALECTS: dict[str, tuple[str, str, Expected]] = {
    "a quoted table": (
        "bigquery", "SELECT * FROM `p.d.t` WHERE x = @x", [("read", "select", "p.d.t", True)],
    ),
    "a script": (
        "bigquery", "DECLARE x INT64; BEGIN DELETE FROM t WHERE true; END",
        [("execute", "declare", "", False), ("execute", "begin", "", False)],
    ),
    "a federated query": (
        "bigquery", "SELECT * FROM EXTERNAL_QUERY('c', 'select 1')",
        [("execute", "select", "", False)],
    ),
    "an export": (
        "bigquery", "EXPORT DATA OPTIONS(uri='gs://b') AS SELECT * FROM t",
        [("execute", "export", "t", False)],
    ),
    "a triple quote that may hide a statement": (
        "bigquery", "SELECT '''a'b'''; DROP TABLE t; --'", UNREAD,
    ),
    "a user's function, which may call out": (
        "bigquery", "SELECT d.f(a) FROM t", [("execute", "select", "t", False)],
    ),
    "a built-in function of a namespace": (
        "bigquery", "SELECT NET.HOST(a), SAFE.SUBSTR(a, 1) FROM t",
        [("read", "select", "t", False)],
    ),
    "a procedure in a table's place": (
        "snowflake", "SELECT * FROM TABLE(close_year(2025))", [("execute", "select", "", False)],
    ),
    "a known function in a table's place": (
        "snowflake", "SELECT * FROM TABLE(FLATTEN(input => a)) f, t",
        [("read", "select", "t", False)],
    ),
    "a copy to a stage": (
        "snowflake", "COPY INTO @out FROM t", [("execute", "copy", "@out", False)],
    ),
    "a role taken": ("snowflake", "USE ROLE BOSS", [("admin", "use", "BOSS", False)]),
    "a system function": (
        "snowflake", "SELECT SYSTEM$CANCEL_ALL_QUERIES(1)", [("execute", "select", "", False)],
    ),
    "a comment of two slashes": (
        "snowflake", "SELECT 1 // '\n; DROP TABLE t; --'", UNREAD,
    ),
    "an overwriting insert": (
        "databricks", "INSERT OVERWRITE TABLE t SELECT 1", [("update", "insert", "t", False)],
    ),
    "a table made small": ("databricks", "VACUUM t", [("execute", "vacuum", "t", False)]),
    "an unload": ("athena", "UNLOAD (SELECT 1) TO 's3://b'", [("execute", "unload", "", False)]),
    "a mutation of a table": (
        "clickhouse", "ALTER TABLE t DROP PARTITION 1", [("delete", "alter", "t", False)],
    ),
    "a call outside": (
        "clickhouse", "SELECT * FROM url('http://example.com', CSV)",
        [("execute", "select", "", False)],
    ),
    "a file written": ("clickhouse", "SELECT 1 INTO OUTFILE 'a'", UNREAD),
    "a system command": ("clickhouse", "SYSTEM SHUTDOWN", [("execute", "system", "", False)]),
    "a pragma that looks": (
        "sqlite", "PRAGMA table_info(t)", [("read", "pragma", "", False)],
    ),
    "a pragma that sets": (
        "sqlite", "PRAGMA writable_schema = 1", [("execute", "pragma", "", False)],
    ),
    "a bracket that may hide a statement": (
        "sqlite", "SELECT [a'b]; DELETE FROM t; --']", UNREAD,
    ),
    "a row put over another": (
        "sqlite", "REPLACE INTO t VALUES (1)", [("update", "replace", "t", False)],
    ),
    "a known function": ("mysql", "SELECT conv(1, 2, 3)", [("read", "select", "", False)]),
    "a comment that runs": ("mysql", "SELECT 1 /*! ; DELETE FROM t */", UNREAD),
    "a hash that begins a comment": ("mysql", "SELECT 1 # '\n; DELETE FROM t; -- '", UNREAD),
    "dashes that begin none": ("mysql", "SELECT 2--1; DELETE FROM t", UNREAD),
    "a plain select anywhere": (
        "unknown", "SELECT * FROM t WHERE id = :id", [("read", "select", "t", True)],
    ),
    "what reads in some servers only": ("unknown", "SELECT 'a\\''", UNREAD),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "text", "expected"), DIALECTS.values(), ids=DIALECTS)
def test_dialects_have_tricks_of_their_own(dialect: str, text: str, expected: Expected) -> None:
    """What one server takes for a comment or a string may be a statement to another."""
    assert seen(sql(text, dialect)) == expected


BOUNDS: dict[str, str] = {
    "more characters than are read": "SELECT '" + "a" * 300_000 + "'",
    "more tokens than are cut": "SELECT 1" + ", 1" * 20_000,
    "more tokens than are parsed": "SELECT 1" + ", 1" * 2_000,
    "parentheses without end": "SELECT " + "(" * 1_000 + "1" + ")" * 1_000,
    "arrays that sqlglot goes over and over": "SELECT " + "ARRAY[" * 30 + "1" + "]" * 30,
    "subscripts that sqlglot copies again and again": "SELECT a" + "[1]" * 300,
    "many statements": "SELECT 1;" * 200,
    "signs without end": "SELECT " + "- " * 1_500 + "1",
}


@pytest.mark.parametrize("text", BOUNDS.values(), ids=BOUNDS)
def test_what_is_too_much_is_unknown(text: str) -> None:
    """A statement that isn't read to its end is never a read."""
    assert seen(sql(text)) == UNREAD


@pytest.mark.parametrize(
    "dialect", sorted({name for names in DIALECTS_OF.values() for name in names})
)
def test_the_steps_of_every_dialect_are_counted(dialect: str) -> None:
    """A dialect whose parser hands on to another one would run without a bound."""
    assert parse("SELECT a FROM t WHERE b = 1", dialect, 8)
    with pytest.raises(UnreadableSqlError):
        parse("SELECT a" + " + a" * 1_000, dialect, 1)


def test_many_texts_share_the_bounds_of_one() -> None:
    """A batch of large texts is read no further than one of them."""
    text = "SELECT 1" + ", 1" * 7_000
    small = {"query": "SELECT 1"}
    actions = acts("sql_neon", {"queries": [small, *[{"query": text}] * 50, small]})

    assert seen(actions) == [("read", "select", "", False), *UNREAD]


def test_a_large_insert_is_still_an_insert() -> None:
    """Where every server cuts a text alike, its first words are enough to say what it writes."""
    text = "INSERT INTO t VALUES " + ", ".join(["(1, 'delete')"] * 2_000)

    assert seen(sql(text)) == [("create", "insert", "t", False)]


def test_the_params_name_tables_and_count_statements() -> None:
    """All tables are there, the one that is acted on first."""
    first, _ = sql("DELETE FROM t USING u, v WHERE t.id = u.id; SELECT 1")

    assert first.params["tables"] == ["t", "u", "v"]
    assert first.params["statements"] == 2
    assert (first.action, first.operation, first.target.type) == (
        "execute_sql",
        "shop.call",
        "table",
    )
    assert not first.reversible


def test_no_function_is_both_pure_and_acting() -> None:
    """The two lists of functions have nothing in common."""
    assert not sql_functions.PURE & sql_functions.ACTING


SAFE = ("pg_sleep", "lo_import", "dblink", "nextval", "set_config", "pg_read_file", "query_to_xml")


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("dialect", ["postgres", "redshift", "bigquery", ""])
def test_a_function_that_acts_acts_everywhere(name: str, dialect: str) -> None:
    """Whatever the server, and in whatever case."""
    assert sql_functions.acts(name.upper(), dialect)
