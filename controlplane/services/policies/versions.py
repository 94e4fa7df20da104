"""Policies with their versions: drafted, activated, deactivated; and how two versions differ."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.notify.bus import Bus, Topic
from controlplane.services.policies.activation import (
    ActivePolicies,
    add_version,
    find_policy,
    find_version,
    policy_changed,
)
from controlplane.services.policies.bundles import BundleService, Published
from controlplane.services.policies.diff import PolicyDiff, diff_versions
from controlplane.services.policies.drafts import DraftReader, invalid_policy
from controlplane.store.database import Database
from controlplane.store.policies import (
    PolicyFilter,
    PolicyRow,
    PolicyStore,
    RuleRow,
    VersionRow,
)
from gateway.model.errors import Problem

POLICIES_MAX = 2_000
"""Of one tenant, drafts and archived ones included; a bundle holds five hundred."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A policy with one of its versions: the active one, or else the newest."""

    policy: PolicyRow
    version: VersionRow
    rules: Sequence[RuleRow]


@dataclass(frozen=True, slots=True)
class Activated:
    """What a change of the active versions came to."""

    shown: Shown
    published: Published


class PolicyService:
    def __init__(
        self,
        database: Database,
        store: PolicyStore,
        bundles: BundleService,
        drafts: DraftReader,
        bus: Bus,
    ) -> None:
        self._database = database
        self._store = store
        self._drafts = drafts
        self._bus = bus
        self._active = ActivePolicies(store, bundles, drafts)

    # --- drafting ---------------------------------------------------------------------------------

    async def create(
        self, caller: Caller, file: str, document: str, description: str, comment: str | None
    ) -> Shown:
        """Keep a new policy as its first draft. `file` is what problems call it.

        Raises:
            ControlFault: POLICY_INVALID with every problem, POLICY_EXISTS, POLICIES_FULL.
        """
        tenant_id, store = caller.tenant_id, self._store
        content = await self._drafts.demand(tenant_id, file, document)
        if await store.count(tenant_id) >= POLICIES_MAX:
            raise ControlFault(Fault.POLICIES_FULL, "there are too many policies")
        async with self._database.transaction() as connection:
            policy_id = await store.create_within(
                connection, tenant_id, content.name, description, caller.key_name
            )
            if policy_id is None:
                known = await store.find_within(connection, tenant_id, content.name)
                raise ControlFault(
                    Fault.POLICY_EXISTS,
                    f"there is a policy `{content.name}` already; give it a new version",
                    {"policyId": str(known)},
                )
            await add_version(self._store, connection, caller, policy_id, content, comment)
        await self._bus.publish(Topic.EVENTS, str(tenant_id))
        return await self.show(caller, policy_id)

    async def draft(
        self,
        caller: Caller,
        policy_id: uuid.UUID,
        document: str,
        comment: str | None,
        etag: int | None = None,
    ) -> tuple[PolicyRow, VersionRow]:
        """Keep a new version of a policy, as a draft.

        Raises:
            ControlFault: NOT_FOUND, POLICY_INVALID, POLICY_CHANGED where `etag` is given and not
                the present one, POLICY_VERSIONS_FULL.
        """
        policy = await find_policy(self._store, caller, policy_id)
        file = f"{policy.name}.yaml"
        content = await self._drafts.demand(caller.tenant_id, file, document)
        if content.name != policy.name:
            message = f"the policy is called `{policy.name}`, and this one `{content.name}`"
            help_text = "a version keeps the name; make another policy for another name"
            raise invalid_policy([Problem(file, 1, 1, message, help_text)])
        async with self._database.transaction() as connection:
            if not await self._store.touch_within(connection, caller.tenant_id, policy_id, etag):
                raise policy_changed()
            number = await add_version(self._store, connection, caller, policy_id, content, comment)
        await self._bus.publish(Topic.EVENTS, str(caller.tenant_id))
        return await find_policy(self._store, caller, policy_id), await find_version(
            self._store, caller, policy_id, number
        )

    # --- reading ----------------------------------------------------------------------------------

    async def list(
        self, caller: Caller, wanted: PolicyFilter, before: int | None, count_max: int
    ) -> Sequence[PolicyRow]:
        """Newest first; `before` is the `policy_seq` of the last one seen."""
        return await self._store.list(caller.tenant_id, wanted, before, count_max)

    async def show(self, caller: Caller, policy_id: uuid.UUID) -> Shown:
        """One policy with the version that counts.

        Raises:
            ControlFault: NOT_FOUND.
        """
        policy = await find_policy(self._store, caller, policy_id)
        return await self._shown(caller, policy)

    async def versions(
        self, caller: Caller, policy_id: uuid.UUID, before: int | None, count_max: int
    ) -> Sequence[VersionRow]:
        """A policy's history, newest first, without the documents.

        Raises:
            ControlFault: NOT_FOUND.
        """
        await find_policy(self._store, caller, policy_id)
        return await self._store.versions(caller.tenant_id, policy_id, before, count_max)

    async def version(self, caller: Caller, policy_id: uuid.UUID, number: int) -> Shown:
        """One version with its document and its rules.

        Raises:
            ControlFault: NOT_FOUND.
        """
        policy = await find_policy(self._store, caller, policy_id)
        version = await find_version(self._store, caller, policy_id, number)
        rules = await self._store.rules(caller.tenant_id, policy_id, number)
        return Shown(policy, version, rules)

    async def diff(
        self, caller: Caller, policy_id: uuid.UUID, before: int, after: int
    ) -> PolicyDiff:
        """How two versions differ, as texts and as rules.

        Raises:
            ControlFault: NOT_FOUND.
        """
        policy = await find_policy(self._store, caller, policy_id)
        old = await find_version(self._store, caller, policy_id, before)
        new = await find_version(self._store, caller, policy_id, after)
        return await diff_versions(policy.name, old, new)

    # --- what is in force -------------------------------------------------------------------------

    async def activate(
        self,
        caller: Caller,
        policy_id: uuid.UUID,
        version: int | None = None,
        etag: int | None = None,
        comment: str | None = None,
    ) -> Activated:
        """Put a version in force. See `ActivePolicies.activate`."""
        published = await self._active.activate(caller, policy_id, version, etag, comment)
        return Activated(await self.show(caller, policy_id), published)

    async def deactivate(
        self,
        caller: Caller,
        policy_id: uuid.UUID,
        etag: int | None = None,
        comment: str | None = None,
    ) -> Activated:
        """Take a policy out of force. See `ActivePolicies.deactivate`."""
        published = await self._active.deactivate(caller, policy_id, etag, comment)
        return Activated(await self.show(caller, policy_id), published)

    async def _shown(self, caller: Caller, policy: PolicyRow) -> Shown:
        version = await find_version(self._store, caller, policy.policy_id, policy.version)
        rules = await self._store.rules(caller.tenant_id, policy.policy_id, policy.version)
        return Shown(policy, version, rules)
