"""Joins the adapters to a pipeline: settings in, one `Assembled` out, without a way in.

Whatever brings requests (the gateway's own listeners, the addon of another proxy) puts itself in
front of it. Starts from the inside out, so that nothing can arrive before it can be decided and
recorded; the stack stops it the other way round.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.control_client.agents import Directory
from gateway.control_client.approvals import ControlPlaneDesk
from gateway.control_client.bundles import BundleFeed
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.limits import LimitsFallback, LimitsKept, SharedLimits
from gateway.control_client.record_proofs import RecordProofs
from gateway.control_client.record_shipper import RecordShipper
from gateway.control_client.rules_report import RulesReport
from gateway.control_client.stops import Stops, describe
from gateway.counters.local import LocalLimits
from gateway.enforce.destination import DestinationGuard
from gateway.journey.past_entries import note_past
from gateway.model.dataclass import dataclass
from gateway.model.record import GatewayEntry
from gateway.model.stop import Stop
from gateway.pipeline import Pipeline, World
from gateway.ports import Clock, Upstream
from gateway.process.system import RandomIds, SystemClock
from gateway.process.tasks import end_tasks
from gateway.record import marks
from gateway.record.recorder import Recorder
from gateway.record.redaction_key import load_redaction_key
from gateway.rulesets.content import Mapped
from gateway.rulesets.files import RulesetFiles
from gateway.rulesets.keeper import RulesetKeeper, RulesetSource
from gateway.rulesets.settings import PolicySource
from gateway.settings import GatewaySettings

SHIP_SECONDS_MAX = 1.0
"""How long the last records may take to reach the control plane; they are on disk in any case."""

TELL_SECONDS_MAX = 0.5
"""How long shared counters may take to hear what is over; they count it otherwise."""

Begin = Coroutine[object, object, object]
End = Callable[[], Coroutine[object, object, object]]

MakeUpstream = Callable[[DestinationGuard, Clock], Upstream]
"""Makes the way out; what it opens is the caller's to close."""


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """What a way in needs, and what readiness looks at. `own_addresses` may grow: no agent
    reaches what is in it. `reload` looks for new rules at once, and for a new signing key."""

    pipeline: Pipeline
    clock: SystemClock
    new_id: RandomIds
    recorder: Recorder
    keeper: RulesetKeeper
    source: RulesetSource
    directory: Directory
    stops: Stops
    shipper: RecordShipper
    proofs: RecordProofs
    limits: LocalLimits | SharedLimits
    own_addresses: set[tuple[str, int]]
    reload: Callable[[], None]


async def assemble(
    settings: GatewaySettings, stack: AsyncExitStack, make_upstream: MakeUpstream
) -> Assembled:
    """Start everything but the way in.

    Raises:
        CheckreinError: it can't start.
    """
    clock = SystemClock()
    files = RulesetFiles(
        lambda: settings.policy_paths,
        lambda: settings.mapper_paths,
        settings.ruleset.reload_poll_seconds,
    )
    takes_bundles = settings.ruleset.policy_source is PolicySource.CONTROL
    ruleset = files.load_mappers() if takes_bundles else files.load()
    own_addresses: set[tuple[str, int]] = set()
    guard = DestinationGuard(settings.destination, own_addresses)

    key = load_redaction_key(settings.data_dir, settings.files.redaction_key_file)
    stack.callback(marks.use_key, None)
    marks.use_key(key)
    recorder = Recorder.open(settings.data_dir / "spool", settings.spool, clock)
    stack.push_async_callback(recorder.close)
    proofs = RecordProofs.open(recorder, clock)
    await start_part(stack, proofs.start(), proofs.stop)
    stack.callback(note, recorder, clock, "stopped")

    client = ControlPlaneClient(settings.control)
    stack.push_async_callback(client.close)
    own_addresses.update(await _addresses_of(settings.control.api_url))
    directory = Directory(client, settings.control, settings.data_dir / "agents.json", clock)
    stops = Stops(client, settings.control, settings.data_dir / "stops.json")
    follow = proofs.follow(
        client, settings.data_dir / "log", settings.control.log_key, partial(note, recorder, clock)
    )
    await start_part(stack, follow, proofs.leave)
    shipper = RecordShipper(client, recorder, proofs.heads, settings.control)
    await start_part(stack, shipper.start(), partial(_stop_shipping, shipper))

    upstream = make_upstream(guard, clock)
    desk = ControlPlaneDesk(client, settings.control, clock)
    stack.push_async_callback(desk.close)
    new_id = RandomIds()
    limits = _open_limits(settings, client, clock, stack)
    settings.witness.load_aws_keys()  # what can't be read is better known now
    world = World(
        upstream, desk, directory, stops, limits, recorder, clock, new_id, settings.witness
    )
    pipeline = Pipeline(settings.pipeline, settings.hold, ruleset, guard, world)
    stops.on_change = partial(_obey_stops, pipeline, recorder, clock)
    # Both ask the control plane, and wait for it together.
    await start_parts(stack, (directory.start(), directory.stop), (stops.start(), stops.stop))
    keeper = RulesetKeeper(pipeline.judge, partial(note, recorder, clock), pipeline.obey_rules)
    source: RulesetSource = files
    if takes_bundles:
        source = _bundles(settings, client, recorder.gateway_id, clock, ruleset.canonicalizer)
    await start_part(stack, source.start(keeper), source.stop)
    if not takes_bundles:
        report = RulesReport(client, recorder.gateway_id, lambda: keeper.ruleset.bundle.revision)
        await start_part(stack, report.start(), report.stop)
    return Assembled(
        pipeline, clock, new_id, recorder, keeper, source, directory, stops, shipper, proofs,
        limits, own_addresses, partial(_reload, source, proofs),
    )  # fmt: skip


def note(recorder: Recorder, clock: SystemClock, event: str, detail: str = "") -> None:
    note_past(recorder, GatewayEntry(clock.now(), event, detail))


async def start_part(stack: AsyncExitStack, start: Begin, stop: End) -> None:
    stack.push_async_callback(stop)
    await start


async def start_parts(stack: AsyncExitStack, *parts: tuple[Begin, End]) -> None:
    """Start all at the same time. The first fault is raised, when none is starting any more."""
    for _, stop in parts:
        stack.push_async_callback(stop)
    starting = [asyncio.create_task(start, name="starting") for start, _ in parts]
    try:
        await asyncio.gather(*starting)
    finally:
        await end_tasks(starting)


def _open_limits(
    settings: GatewaySettings,
    client: ControlPlaneClient,
    clock: SystemClock,
    stack: AsyncExitStack,
) -> LocalLimits | SharedLimits:
    """The counters of limits. This gateway's own are opened in any case where they may be asked:
    a fallback that can't be opened is better known now."""
    shares = settings.limits.limits_store is LimitsKept.SHARED
    local = None
    if not shares or settings.limits.limits_fallback is LimitsFallback.LOCAL:
        local = LocalLimits.open(settings.data_dir / "limits", clock, settings.ledger)
        stack.push_async_callback(local.close)
    if not shares:
        assert local is not None
        return local
    shared = SharedLimits(client, settings.limits, clock, local)
    stack.push_async_callback(shared.close, TELL_SECONDS_MAX)
    return shared


def _bundles(
    settings: GatewaySettings,
    client: ControlPlaneClient,
    gateway_id: str,
    clock: SystemClock,
    own: Canonicalizer,
) -> BundleFeed:
    """`own` is of the gateway's own mappers, for bundles without any."""
    folder = settings.data_dir / "bundle"
    return BundleFeed(
        client,
        settings.control,
        settings.ruleset,
        folder,
        gateway_id,
        lambda: settings.mapper_paths,
        clock,
        Mapped((), own),
    )


def _reload(source: RulesetSource, proofs: RecordProofs) -> None:
    source.force()
    proofs.heads.rotate()


async def _stop_shipping(shipper: RecordShipper) -> None:
    await shipper.drain(SHIP_SECONDS_MAX)
    await shipper.stop()


def _obey_stops(
    pipeline: Pipeline,
    recorder: Recorder,
    clock: SystemClock,
    came: Sequence[Stop],
    lifted: Sequence[Stop],
) -> None:
    pipeline.obey_stops()
    for event, stops in (("stop_in_force", came), ("stop_lifted", lifted)):
        for stop in stops:
            note(recorder, clock, event, describe(stop))


async def _addresses_of(url: str) -> list[tuple[str, int]]:
    """Every address of the control plane, so that no agent reaches it through the proxy.

    A name that can't be resolved yet gives none: then nothing of it can be reached either, and the
    destination guard refuses private addresses anyway.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return []
    port = parts.port or (443 if parts.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [(str(entry[4][0]), port) for entry in found]
