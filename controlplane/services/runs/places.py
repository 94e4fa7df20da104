"""Which run each decision belongs to: one that is there, one that it opens, or the one for all that
is too many.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from controlplane.store.projection import LockedRun, NewStep, ProjectionStore, StepCount
from gateway.model.effect import Effect
from gateway.model.run import OPEN_RUN_STATES, RunState

OTHER: Final = "(other)"
"""The run of an agent's traffic whose own runs would be too many. Found by that name."""

FROM_TRAFFIC: Final = "gateway"
"""The origin of runs that nobody announced."""


@dataclass(slots=True)
class _Tally:
    """What a batch adds to one run; `index` is that of the newest step."""

    index: int
    steps: int = 0
    blocked: int = 0
    held: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, step: NewStep) -> int:
        """Count a step; its index."""
        at = step.decided_at
        self.index += 1
        self.steps += 1
        self.blocked += step.effect == Effect.BLOCK
        self.held += step.effect == Effect.REQUIRE_APPROVAL
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)
        return self.index


async def place_steps(
    store: ProjectionStore,
    connection: Any,
    tenant_id: uuid.UUID,
    steps: Sequence[NewStep],
    opened_per_hour_max: int,
) -> None:
    """Append steps to their runs, in order, and open what runs they need."""
    firsts: dict[tuple[str, str], NewStep] = {}
    for step in steps:
        firsts.setdefault((step.agent, step.run_name), step)
    runs = dict(await store.find_runs(connection, tenant_id, list(firsts)))
    unplaced = {
        pair: step
        for pair, step in firsts.items()
        if not (pair in runs and joins(step, runs[pair]))
    }
    if unplaced:
        runs.update(
            await _open(store, connection, tenant_id, list(unplaced.values()), opened_per_hour_max)
        )
    tallies: dict[uuid.UUID, _Tally] = {}
    placed = []
    for step in steps:
        run = runs[step.agent, step.run_name]
        tally = tallies.setdefault(run.run_id, _Tally(run.step_count))
        placed.append((run.run_id, tally.add(step), step))
    counts = [
        StepCount(run_id, tally.steps, tally.blocked, tally.held, tally.first_at, tally.last_at)
        for run_id, tally in tallies.items()
        if tally.first_at is not None and tally.last_at is not None
    ]
    await store.add_steps(connection, tenant_id, placed, counts)


def joins(step: NewStep, run: LockedRun) -> bool:
    """Whether a step is of this run of its name. What was announced or cancelled keeps its name
    for ever; a run that traffic opened ends, and later traffic of the name is another one's."""
    is_open = run.status in OPEN_RUN_STATES
    keeps_name = run.origin != FROM_TRAFFIC or run.status is RunState.CANCELLED
    return is_open or keeps_name or (run.ended_at is not None and step.decided_at <= run.ended_at)


async def _open(
    store: ProjectionStore,
    connection: Any,
    tenant_id: uuid.UUID,
    firsts: Sequence[NewStep],
    opened_per_hour_max: int,
) -> dict[tuple[str, str], LockedRun]:
    agents = list(dict.fromkeys(step.agent for step in firsts))
    lately = await store.opened_lately(connection, tenant_id, agents)
    opened: defaultdict[str, int] = defaultdict(int, lately)
    found: dict[tuple[str, str], LockedRun] = {}
    for step in firsts:
        is_too_many = opened[step.agent] >= opened_per_hour_max
        opened[step.agent] += 1
        name = OTHER if is_too_many else step.run_name
        pair = (step.agent, name)
        if pair not in found:
            found[pair] = await store.open_run(connection, tenant_id, step, name)
        found[step.agent, step.run_name] = found[pair]
    return found
