"""Composition root: settings in, a running gateway out.

`assembly` joins the adapters to a pipeline; here come the ways in: the agents' listener, the
listener of health and metrics, signals, and the word that all is ready.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from gateway import telemetry
from gateway.admin import AdminListener
from gateway.assembly import assemble, note, start_part
from gateway.enforce.destination import DestinationGuard
from gateway.enforce.trust import make_upstream_context
from gateway.enforce.upstream import UpstreamPool
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.entrances import Entrances
from gateway.model.dataclass import dataclass
from gateway.ports import Clock
from gateway.process import service_manager
from gateway.process.background import begin_in_background
from gateway.process.log_lines import configure_logging
from gateway.process.tasks import end_tasks
from gateway.readiness import readiness_checks, readiness_notes
from gateway.reloading import Reloader
from gateway.settings import GatewaySettings
from gateway.workers.leftovers import Leftovers

log = logging.getLogger(__name__)

COLLECT_AFTER_OBJECTS = 20_000
"""New objects that wait for the collector: some MB, or a hundred requests in flight."""


@dataclass(frozen=True, slots=True)
class Place:
    """What this process is among several: the `number`-th worker of a supervisor, or, with 0, the
    gateway itself. When nobody holds the other end of `lifeline_fd` any more, the supervisor is
    gone. `own_address` is the supervisor's: no agent reaches it."""

    number: int = 0
    lifeline_fd: int | None = None
    own_address: tuple[str, int] | None = None

    def own(self, settings: GatewaySettings) -> GatewaySettings:
        """What this process goes by, of what the whole gateway was told."""
        return settings.of_worker(self.number) if self.number else settings


def run_gateway(
    settings: GatewaySettings, ready_fd: int | None = None, place: Place | None = None
) -> None:
    """Run until SIGTERM or SIGINT, on uvloop where it is installed.

    Raises:
        CheckreinError: it can't start; nothing listens then.
    """
    place = place or Place()
    configure_logging(settings.files.log_level, telemetry.LOG_FIELDS)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(place.own(settings), ready_fd, place))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(settings: GatewaySettings, ready_fd: int | None, place: Place) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if place.lifeline_fd is not None:
        loop.add_reader(place.lifeline_fd, stopping.set)
    async with AsyncExitStack() as stack:
        ready = await _start(settings, stack, place)
        _settle_memory()
        if ready_fd is not None:
            _tell_ready(ready_fd, ready)
        service_manager.tell(service_manager.READY)
        stack.callback(service_manager.tell, service_manager.STOPPING)
        watchdog = service_manager.watchdog_seconds()
        if watchdog is not None:
            pings = asyncio.create_task(service_manager.keep_watchdog(watchdog), name="watchdog")
            stack.push_async_callback(end_tasks, [pings])
        log.info("gateway ready", extra={"host": ready["proxy_host"], "port": ready["proxy_port"]})
        await stopping.wait()
        log.info("gateway stopping")


def _settle_memory() -> None:
    """Keep what was loaded out of the collector's sight, and let it look seldom.

    Requests leave no cycles behind but in faults, so every look at them is in vain: in steps of
    700 objects it costs a twentieth of a request.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 20)


async def _start(
    settings: GatewaySettings, stack: AsyncExitStack, place: Place
) -> dict[str, object]:
    # A hundred roots are parsed meanwhile, on another core where there is one.
    trust = begin_in_background(make_upstream_context, settings.upstream.upstream_ca)
    authority = CertificateAuthority.load_or_make(settings.ca_dir)
    pools: list[UpstreamPool] = []

    def make_upstream(guard: DestinationGuard, clock: Clock) -> UpstreamPool:
        upstream = UpstreamPool(settings.upstream, guard, clock, trust.result())
        stack.push_async_callback(upstream.close)
        pools.append(upstream)
        return upstream

    joined = await assemble(settings, stack, make_upstream)
    pipeline, clock, recorder = joined.pipeline, joined.clock, joined.recorder
    if place.own_address is not None:
        joined.own_addresses.add(place.own_address)
    entrances = Entrances(
        settings.entrances,
        settings.intercept,
        pipeline,
        authority,
        clock,
        joined.new_id,
        shares_ports=place.number > 0,
    )
    drain = partial(entrances.drain, settings.life.drain_seconds_max)
    await start_part(stack, entrances.start(), drain)
    stack.callback(pipeline.stop_holding)
    joined.own_addresses.update(listener.address for listener in entrances.listeners)
    checks = readiness_checks(joined.keeper, clock, recorder, joined.directory, joined.shipper)
    notes = readiness_notes(
        joined.keeper, joined.source, joined.stops, joined.limits, joined.proofs
    )
    admin = AdminListener(settings.admin, checks, notes)
    await start_part(stack, admin.start(), admin.stop)
    joined.own_addresses.add(admin.address)
    write_trust = partial(_write_trust, settings, authority)
    reloader = Reloader(settings, place.own, authority, pools, pipeline, joined.reload, write_trust)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloader.reload)
    if place.number <= 1:
        leftovers = Leftovers(settings, clock)
        await start_part(stack, leftovers.start(), leftovers.stop)

    revision = joined.keeper.ruleset.bundle.revision
    note(recorder, clock, "started", f"revision {revision}")
    return {
        **entrances.ready(),
        "metrics_url": f"http://{settings.admin.metrics_host}:{admin.port}/metrics",
        **_write_trust(settings, authority),
        "gateway_id": recorder.gateway_id,
        "revision": revision,
    }


def _write_trust(settings: GatewaySettings, authority: CertificateAuthority) -> dict[str, str]:
    """The files by which governed programs trust this gateway."""
    bundle_file = settings.ca_dir / "ca-bundle.pem"
    authority.write_bundle(bundle_file)
    return {"ca_file": str(authority.ca_pem_file), "ca_bundle_file": str(bundle_file)}


def _tell_ready(descriptor: int, ready: dict[str, object]) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(ready) + "\n")
