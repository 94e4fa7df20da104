"""The kill switch: a copy of the control plane's stops, kept fresh and kept on disk (`StopBoard`).

A long poll of its own brings changes at once. The newest stops lie on disk, so that they are in
force after a restart too, also while the control plane is away. What can't be understood stops more
than was meant, never less: an entry of an unknown scope, like a copy on disk that can't be read,
stops everything.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.kept_file import load_kept, store_kept
from gateway.control_client.retry import FIRST_FETCH_SECONDS_MAX, pauses
from gateway.control_client.settings import ControlSettings
from gateway.model.dataclass import dataclass
from gateway.model.errors import ControlPlaneError
from gateway.model.moment import micros_of
from gateway.model.stop import Stop, StopScope, run_stop_name
from gateway.process.background import in_background
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

SHOWN_MAX: Final = 5
"""Stops that readiness spells out; the rest are counted."""

UNREADABLE: Final = Stop(
    "unreadable",
    StopScope.EVERYTHING,
    "",
    "the gateway's list of stops can't be read, and the control plane has not given it anew",
    "the gateway",
    0,
)

OnChange = Callable[[Sequence[Stop], Sequence[Stop]], None]
"""Is told the stops that came and those that were lifted. Called when they are in force already."""


@dataclass(frozen=True, slots=True)
class StopsInForce:
    """The stops at one moment, by what they stop. Providers are found whatever their case."""

    revision: str
    by_id: Mapping[str, Stop]
    everything: Stop | None
    providers: Mapping[str, Stop]
    agents: Mapping[str, Stop]
    runs: Mapping[str, Stop]

    @classmethod
    def of(cls, stops: Iterable[Stop], revision: str) -> StopsInForce:
        """Index stops. Of several on one thing the first is told."""
        by_id = {stop.stop_id: stop for stop in stops}
        found: dict[StopScope, dict[str, Stop]] = {scope: {} for scope in StopScope}
        for stop in by_id.values():
            name = stop.name.casefold() if stop.scope is StopScope.PROVIDER else stop.name
            found[stop.scope].setdefault(name, stop)
        return cls(
            revision,
            by_id,
            next(iter(found[StopScope.EVERYTHING].values()), None),
            found[StopScope.PROVIDER],
            found[StopScope.AGENT],
            found[StopScope.RUN],
        )


class Stops:
    """The real `StopBoard`. `start` it, `stop` it; between, one task keeps it fresh. `on_change`
    may be set until then."""

    def __init__(
        self, client: ControlPlaneClient, settings: ControlSettings, cache_path: Path
    ) -> None:
        self.on_change: OnChange = lambda _came, _lifted: None
        self._client = client
        self._settings = settings
        self._cache_path = cache_path
        self._now = StopsInForce.of((), "")
        self._task: asyncio.Task[None] | None = None
        self._is_kept = True

    @property
    def in_force(self) -> tuple[Stop, ...]:
        """Every stop, the first that came first."""
        return tuple(self._now.by_id.values())

    def find(self, agent: str, run: str | None, providers: Iterable[str]) -> Stop | None:
        """See `StopBoard.find`."""
        now = self._now
        if not now.by_id:
            return None
        if now.everything is not None:
            return now.everything
        if now.providers:
            for provider in sorted(providers):
                stop = now.providers.get(provider.casefold())
                if stop is not None:
                    return stop
        stop = now.agents.get(agent)
        if stop is None and run is not None and now.runs:
            stop = now.runs.get(run) or now.runs.get(run_stop_name(agent, run))
        return stop

    def describe(self) -> str | None:
        """What is stopped, for people; None when nothing is."""
        if not self._now.by_id:
            return None
        shown = "; ".join(describe(stop) for stop in self.in_force[:SHOWN_MAX])
        more = len(self._now.by_id) - SHOWN_MAX
        return f"{shown}; and {more} more" if more > 0 else shown

    @property
    def fault(self) -> str | None:
        """Why a restart may not know all that is stopped; None when all is well."""
        return None if self._is_kept else "the stops can't be kept on disk"

    async def start(self) -> None:
        """Take the copy on disk, ask once for a newer one, and begin to follow changes. A control
        plane that is gone delays this by a few seconds and fails nothing."""
        self._now = load_stops(self._cache_path)
        telemetry.STOPS.set(len(self._now.by_id))
        try:
            async with asyncio.timeout(FIRST_FETCH_SECONDS_MAX):
                await self._fetch(0)
        except (ControlPlaneError, TimeoutError):
            log.warning("no stops yet; the copy on disk is used")
        self._task = asyncio.create_task(self._follow(), name="stops")

    async def stop(self) -> None:
        """Stop following."""
        await end_tasks([self._task])

    async def _follow(self) -> None:
        """Long-poll for ever. Nothing ends this: a kill switch that is deaf must not look well."""
        settings = self._settings
        waits = pauses(settings.stop_retry_seconds_max)
        is_lost = False
        while True:
            try:
                await self._fetch(settings.stop_poll_seconds)
                if is_lost:
                    log.info("stops are followed again")
                is_lost, waits = False, pauses(settings.stop_retry_seconds_max)
                # A server that answers at once every time must not keep us busy.
                await asyncio.sleep(settings.directory_pause_seconds)
            except ControlPlaneError as error:
                if not is_lost:
                    log.warning("stops not followed", extra={"code": error.code})
                is_lost = True
                await asyncio.sleep(next(waits))
            except Exception:
                log.exception("following the stops failed")
                telemetry.BUGS.inc()
                await asyncio.sleep(next(waits))

    async def _fetch(self, wait_seconds: int) -> None:
        revision = self._now.revision
        # Without a revision there is nothing to wait for.
        answer = await self._client.fetch_stops(revision, wait_seconds if revision else 0)
        await self._take(parse_stops(answer))

    async def _take(self, newest: StopsInForce) -> None:
        before, self._now = self._now, newest
        came = [stop for key, stop in newest.by_id.items() if key not in before.by_id]
        lifted = [stop for key, stop in before.by_id.items() if key not in newest.by_id]
        if came or lifted:
            telemetry.STOPS.set(len(newest.by_id))
            for words, stops in (("a stop is in force", came), ("a stop is lifted", lifted)):
                for stop in stops:
                    log.warning(words, extra={"detail": describe(stop)})
        try:
            if came or lifted:
                self.on_change(came, lifted)
        finally:
            if newest.revision != before.revision or not self._is_kept:
                await self._keep(newest)

    async def _keep(self, newest: StopsInForce) -> None:
        try:
            await in_background(store_kept, self._cache_path, _text_of(newest))
            self._is_kept = True
        except OSError as error:
            self._is_kept = False
            log.error("stops not kept on disk", extra={"detail": error.strerror})


def describe(stop: Stop) -> str:
    """One stop in one line, for records, logs and people."""
    return f"{stop.what} stopped by {stop.by} ({stop.stop_id}): {stop.reason}"


def parse_stops(answer: Mapping[str, Any]) -> StopsInForce:
    """Parse the stops.

    Raises:
        ControlPlaneError: `control.unreadable`; what was known before stays in force.
    """
    stops, revision = answer.get("stops"), answer.get("revision")
    if not isinstance(stops, list) or not isinstance(revision, str | int):
        raise ControlPlaneError("control.unreadable", "the list of stops can't be understood")
    return StopsInForce.of([_parse_stop(each) for each in stops], str(revision))


def _parse_stop(fields: Any) -> Stop:
    if not isinstance(fields, dict) or not isinstance(fields.get("stopId"), str):
        raise ControlPlaneError("control.unreadable", "a stop can't be understood")
    stop_id, name = fields["stopId"], fields.get("name")
    try:
        scope = StopScope(str(fields.get("scope")))
    except ValueError:
        log.error("a stop of an unknown scope stops everything", extra={"detail": stop_id})
        scope = StopScope.EVERYTHING
    if scope is StopScope.EVERYTHING:
        name = ""
    elif not isinstance(name, str) or not name:
        log.error("a stop without a name stops everything", extra={"detail": stop_id})
        scope, name = StopScope.EVERYTHING, ""
    reason, by = str(fields.get("reason") or ""), str(fields.get("by") or "an operator")
    return Stop(stop_id, scope, name, reason, by, _parse_at(fields.get("at")))


def _parse_at(value: object) -> int:
    """Microseconds, as such or from ISO 8601; 0 where it says nothing, which stops no stop."""
    if isinstance(value, int):
        return value
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return 0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return micros_of(at)


def load_stops(path: Path) -> StopsInForce:
    """The copy on disk. None was ever kept: nothing is stopped. It can't be read: everything is,
    until the control plane has said what."""
    try:
        text = load_kept(path)
        if text is None:
            return StopsInForce.of((), "")
        kept = json.loads(text)
        if not isinstance(kept, dict):
            raise ValueError("not an object")
        return parse_stops(kept)
    except (OSError, ValueError, RecursionError, ControlPlaneError):
        log.error("the stops on disk can't be read; everything is stopped")
        return StopsInForce.of((UNREADABLE,), "")


def _text_of(now: StopsInForce) -> str:
    stops = [
        {
            "stopId": stop.stop_id,
            "scope": stop.scope.value,
            "name": stop.name,
            "reason": stop.reason,
            "by": stop.by,
            "at": stop.at,
        }
        for stop in now.by_id.values()
    ]
    return json.dumps({"revision": now.revision, "stops": stops})
