"""Joins adapters into services: which service needs which store, and what runs beside them.

`app` opens the world (database, bus, port) and closes it; here it is only joined together.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from controlplane.api.first_channel import add_first_channel
from controlplane.api.subjects import SubjectReader
from controlplane.notify.bus import Bus
from controlplane.services.access.agents import AgentService
from controlplane.services.access.bootstrap import Bootstrapped, bootstrap
from controlplane.services.access.gateways import GatewayService
from controlplane.services.access.keys import KeyService
from controlplane.services.access.sessions import SessionService
from controlplane.services.approvals.answered import AnsweredService
from controlplane.services.approvals.context import ApprovalContextService
from controlplane.services.approvals.grants import GrantService
from controlplane.services.approvals.lifecycle import ApprovalService, ApprovalSettings
from controlplane.services.approvals.programs import ProgramApprovalService
from controlplane.services.coverage import CoverageService
from controlplane.services.decisions.explorer import ExplorerService
from controlplane.services.decisions.exports import ExportService
from controlplane.services.decisions.from_records import DecisionService
from controlplane.services.health import HealthService
from controlplane.services.idempotency import IdempotencyService
from controlplane.services.joined import Services
from controlplane.services.learner import LearnerService
from controlplane.services.limits import LimitService, LimitSettings
from controlplane.services.log.proving import Proving, ProvingLimits, join_proving
from controlplane.services.policies.bundles import BundleService
from controlplane.services.policies.drafts import DraftReader
from controlplane.services.policies.first_bundle import adopt_bundle, publish_first_bundle
from controlplane.services.policies.mirror import PolicyMirror
from controlplane.services.policies.preview import PolicyPreview
from controlplane.services.policies.versions import PolicyService
from controlplane.services.reaching.joined import Answerers, Reaching, join_reaching
from controlplane.services.reaching.notifications import NotificationSettings
from controlplane.services.reaching.streaming import StreamSettings
from controlplane.services.record.chain_check import ChainCheck
from controlplane.services.record.intake import RecordService
from controlplane.services.record.retention import RetentionService
from controlplane.services.runs.following import FollowService
from controlplane.services.runs.incidents import IncidentService
from controlplane.services.runs.lifecycle import RunSettings
from controlplane.services.runs.projection import ProjectionSettings
from controlplane.services.runs.stops import StopService
from controlplane.services.runs.watching import join_watching
from controlplane.services.signing_keys import load_signing_key
from controlplane.services.waiting import WaitingRoom, WaitingSettings
from controlplane.settings import ControlSettings
from controlplane.store.agents import AgentStore
from controlplane.store.approval_history import ApprovalHistory
from controlplane.store.approvals import ApprovalStore
from controlplane.store.bundles import BundleStore
from controlplane.store.coverage import CoverageStore
from controlplane.store.database import Database, PoolSettings
from controlplane.store.decisions import DecisionStore
from controlplane.store.embedded import PostgresSettings
from controlplane.store.events import EventStore
from controlplane.store.explorer import ExplorerStore
from controlplane.store.gateways import GatewayStore
from controlplane.store.grants import GrantStore
from controlplane.store.idempotency import IdempotencyStore
from controlplane.store.keys import KeyStore
from controlplane.store.learner import LearnerStore
from controlplane.store.limits import LimitLedger
from controlplane.store.policies import PolicyStore
from controlplane.store.records import RecordStore
from controlplane.store.retention import RetentionStore
from controlplane.store.sessions import SessionStore
from controlplane.store.stops import StopStore
from controlplane.store.tenancy import acting_for, acting_for_everybody
from controlplane.telemetry import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """The parts' own settings. `stop_seconds_max` is what a supervisor waits before it kills;
    `drain_seconds_max` of it is for requests that are being answered."""

    pool: PoolSettings = field(default_factory=PoolSettings)
    postgres: PostgresSettings = field(default_factory=PostgresSettings)
    waiting: WaitingSettings = field(default_factory=WaitingSettings)
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    counters: LimitSettings = field(default_factory=LimitSettings)
    runs: RunSettings = field(default_factory=RunSettings)
    projection: ProjectionSettings = field(default_factory=ProjectionSettings)
    notifications: NotificationSettings = field(default_factory=NotificationSettings)
    streams: StreamSettings = field(default_factory=StreamSettings)
    proving: ProvingLimits = field(default_factory=ProvingLimits)
    backlog: int = 512
    keepalive_seconds: float = 75.0
    head_seconds_max: float = 30.0
    drain_seconds_max: float = 1.0


@dataclass(frozen=True, slots=True)
class World:
    """What `app` has opened. `public_url` says where people reach it, once the port is open."""

    settings: ControlSettings
    limits: Limits
    database: Database
    bus: Bus
    room: WaitingRoom
    metrics: Metrics
    public_url: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Assembled:
    """`forever` are tasks by name that run for as long as the control plane does."""

    services: Services
    bootstrapped: Bootstrapped
    forever: Mapping[str, Callable[[], Coroutine[None, None, None]]]


async def assemble(world: World) -> Assembled:
    """Make what a fresh installation needs, and every service.

    Raises:
        StartError: a key or a file can't be used.
    """
    limits, database, bus = world.limits, world.database, world.bus
    room, metrics = world.room, world.metrics
    key_store, agent_store = KeyStore(database), AgentStore(database)
    approval_store, policy_store = ApprovalStore(database), PolicyStore(database)
    bootstrapped = await _bootstrap(world, key_store, agent_store)
    with acting_for(bootstrapped.tenant_id):
        bundles = await _make_bundles(world, policy_store, bootstrapped.tenant_id)
    drafts = DraftReader(bundles)
    keys = KeyService(key_store, bus)
    sessions = SessionService(SessionStore(database), keys, metrics)
    approvals = ApprovalService(approval_store, bus, room, metrics, limits.approvals)
    grants = GrantService(GrantStore(database), approval_store, bus, metrics)
    counters = LimitService(
        LimitLedger(database, limits.counters.flight_seconds_max), metrics, limits.counters
    )
    idempotency = _repeat(world)
    watching = join_watching(database, bus, metrics, limits.runs, limits.projection)
    runs, incidents = watching.runs, watching.incidents
    stops = StopService(StopStore(database), bus, room, metrics)
    decisions, explorer, exports, chain_check = _explore(database)
    proving = await _prove(world, incidents, exports)
    retention = _retain(world)
    subjects = SubjectReader(approvals, incidents, grants, stops, proving.logs, retention)
    reaching = await _reach(world, bootstrapped.tenant_id, Answerers(approvals, keys), subjects)
    services = Services(
        keys=keys,
        sessions=sessions,
        following=FollowService(EventStore(database), bus),
        answered=AnsweredService(EventStore(database), room),
        overview=watching.overview,
        coverage=CoverageService(CoverageStore(database)),
        approvals=approvals,
        program_approvals=ProgramApprovalService(approval_store, bus, metrics),
        approval_context=ApprovalContextService(approval_store, ApprovalHistory(database)),
        records=_take_records(world, proving, incidents),
        retention=retention,
        gateway_keys=proving.keys,
        logs=proving.logs,
        log_exports=proving.exports,
        decisions=decisions,
        explorer=explorer,
        exports=exports,
        chain_check=chain_check,
        agents=AgentService(agent_store, keys, bus, room),
        limits=counters,
        stops=stops,
        runs=runs,
        incidents=incidents,
        bundles=bundles,
        gateways=GatewayService(GatewayStore(database), BundleStore(database)),
        policies=PolicyService(database, policy_store, bundles, drafts, bus),
        policy_preview=PolicyPreview(policy_store, bundles, drafts),
        grants=grants,
        learner=LearnerService(LearnerStore(database)),
        idempotency=idempotency,
        channels=reaching.channels,
        slack_callbacks=reaching.slack_callbacks,
        mail_links=reaching.mail_links,
        streams=reaching.streams,
        health=HealthService(database, key_store, metrics, proving.checks),
        metrics=metrics,
    )
    forever = {**_sweeps(services), **watching.forever, **reaching.forever, **proving.forever}
    return Assembled(services, bootstrapped, forever)


def _sweeps(services: Services) -> Mapping[str, Callable[[], Coroutine[None, None, None]]]:
    return {
        "approvals-sweep": services.approvals.sweep_forever,
        "sessions-sweep": services.sessions.sweep_forever,
        "grants-sweep": services.grants.sweep_forever,
        "limits-sweep": services.limits.sweep_forever,
        "idempotency-sweep": services.idempotency.sweep_forever,
        "retention-sweep": services.retention.sweep_forever,
    }


async def _prove(world: World, incidents: IncidentService, exports: ExportService) -> Proving:
    proving = join_proving(
        world.database,
        world.settings,
        world.limits.proving,
        incidents,
        exports,
        world.bus,
        world.metrics,
    )
    await proving.growth.catch_up_at_start()
    return proving


def _take_records(world: World, proving: Proving, incidents: IncidentService) -> RecordService:
    return RecordService(
        RecordStore(world.database),
        proving.growth,
        proving.keys,
        incidents,
        world.bus,
        world.room,
        world.metrics,
    )


def _repeat(world: World) -> IdempotencyService:
    kept_seconds = world.settings.idempotency_seconds
    return IdempotencyService(IdempotencyStore(world.database), world.metrics, kept_seconds)


def _retain(world: World) -> RetentionService:
    days = world.settings.retention_days
    return RetentionService(RetentionStore(world.database), days, world.metrics)


def _explore(
    database: Database,
) -> tuple[DecisionService, ExplorerService, ExportService, ChainCheck]:
    store, decisions = ExplorerStore(database), DecisionService(DecisionStore(database))
    explorer = ExplorerService(store, decisions)
    return decisions, explorer, ExportService(store, explorer), ChainCheck(store)


async def _bootstrap(world: World, keys: KeyStore, agents: AgentStore) -> Bootstrapped:
    with acting_for_everybody():
        return await bootstrap(keys, agents, world.settings.bootstrap, world.settings.data_dir)


async def _reach(
    world: World, tenant_id: uuid.UUID, answerers: Answerers, subjects: SubjectReader
) -> Reaching:
    reaching = join_reaching(
        world.database,
        world.settings,
        world.limits.notifications,
        world.limits.streams,
        answerers,
        subjects.read,
        world.public_url,
        world.metrics,
    )
    with acting_for(tenant_id):
        await add_first_channel(reaching.channels, tenant_id, world.settings.reaching)
    return reaching


async def _make_bundles(world: World, policies: PolicyStore, tenant_id: uuid.UUID) -> BundleService:
    store, files = BundleStore(world.database), world.settings.bundles
    key = load_signing_key(world.settings.data_dir, files.key_file)
    bundles = BundleService(store, world.bus, world.room, key, PolicyMirror(policies))
    await publish_first_bundle(bundles, tenant_id, files.first_policies, files.first_mappers)
    newest = await store.newest(tenant_id)
    if newest is not None and not await policies.count(tenant_id):
        await adopt_bundle(bundles, tenant_id)
    if key is not None and newest is not None and newest.key_id != key.key_id:
        log.warning(
            "the current bundle is signed by another key than this control plane has; "
            "publish its files again, and give gateways the new key",
            extra={"detail": newest.key_id},
        )
    return bundles
