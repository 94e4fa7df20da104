"""Asks SQLite itself whether a text would write: the oracle of what we call a read."""

from __future__ import annotations

import contextlib
import sqlite3


def sqlite_writes(text: str) -> bool:
    """Whether a database of one table is another one after this text."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (2)")
        database.set_progress_handler(lambda: 1, STEPS_MAX)
        before = _state(database)
        with contextlib.suppress(sqlite3.Error, ValueError):
            database.executescript(text)
        database.set_progress_handler(None, 0)
        return _state(database) != before
    finally:
        database.close()


STEPS_MAX = 1_000_000
"""Of SQLite's machine; a text that recurses for ever is interrupted, and has written by then."""


def _state(database: sqlite3.Connection) -> list[object]:
    names = ("sqlite_master", "sqlite_temp_master", "pragma_database_list", "pragma_user_version")
    return [
        database.total_changes,
        *(database.execute(f"SELECT * FROM {n}").fetchall() for n in names),
    ]
