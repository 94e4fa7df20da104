"""Finds the SQL in the requests of each API that takes it over HTTP, and the dialect it is in.

Where text stands in two places, all of it counts, or the request is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from gateway.canonicalize.expand.acts import Call, NotUnderstoodError, own_action
from gateway.canonicalize.expand.sql import ACTION, sql_actions
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.bodies import MediaType
from gateway.canonicalize.request.reader import RequestReader, member
from gateway.model.action import Action, Kind, ParamValue, Target

TEXTS_MAX = 100

Expander = Callable[[Call], tuple[Action, ...]]


def _of_keys(dialect: str, *keys: str) -> Expander:
    """Text at one of these keys of a JSON body, or texts in a list there, each text by itself or
    in an object under one of the same keys."""

    def expand(call: Call) -> tuple[Action, ...]:
        return sql_actions(call, _texts(call.reader.json, keys), dialect)

    return expand


def _texts(body: object, keys: Sequence[str]) -> list[str]:
    """All of them: where a body says several things, each of them counts."""
    texts: list[str] = []
    for one in body if isinstance(body, list) else [body]:
        if not isinstance(one, Mapping):
            raise NotUnderstoodError
        for key in keys:
            value = member(one, key)
            for item in value if isinstance(value, list) else [value]:
                if item is not None:
                    texts += [item] if isinstance(item, str) else _texts(item, keys)
        if len(texts) > TEXTS_MAX:
            raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the body has too many statements")
    return texts


# --- BigQuery -------------------------------------------------------------------------------------


def _bigquery_job(call: Call) -> tuple[Action, ...]:
    """A job: a query, perhaps into a table, or a load, copy or extract without SQL."""
    configuration = member(_object(call.reader.json), "configuration")
    jobs = {
        name: _object(value)
        for name in ("query", "load", "copy", "extract")
        if (value := member(_object(configuration), name)) is not None
    }
    if len(jobs) != 1:
        raise NotUnderstoodError
    (name, job), = jobs.items()  # fmt: skip
    disposition = str(member(job, "writeDisposition") or "")
    table = _bigquery_table(member(job, "destinationTable"))
    if name != "query":
        kind = {"load": Kind.CREATE, "copy": Kind.CREATE, "extract": Kind.EXECUTE}[name]
        if disposition == "WRITE_TRUNCATE":
            kind = Kind.UPDATE
        table = table or _bigquery_table(member(job, "sourceTable"))
        reversible = disposition != "WRITE_TRUNCATE" and name != "extract"
        target = Target("table", table)
        params: dict[str, ParamValue] = {"statement": name, "tables": [table]}
        return (own_action(call, f"{name}_table", kind, target, params, reversible=reversible),)
    query = member(job, "query")
    actions = sql_actions(call, [query] if isinstance(query, str) else [], "bigquery")
    if table:
        truncates = disposition == "WRITE_TRUNCATE"
        kind = Kind.UPDATE if truncates else Kind.CREATE
        written: dict[str, ParamValue] = {
            "statement": "select_into",
            "tables": [table],
            "has_where": False,
            "statements": 1,
        }
        into = own_action(
            call, ACTION, kind, Target("table", table), written, reversible=not truncates
        )
        actions = (*actions, into)
    return actions


def _bigquery_table(value: object) -> str:
    table = _object(value)
    parts = [member(table, key) for key in ("projectId", "datasetId", "tableId")]
    return ".".join(part for part in parts if isinstance(part, str))


def _object(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise NotUnderstoodError
    return value


# --- ClickHouse, Trino ----------------------------------------------------------------------------

_INSERT_DATA = re.compile(
    r"(?is)\s*insert\s+into\s+(?:table\s+)?[\w.`\"]+\s*(?:\([^()']*\)\s*)?"
    r"(?:settings\s[^;']*?)?(format\s+\w+|values\b)"
)


def _clickhouse(call: Call) -> tuple[Action, ...]:
    """The query of the URL with the body behind it, as the server puts them together."""
    reader = call.reader
    in_url = reader.query.values.get("query")
    if isinstance(in_url, list):
        raise AmbiguityError(ambiguity.QUERY, "`query` is there twice")
    body = _body_text(reader)
    if in_url is not None and reader.media is MediaType.MULTIPART:
        if "query" in reader.form.values:
            raise AmbiguityError(ambiguity.BODY, "`query` is in the query and in the form")
        body = ""
    text = in_url or ""
    # Behind FORMAT or VALUES of an insert comes data, which is no SQL.
    if _INSERT_DATA.match(text) is None:
        text = f"{text}\n{body}" if text else body
    data = _INSERT_DATA.match(text)
    if data is not None:
        text = text[: data.start(1)] + "SELECT 1"
    return sql_actions(call, [text], "clickhouse")


def _trino(call: Call) -> tuple[Action, ...]:
    return sql_actions(call, [_body_text(call.reader)], "trino")


def _body_text(reader: RequestReader) -> str:
    try:
        return reader.whole_body().decode("utf-8")
    except UnicodeDecodeError:
        raise AmbiguityError(ambiguity.BODY, "the SQL is not UTF-8") from None


# --- libSQL ---------------------------------------------------------------------------------------


def _libsql(call: Call) -> tuple[Action, ...]:
    """A pipeline of Hrana over HTTP: statements, batches and sequences."""
    texts: list[str] = []
    for request in _list(member(_object(call.reader.json), "requests")):
        one = _object(request)
        kind = member(one, "type")
        if kind in ("execute", "sequence", "describe", "batch"):
            steps = [one, *_list(member(_object(member(one, "batch")), "steps"))]
            for step in map(_object, steps):
                holder = _object(member(step, "stmt")) or step
                text = member(holder, "sql")
                texts += [text] if isinstance(text, str) else []
        elif kind not in ("close", "get_autocommit"):
            texts.append("")
    if len(texts) > TEXTS_MAX:
        raise AmbiguityError(ambiguity.TOO_MANY_ACTIONS, "the body has too many statements")
    return sql_actions(call, texts, "sqlite")


def _list(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise NotUnderstoodError
    return value


EXPANDERS: Mapping[str, Expander] = {
    "sql_bigquery_query": _of_keys("bigquery", "query"),
    "sql_bigquery_job": _bigquery_job,
    "sql_athena": _of_keys("athena", "QueryString"),
    "sql_rds_data": _of_keys("", "sql", "sqlStatements"),
    "sql_redshift_data": _of_keys("redshift", "Sql", "Sqls"),
    "sql_snowflake": _of_keys("snowflake", "statement"),
    "sql_databricks": _of_keys("databricks", "statement"),
    "sql_neon": _of_keys("postgres", "query", "queries"),
    "sql_clickhouse": _clickhouse,
    "sql_d1": _of_keys("sqlite", "sql", "batch"),
    "sql_dynamodb": _of_keys("", "Statement", "Statements", "TransactStatements"),
    "sql_libsql": _libsql,
    "sql_trino": _trino,
    "sql_postgres": _of_keys("postgres", "sql", "query", "statement"),
    "sql_mysql": _of_keys("mysql", "sql", "query", "statement"),
    "sql_sqlite": _of_keys("sqlite", "sql", "query", "statement"),
    "sql_any": _of_keys("", "sql", "query", "statement"),
}

DIALECTS: Mapping[str, tuple[str, ...]] = {
    "sql_bigquery_query": ("bigquery",), "sql_bigquery_job": ("bigquery",),
    "sql_athena": ("trino",), "sql_rds_data": ("postgres", "mysql"),
    "sql_redshift_data": ("redshift",), "sql_snowflake": ("snowflake",),
    "sql_databricks": ("databricks",), "sql_neon": ("postgres",),
    "sql_clickhouse": ("clickhouse",), "sql_d1": ("sqlite",),
    "sql_libsql": ("sqlite",), "sql_trino": ("trino",),
    "sql_postgres": ("postgres",), "sql_mysql": ("mysql",), "sql_sqlite": ("sqlite",),
    "sql_any": ("postgres", "mysql"),
}  # fmt: skip
"""What sqlglot has to load for a family. DynamoDB is left out: few of its clients send PartiQL, and
all of them would pay 20 MB."""
