"""Ships what is left in the records of workers that are no more, beside everything else.

Fewer workers than before must not mean that their last records never reach the control plane. A
folder that another process uses is left alone.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.record_proofs import RecordProofs
from gateway.control_client.record_shipper import RecordShipper
from gateway.model.errors import CheckreinError
from gateway.ports import Clock
from gateway.process.tasks import end_tasks
from gateway.record.recorder import Recorder
from gateway.settings import WORKERS_FOLDER, GatewaySettings

log = logging.getLogger(__name__)

SHIP_SECONDS_MAX = 24 * 3_600.0
"""A control plane that is away for longer is tried again at the next start."""


class Leftovers:
    """`start` it, `stop` it; it ends by itself when all is shipped."""

    def __init__(self, settings: GatewaySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, where there is anything to do."""
        folders = self.folders()
        if folders:
            self._task = asyncio.create_task(self._ship_all(folders), name="leftovers")

    async def stop(self) -> None:
        """Ship no more."""
        await end_tasks([self._task])

    def folders(self) -> list[Path]:
        """The data directories of workers beyond those that run now."""
        root = self._settings.data_dir / WORKERS_FOLDER
        found = [folder for folder in root.glob("*") if folder.name.isdigit()]
        return sorted(
            folder
            for folder in found
            if int(folder.name) > self._settings.life.workers and (folder / "spool").is_dir()
        )

    async def _ship_all(self, folders: list[Path]) -> None:
        for folder in folders:
            try:
                await self._ship(folder)
            except CheckreinError as error:
                log.warning("a former worker's record is left", extra={"code": error.code})

    async def _ship(self, folder: Path) -> None:
        async with AsyncExitStack() as stack:
            spool = replace(self._settings.spool, gateway_id="")  # the folder knows whose it is
            recorder = Recorder.open(folder / "spool", spool, self._clock)
            stack.push_async_callback(recorder.close)
            if recorder.spool.acknowledged_seq >= recorder.spool.last_seq:
                return
            proofs = RecordProofs.open(recorder, self._clock)
            stack.push_async_callback(proofs.stop)
            await proofs.start()
            client = ControlPlaneClient(self._settings.control)
            stack.push_async_callback(client.close)
            shipper = RecordShipper(client, recorder, proofs.heads, self._settings.control)
            stack.push_async_callback(shipper.stop)
            await shipper.start()
            if await shipper.drain(SHIP_SECONDS_MAX):
                log.info("a former worker's record is shipped", extra={"count": 1})
