"""Tells the control plane which key signs this gateway's record, until it took it.

A gateway that can't enrol works and records as ever; its record is only not known to be its own.
Another key than the one that is enrolled is taken on the word of that one alone: who lost it needs
a person.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient, Rejected
from gateway.control_client.retry import pauses
from gateway.model.errors import ControlPlaneError
from gateway.process.tasks import end_tasks
from gateway.record.signed_heads import SignedHeads

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""How late a rotation is noticed."""

RETRY_SECONDS_MAX: Final = 60.0
"""The longest pause between tries; nothing waits for one."""

CONFLICT: Final = "RECORD_KEY_CONFLICT"


class KeyEnrolment:
    """One task. `start` it, `stop` it; `describe` is for readiness."""

    def __init__(self, client: ControlPlaneClient, gateway_id: str, heads: SignedHeads) -> None:
        self._client = client
        self._gateway_id = gateway_id
        self._heads = heads
        self._task: asyncio.Task[None] | None = None
        self._fault: str | None = "the record's signing key is not enrolled yet"

    async def start(self) -> None:
        """Begin to enrol."""
        self._task = asyncio.create_task(self._run(), name="key-enrolment")

    async def stop(self) -> None:
        """Try no more."""
        await end_tasks([self._task])

    def describe(self) -> str | None:
        """Why the control plane does not know the key; None when it does."""
        return self._fault or self._heads.fault

    async def _run(self) -> None:
        enrolled = ""
        waits = pauses(RETRY_SECONDS_MAX)
        while True:
            keys = self._heads.keys
            if keys.verifier_key == enrolled:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            try:
                await self._client.enrol_key(self._gateway_id, keys.verifier_key, keys.key_proof())
                enrolled, self._fault = keys.verifier_key, None
                await self._heads.forget_old_key()
                waits = pauses(RETRY_SECONDS_MAX)
                continue
            except (ControlPlaneError, OSError) as error:
                self._note(error)
            except Exception:
                log.exception("enrolling the signing key failed")
                telemetry.BUGS.inc()
            await asyncio.sleep(next(waits))

    def _note(self, error: ControlPlaneError | OSError) -> None:
        """Say what stands in the way, and log it when it is something else than before."""
        if isinstance(error, Rejected) and error.reason == CONFLICT:
            fault = (
                "the control plane knows another signing key of this gateway; give it back, or "
                "begin a new record: another CHECKREIN_GATEWAY_ID and an empty spool"
            )
        else:
            why = error.message if isinstance(error, ControlPlaneError) else error.strerror
            fault = f"the record's signing key is not enrolled: {why}"
        if fault != self._fault:
            log.warning("signing key not enrolled", extra={"detail": fault})
        self._fault = fault
