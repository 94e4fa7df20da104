"""Says whether the control plane can do its work now."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controlplane.store.database import Database
from controlplane.store.installation import Installation, InstallationStore
from controlplane.store.keys import KeyStore
from controlplane.telemetry import Metrics


class HealthService:
    def __init__(
        self,
        database: Database,
        keys: KeyStore,
        metrics: Metrics,
        checks: Mapping[str, Callable[[], str]],
    ) -> None:
        self._database = database
        self._keys = keys
        self._installation = InstallationStore(database)
        self._metrics = metrics
        self._checks = checks

    def notes(self) -> Mapping[str, str]:
        """What is not as it should be and keeps no request from being answered, in a word each."""
        return {name: found for name, check in self._checks.items() if (found := check())}

    async def check(self) -> None:
        """Ask the database something.

        Raises:
            ControlFault: UNAVAILABLE.
        """
        await self._keys.ping()

    async def about(self) -> Installation:
        """What it all runs on."""
        return await self._installation.about()

    def measure(self) -> None:
        """Bring the gauges up to date, for a scrape."""
        idle = self._database.idle_count
        self._metrics.connections.labels("idle").set(idle)
        self._metrics.connections.labels("busy").set(self._database.connection_count - idle)
