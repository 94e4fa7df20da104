"""`ports.LimitStore` of one gateway alone: counted in this process, with a copy on disk.

INVARIANT(before): what goes out at once is in the journal before anybody is told that it may go.
What is given back or ends needs no disk: lost, it only counts longer.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from gateway.counters import entries
from gateway.counters.journal import Journal
from gateway.counters.ledger import Ledger, LedgerBounds
from gateway.model.limit import LimitClaim, Reserved
from gateway.ports import Clock
from gateway.record.segments import Disk


class LocalLimits:
    """Counters of this gateway. Without a journal they begin at zero with the process."""

    def __init__(
        self, clock: Clock, bounds: LedgerBounds | None = None, journal: Journal | None = None
    ) -> None:
        self._clock = clock
        self._ledger = Ledger(secrets.token_hex(6), bounds)
        self._journal = journal

    @classmethod
    def open(
        cls,
        directory: Path,
        clock: Clock,
        bounds: LedgerBounds | None = None,
        disk: Disk | None = None,
    ) -> LocalLimits:
        """Go on with the counters that lie in a directory.

        Raises:
            LimitError: another process has them, or they can't be read.
        """
        journal = Journal.open(directory, disk)
        store = cls(clock, bounds, journal)
        ledger, now = store._ledger, clock.now()
        try:
            journal.load_into(ledger, now, lambda: entries.snapshot_lines(ledger))
        except BaseException:
            journal.give_back()
            raise
        ledger.end_flights(now)
        return store

    @property
    def fault(self) -> str | None:
        """Why nothing that is under a limit is sent at present."""
        return None if self._journal is None else self._journal.fault

    async def close(self) -> None:
        """Write what is left."""
        if self._journal is not None:
            await self._journal.close()

    async def reserve(
        self, owner: str, claims: Sequence[LimitClaim], now: int, lapses_at: int | None
    ) -> Reserved:
        # A request may have come long before its body: it counts from when it is decided.
        at = max(now, self._clock.now())
        reserved, is_new = self._ledger.reserve(owner, claims, at, lapses_at)
        if is_new:
            await self._note_taken(reserved.token, is_durable=lapses_at is None)
        return reserved

    async def start(self, token: str) -> bool:
        if not self._ledger.start(token, self._clock.now()):
            return False
        if self._journal is not None:
            await self._durably(token, entries.started(token))
        return True

    async def settle(self, token: str) -> None:
        now = self._clock.now()
        if self._ledger.settle(token, now) and self._journal is not None:
            self._journal.append(entries.settled(token, now))

    async def release(self, token: str) -> None:
        self._release(token)

    def _release(self, token: str) -> None:
        if self._ledger.release(token) and self._journal is not None:
            self._journal.append(entries.released(token))

    async def _note_taken(self, token: str, *, is_durable: bool) -> None:
        if self._journal is None:
            return
        reservation = self._ledger.find(token)
        assert reservation is not None, "it has just been taken"
        entry = entries.taken(reservation)
        if is_durable:
            await self._durably(token, entry)
        else:
            self._journal.append(entry)

    async def _durably(self, token: str, entry: entries.Entry) -> None:
        """Put on disk what allows to send; where that fails, nothing is sent, and it is given
        back."""
        assert self._journal is not None
        try:
            await self._journal.append_durably(entry)
        except BaseException:
            self._release(token)
            raise
