"""Makes the versions of policies follow a bundle that was published as files.

What the bundle holds becomes the active version of the policy of that name, made where there is
none; policies that it does not hold are archived. Within the bundle's own transaction.
"""

from __future__ import annotations

import uuid
from typing import Any

from controlplane.services.policies.content import Contents
from controlplane.store.policies import PolicyStore
from gateway.model.codec import INTEGER_MAX


class PolicyMirror:
    def __init__(self, store: PolicyStore) -> None:
        self._store = store

    async def mirror(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        contents: Contents,
        author: str,
        comment: str | None,
        *,
        by_text: bool = False,
    ) -> None:
        """Make the active versions those of a bundle. `by_text`: a version that means the same in
        other words is a new one too."""
        store = self._store
        active = {one.name: one for one in await store.active_within(connection, tenant_id)}
        for name, policy in contents.policies.items():
            known, says = active.pop(name, None), policy.says
            if (
                known is not None
                and known.digest == says.digest
                and (not by_text or known.document == says.document)
            ):
                continue
            policy_id = known.policy_id if known is not None else None
            if policy_id is None:
                policy_id = await store.create_within(connection, tenant_id, name, "", author)
            if policy_id is None:
                policy_id = await store.find_within(connection, tenant_id, name)
            assert policy_id is not None
            await store.touch_within(connection, tenant_id, policy_id, None)
            # What is published goes before any bound of what people draft.
            version = await store.add_version_within(
                connection, tenant_id, policy_id, says, comment, author, INTEGER_MAX
            )
            assert version is not None
            await store.archive_active_within(connection, tenant_id, policy_id, author)
            await store.activate_within(connection, tenant_id, policy_id, version, author)
        for gone in active.values():
            await store.touch_within(connection, tenant_id, gone.policy_id, None)
            await store.archive_active_within(connection, tenant_id, gone.policy_id, author)
