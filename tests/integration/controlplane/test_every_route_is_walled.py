"""With every id of another organisation on every route of the API and every page of the dashboard:
404, and not one row of theirs changes."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest

from controlplane.auth import Permission
from controlplane.dashboard.app import PAGES
from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.integration.controlplane.test_other_tenant import (
    BODIES,
    NAMED,
    TELL_NOTHING,
    key_for,
    one_of_each,
    query,
    strangers,
)
from tests.support.control_plane import Client, ask_body
from tests.support.dashboard import Browser, browsing
from tests.support.database import connect_as
from tests.support.tenants import make_key

__all__ = ["strangers"]

OF_NOBODY_NOW: Final = {
    "events", "deliveries", "channel_cursors", "projection_cursors", "traffic_counts",
    "provider_counts", "log_checkpoints", "log_anchors",
}  # fmt: skip
"""What the control plane's own tasks write about what a tenant did before; nothing of what people
see or decide is only there."""

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "/approvals/{id}": {"answer": "APPROVE", "reason": "theirs"},
    "/runs/{id}/cancel": {"reason": "theirs"},
    "/incidents/{id}/acknowledge": {},
    "/incidents/{id}/resolve": {"note": "theirs"},
    "/outcomes": {"decision": "{outcomes}", "outcome": "executed", "note": "theirs"},
    "/grants/{id}/revoke": {"reason": "theirs"},
    "/agents/enabled": {"agent": "{agents}", "enabled": "no"},
    "/keys/rotate": {"key": "{keys}", "grace": "0"},
    "/keys/revoke": {"key": "{keys}"},
    "/policies/{id}/activate": {"version": "1", "etag": "1", "comment": "theirs"},
    "/policies/{id}/deactivate": {"etag": "1", "comment": "theirs"},
    "/policies/{id}/edit": {"save": "1", "document": "x", "etag": "1", "comment": "theirs"},
    "/channels/{id}": {"name": "theirs", "url": "https://evil.test/", "event.stop.pulled": "1"},
    "/channels/{id}/test": {},
    "/channels/{id}/rotate": {},
    "/channels/{id}/remove": {},
    "/channels/{id}/people": {"address": "theirs", "forget": "1"},
    "/deliveries": {"delivery": "{deliveries}"},
    "/settings/sessions": {"session": "{deliveries}"},
    "/stop/lift": {"stop": "{stops}", "reason": "theirs"},
}
"""Forms that name something that is there already, and how. A page's path has one id, of the kind
that the path begins with."""

NAME_NOTHING: Final = {
    "/agents", "/keys", "/policies/new", "/policies/try", "/stop", "/sign-out", "/theme",
    "/channels", "/settings/learner",
}  # fmt: skip
"""Forms that make something new, or are about the visitor."""

HAS_ID: Final = {(one.method, one.path) for page in PAGES for one in page.routes if "{" in one.path}


@pytest.fixture
async def things(client: Client) -> dict[str, str]:
    """Something of every kind of the organisation that is attacked."""
    made = await one_of_each(client)
    # What was done there gets its records before anybody looks, not in between.
    assert (await client.call("GET", "/v1/log/acts")).body == {"differences": []}
    return made


@pytest.fixture
async def stranger(client: Client, strangers: dict[str, str]) -> AsyncIterator[Browser]:
    """The dashboard, opened by somebody of another organisation who may do everything there."""
    async with browsing(client) as browser:
        shown = await browser.sign_in(strangers["person"])
        assert shown.status == 303, shown.text
        yield browser


async def everything_of(
    server: EmbeddedPostgres, database: str, tenant: uuid.UUID
) -> dict[str, list[str]]:
    """Every row of a tenant, by table."""
    connection = await connect_as(server, Role.OWNER, database)
    try:
        tables = await connection.fetch(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' "
            "where n.nspname = 'checkrein' and c.relkind in ('r', 'p') and not c.relispartition"
        )
        names = {str(row["relname"]) for row in tables} - OF_NOBODY_NOW
        assert len(names) >= 25
        return {
            name: [
                str(row["line"])
                for row in await connection.fetch(
                    f"select (to_jsonb(t) - 'last_used_at')::text as line "
                    f'from "{name}" t where tenant_id = $1 order by 1',
                    tenant,
                )
            ]
            for name in sorted(names)
        }
    finally:
        await connection.close()


def filled(text: str, things: Mapping[str, str], kind: str) -> str:
    text = re.sub(r"\{(id|sequence|decision|token)\}", lambda _: things[kind], text)
    return text.replace("{version}", "1").format(**things)


async def test_no_route_of_the_api_touches_anothers_things(
    client: Client,
    strangers: dict[str, str],
    things: dict[str, str],
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """By path; with the body that would be right for one's own."""
    at = (postgres_server, database_name, client.tenant_id)
    before = await everything_of(*at)
    wrong = {}
    for name, one in NAMED.items():
        path = filled(one.path, things, one.path.split("/")[2])
        body = None if one.method == "GET" else BODIES.get(name, {})
        answer = await client.call(one.method, path + query(path), body, key_for(one, strangers))
        told = (answer.status, answer.code)
        if told != (404, "NOT_FOUND") and answer.body != TELL_NOTHING.get(name):
            wrong[name] = told
    assert wrong == {}
    assert await everything_of(*at) == before


async def test_no_page_touches_anothers_things(
    client: Client,
    stranger: Browser,
    things: dict[str, str],
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """By path and by field; with the form's right token."""
    at = (postgres_server, database_name, client.tenant_id)
    before = await everything_of(*at)
    token = (await stranger.get("/dashboard/account")).token
    wrong = {}
    for page in PAGES:
        for one in page.routes:
            kind = one.path.split("/")[1] if one.path else ""
            if one.method != "GET" and one.path not in NAME_NOTHING:
                fields = {
                    name: filled(value, things, kind) for name, value in FIELDS[one.path].items()
                }
                path = "/dashboard" + filled(one.path, things, kind)
                shown = await stranger.post(path, {"csrf": token, **fields})
            elif "{" in one.path:
                path = "/dashboard" + filled(one.path, things, kind)
                shown = await stranger.get(path + query(path))
            else:
                continue
            if shown.status != 404:
                wrong[f"{one.method} {one.path}"] = (shown.status, shown.text[-1500:])
    assert wrong == {}
    assert await everything_of(*at) == before


async def test_no_page_shows_anything_of_anothers(
    stranger: Browser, things: dict[str, str], client: Client
):
    """Lists, counts and the search, by every id and name."""
    agent = await client.call("GET", "/v1/agents")
    names = {one["name"] for one in agent.body["agents"]} - {"agent"}
    words = {word for word in things.values() if len(word) >= 8} | names
    for page in PAGES:
        for one in page.routes:
            if one.method == "GET" and "{" not in one.path:
                text = (await stranger.get("/dashboard" + one.path)).text
                assert [word for word in words if word in text] == [], one.path
    for word in words:
        shown = await stranger.get(f"/dashboard/search?q={word}")
        # The words themselves go on to the audit, which finds nothing by them.
        assert shown.status != 303 or shown.location == f"/dashboard/audit?q={word}", word
        listed = (await stranger.get(f"/dashboard/audit?q={word}")).text
        assert f"/dashboard/decisions/{word}" not in listed


async def test_ids_in_a_body_or_a_query_open_nothing(
    client: Client,
    strangers: dict[str, str],
    things: dict[str, str],
    postgres_server: EmbeddedPostgres,
    database_name: str,
):
    """What names another organisation beside the path is refused, or finds nothing."""
    at = (postgres_server, database_name, client.tenant_id)
    before = await everything_of(*at)
    person, ours = strangers["person"], str(client.tenant_id)
    scope = {"scopeType": "ORG", "scopeId": ours}
    incident = {"scope": scope, "severity": "LOW", "reasonCode": "X", "title": "t", "summary": "s"}
    policy = {"scope": scope, "name": "x", "defaultAction": "DENY", "rules": []}
    refused: dict[str, Any] = {
        "/v1/incidents": incident,
        "/v1/policies": policy,
        "/v1/runs": {"scope": scope, "agentId": things["agents"]},
    }
    for path, body in refused.items():
        answer = await client.call("POST", path, body, person)
        assert answer.status in {403, 404, 422}, (path, answer)
    for path in (
        f"/v1/approvals?run={things['runs']}",
        f"/v1/runs?agent={things['agents']}",
        "/v1/approvals?cursor=9223372036854775807",
        "/v1/deliveries",
        "/v1/records?agent=agent",
        "/v1/exports/decisions",
        "/v1/exports/records",
    ):
        async with client.http.get(
            client.url + path, headers={"x-api-key": client.keys[person]}
        ) as response:
            text = await response.text()
        assert not any(word in text for word in things.values() if len(word) >= 8), (path, text)
    assert await everything_of(*at) == before


async def test_the_same_act_of_two_organisations_is_two_questions(
    client: Client, strangers: dict[str, str]
):
    """The digest joins nobody to another organisation's approval, approved or not."""
    body = ask_body()
    first = (await client.call("POST", "/v1/approvals", body, "gateway")).body["approval"]
    await client.resolve(first["approvalId"], "APPROVE")
    gateway = strangers["gateway"]
    second = await client.call("POST", "/v1/approvals", body, gateway)
    assert second.status == 201, second
    assert second.body["approval"]["approvalId"] != first["approvalId"]
    assert second.body["approval"]["status"] == "PENDING"


async def test_a_gateway_of_the_other_organisation_wakes_for_its_own_alone(
    client: Client, strangers: dict[str, str]
):
    """One read is made for all gateways that wait; each gets what is its own."""
    asked = await client.ask()
    await client.resolve(asked["approvalId"], "APPROVE")
    path = f"/v1/approvals/{asked['approvalId']}"
    key = strangers["gateway"]
    assert (await client.call("GET", path + "?waitSeconds=1", key=key)).status == 404
    answered = await client.call("GET", "/v1/approvals/answered?waitSeconds=0", key=key)
    assert asked["approvalId"] not in str(answered.body)


def test_every_form_is_thought_about():
    """A new one must be written down above."""
    forms = {one.path for page in PAGES for one in page.routes if one.method != "GET"}
    assert forms == FIELDS.keys() | NAME_NOTHING


async def test_a_person_of_the_other_organisation_is_not_made_by_its_name(
    client: Client, strangers: dict[str, str], postgres_server: EmbeddedPostgres, database_name: str
):
    """Two organisations may have a key of one name; each answers for its own alone."""
    await make_key(postgres_server, database_name, [Permission.APPROVAL_WRITE.value])
    asked = await client.ask()
    answer = await client.call(
        "POST",
        f"/v1/approvals/{asked['approvalId']}/resolve",
        {"resolution": "APPROVE", "resolvedBy": "made"},
        strangers["person"],
    )
    assert answer.status == 404
    assert await client.status_of(asked["approvalId"]) == "PENDING"
