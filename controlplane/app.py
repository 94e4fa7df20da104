"""The composition root: `ControlSettings` -> a running control plane.

The only file that knows every adapter. It starts what the service needs in order, says when it is
ready, and ends it all within `STOP_SECONDS_MAX`.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import socket
from contextlib import AsyncExitStack

from aiohttp import web

from controlplane.api.connection import Connection
from controlplane.api.server import make_application
from controlplane.assembly import Limits, World, assemble
from controlplane.dashboard.app import DashboardSettings, add_dashboard
from controlplane.faults import StartError
from controlplane.notify.bus import Channel, ChannelBus
from controlplane.services.access.bootstrap import Bootstrapped
from controlplane.services.approvals.lifecycle import ApprovalSettings
from controlplane.services.joined import Services
from controlplane.services.waiting import WaitingRoom
from controlplane.settings import ControlSettings
from controlplane.store.database import Database, PoolSettings
from controlplane.store.embedded import EmbeddedPostgres, PostgresSettings, Role
from controlplane.store.endpoint import Endpoint
from controlplane.store.postgres_channel import PostgresChannel
from controlplane.store.roles import DATABASE, open_embedded, open_external
from controlplane.telemetry import LOG_FIELDS, Metrics
from controlplane.tls import Certificate
from gateway.process import service_manager
from gateway.process.log_lines import configure_logging
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)


class ControlPlane:
    """One running control plane. `start`, then `stop`; each once."""

    def __init__(self, settings: ControlSettings, limits: Limits | None = None) -> None:
        self._settings = settings
        self._limits = limits or Limits()
        self._running = AsyncExitStack()
        self.metrics = Metrics()
        self.server: EmbeddedPostgres | None = None
        self.database: Database | None = None
        self.bootstrapped: Bootstrapped | None = None
        self.api_url = ""
        tls = settings.tls
        self._certificate = None if tls is None else Certificate(tls.cert_file, tls.key_file)

    async def start(self) -> None:
        """Start everything, in the order in which things need each other.

        Raises:
            StartError: with what to do about it. Nothing is left running.
        """
        try:
            # First, because they fail most often and cost nothing.
            if self._certificate is not None:
                self._certificate.load()
            listener = _listen(self._settings, self._limits)
            self._running.callback(listener.close)
            endpoint = await self._open_database()
            assert self.database is not None
            bus = await self._open_bus(endpoint, self.database)
            room = WaitingRoom(bus, self.metrics, self._limits.waiting)
            services = await self._assemble(bus, room, self.database)
            await self._serve(services, listener)
            # Runs first at the end, so that nobody waits while the server drains.
            self._running.callback(bus.wake_all)
            self._running.callback(room.end)
        except BaseException:
            await self.stop()
            raise

    def reload_certificate(self) -> None:
        """Read a renewed certificate; one that can't be used is left, and said."""
        if self._certificate is None:
            return
        try:
            self._certificate.load()
        except StartError as error:
            log.error("the renewed certificate is not used: %s", error.message)
        else:
            log.info("the certificate was read again")

    async def stop(self) -> None:
        """End what was started, newest first."""
        await self._running.aclose()

    def ready_line(self) -> dict[str, str | None]:
        """What the ready line says."""
        found = self.bootstrapped
        assert found is not None
        files = (found.admin_key_file, found.gateway_key_file, found.agent_key_file)
        admin, gateway, agent = (str(file) if file is not None else None for file in files)
        return {
            "api_url": self.api_url,
            "tenant_id": str(found.tenant_id),
            "admin_key_file": admin,
            "gateway_key_file": gateway,
            "agent_key_file": agent,
            "database": "embedded" if self.server is not None else "external",
        }

    async def _open_database(self) -> Endpoint:
        """Open the pool; where to connect for a connection beside it."""
        settings, pool = self._settings, self._limits.pool
        if settings.database_url is not None:
            self.database = await open_external(settings.database_url, pool)
            endpoint = Endpoint(url=settings.database_url)
        else:
            assert settings.data_dir is not None
            self.server = EmbeddedPostgres(
                settings.data_dir / "postgres",
                settings.data_dir / "logs" / "postgres.log",
                self._limits.postgres,
            )
            await self.server.start()
            self._running.push_async_callback(self.server.stop)
            self.database = await open_embedded(self.server, pool)
            endpoint = self.server.endpoint(Role.APPLICATION, DATABASE)
        self._running.push_async_callback(self.database.close)
        return endpoint

    async def _open_bus(self, endpoint: Endpoint, database: Database) -> ChannelBus:
        channel: Channel
        if self._settings.redis_url is not None:
            # A tenth of a second of every start that needs none.
            from controlplane.notify.redis_channel import RedisChannel

            try:
                channel = RedisChannel(self._settings.redis_url)
            except ValueError as error:
                raise StartError(
                    "redis.bad_url",
                    "CHECKREIN_REDIS_URL can't be read",
                    "write it like redis://:password@host:6379/0",
                ) from error
        else:
            channel = PostgresChannel(endpoint, database, self._limits.pool)
        bus = ChannelBus(channel, self.metrics.bus_faults.inc)
        self._running.push_async_callback(bus.close)
        await bus.start()
        return bus

    async def _assemble(self, bus: ChannelBus, room: WaitingRoom, database: Database) -> Services:
        world = World(
            self._settings,
            self._limits,
            database,
            bus,
            room,
            self.metrics,
            lambda: self._settings.reaching.public_url or self.api_url,
        )
        assembled = await assemble(world)
        self.bootstrapped = assembled.bootstrapped
        for name, run in assembled.forever.items():
            task = asyncio.create_task(run(), name=name)
            self._running.push_async_callback(end_tasks, [task])
        return assembled.services

    async def _serve(self, services: Services, listener: socket.socket) -> None:
        application = make_application(services)
        settings = self._settings
        add_dashboard(
            application,
            services,
            DashboardSettings(
                settings.dashboard_environment,
                settings.reaching.public_url,
                has_tls=settings.tls is not None,
                oidc=settings.oidc,
            ),
        )
        runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=self._limits.drain_seconds_max,
        )
        await runner.setup()
        self._running.push_async_callback(runner.cleanup)
        assert runner.server is not None
        silence = asyncio.create_task(
            _end_silent(runner.server, self._limits.head_seconds_max), name="silent-connections"
        )
        self._running.push_async_callback(end_tasks, [silence])
        context = None if self._certificate is None else self._certificate.context
        server = runner.server
        serving = await asyncio.get_running_loop().create_server(
            lambda: Connection(
                server,
                loop=asyncio.get_running_loop(),
                access_log=None,  # type: ignore[arg-type]  # as everywhere in the library: no log
                keepalive_timeout=self._limits.keepalive_seconds,
            ),
            sock=listener,
            ssl=context,
            backlog=self._limits.backlog,
        )
        # Before the connections are drained, so that no new one comes.
        self._running.callback(serving.close)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if context is None else "https"
        self.api_url = f"{scheme}://{shown}:{port}"


async def _end_silent(server: web.Server, seconds_max: float) -> None:
    """Close connections on which not one whole request head came in this time: the HTTP server
    would keep them for ever, and whoever opens enough of them shuts everybody else out. After a
    first request its own limit of idleness holds."""
    silent: dict[object, float] = {}
    while True:
        await asyncio.sleep(seconds_max / 4)
        now = asyncio.get_running_loop().time()
        # The library counts the requests of a connection, and tells them nowhere else.
        found = [one for one in server.connections if not one._request_count]  # noqa: SLF001
        silent = {one: silent.get(one, now) for one in found}
        for one in found:
            if now - silent[one] >= seconds_max:
                one.force_close()


def run_control_plane(settings: ControlSettings, ready_fd: int | None) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        StartError: it could not start.
    """
    configure_logging(settings.log_level, LOG_FIELDS)
    asyncio.run(_run(settings, ready_fd))


async def _run(settings: ControlSettings, ready_fd: int | None) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    connections = settings.database_connections_max
    limits = Limits(
        pool=PoolSettings(connection_count_max=connections),
        # Two replicas may share the embedded server, as far as it goes by default.
        postgres=PostgresSettings(
            connection_count_max=max(PostgresSettings().connection_count_max, connections + 16)
        ),
        approvals=ApprovalSettings(approved_seconds_max=settings.approved_seconds_max),
    )
    control_plane = ControlPlane(settings, limits)
    loop.add_signal_handler(signal.SIGHUP, control_plane.reload_certificate)
    starting = asyncio.create_task(control_plane.start(), name="start")
    ending = asyncio.create_task(ended.wait(), name="ended")
    watchdog: asyncio.Task[None] | None = None
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        # Told to end while starting: `start` cleans up after itself.
        await end_tasks([starting])
        return
    try:
        starting.result()
        _tell_ready(ready_fd, control_plane.ready_line())
        log.info("ready", extra={"detail": control_plane.api_url})
        service_manager.tell(service_manager.READY)
        seconds = service_manager.watchdog_seconds()
        if seconds is not None:
            watchdog = asyncio.create_task(service_manager.keep_watchdog(seconds), name="watchdog")
        await ending
        service_manager.tell(service_manager.STOPPING)
        log.info("stopping")
    finally:
        await end_tasks([ending, watchdog])
        await control_plane.stop()


def _tell_ready(ready_fd: int | None, line: dict[str, str | None]) -> None:
    if ready_fd is None:
        return
    try:
        with os.fdopen(ready_fd, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
    except OSError as error:
        raise StartError(
            "start.ready_fd",
            f"nobody reads file descriptor {ready_fd}",
            "give --ready-fd the number of an open pipe",
        ) from error


def _listen(settings: ControlSettings, limits: Limits) -> socket.socket:
    """Take the port, without serving on it yet."""
    host, port = settings.api_host, settings.api_port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(limits.backlog)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        is_taken = error.errno == errno.EADDRINUSE
        why = "the port is taken" if is_taken else (error.strerror or str(error))
        raise StartError(
            "start.listen",
            f"the API can't listen on {host}:{port}: {why}",
            "set CHECKREIN_API_PORT to another port (0 takes a free one), or CHECKREIN_API_HOST",
        ) from error
    return listener
