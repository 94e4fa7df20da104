"""Which versions of policies are in force, and how that changes.

INVARIANT(one-truth): what is active is what the current bundle holds. A version becomes active
only together with the bundle that it is in; a set that gateways could not load changes nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.services.policies.bundle_check import BundleFiles
from controlplane.services.policies.bundles import BundleService, InForce, Published
from controlplane.services.policies.content import PolicyContent, compose
from controlplane.services.policies.drafts import DraftReader
from controlplane.store.bundles import BundleRow
from controlplane.store.policies import ActiveRow, PolicyRow, PolicyStore, VersionRow
from gateway.model.policy_version import VersionState

VERSIONS_MAX = 1_000
"""Of one policy: twenty a week for a year."""

ATTEMPTS_MAX = 5
"""How often an activation is tried again that another one overtook."""


class _OvertakenError(Exception):
    """Somebody else changed what this was reckoned from. Nothing happened."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The version to put in force; `again` is what it says, where it is to come back."""

    version: VersionRow
    again: PolicyContent | None


@dataclass(frozen=True, slots=True)
class _Situation:
    """What a change is reckoned from, and must still be so when it is made."""

    policy: PolicyRow
    in_force: InForce
    active: Sequence[ActiveRow]

    def documents(self) -> dict[str, str]:
        return {one.name: one.document for one in self.active}


class ActivePolicies:
    def __init__(self, store: PolicyStore, bundles: BundleService, drafts: DraftReader) -> None:
        self._store = store
        self._bundles = bundles
        self._drafts = drafts
        # Those of one process wait for each other instead of overtaking each other.
        self._changing = asyncio.Lock()

    async def activate(
        self,
        caller: Caller,
        policy_id: uuid.UUID,
        version: int | None = None,
        etag: int | None = None,
        comment: str | None = None,
    ) -> Published:
        """Put a version in force, in the place of the one that was: the newest draft, or the one
        that is named. An archived one comes back as a new version with its text. What is in force
        already stays so.

        Raises:
            ControlFault: NOT_FOUND, POLICY_CHANGED where `etag` is given and not the present one,
                BUNDLE_INVALID with every problem of the whole set, BUNDLE_NO_KEY,
                BUNDLE_UNVERIFIED, POLICY_VERSIONS_FULL, UNAVAILABLE.
        """

        async def attempt() -> Published:
            now = await self._situation(caller, policy_id, etag)
            number = version if version is not None else _to_activate(now.policy)
            wanted = await self._wanted(caller, now.policy, number)
            if wanted.version.status is VersionState.ACTIVE:
                return Published(None, is_new=False)
            assert wanted.version.document is not None
            documents = {**now.documents(), now.policy.name: wanted.version.document}
            why = comment or f"policy {now.policy.name}, version {number}"
            return await self._change(caller, now, documents, wanted, why)

        return await self._until_not_overtaken(attempt)

    async def deactivate(
        self,
        caller: Caller,
        policy_id: uuid.UUID,
        etag: int | None = None,
        comment: str | None = None,
    ) -> Published:
        """Take a policy out of force.

        Raises:
            ControlFault: as `activate`, and POLICY_NOT_ACTIVE, POLICY_LAST_ACTIVE.
        """

        async def attempt() -> Published:
            now = await self._situation(caller, policy_id, etag)
            documents = now.documents()
            if documents.pop(now.policy.name, None) is None:
                raise ControlFault(Fault.POLICY_NOT_ACTIVE, "no version of it is active")
            if not documents:
                raise ControlFault(
                    Fault.POLICY_LAST_ACTIVE,
                    "it is the only active policy; without any, everything would be blocked",
                )
            why = comment or f"policy {now.policy.name} deactivated"
            return await self._change(caller, now, documents, None, why)

        return await self._until_not_overtaken(attempt)

    async def _until_not_overtaken(self, attempt: Callable[[], Awaitable[Published]]) -> Published:
        async with self._changing:
            for _ in range(ATTEMPTS_MAX):
                with suppress(_OvertakenError):
                    return await attempt()
        raise ControlFault(Fault.UNAVAILABLE, "too much is changing at once; try again")

    async def _situation(
        self, caller: Caller, policy_id: uuid.UUID, etag: int | None
    ) -> _Situation:
        tenant_id = caller.tenant_id
        policy = await find_policy(self._store, caller, policy_id)
        if etag is not None and policy.revision != etag:
            raise policy_changed()
        in_force = await self._bundles.in_force(tenant_id)
        active = await self._store.active(tenant_id)
        if in_force.sequence and not active:
            # It was published before there were policies.
            await self._bundles.adopt(tenant_id, caller.key_name)
            policy = await find_policy(self._store, caller, policy_id)
            active = await self._store.active(tenant_id)
        return _Situation(policy, in_force, active)

    async def _change(
        self,
        caller: Caller,
        now: _Situation,
        documents: dict[str, str],
        wanted: _Wanted | None,
        comment: str,
    ) -> Published:
        """Make these documents the active ones, with `wanted` in the place of what was active of
        the policy.

        Raises:
            _OvertakenError: what this was reckoned from is no longer so.
            ControlFault: as `activate`.
        """
        files = BundleFiles(
            compose(documents, now.in_force.contents.settings), now.in_force.files.mappers
        )
        checked = await self._bundles.check(files)

        async def moves(connection: Any, newest: BundleRow | None, _: bool) -> None:
            await self._move(connection, caller, now, newest, wanted)

        return await self._bundles.append(
            caller.tenant_id, checked, caller.key_name, comment, moves
        )

    async def _move(
        self,
        connection: Any,
        caller: Caller,
        now: _Situation,
        newest: BundleRow | None,
        wanted: _Wanted | None,
    ) -> None:
        store, tenant_id, policy_id = self._store, caller.tenant_id, now.policy.policy_id
        sequence = 0 if newest is None else newest.sequence
        is_same = sequence == now.in_force.sequence and _places(
            await store.active_within(connection, tenant_id)
        ) == _places(now.active)
        # INVARIANT(one-truth): every statement is of this transaction, which holds the series.
        if not is_same or not await store.touch_within(
            connection, tenant_id, policy_id, now.policy.revision
        ):
            raise _OvertakenError
        number = None
        if wanted is not None:
            number = wanted.version.version
            if wanted.again is not None:
                again = f"version {number} again"
                number = await add_version(
                    store, connection, caller, policy_id, wanted.again, again
                )
        await store.archive_active_within(connection, tenant_id, policy_id, caller.key_name)
        if number is not None and not await store.activate_within(
            connection, tenant_id, policy_id, number, caller.key_name
        ):
            raise _OvertakenError

    async def _wanted(self, caller: Caller, policy: PolicyRow, number: int) -> _Wanted:
        """A version with what its text says by now, where it is archived."""
        version = await find_version(self._store, caller, policy.policy_id, number)
        if version.status is not VersionState.ARCHIVED:
            return _Wanted(version, None)
        assert version.document is not None
        file = f"{policy.name}.yaml"
        return _Wanted(version, await self._drafts.demand(caller.tenant_id, file, version.document))


async def add_version(
    store: PolicyStore,
    connection: Any,
    caller: Caller,
    policy_id: uuid.UUID,
    content: PolicyContent,
    comment: str | None,
) -> int:
    """The number of a new draft.

    Raises:
        ControlFault: POLICY_VERSIONS_FULL.
    """
    number = await store.add_version_within(
        connection,
        caller.tenant_id,
        policy_id,
        content.says,
        comment,
        caller.key_name,
        VERSIONS_MAX,
    )
    if number is None:
        raise ControlFault(Fault.POLICY_VERSIONS_FULL, "the policy has too many versions")
    return number


async def find_policy(store: PolicyStore, caller: Caller, policy_id: uuid.UUID) -> PolicyRow:
    """A policy of the caller's.

    Raises:
        ControlFault: NOT_FOUND.
    """
    found = await store.get(caller.tenant_id, policy_id)
    if found is None:
        raise not_found("policy")
    return found


async def find_version(
    store: PolicyStore, caller: Caller, policy_id: uuid.UUID, number: int
) -> VersionRow:
    """A version with its document.

    Raises:
        ControlFault: NOT_FOUND.
    """
    found = await store.version(caller.tenant_id, policy_id, number)
    if found is None:
        raise ControlFault(Fault.NOT_FOUND, "the policy has no such version")
    return found


def _to_activate(policy: PolicyRow) -> int:
    """The version that is meant where none is named."""
    if policy.draft_version is not None and (
        policy.status is not VersionState.ACTIVE or policy.draft_version > policy.version
    ):
        return policy.draft_version
    return policy.version


def _places(active: Sequence[ActiveRow]) -> set[tuple[uuid.UUID, int]]:
    return {(one.policy_id, one.version) for one in active}


def policy_changed() -> ControlFault:
    return ControlFault(
        Fault.POLICY_CHANGED, "the policy changed since; look at it again, then decide"
    )
