"""The words a mapper chooses from: how entries are found, bodies read and refusals written."""

from __future__ import annotations

from enum import StrEnum


class Select(StrEnum):
    """How the entries of a mapper are found."""

    PATH = "path"
    PATH_TAIL = "path-tail"
    AWS = "aws"


FAMILIES = frozenset(
    {
        "azure_batch", "dynamodb_batch", "dynamodb_transaction", "elasticsearch_bulk",
        "elasticsearch_msearch", "google_batch", "graph_batch", "graphql", "jsonrpc", "mcp",
        "postgrest", "salesforce_batch", "sql_any", "sql_athena", "sql_bigquery_job",
        "sql_bigquery_query", "sql_clickhouse", "sql_d1", "sql_databricks", "sql_dynamodb",
        "sql_libsql", "sql_mysql", "sql_neon", "sql_postgres", "sql_rds_data",
        "sql_redshift_data", "sql_snowflake", "sql_sqlite", "sql_trino"
    }
)  # fmt: skip
"""What `expand` may name: ways in which one body carries several acts. The stage that reads them
is `expand`, which has one reader for each; a test holds the two lists equal."""

ERROR_STYLES = frozenset(
    {
        "problem", "stripe", "slack", "github", "google", "openai", "anthropic", "aws_json",
        "aws_cbor", "aws_query", "aws_ec2", "aws_rest_xml", "aws_rest_json",
    }
)  # fmt: skip
"""The shapes of refusals that `enforce` can write; a test holds the two lists equal."""
