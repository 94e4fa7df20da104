"""Who may send traffic: a copy of the control plane's directory, kept fresh (`AgentDirectory`).

A long poll brings changes; the newest copy lies on disk, so that a restart without a control
plane still knows its agents. Of keys it has only hashes; one that was let in is remembered in
memory until the next copy. What is not in the copy, or in a copy older than
`directory_stale_seconds_max`, does not get in.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from gateway import telemetry
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.kept_file import store_kept
from gateway.control_client.retry import FIRST_FETCH_SECONDS_MAX, pauses
from gateway.control_client.settings import ControlSettings
from gateway.model.dataclass import dataclass
from gateway.model.errors import ControlPlaneError
from gateway.model.exchange import Principal
from gateway.ports import Clock
from gateway.process.background import in_background
from gateway.process.tasks import end_tasks

log = logging.getLogger(__name__)

REFRESH_SECONDS_MIN: Final = 1.0
"""An unknown key asks for the directory at most this often, so that guessing keys costs the
control plane nothing."""
REFRESH_WAIT_SECONDS_MAX: Final = 3.0
KNOWN_MAX: Final = 1_024
"""Agents whose key is not hashed again for every request: more than one gateway serves at once."""
_NOBODYS_HASH: Final = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """One agent of the directory; `key_hashes` are SHA-256 digests of its valid keys."""

    name: str
    labels: Mapping[str, str]
    key_hashes: tuple[bytes, ...]
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The directory at one moment. `fetched_at` is microseconds since the Unix epoch."""

    revision: str
    agents: Mapping[str, KnownAgent]
    fetched_at: int


class Directory:
    """The real `AgentDirectory`. `start` it, `stop` it; between, one task keeps it fresh."""

    def __init__(
        self, client: ControlPlaneClient, settings: ControlSettings, cache_path: Path, clock: Clock
    ) -> None:
        self._client = client
        self._settings = settings
        self._cache_path = cache_path
        self._clock = clock
        self._snapshot: Snapshot | None = None
        # Who was let in by this snapshot, by what they presented: asked again for each request.
        self._known: dict[tuple[str, str], Principal] = {}
        self._task: asyncio.Task[None] | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._refreshed_at = float("-inf")

    @property
    def is_ready(self) -> bool:
        """Whether any agent could be let in: there is a directory, and it is not too old."""
        return self._fresh() is not None

    async def start(self) -> None:
        """Take the copy on disk, ask once for a newer one, and begin to follow changes. A control
        plane that is gone delays this by a few seconds and fails nothing."""
        self._put(load_snapshot(self._cache_path))
        try:
            async with asyncio.timeout(FIRST_FETCH_SECONDS_MAX):
                await self._fetch(0)
        except (ControlPlaneError, TimeoutError):
            log.warning("no directory of agents yet; the copy on disk is used")
        self._task = asyncio.create_task(self._follow(), name="agent-directory")

    async def stop(self) -> None:
        """Stop following."""
        await end_tasks((self._task, self._refresh))

    async def authenticate(self, agent: str, key: str) -> Principal | None:
        """See `AgentDirectory.authenticate`."""
        known = self._known.get((agent, key))
        if known is not None and self._fresh() is not None:
            return known
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        principal = self._match(agent, digest)
        if principal is None and await self._refresh_once():
            principal = self._match(agent, digest)
        if principal is not None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[agent, key] = principal
        return principal

    def _put(self, snapshot: Snapshot | None) -> None:
        """Take a snapshot, and forget who was let in by the one before."""
        self._snapshot = snapshot
        self._known.clear()

    def _match(self, name: str, digest: bytes) -> Principal | None:
        snapshot = self._fresh()
        agent = None if snapshot is None else snapshot.agents.get(name)
        if agent is None or not agent.is_enabled:
            hmac.compare_digest(_NOBODYS_HASH, digest)
            return None
        # All are compared: how long it takes must not tell which one fits.
        fits = [hmac.compare_digest(known, digest) for known in agent.key_hashes]
        return Principal(agent.name, None, agent.labels) if any(fits) else None

    def _fresh(self) -> Snapshot | None:
        snapshot = self._snapshot
        if snapshot is None:
            return None
        age_seconds = (self._clock.now() - snapshot.fetched_at) / 1_000_000
        return snapshot if age_seconds <= self._settings.directory_stale_seconds_max else None

    # --- keeping it fresh -------------------------------------------------------------------------

    async def _refresh_once(self) -> bool:
        """Ask for the newest directory, if that was not done just now; whether it was asked."""
        if self._refresh is None or self._refresh.done():
            now = self._clock.monotonic()
            if now - self._refreshed_at < REFRESH_SECONDS_MIN:
                return False
            self._refreshed_at = now
            self._refresh = asyncio.create_task(self._fetch_quietly(), name="agent-refresh")
        await asyncio.wait({self._refresh}, timeout=REFRESH_WAIT_SECONDS_MAX)
        return True

    async def _fetch_quietly(self) -> None:
        try:
            await self._fetch(0)
        except ControlPlaneError as error:
            log.warning("directory not refreshed", extra={"code": error.code})

    async def _follow(self) -> None:
        """Long-poll for ever. Success begins the pauses anew, failure makes them longer. Nothing
        ends this: a copy that grows old unnoticed would let in whose key was revoked."""
        settings = self._settings
        waits = pauses(settings.retry_seconds_max)
        while True:
            try:
                await self._fetch(settings.long_poll_seconds)
                waits = pauses(settings.retry_seconds_max)
                # A server that answers at once every time must not keep us busy.
                await asyncio.sleep(settings.directory_pause_seconds)
            except ControlPlaneError as error:
                log.warning("directory not followed", extra={"code": error.code})
                await asyncio.sleep(next(waits))
            except Exception:
                log.exception("following the directory failed")
                telemetry.BUGS.inc()
                await asyncio.sleep(next(waits))

    async def _fetch(self, wait_seconds: int) -> None:
        before = self._snapshot
        revision = before.revision if before is not None else ""
        # Without a revision there is nothing to wait for.
        answer = await self._client.fetch_directory(revision, wait_seconds if revision else 0)
        snapshot = parse_snapshot(answer, self._clock.now())
        self._put(snapshot)
        if before is None or before.revision != snapshot.revision:
            log.info("agents known", extra={"count": len(snapshot.agents)})
        try:
            await in_background(_store, self._cache_path, answer, snapshot.fetched_at)
        except OSError as error:
            log.warning("directory not kept on disk", extra={"detail": error.strerror})


def parse_snapshot(answer: Mapping[str, Any], fetched_at: int) -> Snapshot:
    """Parse the directory.

    Raises:
        ControlPlaneError: `control.unreadable`; what was known before stays.
    """
    try:
        agents = [
            KnownAgent(
                str(each["name"]),
                MappingProxyType({str(k): str(v) for k, v in dict(each["labels"]).items()}),
                tuple(_key_hash(text) for text in each["keyHashes"]),
                each["enabled"] is True,
            )
            for each in answer["agents"]
        ]
        revision = str(answer["revision"])
    except (KeyError, TypeError, ValueError) as error:
        raise ControlPlaneError(
            "control.unreadable", "the directory of agents can't be understood"
        ) from error
    return Snapshot(revision, {agent.name: agent for agent in agents}, fetched_at)


def _key_hash(text: str) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) != hashlib.sha256().digest_size:
        raise ValueError("not a SHA-256 digest")
    return digest


def load_snapshot(path: Path) -> Snapshot | None:
    """The copy on disk; None when there is none or it is damaged, which is as good as none."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return parse_snapshot(kept["directory"], int(kept["fetched_at"]))
    except (OSError, ValueError, KeyError, TypeError, ControlPlaneError):
        return None


def _store(path: Path, answer: Mapping[str, Any], fetched_at: int) -> None:
    kept = {"agents": answer["agents"], "revision": answer["revision"]}
    store_kept(path, json.dumps({"fetched_at": fetched_at, "directory": kept}))
