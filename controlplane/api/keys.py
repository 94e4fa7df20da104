"""`/v1/keys`: the keys of people and of gateways. Agents' keys come with their agents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from controlplane.api.contract import At, Body, Id, View
from controlplane.api.parsing import NoBody, parse_body, parse_id, timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.store.keys import ListedKey
from gateway.model.codec import JsonValue

EXPIRES_SECONDS_MAX = 10 * 366 * 86_400

KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$")]
Group = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _not_an_agents(permission: Permission) -> Permission:
    if permission is Permission.AGENT:
        raise ValueError("an agent's key comes with its agent")
    return permission


Given = Annotated[Permission, AfterValidator(_not_an_agents)]


class CreateBody(Body):
    """`name` is the person (or the gateway) that holds it: two keys of one name approve once."""

    name: KeyName
    permissions: Annotated[list[Given], Field(min_length=1, max_length=16)]
    groups: Annotated[list[Group], Field(default_factory=list, max_length=50)]
    expiresInSeconds: Annotated[int, Field(ge=60, le=EXPIRES_SECONDS_MAX)] | None = None


class KeyView(View):
    keyId: Id
    name: str
    prefix: str
    permissions: list[Permission]
    groups: list[str]
    agent: str | None
    createdAt: At
    expiresAt: At | None
    revokedAt: At | None
    lastUsedAt: At | None


class KeyAnswer(View):
    key: KeyView


class KeysAnswer(View):
    keys: list[KeyView]


class MadeKeyAnswer(View):
    """`key` is shown this once."""

    keyId: Id
    name: str
    key: str


async def create(call: Call) -> web.Response:
    body = await parse_body(call.http, CreateBody)
    permissions = tuple(dict.fromkeys(body.permissions))
    is_gateway = Permission.GATEWAY in permissions
    expires_at = None
    if body.expiresInSeconds is not None:
        expires_at = datetime.now(UTC) + timedelta(seconds=body.expiresInSeconds)
    key_id, key = await call.services.keys.add(
        call.caller.tenant_id,
        body.name,
        "gateway" if is_gateway else "person",
        permissions,
        groups=tuple(dict.fromkeys(body.groups)),
        expires_at=expires_at,
    )
    return answer({"keyId": str(key_id), "name": body.name, "key": key}, 201)


async def list_(call: Call) -> web.Response:
    return answer({"keys": [_render(key) for key in await call.services.keys.list(call.caller)]})


async def revoke(call: Call) -> web.Response:
    return answer(
        {"key": _render(await call.services.keys.revoke(call.caller, parse_id(call.http)))}
    )


ROUTES = (
    route(
        "POST", "/v1/keys", create, Permission.ADMIN,
        body=CreateBody, answers={201: MadeKeyAnswer},
    ),
    route("GET", "/v1/keys", list_, Permission.ADMIN, answers=KeysAnswer),
    route(
        "POST", "/v1/keys/{id}/revoke", revoke, Permission.ADMIN,
        body=NoBody, answers=KeyAnswer,
    ),
)  # fmt: skip


def _render(key: ListedKey) -> dict[str, JsonValue]:
    return {
        "keyId": str(key.key_id),
        "name": key.name,
        "prefix": key.prefix,
        "permissions": list(key.permissions),
        "groups": list(key.groups),
        "agent": key.agent,
        "createdAt": timestamp(key.created_at),
        "expiresAt": timestamp(key.expires_at),
        "revokedAt": timestamp(key.revoked_at),
        "lastUsedAt": timestamp(key.last_used_at),
    }
