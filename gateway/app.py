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
from gateway.enforce.upstream import UpstreamPool
from gateway.intercept.certificates import CertificateAuthority
from gateway.intercept.entrances import Entrances
from gateway.log_lines import configure_logging
from gateway.ports import Clock
from gateway.readiness import readiness_checks, readiness_notes
from gateway.settings import GatewaySettings

log = logging.getLogger(__name__)

COLLECT_AFTER_OBJECTS = 20_000
"""New objects that wait for the collector: some MB, or a hundred requests in flight."""

DRAIN_SECONDS_MAX = 2.5
"""How long requests in flight may take after SIGTERM; below the 5 s that supervisors are
promised."""


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
        _settle_memory()
        if ready_fd is not None:
            _tell_ready(ready_fd, ready)
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
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 20)


async def _start(settings: GatewaySettings, stack: AsyncExitStack) -> dict[str, object]:
    authority = CertificateAuthority.load_or_make(settings.data_dir / "ca")

    def make_upstream(guard: DestinationGuard, clock: Clock) -> UpstreamPool:
        upstream = UpstreamPool(settings.upstream, guard, clock)
        stack.push_async_callback(upstream.close)
        return upstream

    joined = await assemble(settings, stack, make_upstream)
    pipeline, clock, recorder = joined.pipeline, joined.clock, joined.recorder
    entrances = Entrances(
        settings.entrances, settings.intercept, pipeline, authority, clock, joined.new_id
    )
    await start_part(stack, entrances.start(), partial(entrances.drain, DRAIN_SECONDS_MAX))
    stack.callback(pipeline.stop_holding)
    joined.own_addresses.update(listener.address for listener in entrances.listeners)
    checks = readiness_checks(joined.keeper, clock, recorder, joined.directory, joined.shipper)
    notes = readiness_notes(
        joined.keeper, joined.source, joined.stops, joined.limits, joined.proofs
    )
    admin = AdminListener(settings.admin, checks, notes)
    await start_part(stack, admin.start(), admin.stop)
    joined.own_addresses.add(admin.address)

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
    bundle_file = settings.data_dir / "ca" / "ca-bundle.pem"
    authority.write_bundle(bundle_file)
    return {"ca_file": str(authority.ca_pem_file), "ca_bundle_file": str(bundle_file)}


def _tell_ready(descriptor: int, ready: dict[str, object]) -> None:
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(json.dumps(ready) + "\n")
