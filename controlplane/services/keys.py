"""Finds out whose key a caller shows, and adds keys."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import datetime

from controlplane.auth import (
    Caller,
    Permission,
    hash_key,
    key_prefix,
    mint_key,
    unauthenticated,
)
from controlplane.faults import ControlFault, Fault
from controlplane.notify.bus import Bus, Topic
from controlplane.store.keys import KeyRow, KeyStore, ListedKey, NewKey
from controlplane.store.tenancy import acting_for, acting_for_everybody

TOUCH_SECONDS = 60.0
"""How exact `last_used_at` is; exact to the request would be a write for every read."""

TOUCHED_COUNT_MAX = 10_000

KEY_LIST_COUNT_MAX = 10_000


class KeyService:
    def __init__(self, store: KeyStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._touched: dict[uuid.UUID, float] = {}

    async def authenticate(self, key: str) -> Caller:
        """Whose key it is. Asked of the database every time: a revoked key is refused at once.

        Raises:
            ControlFault: UNAUTHENTICATED.
        """
        with acting_for_everybody():
            found = await self._store.find(hash_key(key))
        if found is None:
            raise unauthenticated()
        with acting_for(found.tenant_id):
            await self._touch(found.key_id)
        return _caller(found)

    async def caller_of(self, tenant_id: uuid.UUID, key_id: uuid.UUID) -> Caller | None:
        """The bearer of a key that was shown before (a session, a person known to a channel); None
        once it is revoked or over."""
        found = await self._store.find_by_id(tenant_id, key_id)
        return None if found is None else _caller(found)

    async def add(
        self,
        tenant_id: uuid.UUID,
        name: str,
        role: str,
        permissions: tuple[Permission, ...],
        agent_id: uuid.UUID | None = None,
        groups: tuple[str, ...] = (),
        expires_at: datetime | None = None,
    ) -> tuple[uuid.UUID, str]:
        """Mint a key and store its hash; its id, and the key, which nobody can read again."""
        key = mint_key(role)
        new = NewKey(
            tenant_id,
            name,
            key_prefix(key),
            hash_key(key),
            tuple(permission.value for permission in permissions),
            agent_id,
            groups,
            expires_at,
        )
        stored = await self._store.insert(new)
        assert stored is not None, "a fresh key can't exist already"
        return stored, key

    async def list(self, caller: Caller) -> Sequence[ListedKey]:
        """Newest first; never a key itself."""
        return await self._store.list(caller.tenant_id, KEY_LIST_COUNT_MAX)

    async def revoke(self, caller: Caller, key_id: uuid.UUID) -> ListedKey:
        """End a key. Its holder is refused from the next call on, and gateways are told of an
        agent's at once.

        Raises:
            ControlFault: NOT_FOUND, KEY_IN_USE for the caller's own, which would lock them out.
        """
        if key_id == caller.key_id:
            raise ControlFault(Fault.KEY_IN_USE, "a key can't revoke itself; use another one")
        revoked = await self._store.revoke(caller.tenant_id, key_id)
        if revoked is None:
            raise ControlFault(Fault.NOT_FOUND, "there is no such key")
        if revoked.agent is not None:
            await self._bus.publish(Topic.AGENTS, str(caller.tenant_id))
        return revoked

    async def _touch(self, key_id: uuid.UUID) -> None:
        now = time.monotonic()
        if now - self._touched.get(key_id, -TOUCH_SECONDS) < TOUCH_SECONDS:
            return
        if len(self._touched) >= TOUCHED_COUNT_MAX:
            self._touched.clear()
        self._touched[key_id] = now
        try:
            await self._store.touch(key_id)
        except ControlFault:
            # A read-only or busy database must not refuse a caller over a mere note.
            self._touched.pop(key_id, None)


def _caller(found: KeyRow) -> Caller:
    permissions = frozenset(
        Permission(name) for name in found.permissions if name in set(Permission)
    )
    return Caller(
        found.tenant_id,
        found.key_id,
        found.name,
        permissions,
        frozenset(found.groups),
        found.agent,
    )
