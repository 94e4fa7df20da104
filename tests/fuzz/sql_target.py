"""The target of SQL over HTTP, with SQLite as its oracle."""

from __future__ import annotations

from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.model.action import Kind
from tests.fuzz.target import Target
from tests.support.sqlite_effects import sqlite_writes
from tests.unit.canonicalize.expand.calls import acts


def check_sql(data: bytes) -> None:
    """A text is acts or a refusal in every dialect, and what SQLite writes by is never a read."""
    text = data.decode("utf-8", "replace")
    try:
        actions = acts("sql_sqlite", {"sql": text})
    except AmbiguityError:
        return
    if all(action.kind is Kind.READ for action in actions):
        assert not sqlite_writes(text), "SQLite writes by what we call a read"


_SEEDS = (
    b"select a from t where a = 1", b"with x as (select 1) select * from x", b"explain select 1",
    b"insert into t values (1); select 1", b"select 'a''b' -- delete\n", b"pragma user_version",
    b"select [a'b]; delete from t --']", b"with x as (select 1) delete from t",
)  # fmt: skip
_WORDS = (
    b"select ", b"delete from t", b"drop table t", b";", b"'", b'"', b"`", b"[", b"]", b"--",
    b"/*", b"*/",
    b"\n", b"\r", b"\\", b"(", b")", b",", b" from t", b"with x as (", b"returning *",
    b"attach 'x' as y",
    b"pragma user_version=1", b"explain ", b"replace into t values (1)", b"\x00", b"$$", b"#",
    b"vacuum",
    b"create table u as ", b"x'00'", b"\xe2\x80\x98", b"0x", b"load_extension('x')", b"analyze",
)  # fmt: skip

TARGETS = (Target("sql", "what SQLite writes by is no read", check_sql, _SEEDS, _WORDS),)
