"""What Hypothesis machines over the real database have in common: a loop of their own, the database
as the service's stores see it, and a connection beside the guards."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.keys import KeyStore
from tests.support.database import connect_as, open_test_database


class StoredMachine(RuleBasedStateMachine):
    """A subclass of the machine names its database; the machine's first rule calls `connect`."""

    server: EmbeddedPostgres
    database_name: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def run(self, what: Any) -> Any:
        return self.loop.run_until_complete(what)

    def connect(self, owner: Role = Role.SUPERUSER) -> None:
        """Open both connections, and find the tenant."""
        self.database = self.run(open_test_database(self.server, self.database_name))
        self.tenant = self.run(KeyStore(self.database).ensure_tenant("default"))
        self.owner = self.run(connect_as(self.server, owner, self.database_name))

    def add_key(self, name: str = "k") -> uuid.UUID:
        """The key of a person who may do everything."""
        key = uuid.uuid4()
        self.run(
            self.owner.execute(
                "insert into api_keys (key_id, tenant_id, name, key_prefix, key_hash, "
                "permissions) values ($1, $2, $3, 'k', $4, '{Admin}')",
                key,
                self.tenant,
                name,
                key.bytes * 2,
            )
        )
        return key

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            self.run(self.owner.close())
            self.run(self.database.close())
        self.loop.close()
