"""The tenant's log over HTTP on a real database: leaves, checkpoints, proofs, exports, keys."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlplane.services.log.checkpointing import CheckpointSettings
from controlplane.services.log.proving import ProvingLimits
from controlplane.store.embedded import EmbeddedPostgres, Role
from gateway.record.log.checkpoint import CONTROL_PLANE, gateway_origin, open_checkpoint
from gateway.record.log.leaf import leaf_data
from gateway.record.log.merkle import (
    RangeVerifier,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from gateway.record.log.signed_note import VerifierKey, sign
from gateway.record.verifying.files import verify_stream
from gateway.record.verifying.trust import Trust
from tests.support.control_plane import LIMITS, Client, running_plane
from tests.support.database import connect_as, make_database
from tests.support.signed_gateway import SIGNING_SOON, SignedGateway, exported, log_size, signed_log
from tests.support.tenants import make_key, make_tenant


@pytest.fixture(scope="module")
async def client(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
) -> AsyncIterator[Client]:
    """A control plane that signs at once."""
    async with running_plane(postgres_server, database_name, data_dir, SIGNING_SOON) as found:
        yield found


def leaf_of(gateway: SignedGateway, seq: int) -> bytes:
    line = gateway.lines[seq - 1]
    return leaf_hash(leaf_data(gateway.id, seq, gateway.hash_of(line)))


async def test_every_record_is_proven_under_the_newest_checkpoint(client: Client):
    """By its number and by its decision; 600 records, so that kept roots take part."""
    gateway = SignedGateway(client)
    entries = [{"decision_id": f"dec_{number}"} for number in range(300)]
    for part in (entries, [{}] * 299, [{"decision_id": "dec_7", "kind": "outcome"}]):
        assert (await gateway.ship(part)).status == 200
    view = await signed_log(client)
    keys = [VerifierKey.parse(view["key"])]
    for path in (
        *(f"gateway={gateway.id}&seq={seq}" for seq in (1, 2, 256, 257, 511, 513, 600)),
        "decisionId=dec_7",
    ):
        proofs = (await client.call("GET", f"/v1/log/proof?{path}")).body["proofs"]
        assert len(proofs) == (2 if "decision" in path else 1)
        for proof in proofs:
            head, _, note = proof["tlog_proof"].partition("\n\n")
            first, index, *hashes = head.split("\n")
            checkpoint = open_checkpoint(note, keys)
            assert first == "c2sp.org/tlog-proof@v1"
            assert proof["line"] == gateway.lines[proof["seq"] - 1]
            assert verify_inclusion(
                int(index.removeprefix("index ")),
                checkpoint.size,
                leaf_of(gateway, proof["seq"]),
                [base64.b64decode(each) for each in hashes],
                checkpoint.root,
            )


async def test_each_checkpoint_only_adds_to_the_one_before(client: Client):
    """What a gateway that asks again and again is shown holds together, from the empty log on."""
    gateway, seen = SignedGateway(client), []
    for count in (1, 254, 1, 2, 40):
        await gateway.ship([{}] * count)
        view = await signed_log(client)
        size = seen[-1].size if seen else 0
        answer = await client.call("GET", f"/v1/log/checkpoint?since={size}", None, "gateway")
        new = open_checkpoint(answer.body["checkpoint"], [VerifierKey.parse(view["key"])])
        path = [base64.b64decode(each) for each in answer.body["consistency"]]
        if seen:
            assert verify_consistency(size, seen[-1].root, new.size, new.root, path)
        seen.append(new)
    first, last = seen[0], seen[-1]
    answer = await client.call("GET", f"/v1/log/consistency?old={first.size}&new={last.size}")
    path = [base64.b64decode(each) for each in answer.body["consistency"]]
    assert verify_consistency(first.size, first.root, last.size, last.root, path)
    listed = (await client.call("GET", "/v1/log/checkpoints?limit=500")).body["checkpoints"]
    sizes = [each["size"] for each in listed]
    assert sizes == sorted(sizes, reverse=True)
    assert {each.size for each in seen} <= set(sizes)


async def test_a_checkpoint_beyond_the_log_is_not_proven(client: Client):
    """Who was shown a larger log than there is hears that, and no proof."""
    answer = await client.call("GET", f"/v1/log/checkpoint?since={2**40}")
    assert (answer.status, answer.reason_code) == (422, "INVALID_FIELD")


@pytest.mark.parametrize(
    ("first", "count"), [(0, None), (3, 5), (255, 2), (0, 0)], ids=["all", "few", "joint", "none"]
)
async def test_an_export_holds_what_proves_it(client: Client, first: int, count: int | None):
    """The lines, their order, and the hashes around them give the root that was signed."""
    gateway = SignedGateway(client)
    assert (await gateway.enrol()).status == 200
    await gateway.ship([{}] * 300)
    view = await signed_log(client)
    query = f"?first={first}" + ("" if count is None else f"&count={count}")
    header, *lines = (await exported(client, query)).splitlines()
    head = json.loads(header)
    checkpoint = open_checkpoint(head["checkpoint"], [VerifierKey.parse(view["key"])])
    assert head["count"] == len(lines) == (checkpoint.size if count is None else count)
    left, right = ([base64.b64decode(each) for each in head[name]] for name in ("left", "right"))
    verifier = RangeVerifier(first, first + len(lines), checkpoint.size, left, right)
    for line in lines:
        fields = json.loads(line)
        data = leaf_data(fields["gateway"], fields["seq"], gateway.hash_of(line))
        verifier.append(leaf_hash(data))
    assert verifier.root() == checkpoint.root
    if count is None:
        own = next(each for each in head["gateways"] if each["id"] == gateway.id)
        assert own["keys"] == [gateway.signer.verifier_key]
        assert own["heads"] == [gateway.head(gateway.lines, 1)]


async def test_what_was_stored_before_there_was_a_log_is_taken_into_it(
    postgres_server: EmbeddedPostgres, tmp_path: Path
):
    """At the start, in the order of arrival, and ahead of what comes then."""
    name = await asyncio.to_thread(make_database, postgres_server)
    async with running_plane(postgres_server, name, tmp_path) as before:
        of_keys = await log_size(before)
        gateway = SignedGateway(before)
        await gateway.ship([{}] * 300)
    connection = await connect_as(postgres_server, Role.SUPERUSER, name)
    for table in ("log_leaves", "log_nodes", "log_heads", "log_checkpoints"):
        await connection.execute(f"alter table {table} disable trigger all")
        await connection.execute(f"delete from {table}")
        await connection.execute(f"alter table {table} enable trigger all")
    await connection.close()
    for file in (tmp_path / "log-signer").iterdir():
        file.unlink()
    async with running_plane(postgres_server, name, tmp_path, SIGNING_SOON) as after:
        gateway.client = after
        assert (await after.call("GET", "/v1/log")).body["size"] == of_keys + 300
        await gateway.ship([{}])
        await signed_log(after, of_keys + 301)
        assert (await exported(after)).splitlines()[1 + of_keys :] == gateway.lines


async def test_a_line_that_is_erased_leaves_its_place(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """What is kept of it is enough for all others to verify, and no proof of it has its words."""
    gateway = SignedGateway(client)
    assert (await gateway.enrol()).status == 200
    await gateway.ship([{"detail": "a name"}, {"detail": "another"}, {}])
    connection = await connect_as(postgres_server, Role.SUPERUSER, database_name)
    await connection.execute("set session_replication_role = replica")
    await connection.execute(
        "update records set line = null where gateway_id = $1 and seq < 3", gateway.id
    )
    await connection.close()
    log = await exported(client)
    key = VerifierKey.parse((await client.call("GET", "/v1/log")).body["key"])
    report = verify_stream(io.BytesIO(log.encode()), Trust((key,)))
    assert report.breaks == []
    assert sum(part.erased_count for part in report.gateways) == 2
    erased = [json.loads(line)["erased"] for line in log.splitlines() if '"erased"' in line]
    hashes = [gateway.hash_of(line) for line in gateway.lines]
    assert [(one["hash"], one["prev"], one["seq"]) for one in erased] == [
        (hashes[0], "0" * 64, 1),
        (hashes[1], hashes[0], 2),
    ]
    answer = await client.call("GET", f"/v1/log/proof?gateway={gateway.id}&seq=1")
    assert answer.body["proofs"][0]["line"] is None


async def test_a_log_whose_head_was_rewound_takes_nothing(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Gateways are told to come back, and lose nothing; once it is put right, it goes on."""
    gateway = SignedGateway(client)
    await gateway.ship([{}] * 2)
    connection = await connect_as(postgres_server, Role.SUPERUSER, database_name)
    await connection.execute("set session_replication_role = replica")
    before = await connection.fetchrow("select * from log_heads")
    rewind = "update log_heads set size = $1, frontier = $2"
    await connection.execute(rewind, 0, b"")
    assert (await gateway.ship([{}])).status == 503
    await connection.execute(rewind, before["size"], before["frontier"])
    await connection.close()
    body = {"gatewayId": gateway.id, "records": gateway.lines}
    answer = await client.call("POST", "/v1/records", body, "gateway")
    assert answer.body == {"acceptedThrough": 3}


async def test_an_enrolled_gateway_ships_nothing_that_it_did_not_sign(client: Client):
    """No head, another key's, another gateway's, of another line or number: refused, an incident,
    and nothing stored. What it signed is taken."""
    gateway, other = SignedGateway(client), SignedGateway(client)
    assert (await gateway.ship([{}])).status == 200, "without a key it needs none"
    assert gateway.id in (await client.call("GET", "/v1/log")).body["unsignedGateways"]
    assert (await gateway.enrol()).status == 200
    assert gateway.id not in (await client.call("GET", "/v1/log")).body["unsignedGateways"]
    new = gateway.write([{}, {}])
    right = gateway.head(new, 2)
    for head in (
        None,
        "no note",
        gateway.head(new, 2, gateway.signer_of("stolen credentials, no key")),
        other.head(new, 2),
        gateway.head(new[:1], 2),
        gateway.head(new, 3),
    ):
        body = {"gatewayId": gateway.id, "records": new, "head": head}
        answer = await client.call("POST", "/v1/records", body, "gateway")
        assert (answer.status, answer.code) == (422, "RECORD_UNSIGNED"), head
    body = {"gatewayId": gateway.id, "records": new, "head": right}
    answer = await client.call("POST", "/v1/records", body, "gateway")
    assert answer.body == {"acceptedThrough": 3}
    assert await incident(client, "RECORD_UNSIGNED")


async def test_a_key_is_replaced_only_by_who_has_the_old_one(client: Client):
    """The same key again is nothing new; another one needs the old one's signature, and its own."""
    gateway = SignedGateway(client)
    new, path = gateway.signer_of("the next key"), f"/v1/gateways/{gateway.id}/key"
    first = await gateway.enrol()
    assert (first.status, first.body["key"]) == (200, gateway.signer.verifier_key)
    assert (await gateway.enrol()).body == first.body
    answer = await gateway.enrol(signer=new)
    assert (answer.status, answer.code) == (409, "RECORD_KEY_CONFLICT")
    assert await incident(client, "RECORD_KEY_CONFLICT")
    unproven = {"key": new.verifier_key, "proof": gateway.head(["x"], 1)}
    assert (await client.call("PUT", path, unproven, "gateway")).reason_code == "RECORD_KEY_INVALID"
    assert (await gateway.enrol(gateway.signer, signer=new)).body["key"] == new.verifier_key
    assert (await gateway.ship([{}])).code == "RECORD_UNSIGNED", "the old key is over"
    head = gateway.head(gateway.lines, 1, new)
    body = {"gatewayId": gateway.id, "records": gateway.lines, "head": head}
    assert (await client.call("POST", "/v1/records", body, "gateway")).status == 200
    await signed_log(client)
    header = json.loads((await exported(client)).splitlines()[0])
    own = next(each for each in header["gateways"] if each["id"] == gateway.id)
    assert own == {
        "id": gateway.id,
        "keys": [gateway.signer.verifier_key, new.verifier_key],
        "heads": [head],
    }


async def test_the_first_key_is_of_who_used_the_id_first(client: Client):
    """Whether it asked for policies or shipped records: another credential enrols no key for it,
    which opens an incident, until the first one is revoked. An id that nobody used is free."""
    bodies = ({"name": name, "permissions": ["Gateway"]} for name in ("east", "west"))
    gateways = [(await client.call("POST", "/v1/keys", body)).body for body in bodies]
    east, west = (made["key"] for made in gateways)
    asks, ships, fresh = (SignedGateway(client) for _ in range(3))
    body = {"gatewayId": asks.id, "revision": "0" * 64, "source": "files"}
    assert (await client.call("POST", "/v1/gateways", body, east)).status == 200
    body = {"gatewayId": ships.id, "records": ships.write([{}])}
    assert (await client.call("POST", "/v1/records", body, east)).status == 200
    for gateway in (asks, ships):
        answer = await gateway.enrol(key=west)
        assert (answer.status, answer.reason_code) == (409, "GATEWAY_TAKEN")
    assert await incident(client, "RECORD_KEY_CONFLICT")
    assert (await asks.enrol(key=east)).status == 200
    assert (await asks.enrol(key=west)).status == 200, "the same key again is nothing new"
    assert (await fresh.enrol(key=west)).status == 200
    path = f"/v1/keys/{gateways[0]['keyId']}/revoke"
    assert (await client.call("POST", path, {})).status == 200
    assert (await ships.enrol(key=west)).status == 200


async def test_a_name_that_is_no_gateways_has_no_key(client: Client):
    """A key's name and the path say the same, or there is none."""
    gateway = SignedGateway(client)
    body = {"key": gateway.signer.verifier_key, "proof": gateway.head(["x"], 1)}
    answer = await client.call("PUT", "/v1/gateways/another/key", body, "gateway")
    assert answer.reason_code == "RECORD_KEY_INVALID"
    assert (await client.call("PUT", "/v1/gateways/a%20b/key", body, "gateway")).status == 404


async def test_a_tenant_sees_and_signs_its_own_log_alone(
    client: Client, postgres_server: EmbeddedPostgres, database_name: str
):
    """Another tenant's gateway of the same name has its own key, records and log; neither proves,
    exports or counts anything of the other's."""
    ours, theirs = SignedGateway(client, "shared"), SignedGateway(client, "shared")
    tenant = await make_tenant(postgres_server, database_name)
    for role in ("Gateway", "RecordRead"):
        key = await make_key(postgres_server, database_name, [role], tenant=tenant)
        client.keys[f"their {role}"] = key
    assert (await ours.enrol()).status == 200
    await ours.ship([{"decision_id": "dec_ours"}])
    await signed_log(client)
    key = theirs.signer.verifier_key
    body = {"key": key, "proof": sign(key + "\n", theirs.signer)}
    answer = await client.call("PUT", "/v1/gateways/shared/key", body, "their Gateway")
    assert (answer.status, answer.body["key"]) == (200, key)
    own_acts = await log_size(client, "their RecordRead")
    view = await client.call("GET", "/v1/log", key="their RecordRead")
    assert (view.body["size"], view.body["unsignedGateways"]) == (own_acts, [])
    assert str(tenant) in view.body["origin"]
    for path in ("gateway=shared&seq=1", "decisionId=dec_ours"):
        answer = await client.call("GET", f"/v1/log/proof?{path}", key="their RecordRead")
        assert answer.status == 404
    lines = theirs.write([{}, {}])
    body = {"gatewayId": "shared", "records": lines, "head": theirs.head(lines, 1)}
    assert (await client.call("POST", "/v1/records", body, "their Gateway")).status == 200
    async with asyncio.timeout(20):
        while True:
            answer = await client.call("GET", "/v1/log/export", key="their RecordRead")
            if answer.status == 200 and len(str(answer.body).splitlines()) == own_acts + 3:
                break
            await asyncio.sleep(0.02)
    shown = str(answer.body).splitlines()[1:]
    assert shown[own_acts:] == lines
    assert {json.loads(line)["gateway"] for line in shown[:own_acts]} == {CONTROL_PLANE}


async def incident(client: Client, reason: str) -> dict[str, Any] | None:
    answer = await client.call("GET", f"/v1/incidents?reasonCode={reason}")
    found = answer.body["incidents"]
    return dict(found[0]) if found else None


async def test_what_just_came_is_signed_when_somebody_asks_for_it(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """An export and a proof cover every record, though no checkpoint was due yet."""
    seldom = replace(LIMITS, proving=ProvingLimits(CheckpointSettings(growth_seconds=3_600)))
    async with running_plane(postgres_server, database_name, data_dir, seldom) as client:
        gateway = SignedGateway(client)
        for count in (1, 2):
            await gateway.ship([{"decision_id": f"dec_{count}"}] * count)
            assert (await exported(client)).splitlines()[-len(gateway.lines) :] == gateway.lines
        await gateway.ship([{"decision_id": "dec_asked"}])
        answer = await client.call("GET", "/v1/log/proof?decisionId=dec_asked")
        assert [proof["seq"] for proof in answer.body["proofs"]] == [4]


async def test_a_key_under_which_anybody_signs_is_not_enrolled(client: Client):
    """The identity of the curve, with a proof that a library takes for its signature."""
    gateway = SignedGateway(client)
    name, public = gateway_origin(gateway.id), (1).to_bytes(32, "little")
    key_hash = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    key = f"{name}+{key_hash.hex()}+{base64.b64encode(bytes([1]) + public).decode()}"
    signature = base64.b64encode(key_hash + public + bytes(32)).decode()
    body = {"key": key, "proof": f"{key}\n\n\N{EM DASH} {name} {signature}\n"}
    answer = await client.call("PUT", f"/v1/gateways/{gateway.id}/key", body, "gateway")
    assert (answer.status, answer.reason_code) == (422, "RECORD_KEY_INVALID")
    assert "proves nothing" in answer.body["error"]["message"]
    assert (await gateway.enrol()).status == 200
