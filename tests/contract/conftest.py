"""One Postgres for the contract suites that speak with a real control plane."""

from __future__ import annotations

from tests.support.database import database_name, postgres_server

__all__ = ["database_name", "postgres_server"]
