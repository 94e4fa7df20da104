"""Tells the control plane which rules a gateway runs that takes them from files beside it.

One that takes bundles says so by asking for the next. Nothing is decided by what is told here: a
control plane that is gone, or does not know of it, delays and fails nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient
from gateway.model.errors import ControlPlaneError
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""How late a change is told: as late as people see it who look at a page."""

REPEAT_SECONDS: Final = 30.0
"""How old the word of a gateway may be that is there."""

_FILES: Final = "files"


class RulesReport:
    """`revision` gives what decides now."""

    def __init__(
        self, client: ControlPlaneClient, gateway_id: str, revision: Callable[[], str]
    ) -> None:
        self._client = client
        self._gateway_id = gateway_id
        self._revision = revision
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._tell(), name="rules-report")

    async def stop(self) -> None:
        """Tell no more."""
        await end_tasks([self._task])

    async def _tell(self) -> None:
        told, waited = "", 0.0
        while True:
            revision = self._revision()
            if revision != told or waited >= REPEAT_SECONDS:
                # Who isn't heard says it again with the next round.
                told, waited = revision, 0.0
                try:
                    await self._client.report_rules(self._gateway_id, revision, _FILES)
                except ControlPlaneError as error:
                    log.debug("rules not reported", extra={"code": error.code})
                except Exception:
                    log.exception("telling which rules run failed")
                    telemetry.BUGS.inc()
            await asyncio.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
