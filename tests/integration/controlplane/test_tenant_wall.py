"""The second wall: the database itself shows a session only the tenant that it acts for."""

from __future__ import annotations

import asyncio
import uuid

import asyncpg
import pytest

from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.events import EventCursor, EventStore
from controlplane.store.keys import KeyFilter, KeyStore
from controlplane.store.tenancy import acting_for
from tests.support.control_plane import Client
from tests.support.database import connect_as


async def test_every_table_with_a_tenant_is_walled(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """A new table must call `wall_tenant` in its migration."""
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        rows = await connection.fetch(
            "select c.relname, c.relrowsecurity and c.relforcerowsecurity as walled "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' "
            "where n.nspname = 'checkrein' and c.relkind in ('r', 'p') and not c.relispartition"
        )
    finally:
        await connection.close()
    assert len(rows) >= 14
    assert [row["relname"] for row in rows if not row["walled"]] == []


async def test_who_says_nothing_sees_nothing(client: Client):
    """A statement that forgot to say for whom it acts gets no row of anybody."""
    database = client.plane.database
    assert database is not None
    assert await KeyStore(database).list(client.tenant_id, KeyFilter(), 10) == []
    with acting_for(client.tenant_id):
        assert len(await KeyStore(database).list(client.tenant_id, KeyFilter(), 10)) >= 3


async def test_a_wrong_tenant_in_a_query_finds_nothing(client: Client):
    """The wall holds where a query asks for somebody else's rows."""
    database = client.plane.database
    assert database is not None
    with acting_for(uuid.uuid4()):
        assert await KeyStore(database).list(client.tenant_id, KeyFilter(), 10) == []


async def test_nothing_is_written_for_another_tenant(client: Client):
    """Nor can a statement put a row where it may not look."""
    database = client.plane.database
    assert database is not None
    with acting_for(uuid.uuid4()), pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.row(
            "insert into agents (agent_id, tenant_id, name) values ($1, $2, 'x')",
            uuid.uuid4(),
            client.tenant_id,
        )


async def test_events_tell_what_happened_to_an_approval_in_order(client: Client):
    """They are written with the change itself, and a reader that goes on misses none."""
    database = client.plane.database
    assert database is not None
    events = EventStore(database)
    with acting_for(client.tenant_id):
        start = await events.newest(client.tenant_id)
        asked = await client.ask()
        first = await events.after(client.tenant_id, start, 10)
        await client.resolve(asked["approvalId"], "APPROVE")
        await client.consume(asked, "claim")
        rest = await events.after(client.tenant_id, first[-1].cursor, 10)
        while len(rest) < 2:  # while an older transaction is open, younger ones are not told
            await asyncio.sleep(0.01)
            rest = await events.after(client.tenant_id, first[-1].cursor, 10)
    told = [(event.kind, event.subject_id, event.change) for event in (*first, *rest)]
    assert told == [
        ("approval", asked["approvalId"], change) for change in ("PENDING", "APPROVED", "CONSUMED")
    ]


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "a-1", "1-1-1", f"{2**64}-1", f"1-{2**63}"])
def test_what_is_no_cursor_is_told(text: str):
    """It may come from a caller."""
    assert EventCursor.parse(text) is None


def test_a_cursor_reads_back():
    """As it was written."""
    cursor = EventCursor(7, 9)
    assert EventCursor.parse(str(cursor)) == cursor
