"""Who may do what, and what bad requests get: the envelope, always."""

from __future__ import annotations

import asyncio
import io
import re
import socket
import uuid
from urllib.parse import urlsplit

import pytest

from controlplane.api.server import ROUTES
from controlplane.auth import Permission, hash_key
from controlplane.store.embedded import EmbeddedPostgres, Role
from tests.support.control_plane import Client, ask_body
from tests.support.database import connect_as
from tests.support.granted import GRANTED
from tests.support.tenants import make_key, make_tenant


def test_the_table_covers_every_route():
    """A new route must be thought about."""
    assert {(one.method, one.path): set(one.needs) for one in ROUTES} == GRANTED


async def test_every_route_opens_for_its_permissions_only(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """401 without a key and with a wrong one, 403 with any other permission, else past the gate."""
    keys = {
        permission: await make_key(postgres_server, database_name, [permission])
        for permission in Permission
    }
    for (method, path), granted in GRANTED.items():
        url = re.sub(r"\{\w+\}", "1", path.replace("{id}", str(uuid.uuid4())))
        body = None if method == "GET" else {}
        for key in (None, "cr_admin_wrong", keys["Admin"][:-1], keys["Admin"] + "x"):
            answer = await client.call(method, url, body, key)
            assert (answer.status, answer.code) == (401, "AUTH_INVALID_CREDENTIALS"), path
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        for permission, key in keys.items():
            answer = await client.call(method, url, body, key)
            if permission in granted:
                assert answer.status not in {401, 403}, (method, path, permission)
            else:
                assert (answer.status, answer.code) == (403, "PERMISSION_DENIED"), (
                    path,
                    permission,
                )


async def test_a_machine_never_answers_whatever_else_its_key_may(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """INVARIANT(no-self-approval): a gateway's key with the right to answer still can't."""
    approval = await client.ask()
    key = await make_key(postgres_server, database_name, ["Gateway", "ApprovalWrite", "Admin"])
    path = f"/v1/approvals/{approval['approvalId']}/resolve"
    answer = await client.call("POST", path, {"resolution": "APPROVE"}, key)
    assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")
    assert await client.status_of(approval["approvalId"]) == "PENDING"


async def test_revoked_and_expired_keys_are_refused_at_once(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """No cache stands between a revocation and the next request."""
    expired = await make_key(postgres_server, database_name, ["Admin"], seconds=-1)
    assert (await client.call("GET", "/v1/agents", key=expired)).status == 401
    key = await make_key(postgres_server, database_name, ["Admin"])
    assert (await client.call("GET", "/v1/agents", key=key)).status == 200
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        await connection.execute(
            "update api_keys set revoked_at = now() where key_hash = $1", hash_key(key)
        )
    finally:
        await connection.close()
    assert (await client.call("GET", "/v1/agents", key=key)).status == 401


async def test_another_tenant_sees_and_moves_nothing(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Every id of ours is 404 for them, every list of theirs is empty."""
    tenant = await make_tenant(postgres_server, database_name)
    admin = await make_key(postgres_server, database_name, ["Admin"], tenant=tenant)
    gateway = await make_key(postgres_server, database_name, ["Gateway"], tenant=tenant)
    body = ask_body()
    ours = (await client.call("POST", "/v1/approvals", body, "gateway")).body["approval"]
    path = f"/v1/approvals/{ours['approvalId']}"
    use = {"requestDigest": ours["requestDigest"], "claimId": "c"}
    agent = (await client.call("GET", "/v1/agents")).body["agents"][0]["agentId"]
    pulled = {"scope": "everything", "reason": "r"}
    stop = (await client.call("POST", "/v1/stops", pulled)).body["stop"]["stopId"]
    for method, url, sent, key in (
        ("GET", path, None, admin),
        ("GET", path, None, gateway),
        ("POST", f"{path}/resolve", {"resolution": "APPROVE"}, admin),
        ("POST", f"{path}/consume", use, gateway),
        ("PATCH", f"/v1/agents/{agent}", {"enabled": False}, admin),
        ("POST", f"/v1/stops/{stop}/lift", {"reason": "r"}, admin),
    ):
        answer = await client.call(method, url, sent, key)
        assert (answer.status, answer.code) == (404, "NOT_FOUND"), url
    for url, name, key in (
        ("/v1/approvals", "approvals", admin),
        ("/v1/records", "records", admin),
        ("/v1/decisions", "decisions", admin),
        ("/v1/agents", "agents", admin),
        ("/v1/agents/directory", "agents", gateway),
        ("/v1/limits", "limits", admin),
        ("/v1/stops", "stops", gateway),
        ("/v1/stops?all=true", "stops", admin),
    ):
        assert (await client.call("GET", url, key=key)).body[name] == [], url
    theirs = await client.call("POST", "/v1/approvals", body, gateway)
    assert theirs.status == 201
    assert theirs.body["approval"]["approvalId"] != ours["approvalId"]


async def test_only_hashes_of_keys_are_stored(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """No column of any row holds a key."""
    made = await client.call("POST", "/v1/agents", {"name": f"a-{uuid.uuid4().hex}"})
    secrets = [*client.keys.values(), made.body["key"]]
    connection = await connect_as(postgres_server, Role.OWNER, database_name)
    try:
        text = "\n".join(
            str(tuple(row)) for row in await connection.fetch("select * from api_keys")
        )
    finally:
        await connection.close()
    for key in secrets:
        assert key not in text
        assert hash_key(key).hex() in text.replace("\\x", "") or repr(hash_key(key)) in text


async def raw(client: Client, path: str, data: bytes, **headers: str) -> tuple[int, dict]:
    sent = {"x-api-key": client.keys["admin"], "Content-Type": "application/json", **headers}
    async with client.http.post(client.url + path, data=io.BytesIO(data), headers=sent) as response:
        return response.status, (await response.json())["error"]


BAD_BODIES = {
    "empty": (b"", 400, "MALFORMED_JSON"),
    "cut off": (b'{"name":', 400, "MALFORMED_JSON"),
    "no UTF-8": (b'{"name":"\xff"}', 400, "MALFORMED_JSON"),
    "a lone surrogate": (b'{"name":"\\ud800"}', 400, "MALFORMED_JSON"),
    "deeply nested": (b"[" * 50_000, 400, "MALFORMED_JSON"),
    "not an object": (b"[]", 422, "INVALID_FIELD"),
    "a field that is not known": (b'{"name":"n","nmae":"x"}', 422, "INVALID_FIELD"),
    "a field of another type": (b'{"name":1}', 422, "INVALID_FIELD"),
    "a missing field": (b"{}", 422, "INVALID_FIELD"),
    "a name that would break proxy credentials": (b'{"name":"a:b+c"}', 422, "INVALID_FIELD"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_gets_the_envelope(client: Client, name: str):
    """Never a 500, and the sentence does not repeat the value."""
    data, status, reason = BAD_BODIES[name]
    got, error = await raw(client, "/v1/agents", data)
    assert (got, error["code"], error["reason_code"]) == (status, "INVALID_ARGUMENT", reason)
    assert uuid.UUID(error["request_id"])


async def test_a_body_beyond_the_limit_is_refused(client: Client):
    """With a declared length at once, without one as soon as it is too much."""
    status, error = await raw(client, "/v1/agents", b" " * (1024 * 1024 + 1))
    assert (status, error["code"]) == (413, "BODY_TOO_LARGE")

    async def pieces():
        for _ in range(40):
            yield b" " * 65_536

    sent = {"x-api-key": client.keys["admin"]}
    async with client.http.post(client.url + "/v1/agents", data=pieces(), headers=sent) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (
            413,
            "BODY_TOO_LARGE",
        )


BAD_ASKS = {
    "a digest that is none": {"requestDigest": "xyz"},
    "a float among the params": {"params": {"amount": 1.5}},
    "a score beyond 100": {"risk": {"score": 101, "factors": [], "vector": ""}},
    "an unknown kind": {"kind": "explode"},
    "points beyond JSON's numbers": {
        "risk": {
            "score": 1,
            "factors": [{"name": "n", "points": 2**60, "observed": ""}],
            "vector": "",
        }
    },
    "a param beyond JSON's numbers": {"params": {"n": 2**60}},
    "a quorum of nobody": {"terms": {"quorum": 0}},
    "no agent": {"agent": ""},
    "a number as text": {"terms": {"timeoutSeconds": "60"}},
}


@pytest.mark.parametrize("name", BAD_ASKS)
async def test_a_bad_question_is_refused(client: Client, name: str):
    """422 and nothing stored."""
    answer = await client.call("POST", "/v1/approvals", ask_body(**BAD_ASKS[name]), "gateway")
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")


async def test_what_postgres_can_not_hold_is_still_shown_to_the_reviewer(client: Client):
    """NULs in words and params: stored, shown, answerable; never a 500."""
    approval = await client.ask(
        target={"type": "charge", "id": "a\0b"}, params={"note": "x\0y"}, path="/a\0b"
    )
    assert approval["target"]["id"] == "a\ufffdb"
    assert approval["params"] == {"note": "x\0y"}
    assert (await client.resolve(approval["approvalId"], "APPROVE")).status == 200
    assert (await client.consume(approval, "c")).status == 200


BAD_QUERIES = {
    "an unknown parameter": "/v1/approvals?nope=1",
    "an unknown status": "/v1/approvals?status=MAYBE",
    "no number": "/v1/approvals?limit=many",
    "too many": "/v1/approvals?limit=100000",
    "twice": "/v1/approvals?limit=1&limit=2",
    "a cursor beyond the numbers": "/v1/records?after=99999999999999999999",
    "a place beyond the numbers": "/v1/approvals?cursor=99999999999999999999",
    "a wait without end": f"/v1/approvals/{uuid.uuid4()}?waitSeconds=inf",
    "a wait of no length": f"/v1/approvals/{uuid.uuid4()}?waitSeconds=-1",
}


@pytest.mark.parametrize("name", BAD_QUERIES)
async def test_a_bad_query_is_refused(client: Client, name: str):
    """422 with the parameter's name."""
    answer = await client.call("GET", BAD_QUERIES[name])
    assert (answer.status, answer.code) == (422, "INVALID_ARGUMENT")


async def test_a_nul_in_a_query_finds_nothing(client: Client):
    """No text of ours holds one, so nothing matches; it is no fault of the server."""
    for path in ("/v1/approvals?agent=a%00b", "/v1/records?agent=a%00b&gatewayId=%00"):
        answer = await client.call("GET", path)
        assert answer.status in {200, 422}, path


async def test_unknown_routes_and_methods_get_the_envelope(client: Client):
    """404 and 405, with a request id, also without a key."""
    nowhere = await client.call("GET", "/v1/nowhere", key=None)
    assert (nowhere.status, nowhere.code) == (404, "NOT_FOUND")
    wrong = await client.call("DELETE", "/v1/approvals", key=None)
    assert (wrong.status, wrong.code) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["X-Request-Id"] == wrong.body["error"]["request_id"]


async def test_both_headers_carry_a_key_and_two_different_ones_are_refused(client: Client):
    """`Authorization: Bearer` works like `x-api-key`; a contradiction is no identity."""
    admin, gateway = client.keys["admin"], client.keys["gateway"]
    for headers, status in (
        ({"Authorization": f"Bearer {admin}"}, 200),
        ({"Authorization": f"bearer {admin}"}, 200),
        ({"Authorization": f"Bearer {admin}", "x-api-key": admin}, 200),
        ({"Authorization": f"Bearer {gateway}", "x-api-key": admin}, 401),
        ({"Authorization": f"Basic {admin}"}, 401),
        ({"Authorization": "Bearer "}, 401),
    ):
        async with client.http.get(client.url + "/v1/agents", headers=headers) as response:
            assert response.status == status, list(headers)


async def test_probes_and_metrics_need_no_key(client: Client):
    """And the metrics tell of the request that was just made, by its route's pattern."""
    for path in ("/healthz", "/readyz"):
        assert (await client.call("GET", path, key=None)).status == 200
    await client.call("GET", f"/v1/approvals/{uuid.uuid4()}")
    async with client.http.get(client.url + "/metrics") as response:
        text = await response.text()
    assert 'requests_total{method="GET",route="/v1/approvals/{id}",status="404"}' in text
    assert "checkrein_controlplane_database_connections" in text


async def test_bytes_that_are_no_http_do_not_hurt(client: Client):
    """The connection gets a 400 and the next request is served."""
    at = urlsplit(client.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    with socket.create_connection((at.hostname, at.port)) as silent:
        silent.sendall(b"GET /v1/appr")
    assert (await client.call("GET", "/healthz", key=None)).status == 200
