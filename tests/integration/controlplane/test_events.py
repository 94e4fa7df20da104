"""Whoever follows what happens gets all of it, in order."""

from __future__ import annotations

from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.events import EventCursor, EventStore
from tests.support.control_plane import Client
from tests.support.database import connect_as, everybodys
from tests.support.tenants import make_tenant


async def test_events_go_by_the_number_of_their_transaction(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """And not by its digits as a text: what happens in 10 comes after 9."""
    tenant = await make_tenant(postgres_server, database_name)
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        for transaction in ("10", "9", "100"):
            await connection.execute(
                "insert into events (tenant_id, made_in, kind, subject_id, change)"
                " values ($1, $2::text::xid8, 'run', $2, 'RUNNING')",
                tenant,
                transaction,
            )
    finally:
        await connection.close()
    events = EventStore(everybodys(client.plane.database))

    newest = await events.newest(tenant)
    first, *_ = await events.after(tenant, EventCursor(), 1)
    rest = await events.after(tenant, first.cursor, 10)

    assert newest.transaction == 100
    assert [first.subject_id, *(row.subject_id for row in rest)] == ["9", "10", "100"]
