"""Checks, signs, numbers and hands out bundles: what all gateways of a tenant run.

INVARIANT(one-line): a tenant's bundles are a line, numbered without a gap; to go back is to
publish an older one again. INVARIANT(own-signature): nothing that is read from the database is
signed before its own signature was verified. INVARIANT(one-truth): the active versions of policies
are those of the current bundle; both change in one transaction, whichever way a bundle came.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.auth import Caller
from controlplane.faults import ControlFault, Fault
from controlplane.notify.bus import Bus, Topic
from controlplane.services.policies.bundle_check import (
    BundleChecker,
    BundleFiles,
    Checked,
    invalid_bundle,
)
from controlplane.services.policies.content import Contents
from controlplane.services.policies.mirror import PolicyMirror
from controlplane.services.signing_keys import SigningKey
from controlplane.services.waiting import WaitingRoom
from controlplane.store.bundles import BundleRow, BundleStore, SealedRow
from gateway.decide.envelope import BundleContent, open_bundle, seal_bundle
from gateway.model.errors import BundleError, Problem


@dataclass(frozen=True, slots=True)
class Published:
    """`row` is current now; without `is_new` it was so before and means the same. None: nothing
    was published, because only a check was asked for, and it would have been."""

    row: BundleRow | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """`content` is None where the signature is not of the key in use: nothing vouches for it."""

    row: BundleRow
    content: BundleContent | None


@dataclass(frozen=True, slots=True)
class Current:
    """`sealed` is None where the asker has this bundle."""

    sequence: int
    sealed: SealedRow | None


@dataclass(frozen=True, slots=True)
class InForce:
    """The current bundle, taken apart; before the first, `sequence` 0 and nothing."""

    sequence: int
    files: BundleFiles
    contents: Contents


IN_FORCE_KEPT_MAX = 4
"""Of as many tenants; a bundle is read anew only when there is another one."""

Moves = Callable[[Any, BundleRow | None, bool], Awaitable[None]]
"""Moves versions of policies on the connection that makes a bundle, told what was current and
whether a new one is made. Raises to let nothing happen."""


class BundleService:
    def __init__(
        self,
        store: BundleStore,
        bus: Bus,
        room: WaitingRoom,
        key: SigningKey | None,
        mirror: PolicyMirror,
    ) -> None:
        self._store = store
        self._bus = bus
        self._room = room
        self._key = key
        self._mirror = mirror
        self.checker = BundleChecker()
        self._in_force: dict[tuple[object, ...], InForce] = {}
        # A check takes a core and memory for up to seconds.
        self._checking = asyncio.Lock()

    def key(self) -> SigningKey:
        """The key that signs.

        Raises:
            ControlFault: BUNDLE_NO_KEY.
        """
        if self._key is None:
            raise ControlFault(
                Fault.BUNDLE_NO_KEY,
                "this control plane has no key to sign bundles with; set "
                "CHECKREIN_BUNDLE_KEY_FILE, or CHECKREIN_DATA_DIR",
            )
        return self._key

    async def publish(
        self, caller: Caller, files: BundleFiles, comment: str | None, *, is_dry_run: bool = False
    ) -> Published:
        """Check files and make them the current bundle, unless they mean what the current means.

        Raises:
            ControlFault: BUNDLE_INVALID with every problem, BUNDLE_NO_KEY.
        """
        key = self.key()
        checked = await self.check(files)
        if is_dry_run:
            newest = await self._store.newest(caller.tenant_id)
            is_same = newest is not None and _means_the_same(newest, checked, key)
            return Published(newest if is_same else None, is_new=False)
        return await self._append(caller.tenant_id, checked, caller.key_name, comment)

    async def publish_first(
        self, tenant_id: uuid.UUID, files: BundleFiles, author: str
    ) -> Published | None:
        """Publish files where there is no bundle yet; None where there is one.

        Raises:
            ControlFault: BUNDLE_INVALID with every problem, BUNDLE_NO_KEY.
        """
        self.key()
        checked = await self.check(files)
        published = await self._append(tenant_id, checked, author, None, is_first=True)
        return published if published.is_new else None

    async def activate(self, caller: Caller, sequence: int, comment: str | None) -> Published:
        """Publish the files of an older bundle again, checked anew: names may have gone since.

        Raises:
            ControlFault: NOT_FOUND, BUNDLE_UNVERIFIED, BUNDLE_INVALID, BUNDLE_NO_KEY.
        """
        key = self.key()
        found = await self._find(caller.tenant_id, sequence)
        content = _verified(found, caller.tenant_id, key)
        if content is None:
            raise ControlFault(
                Fault.BUNDLE_UNVERIFIED,
                f"bundle {sequence} is not signed by the key in use; publish its files instead",
            )
        checked = await self.check(BundleFiles.of(content))
        comment = comment or f"bundle {sequence} again"
        return await self._append(caller.tenant_id, checked, caller.key_name, comment)

    async def has_any(self, tenant_id: uuid.UUID) -> bool:
        return await self._store.newest(tenant_id) is not None

    async def list(self, caller: Caller, before: int | None, count_max: int) -> Sequence[BundleRow]:
        """Newest first, those with a lower number than `before`."""
        return await self._store.list(caller.tenant_id, before, count_max)

    async def show(self, caller: Caller, sequence: int) -> Shown:
        """One bundle with its files.

        Raises:
            ControlFault: NOT_FOUND.
        """
        found = await self._find(caller.tenant_id, sequence)
        if self._key is None:
            return Shown(found.row, None)
        return Shown(found.row, _verified(found, caller.tenant_id, self._key))

    async def current(
        self, caller: Caller, known: int, wait_seconds: float, is_gone: Callable[[], bool]
    ) -> Current:
        """The current bundle; with `wait_seconds`, once it is another one than `known`.

        Raises:
            ControlFault: BUNDLE_NONE.
        """
        row = await self._room.read_until(
            (Topic.BUNDLES, str(caller.tenant_id)),
            lambda: self._store.newest(caller.tenant_id),
            lambda newest: newest is not None and newest.sequence != known,
            wait_seconds,
            is_gone,
        )
        if row is None:
            raise ControlFault(Fault.BUNDLE_NONE, "no bundle is published yet")
        if row.sequence == known:
            return Current(row.sequence, None)
        return Current(row.sequence, await self._find(caller.tenant_id, row.sequence))

    async def _find(self, tenant_id: uuid.UUID, sequence: int) -> SealedRow:
        found = await self._store.find(tenant_id, sequence)
        if found is None:
            raise ControlFault(Fault.NOT_FOUND, "there is no bundle with this number")
        return found

    async def check(self, files: BundleFiles) -> Checked:
        """Load files as a gateway would, one bundle at a time.

        Raises:
            ControlFault: BUNDLE_INVALID with every problem.
        """
        async with self._checking:
            return await asyncio.to_thread(self.checker.check, files)

    async def in_force(self, tenant_id: uuid.UUID) -> InForce:
        """What the current bundle holds.

        Raises:
            ControlFault: BUNDLE_UNVERIFIED, where another key than the one in use signed it;
                BUNDLE_INVALID, where it can't be loaded by this version.
        """
        newest = await self._store.newest(tenant_id)
        if newest is None:
            return InForce(0, BundleFiles(()), Contents({}, ()))
        # Its number alone may come again, with other content: after a database was restored.
        place = (tenant_id, newest.sequence, newest.revision, newest.created_at)
        found = self._in_force.get(place)
        if found is None:
            sealed = await self._find(tenant_id, newest.sequence)
            content = None if self._key is None else _verified(sealed, tenant_id, self._key)
            if content is None:
                raise ControlFault(
                    Fault.BUNDLE_UNVERIFIED,
                    "the current bundle is not signed by the key in use; publish its files again",
                )
            checked = await self.check(BundleFiles.of(content))
            found = InForce(newest.sequence, checked.files, checked.contents)
            while len(self._in_force) >= IN_FORCE_KEPT_MAX:
                del self._in_force[next(iter(self._in_force))]
            self._in_force[place] = found
        return found

    async def adopt(self, tenant_id: uuid.UUID, author: str) -> None:
        """Make policies of what the current bundle holds, where they are not the same: it is of a
        time before there were any.

        Raises:
            ControlFault: as `in_force`.
        """
        in_force = await self.in_force(tenant_id)
        if not in_force.sequence:
            return
        async with self._store.writing(tenant_id) as connection:
            newest = await self._store.newest_within(connection, tenant_id)
            if newest is not None and newest.sequence == in_force.sequence:
                await self._mirror.mirror(connection, tenant_id, in_force.contents, author, None)

    async def append(
        self,
        tenant_id: uuid.UUID,
        checked: Checked,
        author: str,
        comment: str | None,
        moves: Moves,
        *,
        is_first: bool = False,
    ) -> Published:
        """Make checked files the current bundle, unless they mean what the current means, and
        move versions of policies in the same transaction.

        Raises:
            ControlFault: BUNDLE_INVALID, BUNDLE_NO_KEY.
        """
        store, key = self._store, self.key()
        new: SealedRow | None = None
        async with store.writing(tenant_id) as connection:
            newest = await store.newest_within(connection, tenant_id)
            if newest is not None and is_first:
                return Published(newest, is_new=False)
            is_new = newest is None or not _means_the_same(newest, checked, key)
            await moves(connection, newest, is_new)
            if is_new:
                content = BundleContent(
                    str(tenant_id),
                    1 if newest is None else newest.sequence + 1,
                    checked.revision,
                    await store.now(connection),
                    checked.files.documents,
                    checked.files.mappers,
                )
                new = await asyncio.to_thread(_seal, content, checked, key, author, comment)
                await store.append(connection, tenant_id, new)
        await self._bus.publish(Topic.EVENTS, str(tenant_id))
        if new is None:
            return Published(newest, is_new=False)
        await self._bus.publish(Topic.BUNDLES, str(tenant_id))
        return Published(new.row, is_new=True)

    async def _append(
        self,
        tenant_id: uuid.UUID,
        checked: Checked,
        author: str,
        comment: str | None,
        *,
        is_first: bool = False,
    ) -> Published:
        """The same for files that came as they are: policies become what these say."""

        async def moves(connection: Any, _: BundleRow | None, is_new: bool) -> None:
            await self._mirror.mirror(
                connection, tenant_id, checked.contents, author, comment, by_text=is_new
            )

        return await self.append(tenant_id, checked, author, comment, moves, is_first=is_first)


def _means_the_same(row: BundleRow, checked: Checked, key: SigningKey) -> bool:
    """Whether a new bundle would change nothing; under a new key it gets a new signature."""
    return (row.revision, row.mappers_digest, row.key_id) == (
        checked.revision,
        checked.mappers_digest,
        key.key_id,
    )


def _seal(
    content: BundleContent, checked: Checked, key: SigningKey, author: str, comment: str | None
) -> SealedRow:
    try:
        sealed = seal_bundle(content, key.private)
    except BundleError as error:
        raise invalid_bundle([Problem("documents", 0, 0, error.message)]) from error
    row = BundleRow(
        content.sequence,
        content.revision,
        checked.mappers_digest,
        sealed.key_id,
        author,
        comment,
        content.created_at,
        is_current=True,
    )
    return SealedRow(row, sealed.payload, sealed.signature)


def _verified(found: SealedRow, tenant_id: uuid.UUID, key: SigningKey) -> BundleContent | None:
    """What a stored bundle says, if our key vouches for it and for its place."""
    try:
        content = open_bundle(found.payload, found.signature, key.public)
    except BundleError:
        return None
    is_in_place = (content.tenant_id, content.sequence) == (str(tenant_id), found.row.sequence)
    return content if is_in_place else None
