"""Follows the records of every tenant, and makes runs, their steps and incidents of them.

A batch of records is read, turned and written in the one transaction that moves the tenant's
cursor. INVARIANT(each-once): so every record counts exactly once and in order, whoever is killed
when; of several replicas one reads a tenant at a time, and what it holds nobody waits for.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from controlplane.faults import ControlFault
from controlplane.notify.bus import ANY_KEY, REREAD_SECONDS, Bus, Topic
from controlplane.services.runs import sightings
from controlplane.services.runs.facts import Fact, OutcomeFact, RecoveredFact, read_fact
from controlplane.services.runs.overview import count_steps
from controlplane.services.runs.places import place_steps
from controlplane.services.sweeping import sweep_forever
from controlplane.store.incidents import IncidentStore, Sighting
from controlplane.store.overview import AnswerSeen, OverviewStore
from controlplane.store.projection import NewStep, ProjectionStore, StoredStep
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics
from gateway.model.decision import ReasonCode
from gateway.model.effect import Effect, Mode

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProjectionSettings:
    """`batch_count_max` records are parsed at a stretch: some milliseconds in which no request is
    answered. `blocks_min` of one agent within `blocks_minutes` are an incident.
    `runs_per_agent_hour_max`: agents name runs freely; beyond it their traffic is of one run.
    `recovered_look_back` records before its restart are searched for acts of a gateway without an
    outcome, of which `recovered_count_max` are noted."""

    batch_count_max: int = 250
    tenant_count_max: int = 1_000
    reread_seconds: float = REREAD_SECONDS
    blocks_min: int = 20
    blocks_minutes: int = 5
    runs_per_agent_hour_max: int = 500
    recovered_look_back: int = 20_000
    recovered_count_max: int = 1_000


@dataclass(frozen=True, slots=True)
class _Ended:
    """An act with what became of it."""

    step: StoredStep
    fact: OutcomeFact


class ProjectionService:
    def __init__(
        self,
        store: ProjectionStore,
        incidents: IncidentStore,
        counts: OverviewStore,
        bus: Bus,
        metrics: Metrics,
        settings: ProjectionSettings,
    ) -> None:
        self._store = store
        self._incidents = incidents
        self._counts = counts
        self._bus = bus
        self._metrics = metrics
        self._settings = settings

    async def follow_forever(self) -> None:
        """Catch up whenever records came; nothing ends this."""
        settings = self._settings
        with self._bus.subscribe(Topic.RECORDS, ANY_KEY) as subscription:

            async def follow() -> float:
                await self.catch_up()
                await subscription.wait(settings.reread_seconds)
                return 0.0

            await sweep_forever(follow, settings.reread_seconds, self._metrics)

    async def catch_up(self) -> int:
        """Read all that is not read yet, a batch of each tenant in turn; how many records."""
        total = 0
        while True:
            with acting_for_everybody():
                behind = await self._store.behind(self._settings.tenant_count_max)
            count = 0
            for tenant_id in behind:
                count += await self._read_some(tenant_id)
            if not count:
                return total  # nothing is left, or another replica reads it
            total += count

    async def _read_some(self, tenant_id: uuid.UUID) -> int:
        """One batch; where that fails by itself, its first record alone, and where that fails,
        none of it: one strange record must not hide all that come after it."""
        with acting_for(tenant_id):
            await self._store.ensure_cursor(tenant_id)
            for count_max in (self._settings.batch_count_max, 1):
                try:
                    return await self.read_batch(tenant_id, count_max)
                except ControlFault:
                    raise
                except Exception:
                    log.exception("records could not be read into runs and incidents")
                    self._metrics.bugs.inc()
            async with self._store.batch(tenant_id, 1) as (_, records):
                return len(records)

    async def read_batch(self, tenant_id: uuid.UUID, count_max: int) -> int:
        """Read the next records of a tenant into runs, steps and incidents; how many."""
        async with self._store.batch(tenant_id, count_max) as (connection, records):
            facts = [fact for fact in map(read_fact, records) if fact is not None]
            steps = [fact for fact in facts if isinstance(fact, NewStep)]
            if steps:
                await place_steps(
                    self._store,
                    connection,
                    tenant_id,
                    steps,
                    self._settings.runs_per_agent_hour_max,
                )
            await self._count(connection, tenant_id, steps, facts)
            seen = await self._blocked(connection, tenant_id, steps)
            seen += await self._retried(connection, tenant_id, steps)
            outcomes = [
                fact
                for fact in facts
                if isinstance(fact, OutcomeFact)
                and (fact.is_unknown or fact.code in sightings.WATCHED_CODES)
            ]
            recovered = [fact for fact in facts if isinstance(fact, RecoveredFact)]
            for fact in recovered:
                outcomes += await self._left_open(connection, tenant_id, fact)
            ended = await self._ended(connection, tenant_id, outcomes)
            seen += [
                sightings.of_witness(
                    tenant_id, each.step, each.fact.code, each.fact.approval_id, each.fact.at
                )
                for each in ended
                if each.fact.code in sightings.WATCHED_CODES
            ]
            unknown = [each for each in ended if each.fact.is_unknown and each.step.kind != "read"]
            await self._note(connection, tenant_id, seen, unknown)
        await self._tell(tenant_id, len(records), bool(steps or seen or unknown))
        return len(records)

    async def _count(
        self, connection: Any, tenant_id: uuid.UUID, steps: Sequence[NewStep], facts: Sequence[Fact]
    ) -> None:
        """Count decisions and answers for the overview."""
        providers = {step.decision_id: step.provider for step in steps}
        answers = [
            AnswerSeen(
                fact.decision_id,
                providers.get(fact.decision_id),
                fact.at,
                fact.micros,
                fact.is_failure,
            )
            for fact in facts
            if isinstance(fact, OutcomeFact) and fact.micros is not None
        ]
        if steps:
            await self._counts.add_traffic(connection, tenant_id, count_steps(steps))
        if answers:
            await self._counts.add_answers(connection, tenant_id, answers)

    async def _blocked(
        self, connection: Any, tenant_id: uuid.UUID, steps: Sequence[NewStep]
    ) -> list[Sighting]:
        """Agents that were blocked again and again. A stopped one is told by the stop itself."""
        settings = self._settings
        blocked: defaultdict[str, list[NewStep]] = defaultdict(list)
        for step in steps:
            is_stopped = step.reason_code == ReasonCode.KILL_SWITCH
            if step.effect == Effect.BLOCK and step.mode == Mode.ENFORCE and not is_stopped:
                blocked[step.agent].append(step)
        if not blocked:
            return []
        span = timedelta(minutes=settings.blocks_minutes)
        newest = {agent: max(step.decided_at for step in own) for agent, own in blocked.items()}
        counts = await self._store.count_blocks(
            connection,
            tenant_id,
            {agent: (at - span, at) for agent, at in newest.items()},
            settings.blocks_min + settings.batch_count_max,
        )
        return [
            sightings.of_repeated_blocks(
                tenant_id,
                agent,
                newest[agent],
                [step.decision_id for step in own],
                # The first time, those that came before count as well.
                counts[agent] if counts[agent] - len(own) < settings.blocks_min else len(own),
                f"{settings.blocks_min} times or more within {settings.blocks_minutes} minutes",
            )
            for agent, own in blocked.items()
            if counts.get(agent, 0) >= settings.blocks_min
        ]

    async def _retried(
        self, connection: Any, tenant_id: uuid.UUID, steps: Sequence[NewStep]
    ) -> list[Sighting]:
        """Acts that wait for a person though one has denied them."""
        held = [
            step
            for step in steps
            if step.effect == Effect.REQUIRE_APPROVAL and step.mode == Mode.ENFORCE and step.digest
        ]
        if not held:
            return []
        denied = await self._store.denied_before(connection, tenant_id, held)
        if not denied:
            return []
        at = {step.decision_id: step.decided_at for step in held}
        stored = await self._store.steps_of(connection, tenant_id, list(denied))
        return [
            sightings.of_denied_retry(
                tenant_id, stored[decision_id], str(approval_id), at[decision_id]
            )
            for decision_id, approval_id in denied.items()
            if decision_id in stored
        ]

    async def _left_open(
        self, connection: Any, tenant_id: uuid.UUID, fact: RecoveredFact
    ) -> list[OutcomeFact]:
        """What a gateway was about to send when it went down: nobody knows what became of it."""
        settings = self._settings
        left = await self._store.open_intents(
            connection,
            tenant_id,
            fact.record,
            settings.recovered_look_back,
            settings.recovered_count_max,
        )
        return [OutcomeFact(each, fact.at, True, "gateway_lost", None) for each in left]

    async def _ended(
        self, connection: Any, tenant_id: uuid.UUID, outcomes: Sequence[OutcomeFact]
    ) -> list[_Ended]:
        """Outcomes with the step that each is of; one that came without its decision is left."""
        if not outcomes:
            return []
        ids = list(dict.fromkeys(fact.decision_id for fact in outcomes))
        stored: Mapping[str, StoredStep] = await self._store.steps_of(connection, tenant_id, ids)
        return [
            _Ended(stored[fact.decision_id], fact)
            for fact in outcomes
            if fact.decision_id in stored
        ]

    async def _note(
        self,
        connection: Any,
        tenant_id: uuid.UUID,
        seen: Sequence[Sighting],
        unknown: Sequence[_Ended],
    ) -> None:
        by_decision = {
            each.step.decision_id: sightings.of_unknown_outcome(tenant_id, each.step, each.fact.at)
            for each in unknown
        }
        incident_of = {
            sighting.group: await self._incidents.note_with(connection, sighting)
            for sighting in sightings.together([*seen, *by_decision.values()])
        }
        for each in unknown:
            incident_id = incident_of[by_decision[each.step.decision_id].group]
            await self._store.note_unknown(
                connection, tenant_id, each.step, each.fact.at, each.fact.code, incident_id
            )

    async def _tell(self, tenant_id: uuid.UUID, record_count: int, is_followed: bool) -> None:
        self._metrics.projected.inc(record_count)
        if is_followed:
            await self._bus.publish(Topic.EVENTS, str(tenant_id))
