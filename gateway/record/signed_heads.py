"""Signs the heads of the gateway's chain: one with every batch that is shipped, and the newest
beside the spool, so that a spool alone can be verified.

Nothing here is on a request's path: signing is done in threads, for batches, and at most once a
second for the file.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from gateway import telemetry
from gateway.model.errors import RecordError
from gateway.model.record import GatewayEntry
from gateway.ports import Clock
from gateway.process.background import in_background
from gateway.process.tasks import end_tasks
from gateway.record.chain import line_hash
from gateway.record.recorder import Recorder
from gateway.record.signing import SIGNING_KEY_EVENT, KeyFolder, SigningKeys
from gateway.record.spool import Spool

log = logging.getLogger(__name__)

KEEP_SECONDS: Final = 1.0
"""How far the head beside the spool may lag behind a record that grows."""


class SignedHeads:
    """The signer of one recorder. `open` and `start` it before anything else is recorded, so that
    a new chain begins with its key; `stop` it before the recorder closes, which then keeps the
    head of the last line."""

    def __init__(
        self, recorder: Recorder, clock: Clock, folder: KeyFolder, keys: SigningKeys
    ) -> None:
        self._recorder = recorder
        self._spool = recorder.spool
        self._clock = clock
        self._folder = folder
        self._keys = keys
        self._is_announced = folder.is_announced(keys)
        self._kept_seq = 0
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    @classmethod
    def open(cls, recorder: Recorder, clock: Clock) -> SignedHeads:
        """Load the key, and hold the chain against the head that was signed last.

        Raises:
            RecordError: `record.corrupt`, the chain is not what was signed;
                `record.key_unreadable`.
        """
        folder = KeyFolder(recorder.spool.directory, recorder.gateway_id)
        keys = folder.load_or_make()
        _check_spool(recorder.spool, folder, keys)
        heads = cls(recorder, clock, folder, keys)
        recorder.on_flushed = heads.keep_newest
        return heads

    @property
    def keys(self) -> SigningKeys:
        return self._keys

    @property
    def fault(self) -> str | None:
        """Why the chain doesn't name the key; None when all is well."""
        return None if self._is_announced else "the record does not name its signing key yet"

    async def start(self) -> None:
        """Announce the key where the chain doesn't name it yet, and begin to keep heads."""
        await self._settle_keys()
        self._task = asyncio.create_task(self._keep(), name="signed-heads")

    async def stop(self) -> None:
        """End the task; the recorder keeps the last head when it closes."""
        await end_tasks([self._task])

    def rotate(self) -> None:
        """Take another key soon, if the file `rotate_signing_key` lies beside the spool."""
        self._wanted.set()

    def sign_batch(self, last_seq: int, last_line: bytes) -> str:
        """The signed head of a chain up to this durable line. For a thread."""
        return self._keys.sign_head(self._spool.gateway_id, last_seq, line_hash(last_line))

    def keep_newest(self) -> None:
        """Put the head of what is durable now beside the spool, if it has grown. For a thread."""
        seq, head = self._spool.tip
        if seq == self._kept_seq or not seq:
            return
        try:
            self._folder.keep_head(self._keys.sign_head(self._spool.gateway_id, seq, head))
        except OSError as error:
            log.warning("signed head not kept", extra={"detail": error.strerror})
            return
        self._kept_seq = seq

    async def forget_old_key(self) -> None:
        """The control plane took the newest key."""
        if self._keys.old is not None:
            self._keys = await in_background(self._folder.forget_old, self._keys)

    # --- the task ---------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            self._wanted.clear()
            try:
                await in_background(self.keep_newest)
                async with asyncio.timeout(KEEP_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            try:
                await self._settle_keys()
            except Exception:
                log.exception("looking after the signing key failed")
                telemetry.BUGS.inc()

    async def _settle_keys(self) -> None:
        """Bring a key that is new into the chain, and exchange it where somebody asked for that.
        What a full disk prevents is tried again."""
        folder, keys = self._folder, self._keys
        try:
            if not self._is_announced:
                await self._announce(keys)
                await in_background(folder.note_announced, keys)
                self._is_announced = True
            if keys.old is None and folder.is_rotation_asked():
                await self._rotate(keys)
        except (RecordError, OSError) as error:
            detail = error.code if isinstance(error, RecordError) else error.strerror
            log.warning("signing key not announced", extra={"detail": detail})

    async def _rotate(self, keys: SigningKeys) -> None:
        following = await in_background(self._folder.make_next, keys)
        await self._announce(following)
        await in_background(self._folder.take_next)
        self._keys = following
        await in_background(self._folder.note_announced, following)
        log.info("the record is signed by a new key")

    async def _announce(self, keys: SigningKeys) -> None:
        now, detail = self._clock.now(), keys.verifier_key
        entry = GatewayEntry(now, SIGNING_KEY_EVENT, detail, key_proof=keys.key_proof())
        await self._recorder.append_durably(entry)


def _check_spool(spool: Spool, folder: KeyFolder, keys: SigningKeys) -> None:
    """Refuse a spool that is not what was signed: cut off, or written anew.

    Lines that retention has deleted can't be looked at; the control plane has them.
    """
    head = folder.load_head(keys)
    if head is None or head.size < 1:
        return
    if head.size > spool.last_seq:
        raise RecordError(
            "record.corrupt",
            f"the spool ends at record {spool.last_seq}, but record {head.size} was signed",
            retryable=False,
        )
    if head.size == spool.last_seq:
        found: str | None = spool.head
    elif head.size >= spool.first_seq:
        found = line_hash(spool.read(head.size - 1, 1, 1)[0])
    else:
        found = None
    if found is not None and found != head.root.hex():
        raise RecordError(
            "record.corrupt",
            f"record {head.size} in the spool is not the one that was signed",
            retryable=False,
        )
