"""`/v1/keys`: the keys of people and of gateways. Agents' keys come with their agents."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, Field, StringConstraints

from controlplane.api.contract import At, Body, Id, View
from controlplane.api.pages import PageQuery, bad_cursor, next_cursor, parse_text_cursor
from controlplane.api.parsing import (
    NoBody,
    Short,
    parse_body,
    parse_id,
    parse_query,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import GROUP, KEY_NAME, Permission, key_prefix
from controlplane.store.keys import KeyFilter, ListedKey
from gateway.model.codec import JsonValue

EXPIRES_SECONDS_MAX = 10 * 366 * 86_400

GRACE_SECONDS_MAX = 7 * 86_400
"""A secret that is known to be old is not needed for more than a week."""

KeyName = Annotated[str, StringConstraints(pattern=KEY_NAME.pattern)]
Group = Annotated[str, StringConstraints(pattern=GROUP.pattern)]


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


class RotateBody(Body):
    """For `graceSeconds` the secret before is as good: time to bring the new one to where it is
    used."""

    graceSeconds: Annotated[int, Field(ge=0, le=GRACE_SECONDS_MAX)] = 0


class ListQuery(PageQuery):
    """`valid`: true for keys in force, false for those that are revoked or expired."""

    valid: bool | None = None
    name: Short | None = None


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
    rotatedAt: At | None


class KeyAnswer(View):
    key: KeyView


class KeysAnswer(View):
    keys: list[KeyView]
    nextCursor: str | None


class MadeKeyAnswer(View):
    """`key` is shown this once."""

    keyId: Id
    name: str
    prefix: str
    key: str


async def create(call: Call) -> web.Response:
    """Make a key; it is shown this once."""
    body = await parse_body(call.http, CreateBody)
    permissions = tuple(dict.fromkeys(body.permissions))
    expires_at = None
    if body.expiresInSeconds is not None:
        expires_at = datetime.now(UTC) + timedelta(seconds=body.expiresInSeconds)
    key_id, key = await call.services.keys.add(
        call.caller.tenant_id,
        body.name,
        permissions,
        groups=tuple(dict.fromkeys(body.groups)),
        expires_at=expires_at,
    )
    return answer(_made(str(key_id), body.name, key), 201)


async def list_(call: Call) -> web.Response:
    """List keys, the newest first."""
    query = parse_query(call.http, ListQuery)
    wanted = KeyFilter(_after(query.cursor), query.valid, query.name)
    rows = await call.services.keys.list(call.caller, wanted, query.limit)
    return answer(
        {
            "keys": [_render(key) for key in rows],
            "nextCursor": next_cursor(
                rows, query.limit, lambda key: [timestamp(key.created_at), str(key.key_id)]
            ),
        }
    )


async def rotate(call: Call) -> web.Response:
    """Give a key another secret; it is shown this once."""
    body = await parse_body(call.http, RotateBody)
    rotated, key = await call.services.keys.rotate(
        call.caller, parse_id(call.http), body.graceSeconds
    )
    return answer(_made(str(rotated.key_id), rotated.name, key))


async def revoke(call: Call) -> web.Response:
    """End a key at once."""
    return answer(
        {"key": _render(await call.services.keys.revoke(call.caller, parse_id(call.http)))}
    )


ROUTES = (
    route(
        "POST", "/v1/keys", create, Permission.ADMIN,
        body=CreateBody, answers={201: MadeKeyAnswer},
    ),
    route("GET", "/v1/keys", list_, Permission.ADMIN, query=ListQuery, answers=KeysAnswer),
    route(
        "POST",
        "/v1/keys/{id}/rotate",
        rotate,
        Permission.ADMIN,
        body=RotateBody,
        answers=MadeKeyAnswer,
    ),
    route(
        "POST", "/v1/keys/{id}/revoke", revoke, Permission.ADMIN,
        body=NoBody, answers=KeyAnswer,
    ),
)  # fmt: skip


def _after(cursor: str | None) -> tuple[datetime, uuid.UUID] | None:
    place = parse_text_cursor(cursor, 2)
    if place is None:
        return None
    try:
        return datetime.strptime(place[0], "%Y-%m-%dT%H:%M:%S.%f%z"), uuid.UUID(place[1])
    except ValueError:
        raise bad_cursor() from None


def _made(key_id: str, name: str, key: str) -> dict[str, JsonValue]:
    return {"keyId": key_id, "name": name, "prefix": key_prefix(key), "key": key}


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
        "rotatedAt": timestamp(key.rotated_at),
    }
