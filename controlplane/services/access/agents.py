"""Agents and the directory by which gateways know them."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.auth import Caller, Permission
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.notify.bus import Bus, Topic
from controlplane.services.access.keys import KeyService
from controlplane.services.waiting import WaitingRoom
from controlplane.store.agents import AgentRow, AgentStore, DirectoryRow

LIST_COUNT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Directory:
    """Who may send traffic. `revision` is a digest of the content: equal means unchanged."""

    agents: tuple[DirectoryRow, ...]
    revision: str


class AgentService:
    def __init__(self, store: AgentStore, keys: KeyService, bus: Bus, room: WaitingRoom) -> None:
        self._store = store
        self._keys = keys
        self._bus = bus
        self._room = room

    async def create(
        self, caller: Caller, name: str, labels: Mapping[str, str]
    ) -> tuple[AgentRow, str]:
        """Add an agent with a first key, which is given out this once.

        Raises:
            ControlFault: AGENT_EXISTS.
        """
        agent = await self._store.insert(caller.tenant_id, name, json.dumps(dict(labels)))
        if agent is None:
            raise ControlFault(Fault.AGENT_EXISTS, f"there is an agent `{name}` already")
        _, key = await self._keys.add(caller.tenant_id, name, (Permission.AGENT,), agent.agent_id)
        await self._bus.publish(Topic.AGENTS, str(caller.tenant_id))
        return agent, key

    async def list(
        self,
        caller: Caller,
        after: str | None = None,
        enabled: bool | None = None,
        count_max: int = LIST_COUNT_MAX,
    ) -> Sequence[AgentRow]:
        """By name; `after` is the last name of the page before."""
        return await self._store.list(caller.tenant_id, after, enabled, count_max)

    async def set_enabled(self, caller: Caller, agent_id: uuid.UUID, enabled: bool) -> AgentRow:
        """Let an agent send traffic, or no longer: its keys leave the directory at once.

        Raises:
            ControlFault: NOT_FOUND.
        """
        agent = await self._store.set_enabled(caller.tenant_id, agent_id, enabled)
        if agent is None:
            raise not_found("agent")
        await self._bus.publish(Topic.AGENTS, str(caller.tenant_id))
        return agent

    async def directory(
        self,
        caller: Caller,
        known_revision: str | None,
        wait_seconds: float,
        is_gone: Callable[[], bool],
    ) -> Directory:
        """The directory; with `wait_seconds`, once it differs from `known_revision`."""

        async def read() -> Directory:
            agents = tuple(await self._store.directory(caller.tenant_id))
            return Directory(agents, _revision(agents))

        return await self._room.read_until(
            (Topic.AGENTS, str(caller.tenant_id)),
            read,
            lambda directory: directory.revision != known_revision,
            wait_seconds,
            is_gone,
        )


def _revision(agents: Sequence[DirectoryRow]) -> str:
    text = json.dumps([[str(one.agent_id), one.name, one.labels, one.key_hashes] for one in agents])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
