"""Joins what is made of records as they come: runs, incidents, the overview's numbers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from controlplane.notify.bus import Bus
from controlplane.services.months import make_months_forever
from controlplane.services.runs.incidents import IncidentService
from controlplane.services.runs.lifecycle import RunService, RunSettings
from controlplane.services.runs.overview import OverviewService
from controlplane.services.runs.projection import ProjectionService, ProjectionSettings
from controlplane.store.database import Database
from controlplane.store.incidents import IncidentStore
from controlplane.store.months import MonthStore
from controlplane.store.overview import OverviewStore
from controlplane.store.projection import ProjectionStore
from controlplane.store.runs import RunStore
from controlplane.store.stops import StopStore
from controlplane.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Watching:
    """`forever` are tasks by name that run for as long as the control plane does."""

    runs: RunService
    incidents: IncidentService
    overview: OverviewService
    forever: Mapping[str, Callable[[], Coroutine[None, None, None]]]


def join_watching(
    database: Database,
    bus: Bus,
    metrics: Metrics,
    of_runs: RunSettings,
    of_projection: ProjectionSettings,
) -> Watching:
    """Make them."""
    run_store, incident_store = RunStore(database), IncidentStore(database)
    overview_store = OverviewStore(database)
    runs = RunService(run_store, StopStore(database), bus, metrics, of_runs)
    overview = OverviewService(overview_store, metrics)
    projection = ProjectionService(
        ProjectionStore(database), incident_store, overview_store, bus, metrics, of_projection
    )
    return Watching(
        runs,
        IncidentService(incident_store, run_store, bus),
        overview,
        {
            "runs-sweep": runs.sweep_forever,
            "projection": projection.follow_forever,
            "overview-sweep": overview.sweep_forever,
            "months": lambda: make_months_forever(MonthStore(database), metrics),
        },
    )
