"""Postgres itself is asked what a statement does: whatever it refuses in a read-only transaction is
never a read of ours, and what we call a read runs."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.canonicalize.expand.sql_functions import PURE
from gateway.model.action import Kind
from tests.support.database import connect_as
from tests.unit.canonicalize.expand.calls import acts

SETUP = """
CREATE TABLE t (a int);
INSERT INTO t VALUES (1);
CREATE SEQUENCE s;
CREATE FUNCTION f(i int) RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO t VALUES (i); RETURN i; END $$;
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t; END $$;
"""

WRITES = """
SELECT f(1)
SELECT f (1)
SELECT f/**/(1)
SELECT "f"(1)
SELECT public.f(1)
SELECT f(i => 1)
SELECT U&"!0066" UESCAPE '!' (1)
SELECT a FROM t WHERE a IN (SELECT f(1))
SELECT row_number() OVER (ORDER BY f(1)) FROM t
SELECT count(*) FILTER (WHERE f(1) > 0) FROM t
SELECT * FROM t TABLESAMPLE BERNOULLI (f(1))
SELECT * FROM t LIMIT f(1)
SELECT * FROM t FETCH FIRST (f(1)) ROWS ONLY
VALUES (f(1))
SELECT * FROM ROWS FROM (f(1), f(2)) AS z
SELECT a FROM t GROUP BY ROLLUP(a, f(1))
SELECT f(1)::text
SELECT ('{1,2}'::int[])[f(1)]
SELECT ARRAY(SELECT f(1))
SELECT CASE f(1) WHEN 1 THEN 2 END
SELECT x FROM t, LATERAL (SELECT f(a) AS x) y
WITH x AS (SELECT f(1)) SELECT * FROM x
WITH RECURSIVE x(a) AS (SELECT f(1) UNION ALL SELECT a + 1 FROM x WHERE a < 3) SELECT * FROM x
TABLE t UNION SELECT f(1)
SELECT OVERLAY('abc' PLACING 'x' FROM f(1))
SELECT json_object('a' : f(1))
SELECT * FROM json_table(jsonb_build_array(f(1)), '$[*]' COLUMNS (x int PATH '$'))
SELECT string_agg(f(1)::text, ',' ORDER BY f(2)) FROM t
SELECT sum(a) OVER (ROWS BETWEEN f(1) PRECEDING AND CURRENT ROW) FROM t
SELECT DISTINCT ON (f(1)) a FROM t
SELECT 1; SELECT f(1)
SELECT E'\\'', f(1), '--'
SELECT $x$'$x$, f(1)
SELECT nextval('s')
SELECT pg_catalog.setval('s', 5)
SELECT * INTO u FROM t
SELECT * FROM t FOR NO KEY UPDATE
SELECT * FROM (SELECT * FROM t FOR SHARE) x
WITH d AS (DELETE FROM t RETURNING *) TABLE d
WITH d AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM d
SELECT 1; WITH d AS (INSERT INTO t VALUES (1)) SELECT 1
EXPLAIN ANALYZE DELETE FROM t
explain/**/analyze delete from t
EXPLAIN (VERBOSE, COSTS, BUFFERS false, TIMING false, SUMMARY, SETTINGS, ANALYZE) DELETE FROM t
DELETE FROM t
INSERT INTO t VALUES (1)
UPDATE t SET a = 1
TRUNCATE t
DROP TABLE t
CREATE TABLE u (a int)
COMMENT ON TABLE t IS 'x'
CALL p()
DO $$ BEGIN DELETE FROM t; END $$
GRANT SELECT ON t TO PUBLIC
CREATE ROLE bob
"""
READS = """
SELECT 1
SELECT * FROM t WHERE a = 1 ORDER BY a LIMIT 5 OFFSET 0
TABLE t
VALUES (1), (2)
WITH x AS (SELECT 1 AS a) SELECT * FROM x JOIN t USING (a)
SELECT lower('A'), coalesce(NULL, 1), now(), count(*) FROM t
SELECT jsonb_build_object('a', 1) -> 'a', to_json(1), array_to_json(ARRAY[1, 2])
SELECT 'delete from t', "a" FROM t -- drop table t
SELECT $$drop table t$$, 'it''s'
SELECT row_number() OVER (PARTITION BY a ORDER BY a), ROW(1, 2), json_array(1) FROM t
SELECT pg_size_pretty(pg_table_size('t')), has_table_privilege('t', 'SELECT'), pg_typeof(1)
SELECT * FROM generate_series(1, 3) AS g, LATERAL (SELECT g + 1) AS h
SELECT regexp_match('abc', 'b'), string_agg(a::text, ',') FROM t
EXPLAIN DELETE FROM t
SHOW server_version
BEGIN; SELECT 1; COMMIT
"""
READ_ONLY = "25006"
"""SQLSTATE of what can't be done in a read-only transaction."""


@pytest.fixture(scope="module")
def database(postgres_server: EmbeddedPostgres, database_name: str) -> str:
    """A database with a table, a sequence, a function and a procedure that write."""

    async def fill() -> None:
        connection = await connect_as(postgres_server, Role.SUPERUSER, database_name)
        await connection.execute(f"SET search_path = public; {SETUP}")
        await connection.close()

    asyncio.run(fill())
    return database_name


async def refused_code(server: EmbeddedPostgres, database: str, text: str) -> str:
    """The code that Postgres refuses a text with when it may only read; empty if it runs."""
    connection = await connect_as(server, Role.SUPERUSER, database)
    try:
        await connection.execute("SET search_path = public; SET default_transaction_read_only = on")
        await connection.execute(text)
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    finally:
        await connection.close()
    return ""


@pytest.mark.parametrize("text", WRITES.strip().splitlines())
async def test_what_postgres_refuses_to_a_reader_is_no_read(
    postgres_server: EmbeddedPostgres, database: str, text: str
) -> None:
    """Each of these writes, says Postgres, so an action of it is no read."""
    kinds = {one.kind for one in acts("sql_postgres", {"sql": text})}

    assert await refused_code(postgres_server, database, text) == READ_ONLY
    assert kinds - {Kind.READ}


@pytest.mark.parametrize("text", READS.strip().splitlines())
async def test_what_we_call_a_read_runs_for_a_reader(
    postgres_server: EmbeddedPostgres, database: str, text: str
) -> None:
    """Common queries are reads, and Postgres agrees."""
    kinds = {one.kind for one in acts("sql_postgres", {"sql": text})}

    assert await refused_code(postgres_server, database, text) == ""
    assert kinds == {Kind.READ}


VOLATILE_BUT_READING = {
    "clock_timestamp", "currval", "gen_random_uuid", "lastval", "pg_blocking_pids",
    "pg_current_wal_lsn", "pg_database_size", "pg_indexes_size", "pg_is_in_recovery",
    "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
    "pg_lock_status", "pg_partition_ancestors", "pg_partition_tree", "pg_relation_size",
    "pg_sequence_last_value", "pg_table_size", "pg_tablespace_size", "pg_total_relation_size",
    "random", "random_normal", "timeofday", "uuidv4", "uuidv7",
}  # fmt: skip
"""They give another value each time, and change nothing."""


async def test_what_is_called_pure_is_not_volatile(
    postgres_server: EmbeddedPostgres, database: str
) -> None:
    """Postgres marks functions that may change something; ours are none of them, but for those
    that are listed."""
    connection = await connect_as(postgres_server, Role.SUPERUSER, database)
    try:
        rows = await connection.fetch(
            "SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE provolatile = 'v'"
            " AND pronamespace = 'pg_catalog'::regnamespace"
        )
    finally:
        await connection.close()

    assert len(rows) > 100
    assert {row["proname"] for row in rows} & PURE <= VOLATILE_BUT_READING
