"""Tenants and keys of any permissions, put into the database directly: no route makes them."""

from __future__ import annotations

import uuid
from typing import Any

from controlplane.auth import hash_key
from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.database import connect_as


async def make_tenant(server: EmbeddedPostgres, database: str) -> uuid.UUID:
    """Another tenant beside `default`."""
    tenant = uuid.uuid4()
    connection = await connect_as(server, Role.OWNER, database)
    try:
        await connection.execute(
            "insert into tenants (tenant_id, name) values ($1, $2)", tenant, f"t-{tenant}"
        )
    finally:
        await connection.close()
    return tenant


async def make_key(
    server: EmbeddedPostgres, database: str, permissions: list[str], **more: Any
) -> str:
    """A key with exactly these permissions; `tenant` and `seconds` of validity may be given."""
    key = f"cr_test_{uuid.uuid4().hex}"
    connection = await connect_as(server, Role.OWNER, database)
    try:
        tenant = more.get("tenant") or await connection.fetchval(
            "select tenant_id from tenants where name = 'default'"
        )
        agent = None
        if "Agent" in permissions:
            agent = await connection.fetchval(
                "select agent_id from agents where tenant_id = $1 limit 1", tenant
            )
        await connection.execute(
            "insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, permissions, "
            "agent_id, expires_at) values ($1, $2, 'made', $3, $4, $5, $6, "
            "now() + make_interval(secs => $7))",
            uuid.uuid4(), tenant, key[:8], hash_key(key), permissions, agent,
            float(more.get("seconds", 3600)),
        )  # fmt: skip
    finally:
        await connection.close()
    return key
