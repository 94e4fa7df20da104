"""A control plane in the test's own process, and a client that speaks HTTP with it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from controlplane.app import ControlPlane
from controlplane.assembly import Limits
from controlplane.services.approvals.lifecycle import ApprovalSettings
from controlplane.services.waiting import WaitingSettings
from controlplane.settings import (
    AnchorSettings,
    BundleFilesSettings,
    ControlSettings,
    OidcSettings,
    OtlpSettings,
    ReachingSettings,
)
from controlplane.store.embedded import EmbeddedPostgres, Role
from controlplane.store.endpoint import Endpoint
from controlplane.store.roles import open_embedded
from tests.support.contracts import assert_as_declared
from tests.support.database import POOL

LIMITS = Limits(pool=POOL)

BY_MESSAGE_ALONE = Limits(pool=POOL, waiting=WaitingSettings(reread_seconds=60.0))
"""Whoever waits looks again by himself after longer than any test waits: an answer that comes
sooner was told, however slow the machine."""

TOLD_SECONDS_MAX = 15.0
"""What is told comes within this on the busiest machine, and sooner than a long poll of 20 s ends
by itself."""

FROM_THE_API = BundleFilesSettings()
"""Bundles come when a test publishes them."""

NOBODY_REACHED = ReachingSettings()
"""Channels come when a test adds them."""

KEPT_NOWHERE = AnchorSettings()
"""Checkpoints stay in the database."""


def limits_with(**approvals: Any) -> Limits:
    """The test limits with other `ApprovalSettings`."""
    return replace(LIMITS, approvals=ApprovalSettings(**approvals))


class _OnServer(ControlPlane):
    """A control plane on a database of the session's server, which it does not supervise."""

    def __init__(
        self,
        server: EmbeddedPostgres,
        name: str,
        data_dir: Path,
        limits: Limits,
        bundles: BundleFilesSettings,
        redis_url: str | None,
        reaching: ReachingSettings,
        oidc: OidcSettings | None,
        anchors: AnchorSettings,
        otlp: OtlpSettings | None,
    ) -> None:
        settings = ControlSettings(
            data_dir,
            api_port=0,
            bundles=bundles,
            redis_url=redis_url,
            reaching=reaching,
            oidc=oidc,
            anchors=anchors,
            otlp=otlp,
        )
        super().__init__(settings, limits)
        self._at = (server, name)

    async def _open_database(self) -> Endpoint:
        server, name = self._at
        self.database = await open_embedded(server, self._limits.pool, name)
        self._running.push_async_callback(self.database.close)
        return server.endpoint(Role.APPLICATION, name)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The envelope's code; empty for a success."""
        return self.body["error"]["code"] if "error" in self.body else ""

    @property
    def reason_code(self) -> str:
        """The envelope's finer code; empty for a success."""
        return self.body["error"]["reason_code"] if "error" in self.body else ""


class Client:
    """Speaks with one control plane; `keys` holds `admin`, `gateway` and `agent`."""

    def __init__(
        self, plane: ControlPlane, http: aiohttp.ClientSession, keys: Mapping[str, str]
    ) -> None:
        self.plane = plane
        self.http = http
        self.keys = dict(keys)

    @property
    def url(self) -> str:
        return self.plane.api_url

    @property
    def tenant_id(self) -> uuid.UUID:
        """Whose keys these are."""
        assert self.plane.bootstrapped is not None
        return self.plane.bootstrapped.tenant_id

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = "admin",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call with a key of `keys`, with any other text as the key, or with None."""
        shown = {} if key is None else {"x-api-key": self.keys.get(key, key)}
        async with self.http.request(
            method, self.url + path, json=body, headers={**shown, **(headers or {})}
        ) as response:
            assert_as_declared(method, path, response.status, await response.text())
            is_json = response.content_type == "application/json"
            text = await response.text()
            return Answer(response.status, json.loads(text) if is_json else text, response.headers)

    async def ask(self, **changes: Any) -> dict[str, Any]:
        """Ask for an approval; the approval."""
        answer = await self.call("POST", "/v1/approvals", ask_body(**changes), "gateway")
        assert answer.status in {200, 201}, answer
        return dict(answer.body["approval"])

    async def resolve(self, approval_id: str, resolution: str, **more: Any) -> Answer:
        return await self.call(
            "POST", f"/v1/approvals/{approval_id}/resolve", {"resolution": resolution, **more}
        )

    async def consume(self, approval: Mapping[str, Any], claim: str) -> Answer:
        body = {"requestDigest": approval["requestDigest"], "claimId": claim}
        path = f"/v1/approvals/{approval['approvalId']}/consume"
        return await self.call("POST", path, body, "gateway")

    async def status_of(self, approval_id: str) -> str:
        answer = await self.call("GET", f"/v1/approvals/{approval_id}")
        return str(answer.body["approval"]["status"])


@asynccontextmanager
async def running_plane(
    server: EmbeddedPostgres,
    name: str,
    data_dir: Path,
    limits: Limits = LIMITS,
    bundles: BundleFilesSettings = FROM_THE_API,
    redis_url: str | None = None,
    reaching: ReachingSettings = NOBODY_REACHED,
    oidc: OidcSettings | None = None,
    anchors: AnchorSettings = KEPT_NOWHERE,
    otlp: OtlpSettings | None = None,
) -> AsyncIterator[Client]:
    """A control plane on database `name`, with a client that has its keys."""
    plane = _OnServer(
        server, name, data_dir, limits, bundles, redis_url, reaching, oidc, anchors, otlp
    )
    await plane.start()
    keys = {role: (data_dir / f"{role}.key").read_text().strip() for role in _ROLES}
    try:
        async with aiohttp.ClientSession() as http:
            client = Client(plane, http, keys)
            # The first keys are in the log from now on, and not a second later.
            assert (await client.call("GET", "/v1/log/acts")).status == 200
            yield client
    finally:
        await plane.stop()


_ROLES = ("admin", "gateway", "agent")

_digests = iter(range(1, 1_000_000))


def fresh_digest() -> str:
    """A digest that no other test uses."""
    return hashlib.sha256(str(next(_digests)).encode()).hexdigest()


def ask_body(**changes: Any) -> dict[str, Any]:
    """A complete question; `timeout` changes the terms."""
    timeout = changes.pop("timeout", 1800)
    body = {
        "agent": "agent",
        "runId": None,
        "requestDigest": fresh_digest(),
        "decisionId": "dec_1",
        "provider": "stripe",
        "operation": "stripe.refunds.create",
        "action": "create_refund",
        "kind": "create",
        "target": {"type": "charge", "id": "ch_1"},
        "params": {"amount": 9000, "currency": "usd"},
        "authority": "api.stripe.com:443",
        "method": "POST",
        "path": "/v1/refunds",
        "policy": "starter",
        "rule": "writes-ask",
        "reasonCode": "WRITE_NEEDS_REVIEW",
        "message": "writes need a person",
        "risk": {
            "score": 40,
            "factors": [{"name": "kind", "points": 40, "observed": "create"}],
            "vector": "CR1/K:C",
        },
        "bundleRevision": "r1",
        "mode": "enforce",
        "terms": {
            "groups": [],
            "quorum": 1,
            "timeoutSeconds": timeout,
            "witnessRequired": False,
            "commentRequired": False,
            "escalateTo": [],
            "escalateAfterSeconds": None,
            "requesterLabels": [],
        },
        "summary": "refund 90.00 USD of charge ch_1",
    }
    return {**body, **changes}
