"""What batched writes, bulk bodies and PostgREST requests do, and where each API has its SQL."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.canonicalize.authored.choices import FAMILIES
from gateway.canonicalize.expand import _EXPANDERS, expander_of, preload
from gateway.canonicalize.expand.sql_requests import EXPANDERS as SQL
from tests.unit.canonicalize.expand.calls import acts, refusal, shown

Shown = list[tuple[str, str, str]]


def done(family: str, body: object, **how: Any) -> list[tuple[str, str, str]]:
    """Action, kind and target of each action."""
    return [(one.action, one.kind.value, one.target.id) for one in acts(family, body, **how)]


# --- DynamoDB -------------------------------------------------------------------------------------

PUT, ERASE = {"PutRequest": {"Item": {}}}, {"DeleteRequest": {"Key": {}}}


def test_a_batch_that_deletes_is_a_deletion() -> None:
    """Puts and deletes of each table are an action each, with their number."""
    actions = acts("dynamodb_batch", {"RequestItems": {"t": [PUT, ERASE, ERASE], "u": [PUT]}})

    assert [(a.action, a.kind.value, a.target.id, a.params["count"]) for a in actions] == [
        ("insert_row", "create", "t", 1), ("delete_row", "delete", "t", 2),
        ("insert_row", "create", "u", 1),
    ]  # fmt: skip
    assert [action.reversible for action in actions] == [True, False, True]


def test_a_transaction_is_all_its_writes() -> None:
    """Checks read; a table's ARN is the table."""
    arn = "arn:aws:dynamodb:eu-west-1:1:table/t"
    items = [
        {"ConditionCheck": {"TableName": "t"}}, {"Update": {"TableName": arn}},
        {"Delete": {"TableName": "u"}},
    ]  # fmt: skip

    assert done("dynamodb_transaction", {"TransactItems": items}) == [
        ("get_row", "read", "t"), ("update_row", "update", "t"), ("delete_row", "delete", "u"),
    ]  # fmt: skip


STRANGE: dict[str, tuple[str, object]] = {
    "no tables": ("dynamodb_batch", {"RequestItems": {}}),
    "nothing": ("dynamodb_batch", {}),
    "another sort of write": ("dynamodb_batch", {"RequestItems": {"t": [{"Evil": {}}]}}),
    "writes that are no list": ("dynamodb_batch", {"RequestItems": {"t": PUT}}),
    "a write without a table": ("dynamodb_transaction", {"TransactItems": [{"Delete": {}}]}),
    "a bulk of something else": ("elasticsearch_bulk", '{"a": 1}\n'),
    "a bulk that ends early": ("elasticsearch_bulk", '{"index": {}}\n'),
    "a bulk with two acts in a line": (
        "elasticsearch_bulk", '{"delete": {}, "index": {}}\n{}\n',
    ),
    "a bulk without a last line end": ("elasticsearch_bulk", '{"delete": {"_id": 1}}'),
    "SQL that is no object": ("sql_neon", "[1]"),
    "a job of no sort": ("sql_bigquery_job", {"configuration": {}}),
    "a job of two sorts": ("sql_bigquery_job", {"configuration": {"load": {}, "copy": {}}}),
}  # fmt: skip


@pytest.mark.parametrize(("family", "body"), STRANGE.values(), ids=STRANGE)
def test_what_is_not_understood_is_unknown(family: str, body: object) -> None:
    """A body that is not what its operation takes is kind unknown, under its operation."""
    assert shown(acts(family, body)) == [("shop.call", "unknown", "")]


# --- Elasticsearch --------------------------------------------------------------------------------

LINES = (
    b'{"index": {"_id": "1"}}\n{"delete": {"_index": "decoy"}}\n{"delete": {"_index": "b"}}\r\n'
    b'{"create": {"_index": "b"}}\n{}\n{"update": {"_id": "2"}}\n{"doc": {}}\n'
)


def test_a_bulk_is_what_its_lines_say() -> None:
    """Documents are skipped, whatever they look like; the path's index stands in."""
    path = (("{index}", "_bulk"), ("a",))

    assert done("elasticsearch_bulk", LINES, path=path, media="application/x-ndjson") == [
        ("update_document", "update", "a"), ("delete_document", "delete", "b"),
        ("create_document", "create", "b"), ("update_document", "update", "a"),
    ]  # fmt: skip


def test_searches_read() -> None:
    """Each index that is searched is an action."""
    body = '{"index": ["a", "b"]}\n{"query": {}}\n{}\n{"query": {}}\n'
    path = (("{index}", "_msearch"), ("c",))

    assert [(k, t) for _, k, t in done("elasticsearch_msearch", body, path=path)] == [
        ("read", "a"), ("read", "b"), ("read", "c"),
    ]  # fmt: skip


LINE_FAULTS: dict[str, bytes] = {
    "an empty line": b'{"delete": {}}\n\n{"delete": {}}\n',
    "a return inside": b'{"delete": {}}\r{"delete": {}}\n',
    "a key twice": b'{"delete": {"_index": "a", "_index": "b"}}\n',
    "a key in two cases": b'{"delete": {"_index": "a", "_INDEX": "b"}}\n',
}


@pytest.mark.parametrize("body", LINE_FAULTS.values(), ids=LINE_FAULTS)
def test_lines_that_are_cut_differently_are_refused(body: bytes) -> None:
    """A line for one server is two lines for another."""
    assert refusal("elasticsearch_bulk", body) == "ambiguous_body"


# --- PostgREST ------------------------------------------------------------------------------------

REST: dict[str, tuple[str, str, tuple[str, str, bool]]] = {
    "a read": ("GET", "?select=*", ("read", "select", False)),
    "a filtered read": ("GET", "?id=eq.1", ("read", "select", True)),
    "an insert": ("POST", "", ("create", "insert", False)),
    "an update of all": ("PATCH", "", ("update", "update", False)),
    "an update of some": ("PATCH", "?or=(a.eq.1,b.eq.2)", ("update", "update", True)),
    "a delete of all": ("DELETE", "?limit=10&order=id", ("delete", "delete", False)),
    "a delete of some": ("DELETE", "?id=in.(1,2)", ("delete", "delete", True)),
    "a filter of what is shown beside": (
        "DELETE", "?select=*,orders(*)&orders.id=eq.1", ("delete", "delete", False),
    ),
    "a negated filter": ("DELETE", "?not.and=(a.eq.1)", ("delete", "delete", True)),
    "a row put": ("PUT", "?id=eq.1", ("update", "upsert", True)),
}  # fmt: skip
TABLE = (("rest", "v1", "{table}"), ("users",))


@pytest.mark.parametrize(("method", "query", "expected"), REST.values(), ids=REST)
def test_a_request_is_its_statement(
    method: str, query: str, expected: tuple[str, str, bool]
) -> None:
    """The method is the statement, and what chooses rows is its condition."""
    url = f"https://shop.test/rest/v1/users{query}"
    (action,) = acts("postgrest", "", media="", method=method, url=url, path=TABLE)

    shown_ = (action.kind.value, action.params["statement"], action.params["has_where"])
    assert shown_ == expected
    assert (action.action, action.target.id) == ("execute_sql", "users")


def test_a_function_is_executed_and_a_schema_is_named() -> None:
    """Functions may do anything, by GET too; a profile header chooses the schema."""
    path = (("rest", "v1", "rpc", "{function}"), ("close_year",))
    (called,) = acts("postgrest", "", media="", method="GET", path=path)
    (erased,) = acts(
        "postgrest", "", media="", method="DELETE", headers={"Content-Profile": "s"}, path=TABLE
    )
    (merged,) = acts("postgrest", "", headers={"Prefer": "resolution=merge-duplicates"}, path=TABLE)

    assert (called.kind.value, called.target.type) == ("execute", "function")
    assert erased.target.id == "s.users"
    assert merged.kind.value == "update"


# --- where SQL stands -----------------------------------------------------------------------------

PLACES: dict[str, tuple[str, object, Shown]] = {
    "RDS": ("sql_rds_data", {"sql": "DELETE FROM t"}, [("execute_sql", "delete", "t")]),
    "Redshift, one": (
        "sql_redshift_data", {"Sql": "DROP TABLE t"}, [("execute_sql", "delete", "t")],
    ),
    "Redshift, several": (
        "sql_redshift_data", {"Sqls": ["SELECT 1", "DROP TABLE t"]},
        [("execute_sql", "read", ""), ("execute_sql", "delete", "t")],
    ),
    "Neon, several": (
        "sql_neon", {"queries": [{"query": "SELECT 1"}, {"query": "DELETE FROM t"}]},
        [("execute_sql", "read", ""), ("execute_sql", "delete", "t")],
    ),
    "Neon, in both places": (
        "sql_neon", {"query": "SELECT 1", "queries": [{"query": "DELETE FROM t"}]},
        [("execute_sql", "read", ""), ("execute_sql", "delete", "t")],
    ),
    "D1, a batch": (
        "sql_d1", {"batch": [{"sql": "SELECT 1"}, {"sql": "DELETE FROM t"}]},
        [("execute_sql", "read", ""), ("execute_sql", "delete", "t")],
    ),
    "PartiQL": (
        "sql_dynamodb", {"Statement": "DELETE FROM \"t\" WHERE id = 'a'"},
        [("execute_sql", "delete", "t")],
    ),
    "PartiQL, a transaction": (
        "sql_dynamodb", {"TransactStatements": [{"Statement": "UPDATE \"t\" SET a = 1"}]},
        [("execute_sql", "update", "t")],
    ),
    "libSQL": (
        "sql_libsql",
        {"requests": [{"type": "batch", "batch": {"steps": [{"stmt": {"sql": "DELETE FROM t"}}]}}]},
        [("execute_sql", "delete", "t")],
    ),
    "libSQL, something stored": (
        "sql_libsql", {"requests": [{"type": "execute", "stmt": {"sql_id": 1}}]},
        [("execute_sql", "unknown", "")],
    ),
    "Trino": ("sql_trino", "DELETE FROM t", [("execute_sql", "delete", "t")]),
    "no SQL at all": ("sql_snowflake", {}, [("execute_sql", "unknown", "")]),
    "a BigQuery job": (
        "sql_bigquery_job", {"configuration": {"query": {"query": "DELETE FROM t WHERE true"}}},
        [("execute_sql", "delete", "t")],
    ),
    "a BigQuery query into a table": (
        "sql_bigquery_job",
        {"configuration": {"query": {
            "query": "SELECT 1", "writeDisposition": "WRITE_TRUNCATE",
            "destinationTable": {"datasetId": "d", "tableId": "t"},
        }}},
        [("execute_sql", "read", ""), ("execute_sql", "update", "d.t")],
    ),
    "a BigQuery extract": (
        "sql_bigquery_job",
        {"configuration": {"extract": {"sourceTable": {"datasetId": "d", "tableId": "t"}}}},
        [("extract_table", "execute", "d.t")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("family", "body", "expected"), PLACES.values(), ids=PLACES)
def test_sql_is_found_where_each_api_has_it(family: str, body: object, expected: Shown) -> None:
    """All text that runs is read, in whichever key it stands."""
    assert done(family, body) == expected


CLICKHOUSE: dict[str, tuple[str, str, Shown]] = {
    "in the URL": ("?query=DROP%20TABLE%20t", "", [("execute_sql", "delete", "t")]),
    "in the body": ("", "DROP TABLE t", [("execute_sql", "delete", "t")]),
    "half in each": ("?query=SELECT%201;", "DROP TABLE t", [
        ("execute_sql", "read", ""), ("execute_sql", "delete", "t"),
    ]),
    "data behind an insert": (
        "?query=INSERT%20INTO%20t%20FORMAT%20CSV", "'; DROP TABLE u",
        [("execute_sql", "create", "t")],
    ),
    "data behind an insert in one body": (
        "", "INSERT INTO t (a) FORMAT CSV\n'", [("execute_sql", "create", "t")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("query", "body", "expected"), CLICKHOUSE.values(), ids=CLICKHOUSE)
def test_clickhouse_puts_url_and_body_together(query: str, body: str, expected: Shown) -> None:
    """Text behind FORMAT is data; all else is the query."""
    url = f"https://shop.test/{query.replace(';', '%3B')}"

    assert done("sql_clickhouse", body, url=url, media="text/plain") == expected


def test_every_family_has_a_reader() -> None:
    """What mappers may name is what can be read, no more and no less."""
    readers = {*_EXPANDERS, *SQL, "graphql"}

    assert readers == FAMILIES
    assert all(callable(expander_of(family)) for family in FAMILIES)
    with pytest.raises(KeyError):
        expander_of("sql_unheard_of")


def test_every_family_can_be_prepared() -> None:
    """Loading is asked for by name, for families that need none too."""
    for family in ("", *FAMILIES):
        preload(family)
