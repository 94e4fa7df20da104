"""Follows the checkpoints of the tenant's log, keeps the newest, and refuses what contradicts it.

The log's key is pinned at first sight, or given. What is refused stays on disk as evidence: both
checkpoints are signed, so that one that does not follow from the other convicts the log. Nothing
is decided by the log here: a gateway works on, and says loudly what it saw.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.kept_file import load_kept, store_kept
from gateway.model.errors import CheckreinError, ControlPlaneError
from gateway.ports import Clock
from gateway.process.background import in_background
from gateway.process.tasks import end_tasks
from gateway.record.log.seen import CheckpointRefused, Seen, accept, parse_log_key
from gateway.record.log.signed_note import VerifierKey

log = logging.getLogger(__name__)

ASK_SECONDS: Final = 30.0
"""How often the newest checkpoint is asked for; the log signs one at least every 10 s that it
grows."""

SILENT_SECONDS_MAX: Final = 1_800.0
"""The log signs at least every 10 minutes. One that shows nothing for so long is told."""

EVIDENCE_FILES_MAX: Final = 16
"""The first contradiction convicts; a log that goes on lying can't fill the disk."""

_CAN_NOT_PROVE: Final = 422
"""The answer to who has seen more of the log than there is."""

REFUSED_EVENT: Final = "checkpoint_refused"

NoteEvent = Callable[[str, str], None]
"""Records an event of the gateway and its detail."""


class LogFollower:
    """One task. `start` it, `stop` it; `describe` is for readiness. `key` is the text of the log's
    verifier key; empty, the first that is shown is pinned."""

    def __init__(
        self, client: ControlPlaneClient, folder: Path, key: str, clock: Clock, note: NoteEvent
    ) -> None:
        self._client = client
        self._folder = folder
        self._given_key = key
        self._clock = clock
        self._note = note
        self._key: VerifierKey | None = None
        self._seen: Seen | None = None
        self._refused: CheckpointRefused | None = None
        self._unread = ""
        self._heard_at = clock.monotonic()
        self._task: asyncio.Task[None] | None = None

    @property
    def seen(self) -> Seen | None:
        """The newest checkpoint that was accepted."""
        return self._seen

    async def start(self) -> None:
        """Begin where the run before ended, and ask."""
        self._task = asyncio.create_task(self._run(), name="log-follower")

    async def stop(self) -> None:
        """Ask no more."""
        await end_tasks([self._task])

    def describe(self) -> str | None:
        """What is wrong with the log; None when all is well."""
        if self._refused is not None:
            return f"a checkpoint of the log was refused: {self._refused.message}"
        if self._unread:
            return self._unread
        if self._clock.monotonic() - self._heard_at > SILENT_SECONDS_MAX:
            return "the log has shown no checkpoint for half an hour"
        return None

    # --- the task ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        is_loaded = False
        while True:
            is_loaded = is_loaded or await self.load()
            if is_loaded:
                await self.ask()
            await asyncio.sleep(ASK_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load

    async def load(self) -> bool:
        """Take up what was kept. What can't be read is no fresh start: anything could follow it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            pinned = await in_background(load_kept, self._folder / "key")
            key = self._given_key or pinned
            kept = await in_background(load_kept, self._folder / "checkpoint")
            self._key = parse_log_key(key) if key else None
            if kept is not None and self._key is not None:
                self._seen = accept(None, kept, (), self._key)
        except (OSError, UnicodeDecodeError, CheckpointRefused) as error:
            self._unread = (
                f"what was kept of the log can't be used: put `{self._folder}` right, or remove it "
                "to begin anew"
            )
            log.error("kept checkpoint unusable", extra={"detail": _why(error)})
            return False
        self._unread = ""
        return True

    async def ask(self) -> None:
        """Ask once; every failure ends here."""
        try:
            await self._ask()
        except CheckpointRefused as error:
            log.error("checkpoint refused", extra={"code": error.code, "detail": error.message})
        except (ControlPlaneError, OSError) as error:
            log.debug("no checkpoint", extra={"detail": _why(error)})
        except Exception:
            log.exception("following the log failed")
            telemetry.BUGS.inc()

    async def _ask(self) -> None:
        if self._key is None:
            self._key = await self._pin()
            if self._key is None:
                return
        answer = await self._show(self._key)
        note, proof = answer.get("checkpoint"), answer.get("consistency")
        if note is None and self._seen is None:
            return
        try:
            seen = accept(self._seen, _text(note), _texts(proof), self._key)
        except CheckpointRefused as error:
            await self._refuse(error, answer)
            raise
        if self._seen is None or seen.note != self._seen.note:
            await in_background(store_kept, self._folder / "checkpoint", seen.note)
            self._heard_at = self._clock.monotonic()
        self._seen, self._refused = seen, None
        telemetry.LOG_SIZE.set(seen.checkpoint.size)

    async def _show(self, key: VerifierKey) -> Mapping[str, Any]:
        """The newest checkpoint with the proof that it goes on from the one seen. A log that has
        shrunk has no such proof; then what it does show is asked for, since that convicts it."""
        if self._seen is None:
            return await self._client.fetch_checkpoint(0)
        size = self._seen.checkpoint.size
        try:
            return await self._client.fetch_checkpoint(size)
        except Rejected as error:
            if error.status != _CAN_NOT_PROVE:
                raise
            refused = error
        answer = await self._client.fetch_checkpoint(0)
        try:
            shown = accept(None, _text(answer.get("checkpoint")), (), key)
        except CheckpointRefused:
            return answer  # it is refused, and kept as evidence, like any other
        if shown.checkpoint.size > size:
            raise refused  # it has grown past it meanwhile: the next question has its proof
        return answer

    async def _pin(self) -> VerifierKey | None:
        """Trust the first key that is shown, for good."""
        answer = await self._client.fetch_log()
        text = answer.get("key")
        if text is None:
            return None
        key = parse_log_key(_text(text))
        await in_background(store_kept, self._folder / "key", f"{key}\n")
        return key

    async def _refuse(self, error: CheckpointRefused, answer: Mapping[str, Any]) -> None:
        """Keep the evidence and tell of it, once for each kind of contradiction in a row."""
        telemetry.CHECKPOINTS_REFUSED.labels(error.code).inc()
        is_new = self._refused is None or self._refused.code != error.code
        self._refused = error
        if is_new:
            self._note(REFUSED_EVENT, f"{error.code}: {error.message}")
            await in_background(self._keep_evidence, error, answer)

    def _keep_evidence(self, error: CheckpointRefused, answer: Mapping[str, Any]) -> None:
        taken = {path.name for path in self._folder.glob("refused-*")}
        free = next(
            (n for n in range(1, EVIDENCE_FILES_MAX + 1) if f"refused-{n}" not in taken), None
        )
        if free is None:
            return
        evidence = {
            "at": self._clock.now(),
            "code": error.code,
            "message": error.message,
            "key": str(self._key),
            "kept": None if self._seen is None else self._seen.note,
            "shown": answer,
        }
        store_kept(self._folder / f"refused-{free}", json.dumps(evidence) + "\n")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise CheckpointRefused("log.malformed", "the log shows no checkpoint")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise CheckpointRefused("log.malformed", "the proof of consistency is no list of hashes")
    return value


def _why(error: Exception) -> str:
    if isinstance(error, CheckreinError):
        return error.message
    return str(getattr(error, "strerror", None) or "it is not text")
