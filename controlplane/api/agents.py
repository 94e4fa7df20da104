"""`/v1/agents`: who may send traffic, and the directory by which gateways know them."""

from __future__ import annotations

import json
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from controlplane.api.parsing import (
    Body,
    Query,
    Short,
    parse_body,
    parse_id,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.store.agents import AgentRow
from gateway.model.codec import JsonValue

LABEL_COUNT_MAX = 64

# The name travels in proxy credentials, where `+` begins the run and `:` the key.
AgentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class CreateBody(Body):
    name: AgentName
    labels: Annotated[dict[Short, Short], Field(default_factory=dict, max_length=LABEL_COUNT_MAX)]


class ChangeBody(Body):
    enabled: bool


class DirectoryQuery(Query):
    revision: Short | None = None
    waitSeconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0


class NoQuery(Query):
    pass


async def create(call: Call) -> web.Response:
    body = await parse_body(call.http, CreateBody)
    agent, key = await call.services.agents.create(call.caller, body.name, body.labels)
    return answer({"agent": _render(agent), "key": key}, 201)


async def list_(call: Call) -> web.Response:
    parse_query(call.http, NoQuery)
    agents = await call.services.agents.list(call.caller)
    return answer({"agents": [_render(agent) for agent in agents]})


async def change(call: Call) -> web.Response:
    body = await parse_body(call.http, ChangeBody)
    agent = await call.services.agents.set_enabled(call.caller, parse_id(call.http), body.enabled)
    return answer({"agent": _render(agent)})


async def directory(call: Call) -> web.Response:
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
    route("POST", "/v1/agents", create, Permission.AGENT_WRITE, Permission.ADMIN),
    route("GET", "/v1/agents", list_, Permission.AGENT_READ, Permission.ADMIN),
    route("GET", "/v1/agents/directory", directory, Permission.GATEWAY),
    route("PATCH", "/v1/agents/{id}", change, Permission.AGENT_WRITE, Permission.ADMIN),
)


def _render(agent: AgentRow) -> dict[str, JsonValue]:
    return {
        "agentId": str(agent.agent_id),
        "name": agent.name,
        "labels": json.loads(agent.labels),
        "enabled": agent.enabled,
        "createdAt": timestamp(agent.created_at),
    }
