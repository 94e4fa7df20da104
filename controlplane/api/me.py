"""`/v1/me`: whose key this is, and what it may do. Every key may ask."""

from __future__ import annotations

from aiohttp import web

from controlplane.api.contract import Id, View
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission


class MeAnswer(View):
    """`agent` is set where the key is an agent's."""

    tenantId: Id
    keyId: Id
    name: str
    permissions: list[Permission]
    groups: list[str]
    agent: str | None


async def me(call: Call) -> web.Response:
    """Say whose key this is."""
    caller = call.caller
    return answer(
        {
            "tenantId": str(caller.tenant_id),
            "keyId": str(caller.key_id),
            "name": caller.key_name,
            "permissions": sorted(caller.permissions),
            "groups": sorted(caller.groups),
            "agent": caller.agent,
        }
    )


ROUTES = (route("GET", "/v1/me", me, *Permission, answers=MeAnswer),)
