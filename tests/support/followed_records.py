"""Records as a gateway ships them, made apart from the product's own code, and a wait until the
control plane has read them."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from controlplane.notify.bus import ChannelBus
from controlplane.store.tenancy import acting_for_everybody
from tests.support.chains import chain
from tests.support.control_plane import Client

READ_SECONDS_MAX = 60.0


def moment(at: datetime | None = None) -> str:
    """As gateways write times."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Traffic:
    """What one gateway of its own saw. Nothing is shipped before `ship`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.gateway = f"gw-{uuid.uuid4().hex}"
        self._entries: list[dict[str, Any]] = []
        self._shipped = 0
        self._prev = "0" * 64

    def decided(
        self, run: str | None, *, sends: bool = False, agent: str = "agent", **more: Any
    ) -> str:
        """A decision; its id. `target` is the id of a charge, `kind` that of the action."""
        decision_id = more.pop("decision_id", None) or f"dec_{uuid.uuid4().hex}"
        action = {
            "operation": "stripe.refunds.create",
            "action": "create_refund",
            "kind": more.pop("kind", "create"),
            "target": {"type": "charge", "id": more.pop("target", "ch_1")},
            "params": {"amount": 9000},
            "missing": [],
            "reversible": False,
        }
        self._entries.append(
            {
                "kind": "intent" if sends else "decision",
                "at": moment(more.pop("at", None)),
                "decision_id": decision_id,
                "request_id": "req_1",
                "agent": agent,
                "run": run,
                "method": "POST",
                "authority": "api.stripe.com:443",
                "path": "/v1/refunds",
                "digest": "d" * 64,
                "provider": "stripe",
                "actions": [action],
                "refused": None,
                "effect": "ALLOW",
                "mode": "enforce",
                "policy": "starter",
                "rule": "r1",
                "reason_code": "BECAUSE",
                "message": "because",
                "risk": {"score": 30, "factors": [], "vector": "CR1"},
                "revision": "r",
                "approval": None,
                **more,
            }
        )
        return decision_id

    def outcome(self, decision_id: str, outcome: str, **more: Any) -> None:
        """What became of a decision."""
        self._entries.append(
            {
                "kind": "outcome",
                "at": moment(more.pop("at", None)),
                "decision_id": decision_id,
                "request_id": "req_1",
                "outcome": outcome,
                "status": None,
                "code": None,
                "duration_us": 1,
                "response_bytes": 0,
                "approval": None,
                **more,
            }
        )

    def entry(self, **fields: Any) -> None:
        """Any other record."""
        self._entries.append({"at": moment(), **fields})

    def lines(self) -> list[str]:
        """What is not shipped yet, as lines of this gateway's chain."""
        return chain(self.gateway, self._entries, self._shipped + 1, self._prev)

    async def ship(self, *, waits: bool = True) -> None:
        """Ship it, and wait until all of it is read."""
        lines = self.lines()
        for begin in range(0, len(lines), 1_000):
            body = {"gatewayId": self.gateway, "records": lines[begin : begin + 1_000]}
            answer = await self.client.call("POST", "/v1/records", body, "gateway")
            assert answer.status == 200, answer
        self._shipped += len(lines)
        self._entries.clear()
        if lines:
            self._prev = hashlib.sha256(lines[-1].encode()).hexdigest()
        if waits:
            await until_read(self.client)


async def until_read(client: Client) -> None:
    """Wait until the projection has read every record."""
    async with asyncio.timeout(READ_SECONDS_MAX):
        while not await is_read(client):
            await asyncio.sleep(0.01)


async def is_read(client: Client) -> bool:
    """Whether the projection has read every record, the control plane's own included."""
    database = client.plane.database
    assert database is not None
    with acting_for_everybody():
        row = await database.row(
            "select (select max(record_id) from records) is not distinct from "
            "(select max(record_id) from projection_cursors) as done"
        )
    return row is not None and bool(row["done"])


class _Nowhere:
    """A bus's channel that carries nothing."""

    async def send(self, message: str) -> None:
        pass

    async def listen(self, ready: object, receive: object) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


def lonely_bus() -> ChannelBus:
    """A bus that wakes nobody beyond itself."""
    return ChannelBus(_Nowhere())
