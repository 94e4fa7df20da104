"""`/v1/agents`: who may send traffic, and the directory by which gateways know them."""

from __future__ import annotations

import json
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from controlplane.api.contract import At, Id, View
from controlplane.api.pages import PageQuery, next_cursor, parse_text_cursor
from controlplane.api.parsing import (
    Body,
    Query,
    Short,
    WaitSeconds,
    parse_body,
    parse_id,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import AGENT_NAME, Permission
from controlplane.store.agents import AgentRow
from gateway.model.codec import JsonValue

LABEL_COUNT_MAX = 64

AgentName = Annotated[str, StringConstraints(pattern=AGENT_NAME.pattern)]


class CreateBody(Body):
    name: AgentName
    labels: Annotated[dict[Short, Short], Field(default_factory=dict, max_length=LABEL_COUNT_MAX)]


class ChangeBody(Body):
    enabled: bool


class DirectoryQuery(Query):
    revision: Short | None = None
    waitSeconds: WaitSeconds = 0


class ListQuery(PageQuery):
    enabled: bool | None = None


class AgentView(View):
    agentId: Id
    name: str
    labels: dict[str, str]
    enabled: bool
    createdAt: At


class AgentAnswer(View):
    agent: AgentView


class MadeAgentAnswer(View):
    """`key` is shown this once."""

    agent: AgentView
    key: str


class AgentsAnswer(View):
    agents: list[AgentView]
    nextCursor: str | None


class KnownAgentView(View):
    """An enabled agent; `keyHashes` are the SHA-256 of its valid keys."""

    agentId: Id
    name: str
    labels: dict[str, str]
    keyHashes: list[str]
    enabled: bool


class DirectoryAnswer(View):
    agents: list[KnownAgentView]
    revision: str


async def create(call: Call) -> web.Response:
    """Make an agent with a first key, which is shown this once."""
    body = await parse_body(call.http, CreateBody)
    agent, key = await call.services.agents.create(call.caller, body.name, body.labels)
    return answer({"agent": _render(agent), "key": key}, 201)


async def list_(call: Call) -> web.Response:
    """List agents by name."""
    query = parse_query(call.http, ListQuery)
    place = parse_text_cursor(query.cursor, 1)
    after = None if place is None else place[0]
    agents = await call.services.agents.list(call.caller, after, query.enabled, query.limit)
    return answer(
        {
            "agents": [_render(agent) for agent in agents],
            "nextCursor": next_cursor(agents, query.limit, lambda agent: [agent.name]),
        }
    )


async def change(call: Call) -> web.Response:
    """Let an agent send traffic, or no longer."""
    body = await parse_body(call.http, ChangeBody)
    agent = await call.services.agents.set_enabled(call.caller, parse_id(call.http), body.enabled)
    return answer({"agent": _render(agent)})


async def directory(call: Call) -> web.Response:
    """Read, or await, who may send traffic."""
    query = parse_query(call.http, DirectoryQuery)
    found = await call.services.agents.directory(
        call.caller, query.revision, query.waitSeconds, call.is_gone
    )
    agents: list[JsonValue] = [
        {
            "agentId": str(agent.agent_id),
            "name": agent.name,
            "labels": json.loads(agent.labels),
            "keyHashes": list(agent.key_hashes),
            "enabled": True,
        }
        for agent in found.agents
    ]
    return answer({"agents": agents, "revision": found.revision})


ROUTES = (
    route(
        "POST", "/v1/agents", create, Permission.AGENT_WRITE, Permission.ADMIN,
        body=CreateBody, answers={201: MadeAgentAnswer},
    ),
    route(
        "GET", "/v1/agents", list_, Permission.AGENT_READ, Permission.ADMIN,
        query=ListQuery, answers=AgentsAnswer,
    ),
    route(
        "GET", "/v1/agents/directory", directory, Permission.GATEWAY,
        query=DirectoryQuery, answers=DirectoryAnswer,
    ),
    route(
        "PATCH", "/v1/agents/{id}", change, Permission.AGENT_WRITE, Permission.ADMIN,
        body=ChangeBody, answers=AgentAnswer,
    ),
)  # fmt: skip


def _render(agent: AgentRow) -> dict[str, JsonValue]:
    return {
        "agentId": str(agent.agent_id),
        "name": agent.name,
        "labels": json.loads(agent.labels),
        "enabled": agent.enabled,
        "createdAt": timestamp(agent.created_at),
    }
