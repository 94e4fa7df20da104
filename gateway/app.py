"""Composition root: settings in, a running gateway out. The only file that knows the adapters.

Starts from the inside out (record, policy, upstream, control plane, listeners), so that no
request can arrive before it can be decided and recorded; stops the other way round.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from urllib.parse import urlsplit

from gateway import telemetry
from gateway.admin import AdminListener
from gateway.canonicalize.canonicalizer import Canonicalizer
from gateway.control_client.agents import Directory
from gateway.control_client.approvals import ControlPlaneDesk
from gateway.control_client.bundles import BundleFeed
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.limits import LimitsFallback, LimitsKept, SharedLimits
from gateway.control_client.record_shipper import RecordShipper
from gateway.control_client.rules_report import RulesReport
from gateway.control_client.stops import Stops, describe
from gateway.counters.local import LocalLimits
from gateway.enforce.destination import DestinationGuard
from gateway.enforce.upstream import UpstreamPool
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.listener import Listener
from gateway.log_lines import configure_logging
from gateway.model.record import GatewayEntry
from gateway.model.stop import Stop
from gateway.past_entries import note_past
from gateway.pipeline import Pipeline, World
from gateway.readiness import readiness_checks, readiness_notes
from gateway.record.recorder import Recorder
from gateway.rulesets.content import Mapped
from gateway.rulesets.files import RulesetFiles
from gateway.rulesets.keeper import RulesetKeeper, RulesetSource
from gateway.rulesets.settings import PolicySource
from gateway.settings import GatewaySettings

log = logging.getLogger(__name__)

DRAIN_SECONDS_MAX = 2.5
"""How long requests in flight may take after SIGTERM; below the 5 s that supervisors are
promised."""

SHIP_SECONDS_MAX = 1.0
"""How long the last records may take to reach the control plane; they are on disk in any case."""

TELL_SECONDS_MAX = 0.5
"""How long shared counters may take to hear what is over; they count it otherwise."""

ID_BYTES = 10
IDS_AT_ONCE = 400
"""4,000 bytes of randomness at a time."""


class SystemClock:
    """`ports.Clock` of the machine."""

    def now(self) -> int:
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        return time.monotonic()


class RandomIds:
    """Makes ids that are unguessable and unique without coordination: 80 random bits each.

    The system is asked for many at once; a call for each request costs more than the rest of it.
    """

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0

    def __call__(self, prefix: str) -> str:
        start = self._used
        if start >= len(self._digits):
            self._digits = os.urandom(ID_BYTES * IDS_AT_ONCE).hex()
            start = 0
        self._used = start + 2 * ID_BYTES
        return f"{prefix}_{self._digits[start : self._used]}"


def run_gateway(settings: GatewaySettings, ready_fd: int | None = None) -> None:
    """Run until SIGTERM or SIGINT, on uvloop where it is installed.

    Raises:
        CheckreinError: it can't start; nothing listens then.
    """
    configure_logging(settings.files.log_level, telemetry.LOG_FIELDS)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, ready_fd))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(settings: GatewaySettings, ready_fd: int | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        ready = await _start(settings, stack)
        if ready_fd is not None:
            _tell_ready(ready_fd, ready)
        log.info("gateway ready", extra={"host": ready["proxy_host"], "port": ready["proxy_port"]})
        await stopping.wait()
        log.info("gateway stopping")


async def _start(settings: GatewaySettings, stack: AsyncExitStack) -> dict[str, object]:
    clock = SystemClock()
    authority = CertificateAuthority.load_or_make(settings.data_dir / "ca")
    files = RulesetFiles(
        lambda: settings.policy_paths,
        lambda: settings.mapper_paths,
        settings.ruleset.reload_poll_seconds,
    )
    takes_bundles = settings.ruleset.policy_source is PolicySource.CONTROL
    ruleset = files.load_mappers() if takes_bundles else files.load()
    own_addresses: set[tuple[str, int]] = set()
    guard = DestinationGuard(settings.destination, own_addresses)

    recorder = Recorder.open(settings.data_dir / "spool", settings.spool, clock)
    stack.push_async_callback(recorder.close)
    stack.callback(_note, recorder, clock, "stopped")

    client = ControlPlaneClient(settings.control)
    stack.push_async_callback(client.close)
    own_addresses.update(await _addresses_of(settings.control.api_url))
    directory = Directory(client, settings.control, settings.data_dir / "agents.json", clock)
    await _start_part(stack, directory.start(), directory.stop)
    stops = Stops(client, settings.control, settings.data_dir / "stops.json")
    shipper = RecordShipper(client, recorder, settings.control)
    await _start_part(stack, shipper.start(), partial(_stop_shipping, shipper))

    upstream = UpstreamPool(settings.upstream, guard, clock)
    stack.push_async_callback(upstream.close)
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
    await _start_part(stack, stops.start(), stops.stop)
    keeper = RulesetKeeper(pipeline.judge, partial(_note, recorder, clock), pipeline.obey_rules)
    source: RulesetSource = files
    if takes_bundles:
        source = _bundles(settings, client, recorder.gateway_id, clock, ruleset.canonicalizer)
    await _start_part(stack, source.start(keeper), source.stop)
    if not takes_bundles:
        report = RulesReport(client, recorder.gateway_id, lambda: keeper.ruleset.bundle.revision)
        await _start_part(stack, report.start(), report.stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, source.force)

    listener = Listener(settings.intercept, pipeline, authority, clock, new_id)
    await _start_part(stack, listener.start(), partial(listener.drain, DRAIN_SECONDS_MAX))
    stack.callback(pipeline.stop_holding)
    own_addresses.add(listener.address)
    checks = readiness_checks(keeper, clock, recorder, directory, shipper)
    notes = readiness_notes(keeper, source, stops, limits)
    admin = AdminListener(settings.admin, checks, notes)
    await _start_part(stack, admin.start(), admin.stop)
    own_addresses.add(admin.address)

    revision = keeper.ruleset.bundle.revision
    _note(recorder, clock, "started", f"revision {revision}")
    host, port = listener.address
    return {
        "proxy_host": host,
        "proxy_port": port,
        "metrics_url": f"http://{settings.admin.metrics_host}:{admin.port}/metrics",
        **_write_trust(settings, authority),
        "gateway_id": recorder.gateway_id,
        "revision": revision,
    }


def _write_trust(settings: GatewaySettings, authority: CertificateAuthority) -> dict[str, str]:
    """The files by which governed programs trust this gateway."""
    bundle_file = settings.data_dir / "ca" / "ca-bundle.pem"
    authority.write_bundle(bundle_file)
    return {"ca_file": str(authority.ca_pem_file), "ca_bundle_file": str(bundle_file)}


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


async def _stop_shipping(shipper: RecordShipper) -> None:
    await shipper.drain(SHIP_SECONDS_MAX)
    await shipper.stop()


async def _start_part(
    stack: AsyncExitStack,
    start: Coroutine[object, object, object],
    stop: Callable[[], Coroutine[object, object, object]],
) -> None:
    stack.push_async_callback(stop)
    await start


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
            _note(recorder, clock, event, describe(stop))


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


def _note(recorder: Recorder, clock: SystemClock, event: str, detail: str = "") -> None:
    note_past(recorder, GatewayEntry(clock.now(), event, detail))


def _tell_ready(descriptor: int, ready: dict[str, object]) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(ready) + "\n")
