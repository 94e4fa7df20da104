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
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.bus import Bus, Topic
from controlplane.store.keys import KeyFilter, KeyRow, KeyStore, ListedKey, NewKey
from controlplane.store.tenancy import acting_for, acting_for_everybody

TOUCH_SECONDS = 60.0
"""How exact `last_used_at` is; exact to the request would be a write for every read."""

TOUCHED_COUNT_MAX = 10_000

KEY_LIST_COUNT_MAX = 10_000

OWN_GRACE_SECONDS_MIN = 60

MINT_ATTEMPTS_MAX = 5

WATCH_SECONDS_MAX = 3600.0
"""Longer than any request: a watch looks again when it is told to."""

ALL_KEYS = KeyFilter()


def role_of(permissions: Sequence[str]) -> str:
    """What a key says of itself to who finds it."""
    if Permission.AGENT in permissions:
        return "agent"
    return "gateway" if Permission.GATEWAY in permissions else "person"


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
        permissions: tuple[Permission, ...],
        agent_id: uuid.UUID | None = None,
        groups: tuple[str, ...] = (),
        expires_at: datetime | None = None,
    ) -> tuple[uuid.UUID, str]:
        """Mint a key and store its hash; its id, and the key, which nobody can read again."""
        key = await self._mint(tenant_id, role_of(permissions))
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

    async def list(
        self,
        caller: Caller,
        wanted: KeyFilter = ALL_KEYS,
        count_max: int = KEY_LIST_COUNT_MAX,
    ) -> Sequence[ListedKey]:
        """Newest first; never a key itself."""
        return await self._store.list(caller.tenant_id, wanted, count_max)

    async def rotate(
        self, caller: Caller, key_id: uuid.UUID, grace_seconds: float
    ) -> tuple[ListedKey, str]:
        """Give a key another secret, which is given out this once. It stays the same key: whose it
        is, what it may do, and what was answered with it.

        Raises:
            ControlFault: NOT_FOUND; KEY_OVER for a revoked or expired one; KEY_IN_USE for the
                caller's own without a grace in which a lost answer can be mended.
        """
        if key_id == caller.key_id and grace_seconds < OWN_GRACE_SECONDS_MIN:
            raise ControlFault(
                Fault.KEY_IN_USE,
                f"a key that rotates itself needs `graceSeconds` of at least "
                f"{OWN_GRACE_SECONDS_MIN}: a lost answer would lock you out",
            )
        known = await self._store.get(caller.tenant_id, key_id)
        if known is None:
            raise not_found("key")
        key = await self._mint(caller.tenant_id, role_of(known.permissions))
        rotated = await self._store.rotate(
            caller.tenant_id, key_id, hash_key(key), key_prefix(key), grace_seconds
        )
        if rotated is None:
            raise ControlFault(Fault.KEY_OVER, "this key is revoked or has expired; make a new one")
        await self._tell(caller, rotated)
        return rotated, key

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
            raise not_found("key")
        await self._tell(caller, revoked)
        return revoked

    async def wait_until_over(self, caller: Caller, key: str) -> None:
        """Return when a key is no longer what it was: for requests that are being answered. A
        message that is lost costs nothing for good: `authenticate` is asked before an answer."""
        with self._bus.subscribe(Topic.KEYS, str(caller.key_id)) as subscription:
            while True:
                try:
                    await self.authenticate(key)
                except ControlFault as fault:
                    if fault.fault is Fault.UNAUTHENTICATED:
                        return
                await subscription.wait(WATCH_SECONDS_MAX)

    async def _tell(self, caller: Caller, changed: ListedKey) -> None:
        """Whoever waits with this key, and the gateways where it is an agent's."""
        await self._bus.publish(Topic.KEYS, str(changed.key_id))
        # What its holder had granted ends with it.
        await self._bus.publish(Topic.EVENTS, str(caller.tenant_id))
        if changed.agent is not None:
            await self._bus.publish(Topic.AGENTS, str(caller.tenant_id))

    async def _mint(self, tenant_id: uuid.UUID, role: str) -> str:
        """A key whose first characters no other key of the tenant has."""
        for _ in range(MINT_ATTEMPTS_MAX):
            key = mint_key(role)
            if not await self._store.has_prefix(tenant_id, key_prefix(key)):
                return key
        return mint_key(role)

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
